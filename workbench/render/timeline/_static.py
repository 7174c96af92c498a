"""The timeline for viewers without scripts: the widest boxes, and pale stretches for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.render.text_width import CELL, fit, frame_name
from workbench.render.timeline._resources import BYTES
from workbench.render.timeline._rows import (
    PROPAGATED,
    BoxRow,
    CounterCurve,
    RowKind,
    TimelineRows,
    TrackFacts,
)
from workbench.text import as_amount, as_size, printable

ROW = 18
FONT = 11.5
SIDE = 8
PADDING = 4
HEAD = 24
"""Height of the line with a track's name."""
CURVE = 36
AXIS = 24
GAP = 6
TOP = 60
FOOTER = 24
BIN = 4
"""Pixels of one step of a pale stretch or a curve."""

_LINE = re.compile(r":\d+$")
_MAX_BOXES = 2500
_MAX_ROWS = 120
_SMALLEST_STEPS = (1, 2, 5)


class TimelineLabel(NamedTuple):
    """What a box is called, where it is from, and how it looks."""

    name: str
    place: str
    kind: int
    shade: int


class Box(NamedTuple):
    """A rectangle with its text."""

    x: float
    y: float
    width: float
    label: TimelineLabel
    text: str
    tip: str
    propagated: bool


class Line(NamedTuple):
    """Text at a place."""

    x: float
    y: float
    text: str


@dataclass
class StaticTimeline:
    """Everything that the template draws."""

    width: int
    height: float = 0
    boxes: list[Box] = field(default_factory=list)
    thin: list[str] = field(default_factory=list)
    """Paths of the pale stretches."""
    curves: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    heads: list[Line] = field(default_factory=list)
    notes: list[Line] = field(default_factory=list)
    """Names of counters."""
    ticks: list[Line] = field(default_factory=list)
    left_out: int = 0
    """Tracks for which there is no room."""


class TrackHeading(NamedTuple):
    """What is said of a track in its first line."""

    title: str
    process: str
    folded: bool
    """Whether only its title and its first row are shown."""
    has_samples_open: bool
    """Whether the rows of its samples are shown."""
    facts: TrackFacts


def static_timeline(
    rows: TimelineRows,
    labels: Sequence[TimelineLabel],
    label_of: NDArray[np.int64],
    heads: Sequence[TrackHeading],
    width: int,
) -> StaticTimeline:
    """Return the whole run at a width. `label_of` is (boxes,) the label of each box."""
    drawing = StaticTimeline(width)
    scale = (width - 2 * SIDE) / rows.total_ns
    own: dict[int, list[tuple[int, BoxRow]]] = {}
    for first, row in zip(_firsts(rows.rows), rows.rows, strict=True):
        head = heads[row.track]
        if row.kind is not RowKind.SAMPLES or head.has_samples_open or head.folded:
            own.setdefault(row.track, []).append((first, row))
    curves: dict[int, list[CounterCurve]] = {}
    for curve in rows.curves:
        curves.setdefault(curve.track, []).append(curve)
    drawing.ticks = list(_ticks(rows.total_ns, scale))
    y = float(TOP + AXIS)
    placed: list[tuple[int, BoxRow, float]] = []
    for number, head in enumerate(heads):
        if len(placed) > _MAX_ROWS:
            drawing.left_out = len(heads) - number
            break
        drawing.heads.append(Line(SIDE, y + 16, fit(head.title, width - 2 * SIDE, 14)))
        y += HEAD
        if head.folded:
            placed += [(first, row, y) for first, row in own.get(number, [])[:1]]
            y += ROW + GAP if number in own else GAP
            continue
        for curve in curves.get(number, []):
            if curve.is_more:
                continue
            drawing.curves.append(_curve(curve, scale, y))
            drawing.notes.append(Line(SIDE, y + 10, fit(printable(_curve_name(curve)), width / 2, 11)))
            y += CURVE
        for first, row in own.get(number, [])[: max(_MAX_ROWS - len(placed), 1)]:
            placed.append((first, row, y))
            y += ROW
        y += GAP
    drawing.height = y + FOOTER
    _draw_rows(drawing, rows, labels, label_of, placed, scale)
    return drawing


def _firsts(rows: Sequence[BoxRow]) -> list[int]:
    return [0, *np.cumsum([row.size for row in rows]).tolist()][: len(rows)]


