"""Peak memory as a compared figure: planted allocations are found, and decide nothing that was not asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.bench_runs import write_experiment
from workbench.bench.analysis.analysis import Analysis, VariantComparison, analyse
from workbench.bench.compare.gate import (
    FINE,
    INCONCLUSIVE,
    REGRESSION,
    Limits,
    judge,
    recorded_verdict,
)
from workbench.bench.compare.sessions import compare_sessions
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.report.bench.health import health_of
from workbench.report.bench.markdown import experiment_markdown
from workbench.report.bench.page import write_page
from workbench.report.bench.rows import as_text

Options = Callable[..., BenchOptions]
WriteSuite = Callable[..., Path]
MIB64 = 64 << 20
BASE = [90_000_000 + 4096 * (37 * i % 11) for i in range(8)]
"""Bytes, of eight rounds."""
PAIRS = {"one": ("base", "new")}
SIDES = {name: {"python": "3.11", "packages": {}} for name in ("base", "new")}


def experiment(folder: Path, new: Sequence[int | None], *, again: Sequence[int] = BASE, **head: Any) -> Any:
    """Write an experiment whose variants differ in their peaks alone."""

    def runs(peaks: Sequence[int | None]) -> list[dict[str, Any]]:
        return [{"value_s": 1.0, "quality": {"error": 1.0}, "peak_rss_bytes": peak} for peak in peaks]

    return write_experiment(folder / "run", {"base": runs(BASE), "new": runs(new)}, again=runs(again), **head)


def larger_by(factor: float) -> list[int]:
    return [round(factor * peak) for peak in reversed(BASE)]


def new_of(analysis: Analysis) -> VariantComparison:
    return next(each for each in analysis.comparisons if each.memory is not None)


@pytest.mark.proof
def test_planted_allocations_are_found_within_two_percent(write_suite: WriteSuite, options: Options) -> None:
    """64 MiB more are 64 MiB more whatever the interpreter has, and the same program is equivalent."""
    variants = "{'none': {'how': 0}, 'same': {'how': 0}, 'more': {'how': 64 << 20}}"
    suite = write_suite(
        "return Case(run=lambda: len(b'x' * how))",
        head=f"from workbench.bench import Case, Suite\nsuite = Suite('m', variants={variants})\n",
    )
    found = {each.variant: each.memory for each in analyse(run_suite(options(suite, rounds=8))).comparisons}
    assert found["none"] is None
    assert found["same"] is not None
    assert found["same"].kind == "equivalent"
    assert found["more"] is not None
    assert found["more"].kind == "larger"
    assert found["more"].difference.value == pytest.approx(MIB64, rel=0.02)
    assert found["more"].difference.low <= MIB64 * 1.02
    assert found["more"].difference.high >= MIB64 * 0.98


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="no peak can be reset here")
def test_what_the_set_up_has_freed_hides_nothing(write_suite: WriteSuite, options: Options) -> None:
    """A set-up that needed 200 MB for a moment does not count, so a smaller peak of the run is seen."""
    head = "from workbench.bench import Case, Suite\nsuite = Suite('m', variants={'one': {'how': 100_000_000}})\n"
    body = "data = b'x' * 200_000_000\ndel data\nreturn Case(run=lambda: len(b'x' * how))"
    for run in run_suite(options(write_suite(body, head=head))).runs:
        assert 100e6 < run.peak_rss_bytes < 190e6


def test_of_several_processes_the_largest_counts(write_suite: WriteSuite, options: Options) -> None:
    """A worker that still waits for more work when the run ends is seen, as is one that has ended."""
    head = """
import subprocess, sys
from workbench.bench import Case, Suite
suite = Suite("workers", variants={"lives": {"how": "lives"}, "ended": {"how": "ended"}})
PROGRAM = "data = b'x' * 150_000_000; print('ready', flush=True); input()"
"""
    body = """
def run():
    worker = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    worker.stdout.readline()
    if how == "ended":
        worker.communicate("")
    return worker
