"""What each variant spends more and less time on than the baseline, down to native code, as a flame graph.

Samples do not say how long a program takes without its profiler. So the samples of each variant are scaled: a step on
the thread that takes it is as wide as a step took without one. Where that time is unknown, shares are compared. Only
scopes and what is above the innermost one are kept, so that a worker's
part is compared with the same part done in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.profile import ROOT, Profile, StackTree, aggregate, difference, in_scopes, is_opened_on, scaled
from workbench.render.flamegraph.difference import difference_svg
from workbench.report.pages import render
from workbench.text import printable

DIFFERENCE = "difference.html"
MAX_BOXES = 1500
"""Boxes of one flame graph: a page has one for each variant."""


@dataclass(frozen=True)
class ComparedTree:
    """What one variant spends its time on."""

    name: str
    tree: StackTree
    is_timed: bool
    """Whether times are those of one step without the profiler."""
    of: str = "samples"


def sampled_tree(
    name: str,
    samples: Profile | None,
    *,
    step: str | None,
    step_ns: float | None,
    sampled_ns: float | None = None,
) -> ComparedTree | None:
    """Return a variant's samples in the scope `step`, or in any scope; None where there are none.

    Args:
        name: The variant's.
        samples: Samples under their scopes.
        step: The scope of one step; None: whichever is outermost.
        step_ns: How long a step takes without the profiler, in nanoseconds.
        sampled_ns: How long all sampled steps took. Without it, the samples on the threads that opened `step` say so.
    """
    if samples is None:
        return None
    inside = in_scopes(samples, step, between=False, without=[NOT_ATTRIBUTABLE])
    tree = aggregate(inside, of="samples")
    if tree.all_ns <= 0:
        return None
    if sampled_ns is None:
        sampled_ns = 0 if step is None else _ns_where_opened(inside, step)
    if step_ns is None or sampled_ns <= 0:
        return ComparedTree(name, tree, is_timed=False)
    return ComparedTree(name, scaled(tree, step_ns / sampled_ns), is_timed=True)


def difference_flame_graph(before: ComparedTree, after: ComparedTree, *, step: str, prefix: str = "") -> str:
    """Return the flame graph of what `after` takes more and less time for, as SVG."""
    timed = before.is_timed and after.is_timed
    what = f"samples of {step}, as long as without the profiler" if timed else "samples, by share"
    return difference_svg(
        difference(before.tree, after.tree, normalised=not timed),
        title=f"{before.name} → {after.name}",
        subtitle=f"scopes of {step}" if after.of == "scopes" else what,
        before_name=before.name,
        after_name=after.name,
        prefix=prefix,
        max_boxes=MAX_BOXES,
    )


def difference_page(
    before: ComparedTree, after: ComparedTree, *, step: str, links: Sequence[tuple[str, str]]
) -> str:
    """Return the page of that flame graph, with links to others."""
    graph = difference_flame_graph(before, after, step=step, prefix="wb-change")
    return render(
        "variant_difference.html",
        title=printable(f"{before.name} → {after.name}"),
        links=links,
        before=printable(before.name),
        after=printable(after.name),
        step=step,
        is_timed=before.is_timed and after.is_timed,
        graph=Markup(graph),
    )


def _ns_where_opened(profile: Profile, scope: str) -> int:
    """Return the time of the samples on those threads that opened a scope themselves."""
    total = 0
    for track in profile.tracks:
        if track.samples is not None and is_opened_on(profile, track, scope):
            total += int(track.samples.weight_ns[track.samples.stack != ROOT].sum())
    return total
