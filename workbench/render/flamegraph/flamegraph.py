"""A flame graph as one self-contained SVG, which zooms and searches where scripts run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.profile import BYTES, FrameKind, Profile, StackTree, aggregate, keep_tracks
from workbench.render.colours import KINDS, THREAD, shades
from workbench.render.flamegraph import svg_file
from workbench.render.flamegraph._boxes import MAX_BOXES, Boxes, lay_out
from workbench.render.flamegraph._forest import forest_of_threads, forest_of_tree
from workbench.render.text_width import CELL
from workbench.text import as_amount, as_share, printable

MERGED_VIEW, THREADS_VIEW = "all threads together", "by thread"
MAX_THREADS = 64
"""With more threads a flame graph shows them together only."""


def flamegraph_svg(
    tree: StackTree,
    *,
    title: str,
    subtitle: str = "",
    width: int = 1200,
    minimum_share: float = 0.0005,
    prefix: str = "",
    threads: Sequence[tuple[str, StackTree]] = (),
    counted: str = "",
    max_boxes: int = MAX_BOXES,
    embedded: bool = False,
) -> str:
    """Return a flame graph of a stack tree: a box for each path, as wide as its total.

    Children stand in order of name. The text can be a file of its own or stand in an HTML page, beside
    others: its styles and its script reach no further than its own root, and there are no ids. As a file of
    its own it keeps its state (zoom, search, orientation, threads) in the fragment of its address.

    Args:
        tree: What to draw; `workbench.profile.aggregate` makes one.
        title: The heading.
        subtitle: A line below it: what ran, where and when.
        width: Pixels where no script runs; a browser fits it to the page.
        minimum_share: Boxes narrower than this share of all are merged and counted. What is merged is
            not found by the search.
        prefix: A class name of the root, by which the page's author finds it; made from the content by default.
        threads: The same time again, a name and a tree for each thread (`threads_of` makes them): the
            flame graph gets a switch that shows each thread on a box of its own.
        counted: What `StackTree.count` counts, such as `calls`; by default `calls` where only scopes were
            counted or percentiles are known, and `samples` otherwise.
        max_boxes: The most boxes that the file holds; the narrowest are merged beyond it.
        embedded: Whether it is part of a page that shows the title and searches in it; roots are on top then.

    Raises:
        InvalidInputError: A width under 200, a share outside [0, 1) or a prefix that is no identifier.
    """
    shell = svg_file.Shell(title, subtitle, width, prefix, embedded)
    shell.check(minimum_share)
    forests = {MERGED_VIEW: forest_of_tree(tree)}
    if threads:
        forests[THREADS_VIEW] = forest_of_threads(threads)
    views: dict[str, tuple[Boxes, str]] = {}
    for name, forest in forests.items():
        boxes = lay_out(forest, minimum_share, max_boxes)
        views[name] = (boxes, svg_file.footer_of(boxes, minimum_share))
    kinds = svg_file.kinds_of([boxes for boxes, _ in views.values()], list(FrameKind))
    about = {
        "sort": "kinds",
        "unit": tree.profile.unit,
        "kinds": [[kind, KINDS[kind]] for kind in [*kinds, THREAD]],
        "counted": printable(counted) or _counted(tree),
    }

    def tip(boxes: Boxes, i: int) -> str:
        name = printable(boxes.labels[boxes.label[i]].name[:300])
        share = as_share(boxes.total[i] / boxes.total[0])
        return f"{name} {as_amount(boxes.total[i], tree.profile.unit)} ({share})"

    def box_style(boxes: Boxes, i: int) -> svg_file.BoxStyle:
        return svg_file.kind_style(boxes.labels[boxes.label[i]])

    return svg_file.render(shell, views, box_style, tip, _legend(kinds), about)


def profile_svg(profile: Profile, of: str, *, tree: StackTree | None = None, **options: Any) -> str:
    """Return a flame graph of a profile's spans or samples, with a switch to its threads where several were busy.

    Args:
        profile: What to draw.
        of: `spans`, with percentiles, or `samples`.
        tree: The same as one tree, where it is known already.
        options: Further arguments of `flamegraph_svg`.
    """
    percentiles = of == "spans"
    busy = sum(1 for track in profile.tracks if (part := getattr(track, of)) is not None and len(part))
    return flamegraph_svg(
        tree or aggregate(profile, of=of, percentiles=percentiles),
        threads=threads_of(profile, of=of, percentiles=percentiles) if 1 < busy <= MAX_THREADS else (),
        counted="calls" if percentiles else "blocks" if profile.unit == BYTES else "samples",
        **options,
    )


def threads_of(profile: Profile, *, of: str, percentiles: bool = False) -> list[tuple[str, StackTree]]:
    """Return a name and a tree for each track of a profile on which there is any time.

    Tracks of several processes bear the process's name or number too.
    """
    several = len({track.pid for track in profile.tracks}) > 1
    options = {"percentiles": True} if percentiles else {}
    threads: list[tuple[str, StackTree]] = []
    for track in profile.tracks:
        alone = keep_tracks(profile, lambda other, track=track: other is track)  # type: ignore[misc]
        tree = aggregate(alone, of=of, **options)
        if tree.all_ns > 0:
            process = f"{track.process or 'process'} {track.pid}: " if several else ""
            threads.append((process + (track.name or f"thread {track.tid}"), tree))
    return threads


def _counted(tree: StackTree) -> str:
    if tree.p50_ns is not None:
        return "calls"
    counted = np.zeros(len(tree.profile.frames), dtype=np.bool_)
    counted[tree.profile.stacks.frame[tree.count > 0]] = True
    kinds = {tree.profile.frames[i].kind for i in np.flatnonzero(counted).tolist()}
    return "calls" if kinds == {FrameKind.SCOPE} else "samples"


def _legend(kinds: Sequence[int]) -> list[svg_file.Swatch]:
    """Return an entry for each kind, set from the right."""
    entries: list[svg_file.Swatch] = []
    x = 0.0
    for kind in reversed(kinds):
        x += len(KINDS[kind]) * CELL * svg_file.FONT + 30
        box_style = svg_file.BoxStyle(f"wf-k{kind}s2", shades(dark=False)[kind][2])
        entries.append(svg_file.Swatch(x, 12, box_style, KINDS[kind], inside=False))
    return entries[::-1]
