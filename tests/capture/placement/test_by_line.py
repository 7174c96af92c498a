"""Samples under scopes by the lines of their frames, exact whatever the clock says."""

from __future__ import annotations

import pytest

from workbench.capture.placement import Clock
from workbench.profile import samples_only

BAD = Clock.unknown(10_000_000)
"""Nothing is known of the time of a sample: lines have to do."""


@pytest.fixture
def fit(program):
    """A program: `main` has a block `fit` on lines 2 to 9, within it `solve` on 5 to 7, and calls `work`."""
    program.place("fit", "main", 2, 9)
    program.place("solve", "main", 5, 7)
    program.main = program.thread()
    program.main.spans += [(0, 100, "fit", False), (40, 70, "solve", False)]
    return program


@pytest.mark.parametrize("clock", [None, BAD], ids=["a clock", "no clock"])
def test_the_innermost_block(fit, clock):
    """A frame goes above the scopes that its line is inside of, and what it calls goes below them."""
    fit.main.looks += [
        (-5, "<module>:20 main:1"),
        (10, "<module>:20 main:3"),
        (20, "<module>:20 main:4 work:30 [sum]"),
        (50, "<module>:20 main:6 work:30 [sum]"),
        (80, "<module>:20 main:8 [sum]"),
        (110, "<module>:20 main:10"),
    ]
    assert fit.stacks(clock) == [
        "<module> / main",
        "<module> / main / {fit}",
        "<module> / main / {fit} / work / sum",
        "<module> / main / {fit} / {solve} / work / sum",
        "<module> / main / {fit} / sum",
        "<module> / main",
    ]


def test_lines_go_before_a_clock_that_errs(fit):
    """Within the clock's error of a change, the line decides; nothing is unplaced that it tells."""
    fit.main.looks += [
        (39, "main:6"),
        (41, "main:4"),
        (69, "main:8"),
        (71, "main:7"),
        (99, "main:10"),
        (1, "main:1"),
    ]
    merged = fit.merged(Clock(0, 5_000_000, 5_000_000, 10_000_000))
    assert merged.facts["placement"]["unplaced"] == 0
    assert fit.stacks(Clock(0, 5_000_000, 5_000_000, 10_000_000)) == [
        "main",
        "main / {fit} / {solve}",
        "main / {fit}",
        "main / {fit}",
        "main / {fit} / {solve}",
        "main",
    ]


def test_counts(fit):
    """The profile says how many samples were placed, how many are under no scope, and how often time agreed."""
    fit.main.looks += [(-5, "main:1"), (10, "main:3"), (50, "main:6"), (60, "main:4"), (110, "main:11")]
    facts = fit.merged().facts["placement"]
    clocks = facts.pop("clocks")
    assert facts == {"samples": 5, "placed": 3, "unguarded": 2, "unplaced": 0, "checked": 3, "agreed": 2}
    assert clocks[0]["known"]
    assert clocks[0]["gap_ns"] == 10_000_000
    unknown = fit.merged(BAD).facts["placement"]["clocks"][0]
    assert (unknown["known"], unknown["error_ns"], unknown["change_error_ns"]) == (False, None, None)


def test_several_guards_in_one_statement(program):
    """Two guards of one `with` nest in their order."""
    program.place("outer", "main", 2, 4)
    program.place("inner", "main", 2, 4)
    main = program.thread()
    main.spans += [(0, 50, "outer", False), (0, 50, "inner", False)]
    main.looks += [(10, "main:3"), (20, "main:4 work:9"), (60, "main:5")]
    assert program.stacks() == ["main / {outer} / {inner}", "main / {outer} / {inner} / work", "main"]


@pytest.mark.parametrize("clock", [None, BAD], ids=["a clock", "no clock"])
def test_decorated_functions(program, clock):
    """A decorated function's frame is inside its scope; our wrapper's own frame is left out."""
    program.place("fit", "fit", 10, 19, "function")
    program.place("solve", "Solver.solve", 30, 39, "function")
    main = program.thread()
    main.spans += [(0, 100, "fit", False), (20, 80, "solve", False)]
    main.looks += [
        (10, "main:3 decorate!_function.<locals>.wrapper:70 fit:12 [sum]"),
        (
            30,
            "main:3 decorate!_function.<locals>.wrapper:70 fit:14 decorate!wrapper:70 Solver.solve:33",
        ),
        (40, "main:3 decorate!wrapper:70 fit:14 decorate!wrapper:70 solve:33 work:2"),
        (110, "main:4"),
    ]
    assert program.stacks(clock) == [
        "main / {fit} / fit / sum",
        "main / {fit} / fit / {solve} / Solver.solve",
        "main / {fit} / fit / {solve} / solve / work",
        "main",
    ]


def test_functions_of_the_same_name_elsewhere(program):
    """A function of the same name in another file, or on other lines, shows no scope."""
    program.place("fit", "fit", 10, 19, "function")
    program.place("block", "main", 2, 9)
    main = program.thread()
    main.spans += [(0, 10, "fit", False), (20, 30, "block", False)]
    main.looks += [(50, "carry!fit:12 work:3"), (60, "other:3 fit:40"), (70, "carry!main:4 work:3")]
    assert [text for text in program.stacks(BAD) if "{" in text] == []


