"""Samples under scopes by time, where lines cannot tell: placed where that is certain, else shown as unknown."""

from __future__ import annotations

import pytest

from workbench.capture.placement import Clock

CLOCK = Clock(0, 2_000_000, 1_000_000, 10_000_000)
"""A sample stamped t was taken between t - 2 ms and t + 1 ms."""
WHICH = "{(which scope is unknown)}"


def test_within_the_error_nothing_is_guessed(program):
    """A sample within the clock's error of a change that only time tells is under no scope, and is counted."""
    main = program.thread()
    main.spans += [(100, 200, "job 1", False)]
    at = [50, 98.9, 99.1, 100.5, 101.9, 102.1, 150, 198.9, 199.1, 200, 201.9, 202.1]
    main.looks += [(time, "main:3 work:5") for time in at]
    # The same frames had been there before: they are taken to be around the scope.
    inside, unknown, outside = "main / work / {job 1}", f"{WHICH} / main / work", "main / work"
    assert program.stacks(CLOCK) == [
        *(outside, outside, unknown, unknown, unknown, inside),
        *(inside, inside, unknown, unknown, unknown, outside),
    ]
    facts = program.merged(CLOCK).facts["placement"]
    assert (facts["samples"], facts["placed"], facts["unguarded"], facts["unplaced"]) == (12, 3, 3, 6)


def test_what_is_certain_is_shown(program):
    """Where only the inner scope is uncertain, the sample stands under the outer one and a frame that says so."""
    main = program.thread()
    main.spans += [(0, 300, "outer", False), (100, 200, "inner", False)]
    main.looks += [(50, "main:3"), (101, "main:3"), (150, "main:3"), (299.5, "main:3")]
    assert program.stacks(CLOCK) == [
        "{outer} / main",
        f"{{outer}} / {WHICH} / main",
        "{outer} / main / {inner}",
        f"{WHICH} / main",
    ]
    assert program.merged(CLOCK).facts["placement"]["unplaced"] == 2


def test_an_unknown_clock_places_nothing(program):
    """Where nothing is known of the clock, what only time can tell is unknown."""
    main = program.thread()
    main.spans += [(100, 200, "job 1", False)]
    main.looks += [(50, "main:3"), (150, "main:3")]
    assert program.stacks(Clock.unknown(10_000_000)) == [f"{WHICH} / main"] * 2


def test_a_name_made_at_run_time(program):
    """Where a name's place is known, its scope stands below the function that has it, above what that calls."""
    program.place("job 1", "main", 2, 9, "some")
    program.place("job 2", "main", 2, 9, "some")
    main = program.thread()
    main.spans += [(0, 100, "job 1", False), (100, 200, "job 2", False)]
    main.looks += [(50, "<module>:20 main:5 work:7"), (150, "<module>:20 main:5 work:7")]
    assert program.stacks(CLOCK) == ["<module> / main / {job 1} / work", "<module> / main / {job 2} / work"]


def test_lines_and_time_together(program):
    """What lines show narrows down what time leaves open; scopes of both kinds stand in their order."""
    program.place("step", "main", 4, 8)
    program.place("job 1", "main", 2, 9, "some")
    main = program.thread()
    main.spans += [(0, 100, "job 1", False), (1, 90, "step", False), (40, 50, "inner", False)]
    main.looks += [(0.5, "main:5"), (45, "main:5 work:7"), (70, "main:5 work:7")]
    assert program.stacks(CLOCK) == [
        "main / {job 1} / {step}",  # `step` is open only within `job 1`
        "main / {job 1} / {step} / {inner} / work",
        "main / {job 1} / {step} / work",
    ]


def test_opened_here_and_closed_there(program):
    """A scope that one function opens and another closes is open by time; what was on the stack before is around it."""
    program.place("session", "begin", 5, 5, "call")
    main = program.thread()
    main.spans += [(100, 200, "session", False)]
    main.looks += [(90, "main:3 begin:4"), (120, "main:4 work:7"), (150, "main:5 other:8"), (220, "main:6")]
    assert program.stacks(CLOCK) == [
        "main / begin",
        "main / {session} / work",
        "main / {session} / other",
        "main",
    ]


