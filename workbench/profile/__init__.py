"""The neutral record of a run, and pure functions from one record to another.

Every reader makes a `Profile`, every writer and picture takes one, so that no format knows another.
"""

from workbench.profile._aggregate import (
    ScopeTotals,
    StackTree,
    aggregate,
    durations,
    scope_totals,
    time_inside,
)
from workbench.profile._build import ProfileBuilder, SpanRecord
from workbench.profile._guard_cost import (
    GuardCost,
    GuardOverhead,
    guard_costs,
    guard_overhead,
    without_guard_cost,
)
from workbench.profile._record import (
    ROOT,
    Counter,
    Frame,
    FrameKind,
    Marks,
    Profile,
    Samples,
    Spans,
    Stacks,
    Track,
)
from workbench.profile._transforms import drop_idle, keep_tracks, samples_only, spans_only

__all__ = [
    "ROOT",
    "Counter",
    "Frame",
    "FrameKind",
    "GuardCost",
    "GuardOverhead",
    "Marks",
    "Profile",
    "ProfileBuilder",
    "Samples",
    "ScopeTotals",
    "SpanRecord",
    "Spans",
    "StackTree",
    "Stacks",
    "Track",
    "aggregate",
    "drop_idle",
    "durations",
    "guard_costs",
    "guard_overhead",
    "keep_tracks",
    "samples_only",
    "scope_totals",
    "spans_only",
    "time_inside",
    "without_guard_cost",
]
