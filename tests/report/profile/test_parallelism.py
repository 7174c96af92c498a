"""What each worker did when, from samples, clocks and scopes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.helpers.hostile import HOSTILE
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    Samples,
    SpanRecord,
    ThreadState,
)
from workbench.report.pages import render
from workbench.report.profile.parallelism import COLUMNS, LEVELS, MAX_WORKERS, Doing, parallelism, workers
from workbench.report.profile.run import run_of_profile

MS = 1_000_000
WORK, SLEEP, LOCK = ThreadState.PYTHON, ThreadState.SLEEPING, ThreadState.WAITING_FOR_GIL


def sampled(builder: ProfileBuilder, states: list[ThreadState], cpu: list[int], start: int = 0) -> Samples:
    """Return one sample in each millisecond; `cpu` is in milliseconds."""
    stack = builder.stack_of([Frame("work")])
    count = len(states)
    return Samples(
        np.array([ROOT if state == SLEEP else stack for state in states], dtype=np.int32),
        start + np.arange(count) * MS,
        np.full(count, MS),
        np.ones(count, dtype=np.int32),
        np.array(cpu) * MS,
        np.array(states, dtype=np.uint8),
    )


def scope(name: str) -> Frame:
    return Frame(name, kind=FrameKind.SCOPE)


def pool() -> Profile:
    """300 ms: one thread that sleeps; one from 150 ms on, which works, stalls, and waits for the lock."""
    builder = ProfileBuilder("pool")
    spans = builder.spans([SpanRecord(0, 300 * MS, 0, scope("fit"))])
    builder.add_track(
        "MainThread", pid=1, tid=1, spans=spans, samples=sampled(builder, [SLEEP] * 300, [0] * 300)
    )
    states, cpu = [WORK] * 100 + [LOCK] * 50, [1] * 50 + [0] * 100
    builder.add_track("worker", pid=1, tid=2, samples=sampled(builder, states, cpu, 150 * MS))
    return builder.build()


def test_a_worker_works_stalls_or_waits() -> None:
    """Samples say whether a thread can run, its clock whether it did; nothing is said of the time before it starts."""
    main, worker = workers(pool())
    assert (main.start_ns, main.end_ns, main.busy_ns) == (0, 300 * MS, 0)
    assert (worker.start_ns, worker.end_ns, worker.busy_ns) == (150 * MS, 300 * MS, 50 * MS)
    spent = np.array(worker.spent_ns) / MS
    assert not spent[:, : COLUMNS // 2].any()
    np.testing.assert_allclose(spent.sum(axis=1), [49, 51, 50, 0], atol=1e-6)
    assert spent[Doing.WORKING, 160] == 1
    assert spent[Doing.STALLED, 220] == 1
    assert spent[Doing.WAITING_FOR_LOCK, 280] == 1
    assert main.spent_ns[Doing.WAITING].sum() == 300 * MS


def test_the_page_says_how_many_work_at_a_time() -> None:
    """A sentence first, then a strip and shares for each worker, with the intervals of what was sampled."""
    shown = parallelism(run_of_profile(pool()))
    assert shown is not None
    assert shown.sentence.startswith("On average 0.17 of 2 workers work at a time. Of their time: stalled ")
    assert re.search(r"lock 11 % \[\d+, \d+\], waiting 67 % \[\d+, \d+\]\.$", shown.sentence)
    main, worker = shown.rows
    assert (main.name, main.starts, worker.name, worker.starts) == ("MainThread", "–", "worker", "150 ms")
    assert worker.shares[0] == "33.3 %"
    assert re.match(r"33 % \[\d+, \d+\]", worker.shares[1])
    assert dict(worker.strip).keys() == {"there", "working", "stalled", "lock"}
    assert dict(worker.strip)["there"] == f"M150.0 0H300.0V{LEVELS}H150.0z"
    assert [kind for kind, _ in main.strip] == ["there", "waiting"]


def test_threads_without_samples_work_while_a_scope_is_open() -> None:
    """Where only scopes are known they say what is known, and the page says so; overlaps count once."""
    builder = ProfileBuilder("scopes")
    for tid, spans in enumerate(([(0, 40), (60, 100)], [(50, 100)])):
        records = [SpanRecord(a * MS, b * MS, 0, scope("a")) for a, b in spans]
        builder.add_track(f"t{tid}", pid=1, tid=tid, spans=builder.spans(records))
    task = builder.spans([SpanRecord(20 * MS, 50 * MS, 0, scope("b"))])
    builder.add_track("task", pid=1, tid=0, spans=task)
    profile = builder.build()
    first, second = workers(profile)
    assert (first.busy_ns, second.busy_ns) == (pytest.approx(90 * MS), pytest.approx(50 * MS))
    shown = parallelism(run_of_profile(profile))
    assert shown is not None
    assert shown.by_scopes
    assert shown.sentence == "On average 1.4 of 2 workers work at a time."
    assert [row.shares[0] for row in shown.rows] == ["90.0 %", "100.0 %"]


def test_a_sampler_without_states_says_whether_a_thread_waits() -> None:
    """Of other samplers a stack that waits is waiting; nothing is said of locks, clocks, and times without a stack."""
    builder = ProfileBuilder("other")
    wait = builder.stack_of([Frame("f"), Frame("sleep", kind=FrameKind.IDLE)])
    work = builder.stack_of([Frame("f")])
    for tid in range(2):
        stacks = [work, wait, work, work, ROOT]
        samples = builder.samples(stacks, [i * MS for i in range(5)], [MS] * 5)
        builder.add_track(f"t{tid}", pid=tid, tid=tid, samples=samples)
    first, _ = workers(builder.build())
    assert (first.name, first.end_ns) == ("t0 · process 0", 4 * MS)
    np.testing.assert_allclose([part.sum() / MS for part in first.spent_ns], [3, 0, 0, 1])
    shown = parallelism(run_of_profile(builder.build()))
    assert shown is not None
    assert shown.rows[0].shares[1] == "–"


def test_one_worker_has_no_section() -> None:
    """A program with one thread is not parallel, and its page says nothing of it."""
    builder = ProfileBuilder("one")
    builder.add_track("main", pid=1, tid=1, spans=builder.spans([SpanRecord(0, 9, 0, scope("a"))]))
    assert parallelism(run_of_profile(builder.build())) is None


def many(names: list[str]) -> Any:
    builder = ProfileBuilder("many")
    for tid, name in enumerate(names):
        spans = builder.spans([SpanRecord(i * MS, i * MS + 10 * tid, 0, scope("a")) for i in range(1000)])
        builder.add_track(name, pid=1, tid=tid, spans=spans)
    return parallelism(run_of_profile(builder.build()))


def test_a_thousand_workers_are_a_bounded_section() -> None:
    """The busiest are shown, in the order of the profile; a strip has as many steps as can be seen."""
    shown = many([f"t{tid}" for tid in range(MAX_WORKERS + 36)])
    assert [row.name for row in shown.rows] == [f"t{tid}" for tid in range(36, MAX_WORKERS + 36)]
    assert shown.left_out == 36
    page = render("profile_parallelism.html", parallelism=shown)
    assert "36 more workers, which worked less, are not here." in page
    assert len(page) < 250_000


def test_names_are_only_text() -> None:
    """Whatever a thread is called, the section holds it as text."""
    page = render("profile_parallelism.html", parallelism=many(HOSTILE))
    assert "<script" not in page
    assert page.count("<tr>") == 1 + len(HOSTILE)
