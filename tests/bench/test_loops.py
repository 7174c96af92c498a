"""How often a run is repeated: by the time of each variant, and said where the suite does not say `micro`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.bench.run.experiment import BenchOptions, run_suite

WriteSuite = Callable[..., Path]
Options = Callable[..., BenchOptions]
HEAD = """
from workbench.bench import Case, Suite
suite = Suite("spans", variants={"short": {"how": 1}, "long": {"how": 200_000}}, micro=MICRO)
"""
BODY = "values = range(how)\nreturn Case(run=lambda: sum(values))"


def test_loops_are_each_variants_own(write_suite: WriteSuite, options: Options) -> None:
    """A kernel that is thousands of times slower than the baseline is not run as often as that."""
    results = run_suite(options(write_suite(BODY, head=HEAD.replace("MICRO", "True"))))
    assert results.plan is not None
    loops = results.plan.loops
    assert loops["short"] > 50 * loops["long"]
    assert {run.variant: run.loops for run in results.runs} == loops


def test_a_short_run_is_looped_and_that_is_said(write_suite: WriteSuite, options: Options) -> None:
    """A run under 100 µs is looped although the suite does not say so, with one line."""
    said: list[str] = []
    results = run_suite(options(write_suite(BODY, head=HEAD.replace("MICRO", "False"))), say=said.append)
    assert {run.loops > 1 for run in results.runs if run.variant == "short"} == {True}
    assert [text for text in said if "runs are looped on one set-up" in text] == said
    assert len(said) == 1


def test_a_run_that_cannot_be_repeated_is_not_looped(write_suite: WriteSuite, options: Options) -> None:
    """Where a second run on one set-up fails, each value has a set-up of its own."""
    body = "values = [1]\nreturn Case(run=lambda: values.pop())"
    results = run_suite(options(write_suite(body, head=HEAD.replace("MICRO", "False"))))
    assert {(run.error, run.loops) for run in results.runs} == {(None, 1)}


def test_baseline_and_quality_are_optional(write_suite: WriteSuite, options: Options) -> None:
    """The first variant is the baseline; without a figure only speed is judged."""
    results = run_suite(options(write_suite(BODY, head=HEAD.replace("MICRO", "True"))))
    assert results.baseline == "short"
    assert results.quality is None


@pytest.mark.parametrize("large", [pytest.param(False, marks=pytest.mark.proof), True])
def test_peak_memory_is_of_one_set_up_and_one_result(
    write_suite: WriteSuite, options: Options, large: bool
) -> None:
    """Values that are measured one after the other add nothing to the peak: 80 MB, with or without as much again."""
    head = (
        "from workbench.bench import Case, Suite\nsuite = Suite('m', variants={'one': {'how': 10_000_000}})\n"
    )
    result = "bytes(data)" if large else "data[0]"
    body = f"data = bytearray(8 * how)\nreturn Case(run=lambda: data.count(b'x') or {result})"
    peaks = [run.peak_rss_bytes for run in run_suite(options(write_suite(body, head=head))).runs]
    assert max(peaks) < (205e6 if large else 125e6)
    assert min(peaks) > (160e6 if large else 80e6)


def test_a_program_that_times_itself_is_measured_by_its_own_clock(
    write_suite: WriteSuite, options: Options
) -> None:
    """Its seconds are the run's, whatever passes here; its memory and its processor time are the run's, too."""
    head = """
import subprocess, sys, time
from workbench.bench import Case, Curve, Suite
suite = Suite("programs", variants={"program": {"how": 1}})
PROGRAM = "import time\\ndata = b'x' * 300_000_000\\nwhile time.process_time() < 0.3: pass"
"""
    body = """curve = Curve()
def run():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
    curve.measured(7.5)
return Case(run=run, curve=curve)"""
    for run in run_suite(options(write_suite(body, head=head))).runs:
        assert run.value_s == pytest.approx(7.5, abs=0.1)
        assert run.cpu_s > 0.3
        assert run.peak_rss_bytes > 300e6
