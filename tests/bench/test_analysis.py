"""An analysis says of a run what its verdicts say, and no more than its rounds hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.helpers.bench_runs import write_experiment
from workbench.bench.analysis.analysis import Analysis, VariantComparison, analyse
from workbench.errors import InvalidInputError
from workbench.report.bench.markdown import experiment_markdown
from workbench.report.bench.rows import as_text

Make = Callable[..., Analysis]
STEADY = [1.0, 1.001, 0.999, 1.0, 1.002, 0.998, 1.001, 0.999]
WILD = [1.0, 1.3, 0.8, 1.1, 0.9, 1.2, 0.7, 1.05]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that writes a run and analyses it; the first variant is the baseline.

    Whatever it finds has the JSON of the published schema.
    """
    schema = json.loads(
        resources.files("workbench.bench.analysis").joinpath("experiment.schema.json").read_text()
    )

    def write(runs: dict[str, Sequence[Any]], **more: Any) -> Analysis:
        analysis = analyse(write_experiment(tmp_path / "run", runs, **more))
        jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(analysis.to_json())))
        return analysis

    return write


def of(analysis: Analysis, variant: str) -> VariantComparison:
    return next(each for each in analysis.comparisons if each.variant == variant)


def times(factor: float, error: float | None = 1e-3) -> list[tuple[float, float | None]]:
    """Return rounds without noise but for what all runs share."""
    return [(factor * second, error) for second in WILD]


def test_speed_and_quality_stand_in_one_sentence(make: Make) -> None:
    """Each variant has one line: its ratio with the interval, and what it costs in error."""
    runs = {
        "exact": times(1.0),
        "fast": [
            (s / 1.5 * t, 2.9e-2) for s, t in zip(WILD, [1, 0.98, 1.02, 1, 1.01, 0.99, 1, 1], strict=True)
        ],
        "slow": times(2.0, 1e-4),
        "same": times(1.0),
    }
    assert make(runs).sentences() == {
        "exact": "the baseline",
        "fast": "1.50× faster [1.47, 1.53]; 29× larger error [29, 29]",
        "slow": "2.00× slower [2.00, 2.00]; 10× smaller error [10, 10]",
        "same": "equivalent within 2 %: same speed; same error, bit for bit",
    }


def test_what_rounds_share_drops_out(make: Make) -> None:
    """Rounds that differ threefold leave a ratio without noise: runs are paired by round."""
    comparison = of(make({"base": times(1.0), "other": times(0.5)}), "other")
    assert comparison.speed is not None
    assert (comparison.speed.kind, comparison.speed.ratio.value) == ("faster", pytest.approx(0.5))
    assert comparison.value is not None
    assert comparison.value.high > 1.5 * comparison.value.low


def test_intervals_against_the_baseline_hold_together(make: Make) -> None:
    """With eight variants beside the baseline each interval takes 99.4 %, and nine rounds at least."""
    runs = {"base": STEADY} | {f"variant {i}": [0.5 * s for s in STEADY] for i in range(8)}
    analysis = make(runs)
    assert analysis.wanted == pytest.approx(1 - 0.05 / 8)
    assert (analysis.rounds, analysis.needed) == (8, 9)
    for comparison in analysis.comparisons[1:]:
        assert comparison.speed is not None
        assert (comparison.speed.kind, comparison.speed.rounds_needed) == ("inconclusive", 9)


def test_the_copy_has_its_own_confidence(make: Make) -> None:
    """The second copy of the baseline is no comparison: its interval is of 95 %, whatever else is compared."""
    runs = {"base": STEADY[:6]} | {f"variant {i}": STEADY[:6] for i in range(8)}
    analysis = make(runs, again=[1.5 * s for s in STEADY[:6]])
    assert analysis.check.void
    assert analysis.check.ratio is not None
    assert analysis.check.ratio.confidence == pytest.approx(0.96875)