def test_an_exit_stack(program):
    """Scopes that an ExitStack opens have the place where it enters them, and are placed by time."""
    program.place("first", "enter_context", 50, 50)
    program.place("second", "enter_context", 50, 50)
    main = program.thread()
    main.spans += [(100, 200, "first", False), (120, 200, "second", False)]
    main.looks += [(90, "main:3"), (110, "main:4 one:7"), (150, "main:5 two:7"), (230, "main:6")]
    assert program.stacks(CLOCK) == [
        "main",
        "main / {first} / one",
        "main / {first} / {second} / two",
        "main",
    ]


def test_one_line_within_a_block(program):
    """A block of one line stands in the block around it, below the one function that has both."""
    program.place("fit", "main", 2, 9)
    program.place("one", "main", 4, 4)
    main = program.thread()
    main.spans += [(0, 300, "fit", False), (100, 200, "one", False)]
    main.looks += [(50, "main:4 before:7"), (150, "main:4 work:7"), (250, "main:5 work:7")]
    assert program.stacks(CLOCK) == [
        "main / {fit} / before",
        "main / {fit} / {one} / work",
        "main / {fit} / work",
    ]


def test_a_block_of_one_line(program):
    """A block on the line of its `with` is placed by time, below its function."""
    program.place("one", "main", 3, 3)
    main = program.thread()
    main.spans += [(100, 200, "one", False)]
    main.looks += [(50, "main:3 before:7"), (150, "main:3 work:7"), (250, "main:4")]
    assert program.stacks(CLOCK) == ["main / before", "main / {one} / work", "main"]


@pytest.mark.parametrize("use", ["with", "some", "call"])
def test_scopes_in_a_generator(program, use):
    """Where the generator is not on the stack, its scope is suspended and not shown."""
    program.place("one", "rows", 3, 3, use, suspends=True)
    main = program.thread()
    main.spans += [(100, 200, "one", False)]
    main.looks += [(130, "main:9 rows:3 read:7"), (150, "main:9 work:7")]
    assert program.stacks(CLOCK) == ["main / rows / {one} / read", "main / work"]


def test_carried_scopes(program):
    """What a worker runs is under the scope that sent it, below our own frame of the call, which is left out."""
    program.place("chunk", "chunk", 30, 39, "function")
    worker = program.thread("worker")
    worker.spans += [(100, 200, "fit", True), (100, 200, "jacobian", True), (110, 190, "chunk", False)]
    worker.looks += [
        (50, "pool:9 wait:3"),
        (105, "pool:9 carry!Carried.__call__:77 prepare:3"),
        (150, "pool:9 carry!Carried.__call__:77 decorate!wrapper:60 chunk:33 work:5"),
        (250, "pool:9 wait:3"),
    ]
    assert program.stacks(CLOCK) == [
        "pool / wait",
        "pool / {fit} / {jacobian} / prepare",
        "pool / {fit} / {jacobian} / {chunk} / chunk / work",
        "pool / wait",
    ]


def test_tasks_with_names_made_at_run_time(program):
    """Of a scope in a task that no line shows it is unknown whether it is the running task's: that is said."""
    program.place("job 1", "job", 12, 19, "some", suspends=True)
    main = program.thread()
    main.spans += [(0, 300, "serve", False)]
    main.looks += [
        (50, "main:4 job:11"),
        (150, "main:4 job:14 work:3"),
        (160, "main:4 select:3"),
        (250, "main:4 job:14"),
    ]
    task = program.thread(task="Task-1")
    task.spans += [(100, 200, "job 1", False)]
    assert program.stacks(CLOCK) == [
        "{serve} / main / job",
        f"{{serve}} / {WHICH} / main / job / work",
        "{serve} / main / select",
        "{serve} / main / job",
    ]
    assert program.merged(CLOCK).facts["placement"]["unplaced"] == 1


@pytest.mark.parametrize("late", [False, True])
def test_without_lines(program, late):
    """`by_line=False` places by time alone what lines would tell, for proofs of the clock."""
    program.place("fit", "main", 2, 9)
    main = program.thread()
    main.spans += [(100, 200, "fit", False)]
    main.looks += [(101 if late else 150, "main:5 work:7")]
    expected = f"{WHICH} / main / work" if late else "main / {fit} / work"
    assert program.stacks(CLOCK, by_line=False) == [expected]
    assert program.stacks(CLOCK) == ["main / {fit} / work"]
