"""Real sessions with a known truth: nothing changed, or a slowdown that was planted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from scipy import stats

from workbench.bench.analysis.analysis import VariantComparison, analyse
from workbench.bench.run.experiment import BenchOptions, run_suite

SUITE = """
from workbench.bench import Case, Suite
suite = Suite("known", baseline="a", variants={{"a": {{"n": {base}}}, "b": {{"n": {new}}}}})

@suite.workload
def workload(n, *, seed):
    return Case(run=lambda: sum(range(n)), quality=lambda total: {{"error": 1.0}})
"""
SPINS = 2_500_000
"""Of a sum over a range: about 50 ms."""
SESSIONS = 200


def suite_of(folder: Path, base: int, new: int) -> str:
    path = folder / "known_suite.py"
    path.write_text(SUITE.format(base=base, new=new))
    return str(path)


def kind_of(comparison: VariantComparison) -> str:
    assert comparison.speed is not None
    return comparison.speed.kind


@pytest.mark.proof
@pytest.mark.timeout(5400)
def test_sessions_of_nothing(tmp_path, record_property):
    """Of 200 real A/A sessions no more than 5 %, beyond binomial error, call a difference that is not there."""
    suite = suite_of(tmp_path, SPINS // 25, SPINS // 25)
    verdicts: Counter[str] = Counter()
    exclusions = voids = 0
    for session in range(SESSIONS):
        options = BenchOptions(suite, tmp_path / str(session), rounds=6, seed=session, profiled=False)
        analysis = analyse(run_suite(options))
        verdicts[kind_of(analysis.comparisons[1])] += 1
        exclusions += analysis.check.excludes_one
        voids += analysis.check.void
    called = verdicts["faster"] + verdicts["slower"]
    record_property(
        "verdicts of 200 sessions", ", ".join(f"{n} {kind}" for kind, n in sorted(verdicts.items()))
    )
    record_property("the A/A control intervals that leave out 1", f"{exclusions} ({voids} sessions void)")
    assert stats.binomtest(called, SESSIONS, 0.05, alternative="greater").pvalue > 0.01, verdicts
    assert stats.binomtest(exclusions, SESSIONS, 0.05, alternative="greater").pvalue > 0.01, exclusions


@pytest.mark.proof
@pytest.mark.timeout(5400)
@pytest.mark.parametrize(
    ("new", "runs", "wanted"),
    [(SPINS * 105 // 100, 10, "slower"), (SPINS, 3, "equivalent")],
    ids=["5 %", "none"],
)
def test_planted_slowdown(tmp_path, record_property, new, runs, wanted):
    """A slowdown of 5 % in a 50 ms workload is found in 9 of 10 runs at the default budget; none is never called."""
    suite = suite_of(tmp_path, SPINS, new)
    verdicts: Counter[str] = Counter()
    ratios = []
    for session in range(runs):
        analysis = analyse(
            run_suite(BenchOptions(suite, tmp_path / str(session), seed=session, profiled=False))
        )
        verdicts[kind_of(analysis.comparisons[1])] += 1
        speed = analysis.comparisons[1].speed
        assert speed is not None
        ratios.append(speed.ratio)
    record_property(
        f"verdicts of {runs} runs", ", ".join(f"{n} {kind}" for kind, n in sorted(verdicts.items()))
    )
    record_property(
        "ratios",
        f"{min(r.value for r in ratios):.3f} to {max(r.value for r in ratios):.3f}, {ratios[0].count} rounds",
    )
    if wanted == "slower":
        assert verdicts["slower"] >= 0.9 * runs, ratios
    else:
        assert verdicts["slower"] + verdicts["faster"] == 0, ratios
