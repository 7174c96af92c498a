"""What each variant of a suite takes more and less of than the baseline, down to native code, as a picture.

Samples do not say how long a program takes without its profiler. So each side's are scaled: a step on the thread
that takes it is as wide as a step took without one. Where that is unknown shares are compared. Scopes stand on
scopes, and functions above the innermost one, so that what a worker does is compared with the same done in place.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.profile import ROOT, Profile, StackTree, aggregate, difference, in_scopes, is_opened_on, scaled
from workbench.render.flamegraph.difference import difference_svg

DIFFERENCE = "difference.svg"
MAX_BOXES = 1500
"""Of one picture: a suite has many."""


@dataclass(frozen=True)
class ScaledSamples:
    """One variant's samples inside its scopes."""

    name: str
    tree: StackTree
    is_timed: bool
    """Whether they are scaled to a time that was measured without the profiler."""


def side_of(
    name: str, merged: Profile | None, *, step: str | None, step_ns: float | None
) -> ScaledSamples | None:
    """Return what a variant's samples see in the scope `step`, or in any scope; None where they see nothing.

    Args:
        name: The variant's.
        merged: Scopes with the samples under them.
        step: The scope that times are of; None: no scope is known to be it.
        step_ns: How long it takes without the profiler, in nanoseconds.
    """
    if merged is None:
        return None
    seen = in_scopes(merged, step, between=False, without=[NOT_ATTRIBUTABLE])
    tree = aggregate(seen, of="samples")
    if tree.all_ns <= 0:
        return None
    on_thread = 0 if step is None else _ns_where_opened(seen, step)
    if step_ns is None or on_thread <= 0:
        return ScaledSamples(name, tree, is_timed=False)
    return ScaledSamples(name, scaled(tree, step_ns / on_thread), is_timed=True)


def difference_picture(before: ScaledSamples, after: ScaledSamples, *, step: str, prefix: str = "") -> str:
    """Return the picture of what `after` takes more and less of, as SVG."""
    timed = before.is_timed and after.is_timed
    what = f"samples of {step}, as long as without the profiler" if timed else "samples, by share"
    return difference_svg(
        difference(before.tree, after.tree, normalised=not timed),
        title=f"{before.name} → {after.name}",
        subtitle=what,
        before_name=before.name,
        after_name=after.name,
        prefix=prefix,
        most_boxes=MAX_BOXES,
    )


def _ns_where_opened(profile: Profile, scope: str) -> int:
    """Return the time of the samples on those threads that opened a scope themselves."""
    total = 0
    for track in profile.tracks:
        if track.samples is not None and is_opened_on(profile, track, scope):
            total += int(track.samples.weight_ns[track.samples.stack != ROOT].sum())
    return total
