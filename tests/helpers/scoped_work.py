"""A program of which it is known under which scopes each of its functions runs, and how a profile shows that."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from workbench import scope
from workbench.profile import FrameKind

EXPECTED = {
    "in_block": ("block",),
    "in_inner": ("block", "inner"),
    "in_generator": ("generator",),
    "in_recursion": ("level", "level", "level"),
    "in_task": ("loop", "task"),
    "outside": (),
}
"""The scopes that each function runs under that `main` calls, outermost first. Between two values of a generator its
scope is open, but not on the stack."""


def busy(seconds=0.08):  # the sampler begins within some 20 ms
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(500))


def in_block():
    busy()


def in_inner():
    busy()


def in_generator():
    busy()


def in_task():
    busy(0.01)


def in_recursion():
    busy()


def outside():
    busy()


def values():
    for i in range(3):
        with scope("generator"):
            in_generator()
            yield i


def nested(depth):
    with scope("level"):
        if depth:
            nested(depth - 1)
        else:
            in_recursion()


async def task():
    for _ in range(3):
        with scope("task"):
            in_task()
            await asyncio.sleep(0.001)
            in_task()


async def tasks():
    await asyncio.gather(task(), task())


def main():
    for _ in range(3):
        with scope("block"):
            in_block()
            with scope("inner"):
                in_inner()
        for _ in values():
            outside()
        nested(2)
    with scope("loop"):
        asyncio.run(tasks())


def jobs():
    """Run scopes whose names are made as they are opened, which no line shows."""
    for i in range(10):
        with scope(f"job {i}"):
            busy(0.06)


def stacks(profile):
    """Return the frames of each sample at which something was seen."""
    sampled = [track.samples.stack.tolist() for track in profile.tracks if track.samples is not None]
    seen = [stack for of_track in sampled for stack in of_track if stack >= 0]
    return [[profile.frames[i] for i in profile.stacks.path(stack)] for stack in seen]


def scopes_around(profile, function):
    """Return by the scopes around a function, outermost first, how many samples have it so."""
    found = Counter()
    for frames in stacks(profile):
        place = next((i for i, frame in enumerate(frames) if frame.name.rpartition(".")[2] == function), None)
        if place is not None:
            found[tuple(frame.name for frame in frames[:place] if frame.kind is FrameKind.SCOPE)] += 1
    return found


def is_attributed(profile, function, scopes, innermost=False):
    """Return whether a function was seen, and in 99 of 100 samples under these scopes, or these as the innermost."""
    found = scopes_around(profile, function)
    fitting = sum(
        count for each, count in found.items() if (each[-len(scopes) :] if innermost else each) == scopes
    )
    return fitting >= 0.99 * found.total() > 0


if __name__ == "__main__":
    main()
