"""Our own member of a speedscope file: what the format cannot hold.

That is processes, kinds of frames, which spans are not what they seem, and which samples wait with a frame on top that
runs elsewhere: one frame to the format, two to us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.formats._json import shown
from workbench.formats._numbers import Id, Instant
from workbench.profile import ROOT, FrameKind, Profile, Samples, Spans, Stacks, Track
from workbench.records import Count, convert

MEMBER = "workbench"
"""The name of the member."""


class OurTrack(msgspec.Struct):
    """A track."""

    name: str
    pid: Id
    tid: Id
    process: str


class OurPart(msgspec.Struct, omit_defaults=True):
    """The spans of a track, or its samples: which rows of them are what."""

    track: Count
    waiting: list[Count] = []
    unfinished: list[Count] = []
    carried: list[Count] | None = None


class SpeedscopeMember(msgspec.Struct):
    """The member."""

    start_ns: Instant
    kinds: list[FrameKind]
    """Of the file's frames."""
    tracks: list[OurTrack]
    profiles: list[OurPart]

    @classmethod
    def of(cls, member: Any, parts: int, frames: int) -> SpeedscopeMember | None:
        """Return it, or None where there is none, or one that is not of this file.

        Raises:
            ValueError: It is damaged.
        """
        if not isinstance(member, dict):
            return None
        try:
            found = convert(member, cls)
        except ValueError as error:
            raise ValueError(f"its member {MEMBER!r} is damaged: {shown(str(error))}; delete it") from None
        nothing = parts == 1 and not found.profiles  # the empty profile of a file without tracks
        if (len(found.profiles) != parts and not nothing) or len(found.kinds) != frames:
            return None  # another program has removed frames or profiles
        return found if all(part.track < len(found.tracks) for part in found.profiles) else None

    def tracks_of(self, parts: Sequence[Spans | Samples]) -> list[Track]:
        """Return the tracks that were written, of the profiles of the file, on the recording's clock.

        Raises:
            ValueError: It contradicts the file.
        """
        tracks = [Track(track.name, track.pid, track.tid, track.process) for track in self.tracks]
        for part, own in zip(parts, self.profiles, strict=False):
            track = tracks[own.track]
            if (track.samples if isinstance(part, Samples) else track.spans) is not None:
                raise ValueError(
                    f"its member {MEMBER!r} gives two such profiles to track {own.track}; delete it"
                )
            if isinstance(part, Samples):
                track = replace(track, samples=replace(part, at_ns=part.at_ns + self.start_ns))
            else:
                track = replace(track, spans=self._marked(part, own))
            tracks[own.track] = track
        return tracks

    def _marked(self, spans: Spans, own: OurPart) -> Spans:
        return replace(
            spans,
            start_ns=spans.start_ns + self.start_ns,
            end_ns=spans.end_ns + self.start_ns,
            unfinished=_rows(own.unfinished, len(spans)),
            propagated=None if own.carried is None else _rows(own.carried, len(spans)),
        )

    def waiting(self, parts: Sequence[Spans | Samples]) -> dict[int, NDArray[np.bool_]]:
        """Return by track which of its samples wait, where the kind of their frame is another."""
        return {
            own.track: _rows(own.waiting, len(part))
            for part, own in zip(parts, self.profiles, strict=False)
            if isinstance(part, Samples)
        }


def _rows(listed: list[int], count: int) -> NDArray[np.bool_]:
    if max(listed, default=-1) >= count:
        raise ValueError(f"its member {MEMBER!r} lists rows that are not there; delete it")
    mask = np.zeros(count, dtype=np.bool_)
    mask[listed] = True
    return mask


def waiting_rows(profile: Profile, samples: Samples, kinds: NDArray[np.int8]) -> list[int]:
    """Return which of a track's samples at which anything was seen wait, and do not so by the kind of their frame.

    Args:
        profile: Theirs.
        samples: The track's.
        kinds: (frames,) the kind that a file states of each frame.
    """
    own = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    differs = (own == FrameKind.IDLE) & (kinds != FrameKind.IDLE)
    stack = samples.stack[samples.stack != ROOT]
    return np.flatnonzero(differs[profile.stacks.frame[stack]]).tolist() if differs.any() else []


def with_waiting(profile: Profile, rows: Mapping[int, NDArray[np.bool_]]) -> Profile:
    """Return the profile with some samples of some tracks, given as masks, as ones that wait."""
    if not any(mask.any() for mask in rows.values()):
        return profile
    frames = list(profile.frames)
    number = {frame: i for i, frame in reversed(list(enumerate(frames)))}
    parent, frame_of = profile.stacks.parent.tolist(), profile.stacks.frame.tolist()
    twin: dict[int, int] = {}
    for track, mask in rows.items():
        samples = profile.tracks[track].samples
        for stack in np.unique(samples.stack[mask]).tolist() if samples is not None else ():
            if stack == ROOT or stack in twin:
                continue
            idle = frames[frame_of[stack]]._replace(kind=FrameKind.IDLE)
            if idle not in number:
                number[idle] = len(frames)
                frames.append(idle)
            twin[stack] = len(parent)
            parent.append(parent[stack])
            frame_of.append(number[idle])
    tracks: list[Track] = list(profile.tracks)
    for track, mask in rows.items():
        samples = tracks[track].samples
        if samples is not None:
            moved = samples.stack.copy()
            moved[mask] = [twin.get(stack, stack) for stack in moved[mask].tolist()]
            tracks[track] = replace(tracks[track], samples=replace(samples, stack=moved))
    stacks = Stacks(np.array(parent, dtype=np.int32), np.array(frame_of, dtype=np.int32))
    return replace(profile, frames=tuple(frames), stacks=stacks, tracks=tuple(tracks))