def _draw_rows(
    drawing: StaticTimeline,
    rows: TimelineRows,
    labels: Sequence[TimelineLabel],
    label_of: NDArray[np.int64],
    placed: Sequence[tuple[int, BoxRow, float]],
    scale: float,
) -> None:
    wide: list[NDArray[np.int64]] = []
    for first, row, y in placed:
        here = slice(first, first + row.size)
        if row.kind is RowKind.MARKS:
            at = np.unique(np.round(SIDE + rows.start_ns[here] * scale)).tolist()
            drawing.marks.append("".join(f"M{a:.0f} {y + 3}v{ROW - 6}" for a in at))
        else:
            wide.append(first + np.flatnonzero(rows.duration_ns[here] * scale >= 1))
    chosen = np.concatenate(wide) if wide else np.zeros(0, dtype=np.int64)
    if len(chosen) > _MAX_BOXES:
        widest = np.argsort(-rows.duration_ns[chosen], kind="stable")[:_MAX_BOXES]
        chosen = np.sort(chosen[widest])
    apart = np.zeros(len(rows.start_ns), dtype=np.bool_)
    apart[chosen] = True
    for first, row, y in placed:
        rest = first + np.flatnonzero(~apart[first : first + row.size])
        if len(rest) and row.kind is not RowKind.MARKS:
            x = SIDE + rows.start_ns[rest] * scale
            drawing.thin.append(_stretches(x, rows.duration_ns[rest] * scale, y, drawing.width))
    edges = np.array([first for first, _, _ in placed], dtype=np.int64)
    for box in chosen.tolist():
        _, row, y = placed[int(np.searchsorted(edges, box, side="right")) - 1]
        took = _about if row.kind is RowKind.SAMPLES else as_amount
        drawing.boxes.append(_box(rows, labels[int(label_of[box])], box, y, scale, took))


def _about(amount: int, unit: str) -> str:
    """Return what samples say of a time: about, and no more digits."""
    return "≈ " + as_amount(int(float(f"{amount:.2g}")), unit)


def _box(
    rows: TimelineRows,
    label: TimelineLabel,
    box: int,
    y: float,
    scale: float,
    took: Callable[[int, str], str],
) -> Box:
    duration = int(rows.duration_ns[box])
    width = duration * scale
    return Box(
        x=round(SIDE + int(rows.start_ns[box]) * scale, 2),
        y=y,
        width=round(max(width - 0.6, 0.6), 2),
        label=label,
        text=fit(frame_name(label.name, _LINE.sub("", label.place)), width - 2 * PADDING, FONT),
        tip=f"{label.name[:300]} {took(duration, 'ns')}",
        propagated=bool(rows.flags[box] & PROPAGATED),
    )


def _stretches(x: NDArray[np.floating], width: NDArray[np.floating], y: float, across: int) -> str:
    """Return a path over all steps of `BIN` pixels that hold something."""
    steps = across // BIN + 2
    held = np.zeros(steps + 1, dtype=np.int64)
    np.add.at(held, np.clip(x // BIN, 0, steps - 1).astype(np.int64), 1)
    np.add.at(held, np.clip((x + width) // BIN + 1, 0, steps).astype(np.int64), -1)
    there = np.concatenate([[False], np.cumsum(held)[:-1] > 0, [False]])
    turns = np.flatnonzero(there[1:] != there[:-1]).reshape(-1, 2)
    right = across - SIDE
    return "".join(
        f"M{max(a * BIN, SIDE)} {y}H{max(min(b * BIN, right), a * BIN + 1)}v{ROW - 1}H{max(a * BIN, SIDE)}z"
        for a, b in turns.tolist()
    )


def _curve_name(curve: CounterCurve) -> str:
    """Return the name of a curve, with how high that of a process goes."""
    if not curve.unit:
        return curve.name
    most = np.nanmax(curve.value)
    return f"{curve.name}, up to {as_size(int(most)) if curve.unit == BYTES else f'{most:.0f} {curve.unit}'}"


def _curve(curve: CounterCurve, scale: float, y: float) -> str:
    """Return a path of steps, one value for each `BIN` pixels at most."""
    known = ~np.isnan(curve.value)
    if not known.any():
        return ""
    x, value = SIDE + curve.at_ns[known] * scale, curve.value[known]
    last = np.append(np.flatnonzero(np.diff(x // BIN)), len(x) - 1)
    x, value = x[last], value[last]
    low, high = min(float(value.min()), 0.0), float(value.max())
    height = np.clip((value - low) / ((high - low) or 1.0), 0, 1) * (CURVE - 20)
    points = "".join(
        f"H{a:.1f}V{y + CURVE - 4 - h:.1f}" for a, h in zip(x[1:].tolist(), height[1:].tolist(), strict=True)
    )
    return f"M{x[0]:.1f} {y + CURVE - 4 - height[0]:.1f}{points}H{SIDE + curve.end_ns * scale:.1f}"


def _ticks(total_ns: int, scale: float) -> Iterator[Line]:
    """Yield the axis: round times, some hundred pixels apart."""
    least = 100 / scale
    power = 10 ** max(len(str(int(least))) - 1, 0)
    step = next((power * s for s in _SMALLEST_STEPS if power * s >= least), 10 * power)
    for at in range(0, total_ns + 1, step):
        if SIDE + at * scale < SIDE + total_ns * scale - CELL * 11 * 6 or at == 0:
            yield Line(round(SIDE + at * scale, 1), TOP + 14, as_amount(at, "ns") if at else "0")
