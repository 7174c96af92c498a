"""The neutral record of a run, and pure functions from one record to another.

Every reader makes a `Profile`, every writer and every chart takes one, so that no format depends on another.
"""

from workbench.profile._aggregate import StackTree, aggregate
from workbench.profile._allocations import (
    Allocations,
    BytesPerCall,
    Leak,
    LineBytes,
    ScopeBytes,
    TracedProcess,
)
from workbench.profile._build import ProfileBuilder, SpanRecord, profile_of
from workbench.profile._callers import NOBODY, Neighbours, neighbours
from workbench.profile._difference import (
    FrameTimes,
    SetDifference,
    TreeDifference,
    difference,
    difference_of_sets,
    frame_times,
)
from workbench.profile._facts import (
    NO_FILE,
    NO_RECORDING,
    Attribution,
    FileFacts,
    MeasuredScopeCost,
    RecordingFacts,
    SamplerRun,
    ScopeSite,
)
from workbench.profile._file_names import with_file_names, with_frames
from workbench.profile._hot_lines import HotLine, LineSamples, LineWork
from workbench.profile._in_scopes import in_scopes, is_opened_on, scaled
from workbench.profile._overview import Overview, SampledFunction, ScopeNode, overview
from workbench.profile._own_code import (
    is_import_or_startup,
    is_interpreter,
    is_module_body,
    is_own,
    package_of,
    runs_modules,
)
from workbench.profile._range import between
from workbench.profile._record import (
    BYTES,
    WAITING_FOR_GIL,
    Counter,
    Frame,
    FrameKind,
    LineStacks,
    Marks,
    Profile,
    Samples,
    Spans,
    ThreadState,
    Track,
)
from workbench.profile._redact import Redaction
from workbench.profile._resources import Resources
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_bytes import held, line_bytes, scope_bytes, traced_peak
from workbench.profile._scope_code import with_functions_on_top
from workbench.profile._scope_hint import ScopeHint, scope_hint
from workbench.profile._scope_resources import ScopeResources, scope_resources
from workbench.profile._scope_samples import NativePart, ScopeSamples, scope_samples
from workbench.profile._scope_table import (
    ScopeCost,
    ScopeRow,
    ScopeTotals,
    durations,
    scope_costs,
    scope_overhead,
    scope_table,
    scope_totals,
    time_inside,
)
from workbench.profile._thin import thin
from workbench.profile._transforms import drop_idle, join, keep_tracks, samples_only, without_samples
from workbench.profile._work_shares import share_of_whole, workers_idle
from workbench.profile.stacks import ROOT, Stacks, StackTable, outermost

__all__ = [
    "BYTES",
    "NOBODY",
    "NO_FILE",
    "NO_RECORDING",
    "ROOT",
    "WAITING_FOR_GIL",
    "Allocations",
    "Attribution",
    "BytesPerCall",
    "Counter",
    "FileFacts",
    "Frame",
    "FrameKind",
    "FrameTimes",
    "HotLine",
    "Leak",
    "LineBytes",
    "LineSamples",
    "LineStacks",
    "LineWork",
    "Marks",
    "MeasuredScopeCost",
    "NativePart",
    "Neighbours",
    "Overview",
    "Profile",
    "ProfileBuilder",
    "RecordingFacts",
    "Redaction",
    "Resources",
    "SampleCounts",
    "SampledFunction",
    "SampledShare",
    "SamplerRun",
    "Samples",
    "ScopeBytes",
    "ScopeCost",
    "ScopeHint",
    "ScopeNode",
    "ScopeResources",
    "ScopeRow",
    "ScopeSamples",
    "ScopeSite",
    "ScopeTotals",
    "SetDifference",
    "SpanRecord",
    "Spans",
    "StackTable",
    "StackTree",
    "Stacks",
    "ThreadState",
    "TracedProcess",
    "Track",
    "TreeDifference",
    "aggregate",
    "between",
    "difference",
    "difference_of_sets",
    "drop_idle",
    "durations",
    "frame_times",
    "held",
    "in_scopes",
    "is_import_or_startup",
    "is_interpreter",
    "is_module_body",
    "is_opened_on",
    "is_own",
    "join",
    "keep_tracks",
    "line_bytes",
    "neighbours",
    "outermost",
    "overview",
    "package_of",
    "profile_of",
    "runs_modules",
    "samples_only",
    "scaled",
    "scope_bytes",
    "scope_costs",
    "scope_hint",
    "scope_overhead",
    "scope_resources",
    "scope_samples",
    "scope_table",
    "scope_totals",
    "share_of_whole",
    "thin",
    "time_inside",
    "traced_peak",
    "with_file_names",
    "with_frames",
    "with_functions_on_top",
    "without_samples",
    "workers_idle",
]
