"""Warnings of a capture, as records: what makes the figures of a run less certain."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Remedy
from workbench.profile import ROOT, Attribution, FrameKind, Profile
from workbench.text import plural

MAX_UNDECIDED = 0.01
MIN_UNDECIDED = 5
"""Samples that lines cannot attribute; with fewer, their share says nothing."""
MIN_SECONDS = 5.0
"""A shorter run is mostly start-up, however busy the machine was."""
MIN_MOMENTS, MAX_MOMENTS = 50, 1_000_000


class WarningCode(Enum):
    """What is wrong, as `profile.json` names it."""

    BEHIND = "behind"
    BUSY = "busy"
    CHILDREN_OUTLIVED = "children-outlived"
    DAMAGED = "damaged"
    IN_THE_WAY = "in-the-way"
    INSTEAD = "instead"
    KILLED = "killed"
    LOST_EARLY = "lost-early"
    NO_AUTOSTART = "no-autostart"
    NO_SAMPLE = "no-sample"
    NO_SCOPES = "no-scopes"
    NOT_ATTRIBUTABLE = "not-attributable"
    ONE_THREAD = "one-thread"
    OTHER = "other"
    OVERSUBSCRIBED = "oversubscribed"
    PROGRAM_ENDED = "program-ended"
    RANK_MISSING = "rank-missing"
    RECORDING_GONE = "recording-gone"
    RUNS_ON = "runs-on"
    SCOPES_KEPT = "scopes-kept"
    SCOPES_ONLY = "scopes-only"
    SNAPSHOT_EARLY = "snapshot-early"
    STILL_RECORDED = "still-recorded"
    UNREAD = "unread"
    UNREADABLE = "unreadable"


_TEXTS = {
    WarningCode.BEHIND: "py-spy fell over a second behind {times:time}",
    WarningCode.BUSY: "the machine was busy when the program began: load average {load:.1f} on {cores:core}; "
    "times are longer than they need be; profile again when it is idle",
    WarningCode.CHILDREN_OUTLIVED: "processes that the program started outlived it: samples of them end here",
    WarningCode.DAMAGED: "{damaged:,} damaged places in {folder} were left out",
    WarningCode.IN_THE_WAY: "{reason}",
    WarningCode.INSTEAD: "sampling with {sampler} instead",
    WarningCode.KILLED: "a killed process could not end while py-spy traced it: py-spy was stopped {early:.1f} s "
    "before the program's end, and samples stop there",
    WarningCode.LOST_EARLY: "py-spy lost the program {early:.1f} s before its end: samples stop there",
    WarningCode.NO_AUTOSTART: "nothing was recorded: the program's Python did not load workbench-autostart.pth "
    "(python -S, another interpreter), or could not write its log; run `workbench doctor` with that Python",
    WarningCode.NO_SAMPLE: "no sample was taken of the program in {seconds:.1f} s",
    WarningCode.NO_SCOPES: "no scopes were recorded; put `with scope(...)` around a part of the program",
    WarningCode.NOT_ATTRIBUTABLE: "{percent:.1f} % of the samples are not attributable by line: scopes whose names are "
    "made as the program runs, on one line, or propagated from elsewhere",
    WarningCode.ONE_THREAD: "pyinstrument sampled one of {threads:,} threads that have scopes: the others have no "
    "samples",
    WarningCode.OTHER: "{text}",
    WarningCode.OVERSUBSCRIBED: "{threads:g} threads ran at once, in the median of {moments:,} moments, on "
    "{cores:core}: each took longer than it would alone; use fewer workers, or fewer threads in each "
    "(OPENBLAS_NUM_THREADS=1)",
    WarningCode.PROGRAM_ENDED: "the program ended while it was measured",
    WarningCode.RANK_MISSING: "it was killed, or it still runs",
    WarningCode.RECORDING_GONE: "the recording in {folder} is gone: the program deleted it",
    WarningCode.RUNS_ON: "processes that the program started run on, and the profile ends here: `workbench report "
    "{folder}` shows what their scopes record later",
    WarningCode.SCOPES_KEPT: "the scopes are recorded",
    WarningCode.SCOPES_ONLY: "only scopes are recorded",
    WarningCode.SNAPSHOT_EARLY: "no snapshot of memory was taken at the end of {which} (killed, or left by os._exit): "
    "what it held, lines and stacks are of an earlier moment, if there are any",
    WarningCode.STILL_RECORDED: "the program is recorded until it comes to the call that ends it, and then by nobody",
    WarningCode.UNREAD: "py-spy could not read the program's stack for a part of the time (did it exec another "
    "program, or was it stopped?): samples are of the rest",
    WarningCode.UNREADABLE: "the recording cannot be read: {reason}",
}
"""Text of each code, with its values in braces; `{cores:core}` is a number with its noun."""


class Cause(NamedTuple):
    """Why a sampler cannot be used, or failed, and what would help."""

    text: str
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True)
class CaptureWarning:
    """One warning of a capture."""

    code: WarningCode
    values: Mapping[str, Any] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    causes: tuple[Cause, ...] = ()
    """Of what the code states, in their order."""
    rank: int | None = None
    """Of a parallel job: whose warning it is."""


Warn = Callable[[CaptureWarning], None]


def warning_text(
    warning: CaptureWarning, remedy_text: Callable[[Remedy], str] = lambda each: each.value
) -> str:
    """Return a warning as one line.

    Args:
        warning: Which.
        remedy_text: Returns a remedy in the words of whoever shows it, such as an option of the command line.
    """
    parts = [
        *warning.causes,
        Cause(_Formatter().vformat(_TEXTS[warning.code], (), warning.values), warning.remedies),
    ]
    rank = "" if warning.rank is None else f"rank {warning.rank}: "
    return rank + "; ".join(cause_text(part, remedy_text) for part in parts)


def cause_text(cause: Cause, remedy_text: Callable[[Remedy], str]) -> str:
    """Return a cause and what would help."""
    return "; ".join([cause.text, *filter(None, [", or ".join(map(remedy_text, cause.remedies))])])


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a value; with a noun as its format, the number and the noun."""
        if format_spec.isalpha() and format_spec != "g":
            return f"{value:,} {plural(value, format_spec)}"
        return str(super().format_field(value, format_spec))


