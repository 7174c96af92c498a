"""Stacks as a reader finds them, and the profile that is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, Frame, Profile, Stacks, Track


class StackTable:
    """Distinct stacks by (parent, frame), where a frame is a number of the file's own."""

    def __init__(self) -> None:
        self.index: dict[tuple[int, Any], int] = {}
        """Readers that are in a hurry look up here, and add what is missing as `len(index)`."""

        self._leaves: NDArray[np.int64] | None = None

    def add(self, parent: int, frame: int) -> int:
        """Return the stack with a frame on top of another, or of `ROOT`."""
        return self.index.setdefault((parent, frame), len(self.index))

    def path(self, frames: Sequence[Any]) -> int:
        """Return the stack of frames, root first; `ROOT` for none."""
        index, stack = self.index, ROOT
        for frame in frames:
            stack = index.setdefault((stack, frame), len(index))
        return stack

    def leaves(self, parents: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the stack with each frame on top of each parent; called once, when all else has been added.

        What is new is kept in columns: millions of leaves would take a second to put into the index.

        Args:
            parents: (leaves,) stacks that are here, or `ROOT`.
            frames: (leaves,) numbers below 2³².
        """
        pairs, inverse = np.unique((parents + 1 << 32) | frames, return_inverse=True)
        known = self._keys()
        known_pairs = (known[:, 0] + 1 << 32) | known[:, 1]
        order = np.argsort(known_pairs)
        place = np.searchsorted(known_pairs, pairs, sorter=order)
        nearest = order[np.minimum(place, max(len(order) - 1, 0))] if len(order) else place
        there = known_pairs[nearest] == pairs if len(order) else np.zeros(len(pairs), dtype=np.bool_)
        stack = np.where(there, nearest, len(known) + np.cumsum(~there) - 1)
        self._leaves = np.stack([(pairs >> 32) - 1, pairs & 0xFFFFFFFF], axis=1)[~there]
        return stack.astype(np.int32)[inverse]

    def _keys(self) -> NDArray[np.int64]:
        """Return (stacks, 2) parents and frames.

        Raises:
            ValueError: A frame is no number that fits.
        """
        if not set(map(type, chain.from_iterable(self.index))) <= {int}:
            raise ValueError("a stack holds something that is not the number of a frame")
        try:
            keys = np.fromiter(chain.from_iterable(self.index), np.int64, 2 * len(self.index)).reshape(-1, 2)
        except OverflowError:
            raise ValueError("a stack holds a frame of which there is none") from None
        return keys if self._leaves is None else np.concatenate([keys, self._leaves])

    def profile(
        self,
        name: str,
        frames: Sequence[Frame],
        tracks: Sequence[Track],
        bounds: tuple[int, int],
        facts: Mapping[str, object],
    ) -> Profile:
        """Return the profile of tracks over these stacks.

        Frames of different numbers that are equal become one, and so do stacks of them.

        Raises:
            ValueError: A stack's frame is none of `frames`.
        """
        distinct: dict[Frame, int] = {}
        of_number = [distinct.setdefault(frame, len(distinct)) for frame in frames]
        keys = self._keys()
        wrong = (keys[:, 1] < 0) | (keys[:, 1] >= len(frames))
        if wrong.any():
            number = int(keys[int(np.argmax(wrong)), 1])
            raise ValueError(f"a stack holds frame {number}, and there are {len(frames)} frames")
        parent, frame_of = keys[:, 0], np.array(of_number, dtype=np.int32)[keys[:, 1]]
        if len(distinct) < len(frames):
            merged: dict[tuple[int, int], int] = {}
            new: list[int] = []
            for below, frame in zip(parent.tolist(), frame_of.tolist(), strict=True):
                key = (new[below] if below != ROOT else ROOT, frame)
                new.append(merged.setdefault(key, len(merged)))
            mapping = np.array([*new, ROOT], dtype=np.int32)  # the last stands for `ROOT`, which is -1
            keys = np.array(list(merged), dtype=np.int64).reshape(-1, 2)
            parent, frame_of = keys[:, 0], keys[:, 1].astype(np.int32)
            tracks = [_mapped(track, mapping) for track in tracks]
        return Profile(
            name=name,
            frames=tuple(distinct),
            stacks=Stacks(parent.astype(np.int32), frame_of),
            tracks=tuple(tracks),
            start_ns=bounds[0],
            end_ns=bounds[1],
            facts=dict(facts),
        )


def _mapped(track: Track, mapping: NDArray[np.int32]) -> Track:
    spans, samples = track.spans, track.samples
    return replace(
        track,
        spans=None if spans is None else replace(spans, stack=mapping[spans.stack]),
        samples=None if samples is None else replace(samples, stack=mapping[samples.stack]),
    )
