"""What must hold of any program: no time is lost, and no sample is put where it cannot have been taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workbench.capture.placement import Clock
from workbench.profile import FrameKind

LATE_MS, EARLY_MS = 3, 1
CLOCK = Clock(0, LATE_MS * 1_000_000, EARLY_MS * 1_000_000, 10_000_000)
UNKNOWN = "(which scope is unknown)"
NAMES = ["line a", "line b", "time a", "time b"]
"""The first two have a place of their own, and so are shown by lines; the others are not."""


@st.composite
def spans(draw):
    """Return spans that nest, (start, end, name), outer ones first, in whole milliseconds."""
    found, opened, now = [], [], 0
    for step, action in draw(
        st.lists(st.tuples(st.integers(1, 30), st.sampled_from([*NAMES, "close", "close"])))
    ):
        now += step
        if action != "close":
            opened.append(len(found))
            found.append([now, None, action])
        elif opened:
            found[opened.pop()][1] = now
    for each in reversed(opened):
        now += 1
        found[each][1] = now
    return [tuple(each) for each in found]


looks = st.lists(st.tuples(st.integers(0, 300), st.integers(-EARLY_MS, LATE_MS), st.booleans()), max_size=25)


def open_at(made, time):
    return [name for start, end, name in made if start <= time < end]


def stack_at(made, time, inner):
    """Return the stack of a sample: a function for each scope that has a place, and what they call."""
    functions = [f"{name.replace(' ', '_')}:5" for name in open_at(made, time) if name in NAMES[:2]]
    return " ".join(["main:1", *functions, *(["work:7"] if inner else [])])


@given(st.lists(st.tuples(spans(), looks), min_size=1, max_size=3), st.booleans())
def test_any_program(program_class, threads, changes_alone):
    """Weights add up on each thread, and the scopes of each sample were open within the clock's error of its time.

    What is shown by lines is always there. Where a sample's scope is unknown, those above it were open all that time.
    """
    program = program_class()
    for name in NAMES[:2]:
        program.place(name, name.replace(" ", "_"), 2, 9)
    for tid, (made, seen) in enumerate(threads):
        thread = program.thread(f"thread {tid}", tid=tid)
        thread.spans += [(*each, False) for each in made]
        taken = {true + late: stack_at(made, true, inner) for true, late, inner in seen}
        thread.looks += list(taken.items())
    sampled, merged = program.sampled, program.merged(CLOCK, changes_alone=changes_alone)
    facts = merged.facts["placement"]
    assert facts["samples"] == sum(len(track.samples) for track in merged.tracks if track.samples is not None)
    assert facts["samples"] == facts["placed"] + facts["unguarded"] + facts["unplaced"]
    unplaced = 0
    for before in sampled.tracks:
        (after,) = [t for t in merged.tracks if t.tid == before.tid and t.samples is not None]
        added = int(after.samples.weight_ns.sum() - before.samples.weight_ns.sum())
        assert added >= 0 if changes_alone else added == 0  # the last stack may last until its scope was left
        made = threads[before.tid][0]
        for stack, at in zip(after.samples.stack.tolist(), after.samples.at_ns.tolist(), strict=True):
            frames = [merged.frames[i] for i in merged.stacks.path(stack)]
            scopes = [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]
            moments = [at / 1e6 + shift / 4 for shift in range(-4 * LATE_MS, 4 * EARLY_MS + 1)]
            possible = [open_at(made, time) for time in moments]
            lines = [frame.name.replace("_", " ") for frame in frames if frame.name.startswith("line_")]
            assert [name for name in scopes if name in NAMES[:2]] == lines
            unplaced += UNKNOWN in scopes
            if UNKNOWN in scopes:
                hidden = [name for name in scopes[: scopes.index(UNKNOWN)] if name not in NAMES[:2]]
                assert all(set(hidden) <= set(each) for each in possible)
            elif (
                not changes_alone
            ):  # else a stack that stays is shown at times when it may not have been there
                assert scopes in possible
    assert unplaced == facts["unplaced"]
