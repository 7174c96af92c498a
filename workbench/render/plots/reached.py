"""How often a target was reached by when: small charts, a variant each, the baseline grey in all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.render.plots._svg import ChartAxis, Corner, Drawing, box, polyline, time_axis, time_marks

HEIGHT, TOP = 96, 4
"""Pixels of the part with the curves, and above it."""
TICK_GAP = 0.25
"""Share of the axis between two ticks: their words are beside each other."""
_FLATTENING = 30.0
"""A chart whose times are beyond this factor of the baseline's has an axis of its own."""


@dataclass(frozen=True)
class ReachedChart:
    """One small chart."""

    names: Sequence[str]
    """Variants with this very curve."""
    reached: str
    """"34 of 36"."""
    chart: Markup
    has_own_axis: bool


def reached_charts(times: Mapping[str, Sequence[float]], baseline: str) -> list[ReachedChart]:
    """Draw for each variant the share that had reached the target by a time: the ECDF with misses.

    A curve that ends below 1 missed the target in the rest (Hansen et al., COCO, 2021, Optim. Methods Softw. 36,
    114: runtime profiles). Variants whose times are equal share a chart, and one that is like the baseline has none.

    Args:
        times: By variant: seconds, infinite for a miss.
        baseline: The variant that is grey in all of them.
    """
    ordered = {name: tuple(sorted(values)) for name, values in times.items() if len(values)}
    base = ordered.get(baseline, ())
    groups: dict[tuple[float, ...], list[str]] = {}
    for name, values in ordered.items():
        if name != baseline:
            groups.setdefault(values, []).append(name)
    ranges = {values: found for values in [base, *groups] if (found := _range(values)) is not None}
    if not ranges:
        return []
    near = [found for found in ranges.values() if _is_near(found, ranges.get(base))]
    shared = time_axis(min(low for low, _ in near), max(high for _, high in near))
    charts = []
    for values, names in groups.items():
        own, axis = ranges.get(values), shared
        has_own_axis = own is not None and not _is_near(own, ranges.get(base))
        if has_own_axis and own is not None:
            both = [own, *([ranges[base]] if base in ranges else [])]
            axis = time_axis(min(low for low, _ in both), max(high for _, high in both))
        hits = sum(map(math.isfinite, values))
        chart = _chart(values, base, axis, f"{', '.join(names)}: {hits} of {len(values)} reached")
        charts.append(ReachedChart(names, f"{hits} of {len(values)}", chart, has_own_axis))
    return charts


def _range(values: Sequence[float]) -> tuple[float, float] | None:
    known = [value for value in values if 0 < value < math.inf]
    return (known[0], known[-1]) if known else None


def _is_near(own: tuple[float, float], base: tuple[float, float] | None) -> bool:
    return base is None or (own[1] < _FLATTENING * base[1] and own[0] > base[0] / _FLATTENING)


def _chart(values: Sequence[float], base: Sequence[float], axis: ChartAxis, label: str) -> Markup:
    drawing = Drawing()
    drawing.levels((TOP + HEIGHT * (1 - share), f"{100 * share:.0f} %") for share in (0.0, 0.5, 1.0))
    marks = ((axis.share(tick), words) for tick, words in time_marks(axis, TICK_GAP))
    drawing.uprights(marks, TOP + HEIGHT)
    lines = polyline(_steps(base, axis), "wp-line base") if base else Markup("")
    lines += polyline(_steps(values, axis), "wp-line s0")
    drawing.add("g", box(lines, HEIGHT, TOP))
    return drawing.svg(label, TOP + HEIGHT + 22, "wp-reached")


def _steps(values: Sequence[float], axis: ChartAxis) -> list[Corner]:
    """Return the corners of a curve, from the left edge to the right."""
    corners: list[Corner] = [(0.0, 0.0)]
    for i, value in enumerate(values):
        if not math.isfinite(value):
            break
        x = axis.share(value)
        corners += [(x, i / len(values)), (x, (i + 1) / len(values))]
    return [*corners, (1.0, corners[-1][1])]