def test_recursion(program):
    """Each call of a recursive function that is inside its block has its own scope, in order."""
    program.place("level", "walk", 2, 6)
    main = program.thread()
    main.spans += [(0, 90, "level", False), (10, 80, "level", False), (20, 70, "level", False)]
    main.looks += [
        (30, "main:20 walk:5 walk:5 walk:3 work:9"),
        (75, "main:20 walk:5 walk:5 walk:7"),
        (85, "main:20 walk:5 walk:7"),
        (95, "main:20 walk:8"),
    ]
    assert program.stacks() == [
        "main / walk / {level} / walk / {level} / walk / {level} / work",
        "main / walk / {level} / walk / {level} / walk",
        "main / walk / {level} / walk",
        "main / walk",
    ]


def test_a_block_is_entered(fit):
    """On the line of the `with` itself time tells: another guard of the statement may take long to enter or leave."""
    fit.main.looks += [
        (10, "main:2 connect:50"),
        (-10, "main:2 make_name:60"),
        (95, "main:5 work:3"),
        (60, "main:5 leave:3"),
    ]
    assert fit.stacks() == [
        "main / make_name",
        "main / {fit} / connect",
        "main / {fit} / {solve} / leave",
        "main / {fit} / work",
    ]


@pytest.mark.parametrize("clock", [None, BAD], ids=["a clock", "no clock"])
def test_suspended_generators(program, clock):
    """A generator's scope is open while it waits; samples of its caller are not under it, those of itself are."""
    program.place("reading", "rows", 12, 19, suspends=True)
    program.place("using", "main", 2, 9)
    main = program.thread()
    main.spans += [(0, 100, "reading", False), (40, 60, "using", False)]
    main.looks += [
        (10, "main:1 rows:14 [read]"),
        (30, "main:1 work:30"),
        (50, "main:3 work:30"),
        (55, "main:3 rows:15 [read]"),
        (41, "main:3"),
    ]
    assert program.stacks(clock) == [
        "main / rows / {reading} / read",
        "main / work",
        "main / {using}",
        "main / {using} / work",
        "main / {using} / rows / {reading} / read",
    ]
    assert program.merged(clock).facts["placement"]["unplaced"] == 0


def test_a_suspended_generator_near_a_change(program):
    """A scope that is open by time in a generator that waits is no reason not to place what lines tell."""
    program.place("reading", "rows", 12, 19, suspends=True)
    program.place("using", "main", 2, 9)
    main = program.thread()
    main.spans += [(0, 100, "reading", False), (40, 60, "using", False)]
    main.looks += [
        (40.05, "main:3 work:30"),
        (59.95, "main:4 work:30"),
        (60.05, "main:10 work:30"),
        (99.95, "main:11"),
    ]
    assert program.stacks() == ["main / {using} / work", "main / {using} / work", "main / work", "main"]
    assert program.merged().facts["placement"]["unplaced"] == 0


def test_tasks(program):
    """Scopes of asyncio tasks are on tracks of their own; a sample goes under those of the task that runs, by line."""
    program.place("fetch", "fetch", 12, 19, suspends=True)
    program.place("store", "store", 32, 39, suspends=True)
    program.place("serve", "main", 2, 9)
    main = program.thread()
    main.spans += [(0, 100, "serve", False)]
    main.looks += [
        (20, "main:4 run:1 fetch:14 work:3"),
        (30, "main:4 run:1 store:35 work:3"),
        (40, "main:4 run:1 select:9"),
    ]
    first, second = program.thread(task="Task-1"), program.thread(task="Task-2")
    first.spans += [(10, 90, "fetch", False)]
    second.spans += [(10, 90, "store", False)]
    merged = program.merged()
    assert program.stacks() == [
        "main / {serve} / run / fetch / {fetch} / work",
        "main / {serve} / run / store / {store} / work",
        "main / {serve} / run / select",
    ]
    assert [track.samples is None for track in merged.tracks] == [False, True, True]


def test_spans_stay_as_they_are(fit):
    """Merging leaves spans alone; on their stacks stand scopes only, and samples alone are the samples."""
    fit.main.looks += [(50, "main:6")]
    merged, recording = fit.merged(), fit.recording
    assert merged.tracks[0].spans.start_ns.tolist() == recording.tracks[0].spans.start_ns.tolist()
    names = [
        [merged.frames[i].name for i in merged.stacks.path(s)] for s in merged.tracks[0].spans.stack.tolist()
    ]
    assert names == [["fit"], ["fit", "solve"]]
    assert len(samples_only(merged).tracks) == 1


def test_no_recording(fit):
    """Without a recording samples are shown as they are, their lines merged into functions."""
    from workbench.capture.placement import merge

    fit.main.looks += [(10, "main:3 work:5"), (20, "main:4 work:5")]
    merged = merge(fit.sampled, None, BAD, changes_alone=False).check()
    assert merged.tracks[0].samples.stack.tolist() == [1, 1]
    assert merged.facts["placement"]["unguarded"] == 2
