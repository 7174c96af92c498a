"""The flame graphs of a benchmark's page: of samples under their scopes, or of the scopes where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.profile import StackTree, aggregate, in_scopes, scaled
from workbench.render.flamegraph.flamegraph import profile_svg
from workbench.report.bench.recordings import Recorded, Recordings
from workbench.report.suite.differences import ComparedTree, difference_flame_graph, sampled_tree
from workbench.text import named, plural

MAX_BOXES = 3000
"""Boxes of one flame graph."""
MAX_LETTERS = 3_000_000
"""Characters of all flame graphs of a page; variants beyond it have none."""


@dataclass(frozen=True)
class Flame:
    """A variant's flame graph, and its difference from the baseline's."""

    graph: Markup
    difference: Markup | None
    is_sampled: bool
    """Whether it is of samples."""


def flames_of(
    recordings: Recordings, measured_s: Mapping[str, float], baseline: str, step: str
) -> tuple[dict[str, Flame], list[str]]:
    """Return the flame graphs that fit into a page, and the names of variants whose do not.

    Args:
        recordings: What was recorded and sampled.
        measured_s: Seconds of a step of each variant, to which its samples are scaled.
        baseline: The variant that others are compared with.
        step: What times are of.
    """
    flames: dict[str, Flame] = {}
    found = recordings.found
    trees = {name: aggregate(each.profile, of="spans", percentiles=True) for name, each in found.items()}
    samples = {
        name: tree
        for name, each in recordings.sampled.items()
        if (tree := _sampled(each, measured_s.get(name))) is not None
    }
    scopes = {
        name: ComparedTree(name, scaled(trees[name], 1 / each.count), is_timed=True, of="scopes")
        for name, each in found.items()
    }
    letters = 0
    for number, (name, recorded) in enumerate(found.items()):
        is_sampled = name in samples
        graph = (
            _flame(recordings.sampled[name], None, number, step)
            if is_sampled
            else _flame(recorded, trees[name], number, step)
        )
        compared = samples if is_sampled and baseline in samples else scopes
        changes = None
        if name != baseline and baseline in compared:
            changes = Markup(
                difference_flame_graph(
                    compared[baseline], compared[name], step=f"a {step}", prefix=f"wb-change-{number}"
                )
            )
        letters += len(graph) + len(changes or "")
        if letters > MAX_LETTERS:
            return flames, [named(each) for each in list(found)[number:]]
        flames[name] = Flame(graph, changes, is_sampled)
    return flames, []


def _sampled(recorded: Recorded, measured_s: float | None) -> ComparedTree | None:
    return sampled_tree(
        recorded.variant,
        recorded.profile,
        step=None,
        step_ns=None if measured_s is None else 1e9 * measured_s,
        sampled_ns=1e9 * recorded.wall_s * recorded.count,
    )


def _flame(recorded: Recorded, tree: StackTree | None, number: int, step: str) -> Markup:
    """Return the flame graph of a variant's scopes, or without a tree of them, of the samples inside scopes."""
    of, what = ("samples", "samples inside the scopes") if tree is None else ("spans", "scopes")
    steps = f"{recorded.count} {plural(recorded.count, step)}"
    return Markup(
        profile_svg(
            in_scopes(recorded.profile, without=[NOT_ATTRIBUTABLE]) if tree is None else recorded.profile,
            of,
            tree=tree,
            title=recorded.variant,
            subtitle=f"{what} of {steps}",
            embedded=True,
            prefix=f"wb-flame-{number}",
            max_boxes=MAX_BOXES,
        )
    )
