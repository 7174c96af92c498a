"""A comparison of profiles in words: sentences, the rows of its table, lines for a terminal, and JSON."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import PurePath
from statistics import median

from workbench.bench.compare.gate import EXIT_CODES
from workbench.bench.stats.intervals import Estimate
from workbench.report.profile.difference import Comparison
from workbench.report.profile.frame_changes import MIN_PROFILES, ChangeFinding, FrameChange
from workbench.text import (
    as_amount,
    as_difference,
    as_difference_range,
    as_digits,
    plural,
    printable,
    shortened,
)

SCHEMA = 1
DEFAULT_TOP = 15
"""Rows that fit a terminal beside what was typed."""
NAMED = 3
"""Frames that a sentence names."""
NAME = 80


@dataclass(frozen=True)
class ChangeRow:
    """A row of the table of changes, as text."""

    name: str
    place: str
    before: str
    after: str
    by: str
    """The change in time."""
    change: str
    """The same in per cent."""
    interval: str
    finding: str
    calls: str
    """Where calls differ: both, and the change of one call."""


def answers(found: Comparison) -> list[str]:
    """Return what was found, in a few sentences: wall time first, then frames."""
    return [_wall_sentence(found), *_reservations(found), _frames_sentence(found)]


def _wall_sentence(found: Comparison) -> str:
    before, after = found.names
    wall = found.wall
    times = f"{_amount(wall.before_ns)} → {_amount(wall.after_ns)}"
    if wall.ratio is None:
        change = as_difference(median(wall.before_ns), median(wall.after_ns))
        return f"Wall time {times} ({change}), {_these_runs(found)}."
    change = f"{_change(wall.ratio)} {as_difference_range(wall.ratio.low, wall.ratio.high)}"
    count = f"{found.profiles} profiles of each"
    if wall.finding is ChangeFinding.NOISE:
        return f"Wall time {times}, {change}: the difference is within noise ({count})."
    return f"{printable(after)} is {wall.finding} than {printable(before)}: wall time {times}, {change} ({count})."


def _these_runs(found: Comparison) -> str:
    return "this run only" if found.profiles == 1 else "these runs only"


def _reservations(found: Comparison) -> list[str]:
    """Return what cannot be known."""
    said = []
    if not found.is_of_sets:
        count = "One profile" if found.profiles == 1 else f"{found.profiles} profiles"
        said.append(
            f"{count} of a side {'does' if found.profiles == 1 else 'do'} not show whether one is slower: "
            f"compare two folders of {MIN_PROFILES} or more."
        )
    if found.options.relative:
        said.append(f"Times are scaled to one total: shares of {found.of} are compared.")
    return said


def _frames_sentence(found: Comparison) -> str:
    clear = [each for each in shown_changes(found) if each.finding.sign]
    compared = sum(each.finding not in (ChangeFinding.SMALL, ChangeFinding.WAITING) for each in found.changes)
    if not compared:
        return f"Nothing has over 1 % of the time in {found.of} on both sides together."
    if not clear:
        if all(each.finding is not ChangeFinding.NOISE for each in found.changes):
            return "Nothing changed."
        over = f"{compared} {plural(compared, 'time')} of frames with over 1 % of all"
        return f"Of {over}, {'none differs' if compared > 1 else 'it does not differ'} by more than noise."
    words = [f"{_cut(each.frame.name)} {_change_of(each)}" for each in clear[:NAMED]]
    more = f", and {len(clear) - NAMED} more" if len(clear) > NAMED else ""
    what = "Beyond noise" if found.is_of_sets else f"Changed most, {_these_runs(found)}"
    return f"{what}: {', '.join(words)}{more}."


def shown_changes(found: Comparison) -> list[FrameChange]:
    """Return the changes that a table shows: of self times, and of total times where they alone are known to differ."""
    clear_self = {each.frame for each in found.changes if each.what == "self" and each.finding.is_verdict}
    return [
        each
        for each in found.changes
        if each.by_ns
        and each.finding is not ChangeFinding.SMALL
        and (each.what == "self" or (each.finding.is_verdict and each.frame not in clear_self))
    ]


def change_rows(found: Comparison, top: int) -> list[ChangeRow]:
    """Return the rows of the table of changes, at most `top`."""
    return [change_row(each) for each in shown_changes(found)[:top]]


def change_row(each: FrameChange) -> ChangeRow:
    """Return a change as text."""
    sign = "+" if each.by_ns > 0 else "−"
    return ChangeRow(
        name=_cut(each.frame.name) + (" and what it calls" if each.what == "total" else ""),
        place=printable(PurePath(each.frame.file).name),
        before=_time(each.before_ns),
        after=_time(each.after_ns),
        by=sign + _time(abs(each.by_ns)),
        change=_change(each.ratio) if each.ratio else as_difference(each.before_ns, each.after_ns),
        interval="" if each.ratio is None else as_difference_range(each.ratio.low, each.ratio.high),
        finding="" if each.finding is ChangeFinding.SAME else str(each.finding),
        calls=_calls(each),
    )


def _time(ns: float) -> str:
    return " ".join(as_digits(ns))


def _change(ratio: Estimate) -> str:
    return "new" if ratio.value == math.inf else as_difference(1.0, ratio.value)


def _change_of(each: FrameChange) -> str:
    if each.ratio is None:
        return as_difference(each.before_ns, each.after_ns)
    return f"{_change(each.ratio)} {as_difference_range(each.ratio.low, each.ratio.high)}"


def _calls(each: FrameChange) -> str:
    """Return calls and the change of one call where calls differ."""
    before, after = each.before_calls, each.after_calls
    if before is None or after is None or before == after:
        return ""
    calls = f"calls {before:,} → {after:,}"
    if each.per_call is None:
        return calls
    one, interval = _change(each.per_call), ""
    if each.per_call.confidence < 1:
        interval = " " + as_difference_range(each.per_call.low, each.per_call.high)
    return f"{calls}, per call {one}{interval}"


def _amount(values: tuple[int, ...]) -> str:
    return as_amount(round(median(values)), "ns")


def _cut(name: str) -> str:
    return shortened(printable(name), NAME)


def wall_rows(found: Comparison) -> list[tuple[str, str, str]]:
    """Return of each side its name, the median of its wall times, and from which to which they are."""
    return [
        (
            printable(name),
            _amount(values),
            f"{as_amount(min(values), 'ns')} to {as_amount(max(values), 'ns')}",
        )
        for name, values in zip(found.names, (found.wall.before_ns, found.wall.after_ns), strict=True)
    ]


def as_text(found: Comparison, top: int = DEFAULT_TOP) -> list[str]:
    """Return a comparison as lines for a terminal."""
    lines = answers(found)
    if found.gate is not None:
        lines.insert(0, f"{found.gate.verdict.upper()}: {found.gate.words}")
    rows = change_rows(found, top)
    if not rows:
        return lines
    cells = [("before", "after", "change", "", "", f"self time in {found.of} of")]
    for row in rows:
        name = row.name + (f" ({row.calls})" if row.calls else "")
        finding = row.finding if row.interval or row.finding not in ("more", "less") else ""
        cells.append((row.before, row.after, row.by, row.change, row.interval, f"{name}  {finding}".rstrip()))
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    lines.append("")
    lines += [
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False) if width)
        + f"  {row[5]}"
        for row in cells
    ]
    return lines


def as_json(found: Comparison) -> dict[str, object]:
    """Return a comparison for machines; its form is that of difference.schema.json. Times are nanoseconds."""
    wall = found.wall
    return {
        "schema": SCHEMA,
        "before": os.fspath(found.options.before),
        "after": os.fspath(found.options.after),
        "profiles": found.profiles,
        "of": found.of,
        "relative": found.options.relative,
        "intervals": _intervals(found),
        "wall": {
            "before_ns": list(wall.before_ns),
            "after_ns": list(wall.after_ns),
            "ratio": _json_estimate(wall.ratio),
            "finding": str(wall.finding),
        },
        "before_ns": found.trees.typical.before.all_ns,
        "after_ns": found.trees.typical.after.all_ns,
        "changes": [_json_change(each) for each in found.changes],
        "gate": None if found.gate is None else {
            "verdict": found.gate.verdict,
            "exit_code": EXIT_CODES[found.gate.verdict],
            "words": found.gate.words,
            "ratio": _json_estimate(found.gate.estimate),
        },
        "answer": answers(found),
        "warnings": list(found.warnings),
    }  # fmt: skip


def _intervals(found: Comparison) -> str:
    if found.is_of_sets:
        return "between runs"
    return "sampling, this run only" if found.profiles == 1 and found.of == "samples" else "none"


def _json_change(each: FrameChange) -> dict[str, object]:
    return {
        "name": each.frame.name,
        "file": each.frame.file or None,
        "kind": each.frame.kind.name.lower(),
        "what": each.what,
        "before_ns": each.before_ns,
        "after_ns": each.after_ns,
        "by_ns": each.by_ns,
        "before_calls": each.before_calls,
        "after_calls": each.after_calls,
        "per_call": _json_estimate(each.per_call),
        "ratio": _json_estimate(each.ratio),
        "finding": str(each.finding),
    }


def _json_estimate(ratio: Estimate | None) -> dict[str, object] | None:
    if ratio is None:
        return None
    return {name: value for name, value in ratio.to_json().items() if name != "count"}
