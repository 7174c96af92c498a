"""A difference flame graph: what takes more time after a change, and what takes less, in one SVG."""

from __future__ import annotations

from workbench.profile import TreeDifference
from workbench.render.colours import STEPS, step_of, step_shades
from workbench.render.flamegraph import svg_file
from workbench.render.flamegraph._boxes import MAX_BOXES, Boxes, lay_out
from workbench.render.flamegraph._forest import forest_of_difference
from workbench.text import as_amount, as_difference, printable

_CELL = 46


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
    embedded: bool = False,
) -> str:
    """Return a flame graph of two trees on top of each other: red took more afterwards, blue less.

    Every path of either tree has a box, so that what is gone is shown as well as what is new. A box's own
    width is the larger of its two self times; widths add up. Its colour is the ratio of its two totals, in
    the nine steps of the legend; a switch colours by self times.

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
        embedded: Whether it is part of a page that shows the title and searches in it; roots are on top then.

    Raises:
        InvalidInputError: A width under 200, a share outside [0, 1) or a prefix that is no identifier.
    """
    said = f"{before_name} scaled to the total of {after_name}" if diff.normalised else "amounts as measured"
    line = f"{subtitle} · {said}" if subtitle else said
    shell = svg_file.Shell(title, line, width, prefix, embedded)
    shell.check(minimum_share)
    boxes = lay_out(forest_of_difference(diff), minimum_share, max_boxes)
    about = {
        "sort": "change",
        "steps": list(STEPS),
        "kinds": [],
        "before": printable(before_name)[:60],
        "after": printable(after_name)[:60],
        "normalised": diff.normalised,
    }
    colours = step_shades(dark=False)

    def box_style(boxes: Boxes, i: int) -> svg_file.BoxStyle:
        step = step_of(boxes.columns["before"][i], boxes.columns["after"][i])
        return svg_file.BoxStyle(f"wf-d{step}", colours[step])

    def tip(boxes: Boxes, i: int) -> str:
        name = printable(boxes.labels[boxes.label[i]].name[:300])
        before, after = boxes.columns["before"][i], boxes.columns["after"][i]
        amounts = f"{as_amount(before, 'ns')} → {as_amount(after, 'ns')}"
        return f"{name} {amounts} ({as_difference(before, after)})"

    footer = svg_file.footer_of(boxes, minimum_share)
    views = {"difference": (boxes, footer)}
    return svg_file.render(shell, views, box_style, tip, _legend(), about)


def _legend() -> list[svg_file.Swatch]:
    """Return the scale, set from the right."""
    count = len(STEPS)
    return [
        svg_file.Swatch(
            (count - i) * _CELL, _CELL - 1, svg_file.BoxStyle(f"wf-d{i}", shade), step, inside=True
        )
        for i, (step, shade) in enumerate(zip(STEPS, step_shades(dark=False), strict=True))
    ]