def test_a_void_session_has_no_verdict_on_speed(make: Make) -> None:
    """Where the baseline differs from itself every speed is inconclusive and says why; errors are judged still."""
    analysis = make({"base": times(1.0), "other": times(0.5, 1.0)}, again=[1.2 * s for s in WILD])
    comparison = of(analysis, "other")
    assert comparison.speed is not None
    assert (comparison.speed.kind, comparison.speed.rounds_needed) == ("inconclusive", None)
    assert comparison.quality_verdict.kind == "worse"
    assert analysis.sentences()["other"].startswith(
        "inconclusive, the experiment is void: 2.00× faster [2.00, 2.00]; 1.0·10³× larger error"
    )
    assert "no verdict on speed holds" in analysis.notes()[0]


def test_inconclusive_says_what_would_decide(make: Make) -> None:
    """Rounds that vary too much give no verdict, and the number of rounds that would."""
    analysis = make({"base": STEADY, "other": WILD})
    assert "inconclusive: " in analysis.sentences()["other"]
    assert "needs about " in analysis.sentences()["other"]
    comparison = of(analysis, "other")
    assert comparison.speed is not None
    assert comparison.speed.rounds_needed is not None
    assert comparison.speed.rounds_needed > 8
    assert comparison.detectable is not None
    assert comparison.detectable > 0.3
    assert comparison.autocorrelation is not None
    assert comparison.autocorrelation < 0


def test_failures_are_counted_and_said(make: Make) -> None:
    """A variant is compared over the rounds in which it and the baseline worked; failures are in its sentence."""
    runs: dict[str, Sequence[Any]] = {
        "base": ["boom", *times(1.0)[1:]],
        "some": [*times(0.5)[:7], "boom"],
        "never": ["boom"] * 8,
        "apart": [(1.0, 1.0), *["boom"] * 7],
    }
    analysis = make(runs)
    sentences = analysis.sentences()
    assert sentences["base"] == "the baseline; failed in 1 of 8 rounds"
    assert sentences["some"].startswith("inconclusive: 2.00× faster in 6 rounds; needs about 7 rounds")
    assert sentences["some"].endswith("failed in 1 of 8 rounds")
    assert sentences["never"] == "failed in every round"
    assert (
        sentences["apart"] == "inconclusive: in no round did both it and base work; failed in 7 of 8 rounds"
    )
    never = of(analysis, "never")
    assert (never.value, never.speed, never.quality, never.detectable) == (None, None, None, None)
    assert (never.failures, never.rounds, never.quality_verdict.kind) == (8, 8, "none")


def test_a_drift_is_flagged_and_not_dropped(make: Make) -> None:
    """A ratio that changes over the session is said to, and every round still counts."""
    other = [0.5 * s * (1 + 0.01 * i) for i, s in enumerate(STEADY)]
    comparison = of(make({"base": STEADY, "other": other}), "other")
    assert comparison.drift
    assert comparison.speed is not None
    assert (comparison.speed.kind, comparison.speed.ratio.count) == ("faster", 8)


@pytest.mark.parametrize(
    ("errors", "kind", "words"),
    [
        ([0.0] * 8, "better", "∞× smaller error [∞, ∞]"),
        ([-1.0] * 8, "none", "error not judged: the error is negative in 8 rounds, and has no ratio"),
        (
            [None, *[1.0] * 7],
            "worse",
            "1.0·10³× larger error [1.0·10³, 1.0·10³] (1 round without a figure left out)",
        ),
        ([None] * 8, "none", "error not judged: no round has the figure on both sides"),
    ],
)
def test_figures_that_have_no_ratio(make: Make, errors: list[float | None], kind: str, words: str) -> None:
    """Zero, negative and missing figures are judged where they can be, and else it is said why not."""
    other = list(zip(STEADY, errors, strict=True))
    analysis = make({"base": times(1.0), "other": other})
    assert of(analysis, "other").quality_verdict.kind == kind
    assert analysis.sentences()["other"].endswith(words)


def test_a_suite_without_a_figure_is_judged_on_speed(make: Make) -> None:
    """Where no run gives a figure of quality nothing is said of it."""
    analysis = make({"base": STEADY, "other": [0.5 * s for s in STEADY]}, quality=None)
    assert analysis.sentences()["other"] == "2.00× faster [2.00, 2.00]"
    assert of(analysis, "other").quality_verdict.kind == "none"
    assert of(analysis, "other").quality is None


