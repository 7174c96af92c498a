"""The page of a bench run: ratios with their intervals, speed against quality, fits. It needs no other file."""

from __future__ import annotations

import json
import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from workbench.bench.results import Results
from workbench.bench.statistics import (
    Estimate,
    family_confidence,
    least_count,
    median_interval,
    paired_ratio,
    reaches,
)
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.pictures.plots import PlotPoint, error_curves, ratio_plot, speed_quality_plot
from workbench.report.pages import image_data, inline_plot, power, render

PAGE = "index.html"
LABEL_WIDTH = 34


@dataclass(frozen=True)
class Comparison:
    """One variant against the baseline, over the rounds in which both succeeded."""

    variant: str
    value_ms: Estimate | None
    """The variant's own time: the median over rounds."""
    ratio: Estimate | None
    """Time of the variant by time of the baseline; below 1 is faster. 1 for the baseline itself."""
    quality: Estimate | None
    """The figure that stands for quality: the median over rounds, after the same number of steps."""
    quality_change: Estimate | None
    """Paired difference of log10(quality) to the baseline; below 0 is better."""
    same_quality: bool
    """Whether the figure is the same, to the bit, in every round."""
    failures: int
    """In how many of the rounds it failed."""
    rounds: int


def compare(results: Results) -> list[Comparison]:
    """Compare each variant with the baseline, paired by round; only complete rounds count.

    All intervals of the ratios hold together with 95 % confidence (Bonferroni) where there are enough
    rounds; each says the confidence that it reaches.

    Raises:
        InvalidInputError: No round is complete.
    """
    blocks = results.complete_blocks()
    if not blocks:
        raise InvalidInputError(f"{results.folder} holds no complete round: run it again, for longer")
    variants = list(results.head["variants"])
    confidence = family_confidence(len(variants) - 1)
    name = results.quality
    baseline = results.values(results.head["baseline"], blocks)
    return [
        _comparison(variant, results.values(variant, blocks), baseline, name, confidence)
        for variant in variants
    ]


def _comparison(
    variant: str,
    arms: Sequence[Any],
    baseline: Sequence[Any],
    quality: str | None,
    confidence: float,
) -> Comparison:
    worked = [arm for arm in arms if arm is not None]
    both = [(arm, base) for arm, base in zip(arms, baseline, strict=True) if arm and base]
    own = [arm["quality"][quality] for arm in worked if quality in arm["quality"]]
    pairs = [
        (arm["quality"][quality], base["quality"][quality])
        for arm, base in both
        if quality in arm["quality"] and quality in base["quality"]
    ]
    changes = _changes(pairs)
    return Comparison(
        variant=variant,
        value_ms=median_interval([1e3 * arm["value_s"] for arm in worked], confidence) if worked else None,
        ratio=paired_ratio([a["value_s"] for a, _ in both], [b["value_s"] for _, b in both], confidence)
        if both
        else None,
        quality=median_interval(own, confidence) if own else None,
        quality_change=median_interval(changes, confidence) if changes else None,
        same_quality=bool(pairs) and all(a == b for a, b in pairs),
        failures=len(arms) - len(worked),
        rounds=len(arms),
    )


