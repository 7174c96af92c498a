"""The file around the boxes: its data, its static flame graph, its style and its script.

All flame graphs share one style and one script, whatever they show, so that a page with twenty of them
allows two hashes in its Content-Security-Policy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from markupsafe import Markup

from workbench.errors import InvalidInputError
from workbench.render.colours import WAITING, Shade, package_shades, shade_of, shades, step_shades
from workbench.render.flamegraph._boxes import Boxes
from workbench.render.flamegraph._fold import folded
from workbench.render.flamegraph._forest import UNKNOWN, BoxLabel
from workbench.render.scripts import bundle
from workbench.render.templates import HERE, environment
from workbench.render.text_width import fit, frame_name
from workbench.text import as_share, json_for_markup, printable

ROW, FONT, SIDE, PADDING, FOOTER = 20, 12, 8, 4, 26
HEADER = 64

_NAMED_BOXES, _STATIC_BOXES = 1200, 5000
"""Boxes drawn with a name, and drawn at all, where no script runs. They bound the size of the file."""
_SHOWN_SHARE = 0.005
"""Of all: rows whose boxes are narrower are not drawn where no script runs. The same in data.js, where zooming draws
them."""
_LETTERS = 250_000
"""Letters of all names together, beyond which long ones are cut."""
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_OPEN_IT = "open in a browser to zoom and search"


class BoxStyle(NamedTuple):
    """How a box looks: classes for the style sheet, and the light colours for viewers that know none."""

    classes: str
    shade: Shade


class Swatch(NamedTuple):
    """An entry of the legend where no script runs; `x` from the right end of the flame graph."""

    x: float
    width: float
    style: BoxStyle
    text: str
    inside: bool
    """Whether the text stands in the swatch, or behind it."""


@dataclass(frozen=True)
class Shell:
    """All that the file says beside the boxes."""

    title: str
    subtitle: str
    width: int
    prefix: str
    embedded: bool = False
    """Whether it is part of a page that has the title and the search."""

    def check(self, minimum_share: float) -> None:
        """Raise `InvalidInputError` for what cannot be drawn."""
        if self.width < 200:
            raise InvalidInputError(
                f"a flame graph {self.width} pixels wide cannot be read: give at least 200"
            )
        if not 0 <= minimum_share < 1:
            raise InvalidInputError(
                f"minimum_share is {minimum_share}: give a share of all, from 0 to below 1"
            )
        if self.prefix and not _PREFIX.fullmatch(self.prefix):
            raise InvalidInputError(f"prefix {self.prefix!r} is no identifier: use letters, digits, - and _")


def render(
    shell: Shell,
    views: Mapping[str, tuple[Boxes, str]],
    box_style: Callable[[Boxes, int], BoxStyle],
    tip: Callable[[Boxes, int], str],
    legend: Sequence[Swatch],
    about: Mapping[str, object],
) -> str:
    """Return the file.

    Args:
        shell: What it says beside the boxes.
        views: Boxes and a footer by name; the first is what a static flame graph shows.
        box_style: Gives how a box looks.
        tip: Gives what a box says of itself where no script runs.
        legend: Its entries, from the left.
        about: What the script needs to know of this sort of flame graph.
    """
    boxes, footer = next(iter(views.values()))
    static = folded(boxes)
    room = shell.width - 2 * SIDE
    legend_width = max((swatch.x for swatch in legend), default=0.0)
    own_row = legend_width > 0.6 * room
    header = HEADER + (20 if own_row else 0)
    rows = max(static.rows_wider_than(_SHOWN_SHARE), 2)
    height = header + rows * ROW + FOOTER
    labels: dict[BoxLabel, int] = {}
    data = {
        **about,
        "title": printable(shell.title),
        "subtitle": printable(shell.subtitle),
        "embedded": shell.embedded,
        "packageColours": len(package_shades(dark=False)),
        "row": ROW,
        "font": FONT,
        "side": SIDE,
        "padding": PADDING,
        "footerHeight": FOOTER,
        "views": [_view(name, view, said, labels) for name, (view, said) in views.items()],
        "labels": _labels(labels),
    }
    payload = json_for_markup(data)
    style_class, style = _style()
    named, thin = _static_boxes(shell, static, box_style, tip, height, rows)
    return environment().get_template("flamegraph/flamegraph.svg").render(
        embedded=shell.embedded,
        prefix=shell.prefix or "wf-" + hashlib.sha256(payload.encode()).hexdigest()[:8],
        style_class=style_class,
        style=style,
        script=_script(),
        width=shell.width,
        height=height,
        side=SIDE,
        font=FONT,
        title=data["title"],
        title_text=fit(printable(shell.title), room - (0 if own_row else legend_width + 20), 18),
        subtitle_text=fit(printable(shell.subtitle), room, 13),
        hint=_OPEN_IT if len(boxes) else "",
        footer=footer if shell.width >= 640 else "",
        legend=[(round(shell.width - SIDE - swatch.x, 1), swatch) for swatch in legend],
        legend_y=55 if own_row else 13,
        boxes=named,
        thin=thin,
        waiting=f"wf-d{WAITING}",
        empty=not len(boxes),
        data=Markup(payload),  # noqa: S704 - json_for_markup leaves no character that markup could read
    )  # fmt: skip


def footer_of(boxes: Boxes, minimum_share: float) -> str:
    """Return a line on what is not drawn."""
    if not boxes.cut:
        return ""
    what = "1 box" if boxes.cut == 1 else f"{boxes.cut:,} boxes"
    which = "the narrowest" if boxes.too_many else f"under {as_share(minimum_share)} of all"
    return f"merged: {what}, {which}, together {as_share(boxes.cut_amount / boxes.total[0])}"


def _view(name: str, boxes: Boxes, footer: str, labels: dict[BoxLabel, int]) -> dict[str, object]:
    """Return what the script needs; starts and parents follow from the order of the boxes."""
    places = [labels.setdefault(label, len(labels)) for label in boxes.labels]
    known = {n: column for n, column in boxes.columns.items() if any(value != UNKNOWN for value in column)}
    return {
        "name": name,
        "footer": footer,
        "label": [places[i] for i in boxes.label],
        "depth": boxes.depth,
        "total": boxes.total,
        **known,
    }


def _labels(labels: Mapping[BoxLabel, int]) -> list[list[object]]:
    texts = [(printable(label.name), _place_of(label)) for label in labels]
    most = _LETTERS
    if sum(len(name) + len(place) for name, place in texts) > _LETTERS:
        most = max(60, _LETTERS // (2 * len(texts)))
    return [
        [_cut(name, most), _cut(place, most), int(label.kind), shade_of(label.name)]
        for (name, place), label in zip(texts, labels, strict=True)
    ]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _place_of(label: BoxLabel) -> str:
    if not label.file:
        return ""
    return printable(f"{label.file}:{label.line}" if label.line else label.file)


class _NamedBox(NamedTuple):
    x: float
    y: int
    width: float
    style: BoxStyle
    text: str
    tip: str


def _static_boxes(
    shell: Shell,
    boxes: Boxes,
    box_style: Callable[[Boxes, int], BoxStyle],
    tip: Callable[[Boxes, int], str],
    height: int,
    rows: int,
) -> tuple[list[_NamedBox], list[tuple[BoxStyle, str]]]:
    """Return the widest boxes with their names, and paths of those that have no room for one."""
    named: list[_NamedBox] = []
    thin: dict[BoxStyle, list[str]] = {}
    for x, depth, width, i in _widest(boxes, shell.width - 2 * SIDE):
        if depth >= rows:
            continue
        y = height - FOOTER - (depth + 1) * ROW
        label = boxes.labels[boxes.label[i]]
        text = fit(printable(frame_name(label.name, label.file)[:400]), width - 2 * PADDING, FONT)
        drawn = round(max(width - 0.6, 0.4), 1)
        if text and len(named) < _NAMED_BOXES:
            named.append(_NamedBox(round(SIDE + x, 1), y, drawn, box_style(boxes, i), text, tip(boxes, i)))
        else:
            path = f"M{SIDE + x:.1f} {y}h{drawn}v{ROW - 1}h-{drawn}z"
            thin.setdefault(box_style(boxes, i), []).append(path)
    return named, [(how, "".join(paths)) for how, paths in thin.items()]


def _widest(boxes: Boxes, room: float) -> Iterator[tuple[float, int, float, int]]:
    """Yield x, depth, width in pixels and index of the boxes that can be seen, the widest if there are many."""
    if not len(boxes):
        return
    scale = room / boxes.total[0]
    # The sort is stable, so a box comes before those above it, and none is drawn that hangs in the air.
    widest = sorted(range(len(boxes)), key=boxes.total.__getitem__, reverse=True)[:_STATIC_BOXES]
    for i in sorted(widest):
        width = boxes.total[i] * scale
        if width >= 1:
            yield boxes.start[i] * scale, boxes.depth[i], width, i


@cache
def _style() -> tuple[str, Markup]:
    """Return the class that every rule starts with, and the rules. Other versions have another class."""
    template = environment().get_template("flamegraph/flamegraph.css")

    def rules(style_class: str) -> str:
        return template.render(
            style_class=style_class,
            side=SIDE,
            row=ROW,
            font=FONT,
            light=shades(dark=False),
            dark=shades(dark=True),
            packages_light=package_shades(dark=False),
            packages_dark=package_shades(dark=True),
            steps_light=step_shades(dark=False),
            steps_dark=step_shades(dark=True),
        )

    style_class = "wf-" + hashlib.sha256(rules("").encode()).hexdigest()[:8]
    return style_class, Markup(rules(style_class))  # noqa: S704 - our own file and colours


@cache
def _script() -> Markup:
    """Return the script: several files in one function, which reach no further than their flame graph."""
    return bundle(HERE / "flamegraph" / "flamegraph.js")


def kinds_of(views: Sequence[Boxes], among: Sequence[int]) -> list[int]:
    """Return the kinds of frames that the boxes have, of those asked for."""
    return sorted({int(label.kind) for boxes in views for label in boxes.labels} & set(among))


def kind_style(label: BoxLabel) -> BoxStyle:
    """Return how a box of one kind and one name looks."""
    shade = shade_of(label.name)
    return BoxStyle(
        f"wf-k{int(label.kind)} wf-k{int(label.kind)}s{shade}", shades(dark=False)[label.kind][shade]
    )
