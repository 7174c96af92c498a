"""The flame graphs of a benchmark's page: of samples under their scopes, where there are any, else of the scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.profile import StackTree, aggregate, difference, in_scopes, scaled
from workbench.render.flamegraph.difference import difference_svg
from workbench.render.flamegraph.flamegraph import profile_svg
from workbench.report.bench.recordings import Recorded, Recordings
from workbench.report.suite.differences import ScaledSamples, difference_picture
from workbench.text import as_seconds, named, plural, printable

MAX_BOXES = 3000
"""Of one picture."""
MAX_LETTERS = 3_000_000
"""Of all flame graphs of a page. Of variants beyond it there is none."""


@dataclass(frozen=True)
class Flame:
    """A variant's flame graph, and its difference from the baseline's."""

    variant: str
    took: str
    is_baseline: bool
    picture: Markup
    difference: Markup | None
    is_sampled: bool
    """Whether it is of samples."""


def flames_of(
    recordings: Recordings, measured_s: Mapping[str, float], baseline: str, step: str
) -> tuple[list[Flame], list[str]]:
    """Return the pictures that there is room for, and the variants that there is none for.

    Args:
        recordings: What was recorded and sampled.
        measured_s: Seconds of a step of each variant, by which the samples of two are made alike.
        baseline: The variant that others are compared with.
        step: What times are of.
    """
    flames: list[Flame] = []
    not_drawn: list[str] = []
    found = recordings.found
    trees = {
        variant: aggregate(each.profile, of="spans", percentiles=True) for variant, each in found.items()
    }
    sides = {
        variant: side
        for variant, each in recordings.sampled.items()
        if (side := _side(each, measured_s.get(variant))) is not None
    }
    room = MAX_LETTERS
    for number, (variant, recorded) in enumerate(found.items()):
        prefix = f"wb-change-{number}"
        is_sampled = variant in sides
        drawn = recordings.sampled[variant] if is_sampled else recorded
        flame = _flame(drawn, None if is_sampled else trees[variant], number, step)
        other = None
        if variant != baseline and variant in sides and baseline in sides:
            picture = difference_picture(sides[baseline], sides[variant], step=f"a {step}", prefix=prefix)
            other = Markup(picture)
        elif variant != baseline and baseline in found:
            other = _difference(found[baseline], recorded, trees, prefix)
        room -= len(flame) + len(other or "")
        if room < 0:
            not_drawn = [named(each) for each in list(found)[number:]]
            break
        took = as_seconds(recorded.wall_s)
        flames.append(Flame(printable(variant), took, variant == baseline, flame, other, is_sampled))
    return flames, not_drawn


def _side(sampled: Recorded, measured_s: float | None) -> ScaledSamples | None:
    """Return samples inside scopes, of one step that takes as long as it was measured to."""
    tree = aggregate(in_scopes(sampled.profile, between=False, without=[NOT_ATTRIBUTABLE]), of="samples")
    if tree.all_ns <= 0:
        return None
    if measured_s is None:
        return ScaledSamples(sampled.variant, tree, is_timed=False)
    factor = measured_s / (sampled.wall_s * sampled.count)
    return ScaledSamples(sampled.variant, scaled(tree, factor), is_timed=True)


def _flame(recorded: Recorded, tree: StackTree | None, number: int, step: str) -> Markup:
    """Return the picture of a variant's scopes, or where there is no tree of them, of samples inside them."""
    of, what = ("samples", "samples inside the scopes") if tree is None else ("spans", "scopes")
    steps = f"{recorded.count} {plural(recorded.count, step)}"
    return Markup(
        profile_svg(
            in_scopes(recorded.profile, without=[NOT_ATTRIBUTABLE]) if tree is None else recorded.profile,
            of,
            tree=tree,
            title=recorded.variant,
            subtitle=f"{what} of {steps}",
            prefix=f"wb-flame-{number}",
            most_boxes=MAX_BOXES,
        )
    )


def _difference(before: Recorded, after: Recorded, trees: Mapping[str, StackTree], prefix: str) -> Markup:
    """Return what a variant takes more, and less, of; where the numbers of steps differ, shares are compared."""
    changes = difference(trees[before.variant], trees[after.variant], normalised=before.count != after.count)
    return Markup(
        difference_svg(
            changes,
            title=f"{before.variant} → {after.variant}",
            subtitle="scopes",
            before_name=before.variant,
            after_name=after.variant,
            prefix=prefix,
            most_boxes=MAX_BOXES,
        )
    )
