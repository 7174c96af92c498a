"""Which sampled thread is which recorded one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.profile import Profile, Track


@dataclass(frozen=True)
class Thread:
    """A thread as the sampler saw it, and its tracks in the recording."""

    sampled: Track
    own: Sequence[int]
    """Indices of the recorded tracks of the thread itself: several, where scopes were left out of order, or where
    one thread came after another of the same number."""
    tasks: Sequence[int]
    """Indices of the tracks of asyncio tasks that ran on it."""


def match(sampled: Profile, recording: Profile) -> list[Thread]:
    """Return the sampled threads with their recorded tracks.

    A process's threads are told apart by Python's number and the system's number together: the one is used again as
    soon as a thread has ended, and a forked child's main thread has its parent's; but not both in one process.
    Where either side does not know the system's number, Python's has to do.
    """
    by_ident: dict[tuple[int, int], list[int]] = {}
    for i, track in enumerate(recording.tracks):
        by_ident.setdefault((track.pid, track.tid), []).append(i)
    facts = _list(recording.facts.get("threads"), len(recording.tracks))
    natives = _list(sampled.facts.get("native_ids"), len(sampled.tracks))
    found: list[Thread] = []
    for track, native in zip(sampled.tracks, natives, strict=True):
        same = [
            i
            for i in by_ident.get((track.pid, track.tid), [])
            if not native or not _native(facts[i]) or _native(facts[i]) == native
        ]
        tasks = [i for i in same if _is_task(facts[i])]
        found.append(Thread(track, [i for i in same if not _is_task(facts[i])], tasks))
    return found


def _list(value: object, length: int) -> list[object]:
    return value if isinstance(value, list) and len(value) == length else [None] * length


def _native(facts: object) -> int:
    return facts[0] if isinstance(facts, list) and isinstance(facts[0], int) else 0


def _is_task(facts: object) -> bool:
    return isinstance(facts, list) and facts[1] is not None
