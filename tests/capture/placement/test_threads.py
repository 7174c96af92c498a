"""Samples of a thread go under the scopes of that thread: idents are used again, by threads and by processes."""

from __future__ import annotations

import pytest

from workbench.capture.placement import Clock, merge
from workbench.capture.placement.threads import match

CLOCK = Clock.same(10_000_000)


def test_two_threads(program):
    """Each thread's samples go under its own scopes, at the same times and with the same stacks."""
    one, two = program.thread("one", tid=7), program.thread("two", tid=8)
    one.spans += [(0, 100, "a", False)]
    two.spans += [(0, 50, "b", False)]
    one.looks += [(20, "work:3"), (70, "work:3")]
    two.looks += [(20, "work:3"), (70, "work:3")]
    assert program.stacks() == ["{a} / work", "{a} / work", "{b} / work", "work"]


def test_a_thread_without_scopes(program):
    """A thread that never had a scope keeps its samples on a track of its own."""
    one, two = program.thread("one", tid=7), program.thread("two", tid=8)
    one.spans += [(0, 100, "a", False)]
    two.looks += [(20, "work:3")]
    merged = program.merged()
    assert [(track.name, track.samples is None) for track in merged.tracks] == [("one", True), ("two", False)]
    assert program.stacks() == ["work"]


def test_an_ident_that_is_used_again(program):
    """A thread that has the number of one that has ended is told apart by the system's number."""
    first, second = (
        program.thread(name, tid=7, native=native) for name, native in (("one", 70), ("two", 71))
    )
    first.spans += [(0, 100, "a", False)]
    second.spans += [(200, 300, "b", False)]
    first.looks += [(50, "work:3"), (150, "end:9")]
    second.looks += [(160, "begin:3"), (250, "work:3")]
    merged = program.merged()
    assert [(t.name, len(t.samples)) for t in merged.tracks] == [("one", 2), ("two", 2)]
    assert program.stacks() == ["{a} / work", "end", "begin", "{b} / work"]


def test_an_ident_that_is_used_again_and_no_system_number(program):
    """Where the system's number is not known, one ident is one thread, with the scopes of both."""
    first, second = program.thread("one", tid=7), program.thread("two", tid=7)
    first.spans += [(0, 100, "a", False)]
    second.spans += [(200, 300, "b", False)]
    first.looks += [(50, "work:3"), (150, "pause:3"), (250, "work:3")]
    assert program.stacks() == ["{a} / work", "pause", "{b} / work"]


def test_a_forked_child(program):
    """A child has its parent's idents: its samples go under its own scopes, by its own clock."""
    parent, child = program.thread(pid=1, native=1), program.thread(pid=2, native=2)
    parent.spans += [(0, 100, "parent", False)]
    child.spans += [(20, 60, "child", False)]
    parent.looks += [(30, "work:3"), (80, "work:3")]
    child.looks += [(30, "work:3"), (80, "work:3")]
    assert program.stacks() == ["{parent} / work", "{parent} / work", "{child} / work", "work"]
    later = {1: CLOCK, 2: Clock(-40_000_000, 100_000, 100_000, 10_000_000)}
    child.looks[0] = (30, "begin:3")
    merged = merge(program.sampled, program.recording, later, changes_alone=False)
    assert merged.tracks[1].samples.at_ns.tolist() == [-10_000_000, 40_000_000]
    assert [merged.frames[i].name for i in merged.stacks.path(int(merged.tracks[1].samples.stack[1]))] == [
        "child",
        "work",
    ]


def test_children_forked_inside_a_scope(program):
    """A child has its parent's lines on its stack, but not its parent's scope: it never opened that."""
    program.place("parent", "main", 1, 5)
    program.place("child", "work", 10, 15)
    parent, child, idle = (program.thread(pid=pid, native=pid) for pid in (1, 2, 3))
    parent.spans += [(0, 100, "parent", False)]
    child.spans += [(20, 60, "child", False)]
    for thread in (parent, child, idle):
        thread.looks += [(30, "main:3 work:12")]
    child.looks += [(80, "main:3 work:20")]
    assert program.stacks() == [
        "main / {parent} / work",
        "main / work / {child}",
        "main / work",
        "main / work",
    ]


def test_a_later_process(program):
    """A process that comes later, with the idents of one that has ended, has its own scopes."""
    first, later = program.thread(pid=1), program.thread(pid=5)
    first.spans += [(0, 100, "first", False)]
    first.looks += [(50, "work:3")]
    later.looks += [(50, "begin:3"), (250, "work:3")]
    later.spans += [(200, 300, "later", False)]
    assert program.stacks() == ["{first} / work", "begin", "{later} / work"]


def test_scopes_left_out_of_order(program):
    """Scopes of one thread that do not nest, on two tracks, are both open; the samples stand on the first track."""
    first, second = program.thread("one"), program.thread("one (out of order)")
    first.spans += [(0, 100, "a", False)]
    second.spans += [(50, 150, "b", False)]
    first.looks += [(20, "main:3"), (70, "main:3"), (120, "main:3"), (170, "main:3")]
    merged = program.merged()
    assert [track.samples is None for track in merged.tracks] == [False, True]
    shown = [[part for part in text.split(" / ") if part.startswith("{")] for text in program.stacks()]
    assert shown == [["{a}"], ["{a}", "{b}"], ["{b}"], []]


@pytest.mark.parametrize("native", [None, 9])
def test_a_task_of_another_thread(program, native):
    """Tasks belong to the thread that they ran on: their scopes say nothing about another thread's samples."""
    loop, other = program.thread("loop", tid=7, native=native), program.thread("other", tid=8)
    task = program.thread("loop", tid=7, native=native, task="Task-1")
    task.spans += [(0, 100, "job 1", False)]
    loop.spans += [(0, 100, "serve", False)]
    other.looks += [(50, "work:3")]
    loop.looks += [(50, "work:3")]
    assert program.stacks() == ["{serve} / {(which scope is unknown)} / work", "work"]


def test_tasks_are_told_from_their_thread(program):
    """Of the tracks of one ident those of tasks are the thread's tasks, and all others its own, in their order."""
    for task in (None, "task 1", "task 2", None, "task 3"):
        program.thread(task=task).spans += [(0, 100, "a", False)]
    program.threads[0].looks += [(20, "work:3")]
    (thread,) = match(program.sampled, program.recording)
    assert (list(thread.own), list(thread.tasks)) == ([0, 3], [1, 2, 4])
