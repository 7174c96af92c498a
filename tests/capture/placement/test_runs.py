"""Looks that are alike are placed once: with the same stacks and the same counts as each on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.capture.placement import Clock, placer

CLOCK = Clock(0, 3_000_000, 1_000_000, 10_000_000)
NAMES = ["line", "time", "other time"]


@st.composite
def spans(draw):
    """Return spans that nest, some of no length, outer ones first."""
    found, opened, now = [], [], 0
    for step, action in draw(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([*NAMES, "close"])))):
        now += step
        if action != "close":
            opened.append(len(found))
            found.append([now, None, action, False])
        elif opened:
            found[opened.pop()][1] = now
    for each in reversed(opened):
        found[each][1] = now + 1
    return [tuple(each) for each in found]


texts = st.sampled_from(["main:1", "main:1 work:7", "main:1 held:5", "main:1 held:5 work:7"])
looks = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6), texts), max_size=12)


def each_alone(*columns):
    return np.arange(len(columns[0]))


@given(spans(), spans(), looks, st.booleans())
def test_runs_are_placed_like_each_look(program_class, own, of_task, seen, has_task):
    """Placing runs of looks gives each look the stack, and the tally the counts, that placing one by one gives."""
    program = program_class()
    program.place("line", "held", 2, 9)
    thread = program.thread()
    thread.spans += own
    if has_task:
        program.thread("task", task="task").spans += of_task
    now = 0.0
    for step, times, text in seen:
        now += step + 0.1
        for _ in range(times):
            now += 0.4
            thread.looks.append((now, text))
    runs = program.merged(CLOCK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placer, "_runs", each_alone)
        alone = program.merged(CLOCK)
    assert runs.facts == alone.facts
    assert program_stacks(runs) == program_stacks(alone)


def program_stacks(profile):
    return [
        [(profile.stacks.path(int(stack)), int(at)) for stack, at in zip(s.stack, s.at_ns, strict=True)]
        for s in (track.samples for track in profile.tracks)
        if s is not None
    ]


def test_scopes_that_follow_each_other_at_once(program):
    """Around a scope is what was there before it, not before the one of that name that it follows without a gap."""
    thread = program.thread()
    thread.spans += [(0, 10, "job", False), (10, 20, "job", False)]
    thread.looks += [(-10, "main:3 other:5"), *((time, "main:3 work:5") for time in (5, 9.5, 10.5, 15))]
    first, second = "main / {job} / work", "main / work / {job}"
    assert program.stacks(CLOCK) == ["main / other", first, first, second, second]


def test_looks_of_an_idle_thread_are_all_counted(program):
    """A thread that waits all the time has a sample for each look, each counted once: checked, placed or not."""
    program.place("held", "wait", 2, 9)
    held, idle = program.thread("held", tid=1), program.thread("idle", tid=2)
    held.spans += [(0, 5000, "held", False)]
    held.looks += [(time, "main:1 wait:5") for time in range(10, 4990, 10)]
    idle.looks += [(time, "main:1 pause:5") for time in range(10, 5000, 10)]
    merged = program.merged(CLOCK)
    one, two = (track.samples for track in merged.tracks)
    assert (len(one), len(two)) == (498, 499)
    facts = merged.facts["placement"]
    assert (facts["samples"], facts["placed"], facts["unguarded"], facts["unplaced"]) == (997, 498, 499, 0)
    assert (facts["checked"], facts["agreed"]) == (498, 498)
