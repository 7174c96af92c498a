"""A flame graph as a plain image: no script, no style sheet, and labels that stay readable at any width."""

from __future__ import annotations

from markupsafe import Markup

from workbench.profile import StackTree
from workbench.render.flamegraph._boxes import lay_out
from workbench.render.flamegraph._fold import folded
from workbench.render.flamegraph._forest import forest_of_tree
from workbench.render.flamegraph.svg_file import FONT, PADDING, ROW, kind_style
from workbench.render.text_width import frame_name
from workbench.text import printable

MIN_SHARE, MIN_LABEL = 0.003, 0.03
"""Of all: narrower boxes are merged, and have no label."""
MAX_ROWS, MAX_LETTERS = 40, 80
_BOX = Markup(
    '<svg x="{x}%" y="{y}" width="{width}%" height="{height}">'
    '<rect width="100%" height="100%" fill="{fill}" stroke="#fff" stroke-width=".6"/>{label}</svg>'
)
_LABEL = Markup('<text x="{x}" y="14" fill="{ink}">{text}</text>')


def static_flame_graph(tree: StackTree, *, max_boxes: int) -> tuple[str, int]:
    """Return an SVG whose boxes are as wide as its viewer makes it, and its height in pixels.

    Roots are on top. Imports and the start of the interpreter are one box in each place. Its ground is transparent
    and its boxes are light, so that it can be read on light and dark pages. Text keeps its size, and ends at its box.

    Args:
        tree: What to draw.
        max_boxes: The most boxes; the narrowest are merged beyond it.
    """
    boxes = folded(lay_out(forest_of_tree(tree), MIN_SHARE, max_boxes))
    rows = min(max(boxes.rows_wider_than(MIN_LABEL) - 1, 1), MAX_ROWS)
    drawn = []
    for label, depth, start, total in zip(boxes.label, boxes.depth, boxes.start, boxes.total, strict=True):
        if not 0 < depth <= rows:  # the first box, for all, says nothing
            continue
        found, share = boxes.labels[label], total / boxes.total[0]
        shade = kind_style(found).shade
        name = printable(frame_name(found.name, found.file)[:MAX_LETTERS])
        text = _LABEL.format(x=PADDING, ink=shade.ink, text=name) if share >= MIN_LABEL else ""
        drawn.append(
            _BOX.format(
                x=round(100 * start / boxes.total[0], 2),
                y=(depth - 1) * ROW,
                width=round(100 * share, 2),
                height=ROW - 1,
                fill=shade.fill,
                label=text,
            )
        )
    height = rows * ROW
    font = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="{height}" font-family="{font}"'
    return f'{head} font-size="{FONT}">{"".join(drawn)}</svg>', height