def _changes(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Return differences of log10; against a zero they are infinite. None where a figure is negative."""
    if any(a < 0 or b < 0 for a, b in pairs):
        return []
    return [0.0 if a == b else _log10(a) - _log10(b) for a, b in pairs]


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def sentence(comparison: Comparison, baseline: str, wanted: float) -> str:
    """Return what a comparison says, in words: faster or slower only where the interval leaves out 1.

    Where there are too few rounds for an interval of the confidence that is wanted, nothing is claimed.
    """
    failed = comparison.failures
    if failed == comparison.rounds:
        return "failed in every round"
    parts = ["the baseline"] if comparison.variant == baseline else _verdicts(comparison, baseline, wanted)
    return "; ".join([*parts, f"failed in {failed} of {comparison.rounds} rounds"] if failed else parts)


def _verdicts(comparison: Comparison, baseline: str, wanted: float) -> list[str]:
    ratio = comparison.ratio
    if ratio is None:
        return [f"inconclusive: in no round did both it and {baseline} work"]
    if not reaches(ratio.confidence, wanted):
        rounds = f"{ratio.count} round{'s' if ratio.count != 1 else ''}"
        return [
            f"inconclusive: about {1 / ratio.value:.2f}× as fast in {rounds}",
            f"{least_count(wanted)} are needed",
        ]
    if ratio.high < 1:
        speed = f"{1 / ratio.value:.2f}× faster [{1 / ratio.high:.2f}, {1 / ratio.low:.2f}]"
    elif ratio.low > 1:
        speed = f"{ratio.value:.2f}× slower [{ratio.low:.2f}, {ratio.high:.2f}]"
    else:
        speed = f"no clear difference in speed: {1 / ratio.value:.2f}× [{1 / ratio.high:.2f}, {1 / ratio.low:.2f}]"
    return [speed, *_quality_verdict(comparison, wanted)]


def _quality_verdict(comparison: Comparison, wanted: float) -> list[str]:
    change = comparison.quality_change
    if comparison.same_quality:
        return ["the same error, to the bit"]
    if change is None:
        return []
    if not reaches(change.confidence, wanted):
        return ["inconclusive on the error"]
    if change.high < 0:
        return [f"error {_factor(-change.value)} smaller"]
    if change.low > 0:
        return [f"error {_factor(change.value)} larger"]
    return ["no clear difference in error"]


def _factor(orders: float) -> str:
    if 1 <= orders < 3:
        return f"{10**orders:.0f}×"
    return f"{10**orders:.3g}×" if 0 <= orders < 1 else f"{power(orders)}×"


def sentences(results: Results) -> dict[str, str]:
    """Return a sentence on each variant of a run."""
    wanted = family_confidence(len(results.head["variants"]) - 1)
    return {c.variant: sentence(c, results.head["baseline"], wanted) for c in compare(results)}


def write_page(results: Results) -> Path:
    """Write a run's page into its folder and return the file.

    Raises:
        InvalidInputError: No round is complete.
        WorkbenchError: The page cannot be written.
    """
    comparisons = compare(results)
    path = results.folder / PAGE
    try:
        path.write_text(_page(results, comparisons), encoding="utf-8")
    except OSError as error:
        raise WorkbenchError(
            f"cannot write {path}: {error.strerror}; make room, or free the folder"
        ) from None
    return path


def _page(results: Results, comparisons: list[Comparison]) -> str:
    head = results.head
    blocks = results.complete_blocks()
    labels = _labels(head["variants"])
    points = [_point(c, labels[c.variant]) for c in comparisons if c.ratio is not None]
    wanted = family_confidence(len(comparisons) - 1)
    others = [c.ratio for c in comparisons if c.ratio is not None and c.variant != head["baseline"]]
    fits = {c.variant: image_data(results.fit_folder(c.variant) / "fit.png") for c in comparisons}
    histories = {labels[variant]: history for variant, history in _histories(results).items()}
    return render(
        "bench.html",
        title=f"Benchmark: {head['suite']}",
        environment=head["environment"],
        made=head["started"],
        head=head,
        descriptions=head.get("descriptions", {}),
        comparisons=comparisons,
        sentences=sentences(results),
        rounds=len(blocks),
        arms=len(results.arms),
        torn=results.torn,
        confidence=min((ratio.confidence for ratio in others), default=None),
        few=not all(reaches(ratio.confidence, wanted) for ratio in others),
        wanted=wanted,
        needed=least_count(wanted),
        quality=results.quality,
        stepped=any(arm["error"] is None and arm.get("steps_s") for arm in results.arms),
        fits={variant: fit for variant, fit in fits.items() if fit is not None},
        errors=Counter((arm["variant"], arm["error"]) for arm in results.arms if arm["error"] is not None),
        ratios=_ratios(points, labels[head["baseline"]]),
        trade=_trade(points, labels[head["baseline"]], results.quality or "error"),
        curves=inline_plot(error_curves(None, histories, title="Error by epoch, first round", as_svg=True))
        if histories
        else None,
        raw=Markup.escape(_raw(results)),
    )


def _ratios(points: list[PlotPoint], baseline: str) -> Markup | None:
    if not points:
        return None
    title = "Time, relative to the baseline"
    return inline_plot(ratio_plot(None, points, title=title, baseline=baseline, as_svg=True))


def _trade(points: list[PlotPoint], baseline: str, quality: str) -> Markup | None:
    drawn = [point for point in points if math.isfinite(point.quality) and point.quality > 0]
    if len({point.quality for point in drawn}) < 2:
        return None  # where no error differs there is nothing to weigh speed against
    title = f"Speed against {quality}"
    return inline_plot(
        speed_quality_plot(None, drawn, title=title, baseline=baseline, quality=quality, as_svg=True)
    )


def _labels(variants: Iterable[str]) -> dict[str, str]:
    """Return the variants' names as plots have room for, no two the same."""
    labels: dict[str, str] = {}
    for variant in variants:
        label, number = textwrap.shorten(variant, LABEL_WIDTH, placeholder=" …"), 1
        label = label if len(variant) <= LABEL_WIDTH or len(label) > 2 else f"{variant[: LABEL_WIDTH - 1]}…"
        while label in labels.values():
            number += 1
            label = f"{label.partition(' #')[0]} #{number}"
        labels[variant] = label
    return labels


def _point(comparison: Comparison, label: str) -> PlotPoint:
    ratio, quality = comparison.ratio, comparison.quality
    assert ratio is not None
    nan = math.nan
    return PlotPoint(
        label,
        ratio.value,
        ratio.low,
        ratio.high,
        quality.value if quality else nan,
        quality.low if quality else nan,
        quality.high if quality else nan,
    )


def _histories(results: Results) -> dict[str, dict[str, list[float]]]:
    """Return the error curves that the first round kept, where the suite keeps histories."""
    histories: dict[str, dict[str, list[float]]] = {}
    for variant in results.head["variants"]:
        try:
            kept = json.loads((results.fit_folder(variant) / "history.json").read_text(encoding="utf-8"))
            histories[variant] = {
                "training": _numbers([kept["initial_train_mse"], *kept["train_mse"]]),
                "validation": _numbers([None, *kept["validation_mse"]]),
            }
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return histories


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def _raw(results: Results) -> str:
    return (results.folder / "results.jsonl").read_text(encoding="utf-8", errors="replace")