def test_the_baseline_alone_is_checked_against_itself(make: Make) -> None:
    """A suite of one variant has the A/A check, and nothing to compare."""
    analysis = make({"base": STEADY}, again=[1.001 * s for s in STEADY])
    assert [c.variant for c in analysis.comparisons] == ["base"]
    assert (analysis.wanted, analysis.needed) == (0.95, 6)
    assert not analysis.check.void
    assert "within 2 %" in analysis.notes()[0]


def test_targets_of_every_variant(make: Make) -> None:
    """Each target has rates, times and the paired ratio, and the whole way is that to the hardest both reach."""

    def run(second: float, *errors: float) -> dict[str, Any]:
        return {
            "value_s": second,
            "steps_s": [second] * len(errors),
            "curve": [[second * (i + 1), error] for i, error in enumerate(errors)],
            "quality": {"error": errors[-1]},
        }

    analysis = make(
        {
            "base": [run(s, 1.0, 0.1, 0.01) for s in WILD],
            "other": [run(s / 4, 1.0, 1.0, 1.0, 0.1) for s in WILD],
        },
        targets=[0.1, 0.01],
    )
    base, other = of(analysis, "base"), of(analysis, "other")
    assert [figures.hits for figures in base.targets] == [8, 8]
    assert [figures.hits for figures in other.targets] == [8, 0]
    first, second = other.targets
    assert first.ratio is not None
    assert first.ratio.value == pytest.approx(0.5)
    assert second.ratio is not None
    assert second.ratio.low == math.inf
    json.dumps(analysis.to_json(), allow_nan=False)


def test_machines_get_all_of_it_as_strict_json(make: Make) -> None:
    """The JSON has each verdict with its words and figures; what is infinite is null."""
    runs = {"base": times(1.0), "other": times(0.5, 0.0), "broken": ["boom"] * 8}
    found = json.loads(json.dumps(make(runs).to_json(), allow_nan=False))
    assert found["baseline"] == "base"
    assert found["check"]["void"] is False
    by_name = {each["variant"]: each for each in found["comparisons"]}
    assert by_name["other"]["speed"]["kind"] == "faster"
    assert by_name["other"]["speed"]["ratio"]["value"] == pytest.approx(0.5)
    assert by_name["other"]["quality_verdict"]["change"]["low"] is None
    assert by_name["other"]["sentence"] == "2.00× faster [2.00, 2.00]; ∞× smaller error [∞, ∞]"
    assert by_name["broken"]["speed"] is None


def test_no_more_variants_than_asked_for(make: Make) -> None:
    """JSON and text have the first ones, and say how many there are."""
    analysis = make({"base": times(1.0), "slow": times(2.0), "fast": times(0.5)})
    found = analysis.to_json(2)
    assert ([each["variant"] for each in found["comparisons"]], found["variants"]) == (["base", "slow"], 3)
    text = as_text(analysis, top=2)
    assert "1 more variant: --top 3" in text
    assert not any("slow" in line for line in text)
    assert "1 more variant: --top 3" in " ".join(experiment_markdown(analysis, 2))


def test_a_run_without_a_complete_round_is_refused(tmp_path: Path) -> None:
    """The message names the folder and the remedy."""
    results = write_experiment(tmp_path / "run", {"base": STEADY[:1], "other": []})
    with pytest.raises(InvalidInputError, match=r"run holds no complete round: run it again, for longer"):
        analyse(results)


def test_only_complete_rounds_count(make: Make) -> None:
    """A round whose last run is still missing is no part of anything."""
    analysis = make({"base": STEADY, "other": [0.5 * s for s in STEADY][:7]})
    assert analysis.rounds == 7
    assert of(analysis, "base").rounds == 7


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e300])
def test_no_size_of_times_or_errors_breaks_it(make: Make, scale: float) -> None:
    """Numbers at either end of what there is give verdicts, words and JSON."""
    rng = np.random.default_rng(0)
    base = [(float(s), 1.0) for s in rng.uniform(0.9, 1.1, 8)]
    other = [(float(s) * scale, scale) for s in rng.uniform(0.9, 1.1, 8)]
    analysis = make({"base": base, "other": other})
    assert "nan" not in " ".join(analysis.sentences().values())
    json.dumps(analysis.to_json(), allow_nan=False)