def load_warning(load: float | None, seconds: float) -> CaptureWarning | None:
    """Return a warning where the machine was busy before the program began.

    Args:
        load: The load average before the program was started.
        seconds: How long the program then took.
    """
    cores = os.cpu_count() or 1
    if load is None or load <= cores or seconds < MIN_SECONDS:
        return None
    return CaptureWarning(WarningCode.BUSY, {"load": load, "cores": cores})


def sample_warnings(merged: Profile, cores: int, *, could_be_inside: bool = True) -> list[CaptureWarning]:
    """Return what is wrong with the samples of a run.

    Args:
        merged: Samples under their scopes, with their attribution.
        cores: Usable by the program.
        could_be_inside: Whether the in-process sampler could be used, and is not known to be refused.
    """
    attribution = merged.attribution
    if attribution is None:
        return []
    found = [attribution_warning(attribution, could_be_inside=could_be_inside)]
    if attribution.by == "scope":
        found.append(
            _oversubscribed(merged, cores)
        )  # other samplers do not state when their samples were taken
    return [each for each in found if each is not None]


def attribution_warning(attribution: Attribution, *, could_be_inside: bool = True) -> CaptureWarning | None:
    """Return a warning where lines do not attribute a noteworthy share of the samples."""
    samples, undecided = attribution.samples, attribution.not_attributable
    if undecided < MIN_UNDECIDED or undecided <= MAX_UNDECIDED * samples:
        return None
    remedies = (Remedy.SAMPLE_IN_PROCESS,) if could_be_inside else ()
    return CaptureWarning(WarningCode.NOT_ATTRIBUTABLE, {"percent": 100 * undecided / samples}, remedies)


def running_at_once(profile: Profile) -> NDArray[np.int64]:
    """Return how many sampled threads ran, over all processes, at each moment at which any did."""
    kinds = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    begins: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    weights = []
    for samples in (track.samples for track in profile.tracks if track.samples is not None):
        runs = samples.stack != ROOT
        runs[runs] = kinds[profile.stacks.frame[samples.stack[runs]]] != FrameKind.IDLE
        begins.append(samples.at_ns[runs])
        ends.append(samples.at_ns[runs] + samples.weight_ns[runs])
        weights.append(samples.weight_ns[runs])
    if not begins or not sum(map(len, begins)):
        return np.zeros(0, dtype=np.int64)
    begin, end = np.sort(np.concatenate(begins)), np.sort(np.concatenate(ends))
    gap = max(1, int(np.median(np.concatenate(weights))), int(end[-1] - begin[0]) // MAX_MOMENTS)
    # Threads are seen one after the other in a round: half a gap later each has its sample.
    moments = np.arange(int(begin[0]) + gap // 2, int(end[-1]), gap)
    count = np.searchsorted(begin, moments, side="right") - np.searchsorted(end, moments, side="right")
    return count[count > 0].astype(np.int64)


def _oversubscribed(merged: Profile, cores: int) -> CaptureWarning | None:
    if sum(track.samples is not None for track in merged.tracks) <= cores:
        return None
    running = running_at_once(merged)
    if len(running) < MIN_MOMENTS or (median := float(np.median(running))) <= cores:
        return None
    return CaptureWarning(
        WarningCode.OVERSUBSCRIBED, {"threads": median, "moments": len(running), "cores": cores}
    )
