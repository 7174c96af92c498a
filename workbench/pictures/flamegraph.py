"""A flame graph as one self-contained SVG, which zooms and searches where scripts run."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from workbench.errors import InvalidInputError
from workbench.pictures._boxes import Boxes, Label, lay_out
from workbench.pictures._colours import KINDS, MERGED, shade_of, shades
from workbench.pictures._text import CELL, fit, format_amount, format_share, json_for_markup, printable
from workbench.profile import StackTree

ROW = 20
FONT = 12
SIDE = 8
PADDING = 4
HEADER = 64
FOOTER = 26

_STATIC_BOXES = 2500
"""Boxes drawn where no script runs; the script draws the rest. It bounds the size of the file."""
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_OPEN_IT = "open in a browser to zoom and search"


class _StaticBox(NamedTuple):
    x: float
    y: int
    width: float
    style: str
    fill: str
    ink: str
    text: str
    tip: str


def flamegraph_svg(
    tree: StackTree,
    *,
    title: str,
    subtitle: str = "",
    unit: str = "ns",
    width: int = 1200,
    minimum_share: float = 0.0005,
    icicle: bool = False,
    prefix: str = "",
) -> str:
    """Return a flame graph of a stack tree: a box for each path, as wide as its total time.

    Children stand in order of name. The text can be a file of its own or stand in an HTML page, beside
    others: its styles and its script reach no further than its own root.

    Args:
        tree: What to draw; `workbench.profile.aggregate` makes one.
        title: The heading.
        subtitle: A line below it: what ran, where and when.
        unit: What the amounts are; `ns` is shown as seconds, milliseconds and so on.
        width: Pixels of the picture where no script runs; a browser fits it to the page.
        minimum_share: Boxes narrower than this share of all are merged and counted. What is merged is
            not found by the search.
        icicle: Whether the roots are on top.
        prefix: Class name of the root and start of every style rule; made from the content by default.

    Raises:
        InvalidInputError: A width under 200, a share outside [0, 1) or a prefix that is no identifier.
    """
    _check(width, minimum_share, prefix)
    title, subtitle, unit = printable(title), printable(subtitle), printable(unit)
    boxes = lay_out(tree, minimum_share)
    height = HEADER + max(boxes.rows, 2) * ROW + FOOTER
    data = {
        **_data(boxes, unit, minimum_share),
        "title": title,
        "subtitle": subtitle,
        "icicle": icicle,
        "staticHeight": height,
    }
    payload = json_for_markup(data)
    return _template().render(
        prefix=prefix or "wf-" + hashlib.sha256(payload.encode()).hexdigest()[:8],
        width=width,
        height=height,
        side=SIDE,
        font=FONT,
        title=title,
        title_text=fit(title, width - 2 * SIDE - 90 * len(_kinds(boxes)), 18),
        subtitle_text=fit(subtitle, width - 2 * SIDE, 13),
        hint=_OPEN_IT if len(boxes) else "",
        footer=data["footer"],
        legend=_legend(boxes, width),
        boxes=list(_static_boxes(boxes, width, height, unit, icicle=icicle)),
        light=shades(dark=False),
        dark=shades(dark=True),
        empty=not len(boxes),
        data=Markup(payload),  # noqa: S704 - json_for_markup leaves no character that markup could read
    )


def write_flamegraph(
    path: str | os.PathLike[str],
    tree: StackTree,
    *,
    title: str,
    subtitle: str = "",
    unit: str = "ns",
    width: int = 1200,
    minimum_share: float = 0.0005,
    icicle: bool = False,
    prefix: str = "",
) -> None:
    """Write what `flamegraph_svg` returns to a file."""
    svg = flamegraph_svg(
        tree,
        title=title,
        subtitle=subtitle,
        unit=unit,
        width=width,
        minimum_share=minimum_share,
        icicle=icicle,
        prefix=prefix,
    )
    Path(path).write_text(svg, encoding="utf-8")


def _check(width: int, minimum_share: float, prefix: str) -> None:
    if width < 200:
        raise InvalidInputError(f"a flame graph {width} pixels wide cannot be read: give at least 200")
    if not 0 <= minimum_share < 1:
        raise InvalidInputError(f"minimum_share is {minimum_share}: give a share of all, from 0 to below 1")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise InvalidInputError(f"prefix {prefix!r} is no identifier: use letters, digits, - and _")


def _data(boxes: Boxes, unit: str, minimum_share: float) -> dict[str, object]:
    """Return what the script needs; starts and parents follow from the order of the boxes."""
    return {
        "unit": unit,
        "row": ROW,
        "font": FONT,
        "side": SIDE,
        "padding": PADDING,
        "footer": _footer(boxes, minimum_share),
        "kinds": [[kind, KINDS[kind]] for kind in _kinds(boxes)],
        "labels": [[printable(n.name), _place(n), n.kind, shade_of(n.name)] for n in boxes.labels],
        "label": boxes.label,
        "depth": boxes.depth,
        "total": boxes.total,
        "self": boxes.self_,
    }


def _place(label: Label) -> str:
    if not label.file:
        return ""
    return printable(f"{label.file}:{label.line}" if label.line else label.file)


def _footer(boxes: Boxes, minimum_share: float) -> str:
    if not boxes.cut:
        return ""
    what = "1 box" if boxes.cut == 1 else f"{boxes.cut:,} boxes"
    together = format_share(boxes.cut_amount / boxes.total[0])
    return f"merged: {what} under {format_share(minimum_share)} of all, together {together}"


def _kinds(boxes: Boxes) -> list[int]:
    return sorted({label.kind for label in boxes.labels} - {MERGED})


def _legend(boxes: Boxes, width: int) -> list[tuple[float, int, str]]:
    """Return x, kind and name of each entry, set from the right."""
    entries: list[tuple[float, int, str]] = []
    x = float(width - SIDE)
    for kind in reversed(_kinds(boxes)):
        x -= len(KINDS[kind]) * CELL * FONT + 30
        entries.append((round(x, 1), kind, KINDS[kind]))
    return entries[::-1]


def _static_boxes(boxes: Boxes, width: int, height: int, unit: str, *, icicle: bool) -> Iterator[_StaticBox]:
    if not len(boxes):
        return
    everything = boxes.total[0]
    scale = (width - 2 * SIDE) / everything
    narrowest = everything / (width - 2 * SIDE)
    fills = shades(dark=False)
    # The sort is stable, so a box comes before those above it, and none is drawn that hangs in the air.
    widest = sorted(range(len(boxes)), key=lambda i: -boxes.total[i])[:_STATIC_BOXES]
    for i in sorted(widest):
        frame, depth, start, total = (
            boxes.labels[boxes.label[i]],
            boxes.depth[i],
            boxes.start[i],
            boxes.total[i],
        )
        if total < narrowest:
            continue
        shade = shade_of(frame.name)
        name = printable(frame.name)
        box_width = total * scale
        yield _StaticBox(
            x=round(SIDE + start * scale, 2),
            y=HEADER + depth * ROW if icicle else height - FOOTER - (depth + 1) * ROW,
            width=round(max(box_width - 0.6, 0.4), 2),
            style=f"wf-k{frame.kind} wf-k{frame.kind}s{shade}",
            fill=fills[frame.kind][shade].fill,
            ink=fills[frame.kind][shade].ink,
            text=fit(name, box_width - 2 * PADDING, FONT),
            tip=f"{name[:300]} {format_amount(total, unit)} ({format_share(total / everything)})",
        )


@cache
def _template() -> jinja2.Template:
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("flamegraph.svg")
