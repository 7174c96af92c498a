"""A difference flame graph: what takes more time after a change, and what takes less, in one SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.profile import Frame, FrameKind, TreeDifference
from workbench.render.colours import MIDDLE, STEPS, WAITING, step_of, step_shades
from workbench.render.flamegraph import svg_file
from workbench.render.flamegraph._boxes import MAX_BOXES, Boxes, lay_out
from workbench.render.flamegraph._forest import forest_of_difference
from workbench.text import as_amount, as_difference, printable

_CELL = 46
_WIDE = 90
"""Pixels of a step in the legend, and of one with a longer name."""
_MIN_SHARE = 0.01
"""Of all time: what has less on both sides is grey."""


@dataclass(frozen=True)
class FrameNote:
    """What is known of a frame's change, all its boxes together."""

    total: int
    """1 if its total time is known to be more, -1 if less, 0 if neither is known."""
    own: int
    """The same of its self time."""
    words: tuple[str, ...]
    """Lines for the details."""


def difference_svg(
    diff: TreeDifference,
    *,
    title: str,
    before_name: str = "before",
    after_name: str = "after",
    subtitle: str = "",
    width: int = 1200,
    minimum_share: float = 0.0005,
    prefix: str = "",
    max_boxes: int = MAX_BOXES,
    notes: Mapping[Frame, FrameNote] | None = None,
    embedded: bool = False,
) -> str:
    """Return a flame graph of two trees on top of each other: red has more afterwards, blue less.

    Every path of either tree has a box, so that what is gone is shown as well as what is new. A box's own
    width is the larger of its two self times; widths add up. Its colour is the ratio of its two totals, in
    the nine steps of the legend; a switch colours by self times. What has under 1 % of all time on both sides is
    grey, and waiting is hatched.

    Args:
        diff: `workbench.profile.difference` makes one.
        title: The heading.
        before_name: What the first tree is called in the details.
        after_name: What the second is called.
        subtitle: A line below the title; that the trees were normalised is added to it.
        width: Pixels where no script runs.
        minimum_share: Boxes narrower than this share of all are merged and counted.
        prefix: A class name of the root.
        max_boxes: The most boxes that the file holds.
        notes: What is known of each frame's change: only boxes that change as their frame is known to are coloured.
            None: nothing is known of noise, and all are.
        embedded: Whether it is part of a page that shows the title and searches in it; roots are on top then.

    Raises:
        InvalidInputError: A width under 200, a share outside [0, 1) or a prefix that is no identifier.
    """
    said = f"{before_name} scaled to the total of {after_name}" if diff.normalised else "amounts as measured"
    line = f"{subtitle} · {said}" if subtitle else said
    shell = svg_file.Shell(title, line, width, prefix, embedded)
    shell.check(minimum_share)
    boxes = lay_out(forest_of_difference(diff), minimum_share, max_boxes)
    by_label = {} if notes is None else {tuple(frame): note for frame, note in notes.items()}
    known = [by_label.get(tuple(label)) for label in boxes.labels]
    unit = diff.after.profile.unit
    names = list(STEPS)
    if notes is not None:
        names[MIDDLE - 1 : MIDDLE + 2] = ["less", "within noise", "more"]
    if any(label.kind == FrameKind.IDLE for label in boxes.labels):
        names.append("waiting")
    about: dict[str, object] = {
        "sort": "change",
        "unit": unit,
        "steps": names,
        "kinds": [],
        "before": printable(before_name)[:60],
        "after": printable(after_name)[:60],
        "normalised": diff.normalised,
    }
    if notes is not None:
        # In the order of the file's labels, where equal ones are one.
        unique = dict(zip(boxes.labels, known, strict=True)).values()
        about["known"] = [0 if note is None else [note.total, note.own, *note.words] for note in unique]
    colours = step_shades(dark=False)

    def box_style(boxes: Boxes, i: int) -> svg_file.BoxStyle:
        # What folded boxes stand for is no frame, and comes after the labels of frames.
        note = known[boxes.label[i]] if boxes.label[i] < len(known) else None
        step = _step(boxes, i, note, is_known=notes is not None)
        return svg_file.BoxStyle(f"wf-d{step}", colours[step])

    def tip(boxes: Boxes, i: int) -> str:
        name = printable(boxes.labels[boxes.label[i]].name[:300])
        before, after = boxes.columns["before"][i], boxes.columns["after"][i]
        amounts = f"{as_amount(before, unit)} → {as_amount(after, unit)}"
        return f"{name} {amounts} ({as_difference(before, after)})"

    footer = svg_file.footer_of(boxes, minimum_share)
    views = {"difference": (boxes, footer)}
    return svg_file.render(shell, views, box_style, tip, _legend(names), about)


def _step(boxes: Boxes, i: int, note: FrameNote | None, *, is_known: bool) -> int:
    """Return the step of a box by its total time; the same as changeStep in change_steps.js."""
    before, after = boxes.columns["before"], boxes.columns["after"]
    if boxes.labels[boxes.label[i]].kind == FrameKind.IDLE:
        return WAITING
    if max(before[i], after[i]) < _MIN_SHARE * max(before[0], after[0]):
        return MIDDLE
    step = step_of(before[i], after[i])
    if not is_known:
        return step
    sign = 0 if note is None else note.total
    if sign * (after[i] - before[i]) <= 0:
        return MIDDLE
    # What is known to differ is coloured, however little it is.
    return step + sign if step == MIDDLE else step


def _legend(steps: list[str]) -> list[svg_file.Swatch]:
    """Return the scale, set from the right."""
    found: list[svg_file.Swatch] = []
    x = 0
    for step, shade in reversed(list(zip(range(len(steps)), step_shades(dark=False), strict=False))):
        cell = _WIDE if len(steps[step]) > 6 else _CELL
        x += cell
        box_style = svg_file.BoxStyle(f"wf-d{step}", shade)
        found.append(svg_file.Swatch(x, cell - 1, box_style, steps[step], inside=True))
    return found[::-1]