return Case(run=run)"""
    for run in run_suite(options(write_suite(body, head=head))).runs:
        assert 150e6 < run.peak_rss_bytes < 250e6


@pytest.mark.parametrize(
    ("factor", "kind", "cell"),
    [
        (1.5, "larger", "1.50× larger [1.50, 1.50]"),
        (0.5, "smaller", "2.00× smaller [2.00, 2.00]"),
        (1.005, "equivalent", "equivalent"),
        (1.02, "inconclusive", "inconclusive: 1.020× larger [1.020, 1.020]"),
    ],
)
def test_a_verdict_is_a_column_and_a_line_where_it_differs(
    tmp_path: Path, factor: float, kind: str, cell: str
) -> None:
    """The ratio is judged by ±2 %; what differs has its bytes in a line, on the page and in JSON."""
    results = experiment(tmp_path, larger_by(factor))
    analysis = analyse(results)
    memory = new_of(analysis).memory
    assert memory is not None
    assert memory.kind == kind
    text = "\n".join(as_text(analysis))
    assert cell in text
    differs = kind in ("larger", "smaller")
    assert ("new: peak memory " in text) == differs
    assert ("peak memory" in analysis.sentences()["new"]) == differs
    page = write_page(results).read_text(encoding="utf-8")
    assert page.count(" on the baseline</dd>") == 1
    assert analysis.to_json()["comparisons"][1]["memory"]["kind"] == kind


def test_runs_without_the_figure_lead_to_no_column(tmp_path: Path) -> None:
    """Where no run says it, nothing does; where some do, these are compared."""
    runs = {name: [{"value_s": 1.0, "peak_rss_bytes": None}] * 8 for name in ("base", "new")}
    results = write_experiment(tmp_path / "none", runs)
    analysis = analyse(results)
    shown = [
        "\n".join(as_text(analysis)),
        "\n".join(experiment_markdown(analysis)),
        write_page(results).read_text(),
    ]
    assert not any("memory" in text for text in shown[:2])
    assert ">peak memory<" not in shown[2]
    some = analyse(experiment(tmp_path / "some", [None, *larger_by(1.5)[1:]]))
    assert new_of(some).memory.ratio.count == 7  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("again", "state"),
    [(larger_by(1.5), "failed"), ([90_000_000, 135_000_000] * 4, "too noisy to tell")],
)
def test_a_control_with_another_memory_leaves_speed_alone(
    tmp_path: Path, again: list[int], state: str
) -> None:
    """Where the same program's memory differs, no verdict on memory is firm; those on speed are."""
    analysis = analyse(experiment(tmp_path, larger_by(3.0), again=again))
    found = new_of(analysis)
    assert found.memory is not None
    assert found.memory.kind == ("inconclusive" if state == "failed" else "larger")
    assert not found.memory.is_firm
    assert found.speed is not None
    assert found.speed.is_firm
    assert any(note.startswith("A/A control of memory: ") for note in analysis.notes())
    assert any(each.what == "A/A control of memory" and each.found == state for each in health_of(analysis))


@pytest.mark.parametrize(
    ("factor", "limit", "verdict"),
    [
        (3.0, None, FINE),
        (1.3, 0.1, REGRESSION),
        (1.0, 0.1, FINE),
        (0.5, 0.1, FINE),
        (1.1, 0.1, INCONCLUSIVE),
    ],
)
def test_a_larger_peak_fails_a_comparison_with_a_limit_alone(
    tmp_path: Path, factor: float, limit: float | None, verdict: str
) -> None:
    """Without a limit it is said where it differs; with one it decides as a slowdown does, also when read again."""
    results = experiment(
        tmp_path,
        larger_by(factor),
        pairs={"one": ["base", "new"]},
        sides=SIDES,
        delta=0.05,
        fail_larger=limit,
    )
    found = judge(results, PAIRS, Limits(larger=limit))
    assert found.verdict == verdict
    assert recorded_verdict(results) == found
    assert ("peak memory" in found.lines[0]) == (limit is not None or factor == 3.0)
    memory = found.to_json()["pairs"][0]["memory"]
    assert memory["verdict"] == verdict
    assert memory["estimate"]["value"] == pytest.approx(factor, rel=0.01)
    assert "| memory |" in "\n".join(experiment_markdown(analyse(results)))


def test_a_limit_needs_the_figure(tmp_path: Path) -> None:
    """Where a limit is given and no run says its peak, nothing passes."""
    results = experiment(tmp_path, [None] * 8)
    assert judge(results, PAIRS, Limits(larger=0.1)).verdict == INCONCLUSIVE
    assert judge(results, PAIRS, Limits()).verdict == FINE


@pytest.mark.parametrize("again", [larger_by(1.5), [90_000_000, 135_000_000] * 4])
def test_a_limit_asks_for_a_control_that_passed(tmp_path: Path, again: list[int]) -> None:
    """What the base's own runs differ by is no regression."""
    results = experiment(tmp_path, larger_by(1.3), again=again)
    assert judge(results, PAIRS, Limits(larger=0.1)).verdict == INCONCLUSIVE


@pytest.mark.parametrize(("limit", "verdict"), [(None, FINE), (0.1, REGRESSION)])
def test_stored_experiments_are_compared_by_their_medians(
    tmp_path: Path, limit: float | None, verdict: str
) -> None:
    """Six experiments of each side say whether the peak grew; earlier ones without the figure are still read."""
    sides = [
        [experiment(tmp_path / side / str(i), larger_by(factor), quality=None) for i in range(6)]
        for side, factor in (("before", 1.0), ("after", 1.5))
    ]
    found = compare_sessions(sides[0], sides[1], Limits(larger=limit), ["new"])
    assert found.verdict == verdict
    assert "peak memory 1.50× larger" in found.lines[0]
    old = [experiment(tmp_path / "old" / str(i), [None] * 8, quality=None) for i in range(6)]
    assert compare_sessions(old, sides[1], Limits(), ["new"]).pairs[0].memory is None
