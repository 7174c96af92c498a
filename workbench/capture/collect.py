"""What is there after a run: the guards' recording, a sampler's file, and both as one profile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.capture import bootstrap
from workbench.capture.event_log import is_recording, read_recording
from workbench.capture.load import RECORDING
from workbench.capture.placement import Clock, merge, tie_clocks
from workbench.capture.sampler import PySpy
from workbench.errors import InvalidInputError
from workbench.formats.pyinstrument import from_begin, read_pyinstrument
from workbench.formats.pyspy import read_pyspy_chrometrace
from workbench.profile import Profile

TRACE, SESSION = "py-spy.chrometrace.json", "pyinstrument.json"
LEAST_SAMPLES = 20
"""From which on their number says how long the gaps between them were."""
LATE_AT_END_S = 1.0


@dataclass(frozen=True)
class Sampled:
    """How a run was sampled."""

    folder: Path
    rate: int
    """Samples a second that were asked for."""
    pid: int
    pulses: Sequence[int]
    """When each pulse of the bootstrap began, in monotonic nanoseconds."""
    ended: float
    """When the program ended, by `time.monotonic`."""

    @property
    def period_ns(self) -> int:
        """The gap between samples that was asked for."""
        return 1_000_000_000 // self.rate


__all__ = [
    "RECORDING",
    "SESSION",
    "TRACE",
    "Sampled",
    "collect_py_spy",
    "collect_pyinstrument",
    "collect_scopes",
]

Found = tuple[Profile | None, int, bool]
"""(the merged profile, how many samples, whether sampling failed)"""


def collect_py_spy(run: Sampled, spy: PySpy, scopes: Profile | None, warn: Callable[[str], None]) -> Found:
    """Return what py-spy saw under what the guards recorded; py-spy is ended."""
    spy.finish()
    counts = spy.counts()
    if counts is None or not spy.output.is_file():
        warn(f"{spy.failure()}; the guards' files are there")
        return None, 0, True
    if spy.ended_at is not None and (early := run.ended - spy.ended_at) > LATE_AT_END_S:
        warn(f"py-spy lost the program {early:.1f} s before its end: samples stop there")
    if spy.behind:
        warn(f"py-spy fell over a second behind {spy.behind} times: use a lower --rate")
    seconds = min(run.ended, spy.ended_at or run.ended) - (spy.sampling_since or run.ended)
    gap_ns = _gap_ns(run.period_ns, seconds, counts[0])
    try:
        sampled = read_pyspy_chrometrace(
            spy.output,
            period_ns=gap_ns,
            base_file=bootstrap.__file__,
            name=run.folder.name,
            ended_ns={run.pid: round(seconds * 1e9)},
            lines=True,
        )
    except InvalidInputError as error:
        warn(f"the samples cannot be read: {error}; the guards' files are there")
        return None, 0, True
    clocks = tie_clocks(sampled, scopes, run.pulses, gap_ns)
    return merge(sampled, scopes, clocks), counts[0], False


def _gap_ns(period_ns: int, seconds: float, count: int) -> int:
    """Return the gap between two samples on average: a sampler that is slow takes longer than it was asked to."""
    if count < LEAST_SAMPLES:
        return period_ns
    return min(max(round(seconds * 1e9 / count), period_ns), 10 * period_ns)


def collect_pyinstrument(run: Sampled, scopes: Profile | None, warn: Callable[[str], None]) -> Found:
    """Return what pyinstrument saw under what the guards recorded."""
    try:
        sampled = read_pyinstrument(
            run.folder / SESSION, base_file=bootstrap.__file__, name=run.folder.name, lines=True
        )
    except InvalidInputError as error:
        warn(f"the samples cannot be read: {error}; the guards' files are there")
        return None, 0, True
    merged = from_begin(merge(sampled, scopes, Clock.same(run.period_ns), changes_alone=False))
    return merged, sum(len(t.samples) for t in sampled.tracks if t.samples is not None), False


def collect_scopes(folder: Path, warn: Callable[[str], None]) -> Profile | None:
    """Return what the guards recorded, or None where the program has none."""
    if not is_recording(folder):
        warn(f"the recording in {folder} is gone: the program deleted it")
        return None
    try:
        profile = read_recording(folder)
    except InvalidInputError as error:
        warn(f"the recording cannot be read: {error}")
        return None
    if profile.facts["damaged"]:
        warn(f"{profile.facts['damaged']} damaged places in {folder} were left out")
    elif not any(track.spans is not None for track in profile.tracks):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return profile
