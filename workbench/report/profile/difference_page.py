"""The page of a comparison of profiles: the answer, a table of what changed most, and the flame graph."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from workbench.profile import Frame
from workbench.render.flamegraph.difference import FrameNote, difference_svg
from workbench.report.pages import render
from workbench.report.profile.difference import Comparison
from workbench.report.profile.difference_text import ChangeRow, answers, change_row, shown_changes, wall_rows
from workbench.report.profile.frame_changes import MIN_PROFILES, FrameChange
from workbench.text import as_difference, printable

ROWS = 15
"""Of the table: what fits the first screen."""
MIN_REACH, MAX_REACH = math.log(1.05), math.log(10)
"""How far the axis of intervals goes on either side, at least and at most."""

_COLOURS = {1: "more", -1: "less", 0: "noise"}


@dataclass(frozen=True)
class IntervalMark:
    """An interval on the axis of the table: places in per cent of its width."""

    low: float
    high: float
    value: float | None
    """None: outside of the axis."""
    is_cut: bool
    """Whether an end is outside of the axis."""


@dataclass(frozen=True)
class PageRow:
    """A row of the table with its mark."""

    text: ChangeRow
    mark: IntervalMark | None
    colour: str
    """`more`, `less` or `noise`."""


def page(found: Comparison) -> str:
    """Return the page, which needs no other file and no network."""
    changes = shown_changes(found)
    reach = _reach(changes[:ROWS])
    rows = [
        PageRow(change_row(each), _mark(each, reach), _COLOURS[each.finding.sign]) for each in changes[:ROWS]
    ]
    return render(
        "difference.html",
        title=found.title,
        names=[printable(name) for name in found.names],
        answers=answers(found),
        gate=found.gate,
        wall=wall_rows(found),
        rows=rows,
        left_out=len(changes) - len(rows),
        reach=as_difference(1.0, math.exp(reach)),
        reach_back=as_difference(1.0, math.exp(-reach)),
        has_marks=any(row.mark is not None for row in rows),
        has_calls=any(row.text.calls for row in rows),
        found=found,
        least=MIN_PROFILES,
        flame=Markup(flame_graph(found)),
        paths=[str(found.options.before), str(found.options.after)],
        warnings=found.warnings,
    )


def flame_graph(found: Comparison) -> str:
    """Return the flame graph, in which only what differs by more than noise is coloured."""
    before, after = found.names
    words: list[str] = [found.of]
    if found.is_of_sets:
        words.append(f"mean of the middle half of {found.profiles} profiles of each")
    else:
        words.append("this run only" if found.profiles == 1 else "these runs only")
    return difference_svg(
        found.trees.typical,
        title=found.title,
        subtitle=" · ".join(words),
        before_name=before,
        after_name=after,
        notes=_notes(found),
    )


def _notes(found: Comparison) -> dict[Frame, FrameNote]:
    changes: dict[Frame, dict[str, FrameChange]] = {}
    for each in found.changes:
        changes.setdefault(each.frame, {})[each.what] = each
    notes = {}
    for frame, known in changes.items():
        own, total = (known.get(what, next(iter(known.values()))) for what in ("self", "total"))
        lines = tuple(line for what in ("total", "self") if what in known and (line := _words(known[what])))
        notes[frame] = FrameNote(total.finding.sign, own.finding.sign, lines)
    return notes


def _words(change: FrameChange) -> str:
    """Return a line on a frame's change, all its boxes together."""
    if change.ratio is None:
        return ""
    text = change_row(change)
    return f"{change.what} of all its boxes {text.change} {text.interval}, {change.finding}"


def _reach(changes: list[FrameChange]) -> float:
    """Return how far the axis goes: as far as the ends of all intervals, within bounds."""
    ends = [
        abs(math.log(end))
        for each in changes
        if each.ratio is not None
        for end in (each.ratio.low, each.ratio.high)
        if 0 < end < math.inf
    ]
    return min(MAX_REACH, max(MIN_REACH, *ends)) if ends else MIN_REACH


def _mark(change: FrameChange, reach: float) -> IntervalMark | None:
    if change.ratio is None:
        return None
    places = [_place(end, reach) for end in (change.ratio.low, change.ratio.high, change.ratio.value)]
    low, high = min(98.0, max(0.0, places[0])), min(100.0, max(2.0, places[1]))  # something is always seen
    is_cut = places[0] < 0 or places[1] > 100
    return IntervalMark(low, high, places[2] if 0 <= places[2] <= 100 else None, is_cut)


def _place(ratio: float, reach: float) -> float:
    if ratio <= 0 or ratio == math.inf:
        return -1.0 if ratio <= 0 else 101.0
    return round(50 + 50 * math.log(ratio) / reach, 2)
