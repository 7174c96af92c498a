"""A timeline (flame chart) as one self-contained SVG: tracks on one time axis, from the run to a nanosecond."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile import Frame, FrameKind, Profile, Resources, Track
from workbench.render.colours import KINDS, shade_of, timeline_shades
from workbench.render.scripts import bundle
from workbench.render.templates import HERE, environment
from workbench.render.text_width import CELL, fit
from workbench.render.timeline._columns import Packer
from workbench.render.timeline._rows import PROPAGATED, CounterCurve, TimelineRows, TrackFacts, rows_of
from workbench.render.timeline._static import (
    AXIS,
    CURVE,
    FONT,
    GAP,
    HEAD,
    PADDING,
    ROW,
    SIDE,
    TOP,
    TimelineLabel,
    TrackHeading,
    static_timeline,
)
from workbench.text import as_size, json_for_markup, printable

MARK = 9
"""The kind of labels that are names of marks."""

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_OPEN_IT = "open in a browser to pan and zoom"
_MANY_TRACKS = 20
"""So many stay open at most, the busiest ones; where there are no more, all do."""
_LITTLE = 0.01
"""Of many tracks, those that did less than this share of what the busiest did are folded."""


def timeline_svg(
    profile: Profile,
    *,
    title: str,
    subtitle: str = "",
    width: int = 1200,
    prefix: str = "",
    embedded: bool = False,
    has_lines: bool = False,
) -> str:
    """Return a timeline of a profile: its tracks below each other on one time axis.

    Each track has its counters and marks, a row of boxes for each depth of its spans, and below them one for each
    depth of its samples, where neighbouring samples of one stack are one box, and ticks where each can be seen. The
    rows of samples are closed until they are asked for, where the program has any scope. All spans are in the file;
    what is too narrow to see is drawn as a stretch that shows how much of it there is, until it is zoomed into. The
    text can be a file of its own or stand in an HTML page, beside others: its styles and its script reach no further
    than its own root. The script is the same text in every timeline, so that a page can allow it by its hash.

    Args:
        profile: What to draw. TimelineRows deeper than 1000 are left out, and the track says so.
        title: The heading.
        subtitle: A line below it: what ran, where and when.
        width: Pixels where no script runs; a browser fits it to the page.
        prefix: Class name of the root and start of every style rule; made from the content by default.
        embedded: Whether a page around it has the title and the search; then it has neither.
        has_lines: Whether the page is told what of a range has which number of lines, its CPU time, and what it did.

    Raises:
        InvalidInputError: A width under 200, a prefix that is no identifier, or spans that do not nest.
    """
    if width < 200:
        raise InvalidInputError(f"a timeline {width} pixels wide cannot be read: give at least 200")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise InvalidInputError(f"prefix {prefix!r} is no identifier: use letters, digits, - and _")
    title, subtitle = printable(title), printable(subtitle)
    rows = rows_of(profile)
    labels, label_of = _labels(profile.frames, rows)
    heads = _heads(rows.shown, rows.tracks)
    packer = _packed(rows, label_of, has_lines=has_lines)
    chunks = packer.chunks()
    facts = json_for_markup(
        _facts(rows, labels, label_of, heads, packer.shapes, title, subtitle, has_lines=has_lines)
    )
    made_of = hashlib.sha256(facts.encode())
    for chunk in chunks:
        made_of.update(chunk.encode())
    kinds = sorted({label.kind for label in labels} - {MARK})
    static = static_timeline(rows, labels, label_of, heads, width)
    return (
        environment()
        .get_template("timeline/timeline.svg")
        .render(
            prefix=prefix or "wt-" + made_of.hexdigest()[:8],
            embedded=embedded,
            static=static,
            row=ROW,
            side=SIDE,
            font=FONT,
            top=TOP,
            title=title,
            title_text=fit(title, width - 2 * SIDE - 90 * len(kinds), 18),
            subtitle_text=fit(subtitle, width - 2 * SIDE, 13),
            hint=_OPEN_IT,
            legend=_legend(kinds, width),
            light=timeline_shades(dark=False),
            dark=timeline_shades(dark=True),
            empty=not (len(rows.start_ns) or rows.curves),
            script=bundle(HERE / "timeline" / "timeline.js"),
            facts=Markup(facts),  # noqa: S704 - json_for_markup leaves no character that markup could read
            chunks=[Markup(chunk) for chunk in chunks],  # noqa: S704 - base64
        )
    )


def _labels(frames: Sequence[Frame], rows: TimelineRows) -> tuple[list[TimelineLabel], NDArray[np.int64]]:
    """Return the labels of all frames and marks that are shown, and (boxes,) the label of each box."""
    used = np.zeros(len(frames) + len(rows.marks), dtype=np.bool_)
    used[rows.frame] = True
    labels = [
        _label(frames[number]) if number < len(frames) else _mark(rows.marks[number - len(frames)])
        for number in np.flatnonzero(used).tolist()
    ]
    return labels, (np.cumsum(used) - 1)[rows.frame]


def _label(frame: Frame) -> TimelineLabel:
    place = printable(f"{frame.file}:{frame.line}" if frame.line else frame.file)
    return TimelineLabel(
        printable(frame.name), place if frame.file else "", int(FrameKind(frame.kind)), shade_of(frame.name)
    )


def _mark(name: str) -> TimelineLabel:
    return TimelineLabel(printable(name), "", MARK, 0)


def _heads(shown: Sequence[Track | Resources], facts: Sequence[TrackFacts]) -> list[TrackHeading]:
    tracks = {number: each for number, each in enumerate(shown) if isinstance(each, Track)}
    several = len({track.pid for track in tracks.values()}) > 1
    commands_differ = len({track.process for track in tracks.values()}) > 1
    has_scopes = any(own.spans for own in facts)
    folded = dict(zip(tracks, _folded([facts[number] for number in tracks], has_scopes), strict=True))
    folded_pids = {tracks[i].pid for i in tracks} - {tracks[i].pid for i in tracks if not folded[i]}
    return [
        _process_head(each, own, is_folded=each.pid in folded_pids)
        if isinstance(each, Resources)
        else TrackHeading(
            title=printable(f"{each.name} · process {each.pid}" if several else each.name),
            process=printable(each.process) if commands_differ else "",
            folded=folded[number],
            has_samples_open=not has_scopes,
            facts=own,
        )
        for number, (each, own) in enumerate(zip(shown, facts, strict=True))
    ]


def _process_head(resources: Resources, facts: TrackFacts, *, is_folded: bool) -> TrackHeading:
    largest = int(resources.resident_bytes.max())
    return TrackHeading(
        title=f"process {resources.pid}",
        process=f"largest resident set {as_size(largest)}" if largest else "",
        folded=is_folded,
        has_samples_open=False,
        facts=facts,
    )


def _folded(facts: Sequence[TrackFacts], has_scopes: bool) -> list[bool]:
    """Return of each track whether it is folded: if it has samples alone beside scopes of others, or does little."""
    aside = [has_scopes and own.samples > 0 and not own.spans for own in facts]
    if len(facts) <= _MANY_TRACKS:
        return aside
    busiest = sorted(range(len(facts)), key=lambda i: -facts[i].busy_ns)[:_MANY_TRACKS]
    least = max(1, _LITTLE * facts[busiest[0]].busy_ns)
    opened = {i for i in busiest if facts[i].busy_ns >= least}
    return [i not in opened or aside[i] for i in range(len(facts))]


def _packed(rows: TimelineRows, label_of: NDArray[np.int64], *, has_lines: bool) -> Packer:
    """Return the columns, in the order in which the script reads them.

    Boxes: the gap to the left in the row, the duration, the label, how far the parent is from that of the box to
    the left, the flags. For each kind of work: which box, as a difference, and the value. For each curve: the
    time, as a difference, where it is not that of the one before, and the value. For each track with samples: the
    gap to the sample before, the weight, how many it stands for, the depth of its stack, and of a timeline with lines
    their number, 0: none, the CPU time, and the thread's state.
    """
    counts = np.array([row.size for row in rows.rows], dtype=np.int64)
    firsts = (np.cumsum(counts) - counts)[counts > 0]
    left, parent = np.zeros_like(rows.start_ns), np.zeros_like(rows.parent)
    left[1:] = (rows.start_ns + rows.duration_ns)[:-1]
    parent[1:] = rows.parent[:-1]
    left[firsts], parent[firsts] = 0, 0
    packer = Packer()
    packer.integers(rows.start_ns - left)
    packer.integers(rows.duration_ns)
    packer.integers(label_of)
    packer.integers(rows.parent - parent)
    packer.integers(rows.flags)
    for values in rows.work.values():
        packer.integers(np.diff(values.box, prepend=0))
        packer.floats(values.value)
    for curve, has_times in zip(rows.curves, _has_times(rows.curves), strict=True):
        if has_times:
            packer.integers(np.maximum(np.diff(curve.at_ns, prepend=0), 0))
        packer.floats(curve.value)
    for samples in rows.samples:
        until = samples.at_ns + samples.weight_ns
        packer.integers(samples.at_ns - np.concatenate([np.zeros(1, dtype=np.int64), until[:-1]]))
        packer.integers(samples.weight_ns)
        packer.integers(samples.seen)
        packer.integers(samples.depth)
        if has_lines and samples.line is not None:
            packer.integers(samples.line + 1)
        if has_lines and samples.cpu_ns is not None:
            packer.integers(samples.cpu_ns)
        if has_lines and samples.state is not None:
            packer.integers(samples.state)
    return packer


def _has_times(curves: Sequence[CounterCurve]) -> list[bool]:
    """Return of each curve whether its times are other ones than those of the curve before."""
    before = [None, *(curve.at_ns for curve in curves)]
    return [curve.at_ns is not at_ns for curve, at_ns in zip(curves, before, strict=False)]


def _facts(
    rows: TimelineRows,
    labels: Sequence[TimelineLabel],
    label_of: NDArray[np.int64],
    heads: Sequence[TrackHeading],
    shapes: Sequence[tuple[int, int]],
    title: str,
    subtitle: str,
    *,
    has_lines: bool,
) -> dict[str, object]:
    return {
        "title": title,
        "subtitle": subtitle,
        "total": rows.total_ns,
        "kinds": [[kind, KINDS[kind]] for kind in sorted({x.kind for x in labels} - {MARK})],
        "labels": labels,
        "tracks": [[h.title, h.process, h.folded, h.has_samples_open, *h.facts] for h in heads],
        "rows": [
            [*row, kinds] for row, kinds in zip(rows.rows, _kinds_in(rows, labels, label_of), strict=True)
        ],
        "propagated": bool(np.any(rows.flags & PROPAGATED)),
        "work": [printable(name) for name in rows.work],
        "curves": [
            [curve.track, printable(curve.name), has_times, curve.end_ns, curve.unit, curve.is_more]
            for curve, has_times in zip(rows.curves, _has_times(rows.curves), strict=True)
        ],
        "samples": [
            [
                each.track,
                each.has_periods,
                each.is_counted,
                has_lines and each.line is not None,
                has_lines and each.cpu_ns is not None,
                has_lines and each.state is not None,
            ]
            for each in rows.samples
        ],
        "columns": shapes,
        "sizes": {
            "row": ROW,
            "side": SIDE,
            "padding": PADDING,
            "font": FONT,
            "head": HEAD,
            "curve": CURVE,
            "axis": AXIS,
            "gap": GAP,
        },
    }


def _kinds_in(rows: TimelineRows, labels: Sequence[TimelineLabel], label_of: NDArray[np.int64]) -> list[int]:
    """Return of each row how many kinds of frames stand in it."""
    bits = np.array([1 << label.kind for label in labels], dtype=np.int64)[label_of]
    counts = np.array([row.size for row in rows.rows], dtype=np.int64)
    held = np.zeros(len(counts), dtype=np.int64)
    there = counts > 0
    if there.any():
        held[there] = np.bitwise_or.reduceat(bits, (np.cumsum(counts) - counts)[there])
    return [kinds.bit_count() for kinds in held.tolist()]


def _legend(kinds: Sequence[int], width: int) -> list[tuple[float, int, str]]:
    """Return x, kind and name of each entry, set from the right."""
    entries: list[tuple[float, int, str]] = []
    x = float(width - SIDE)
    for kind in reversed(kinds):
        x -= len(KINDS[kind]) * CELL * FONT + 30
        entries.append((round(x, 1), kind, KINDS[kind]))
    return entries[::-1]
