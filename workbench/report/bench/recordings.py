"""The recordings of a benchmark: where each variant's time goes, in the same steps that are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.bench.results.results import Results
from workbench.bench.run.recorded import STEPLESS_RUNS
from workbench.errors import WorkbenchError
from workbench.eventlog import read_recording
from workbench.formats.registry import read_profile
from workbench.profile import FrameKind, Profile, aggregate, between, scope_totals
from workbench.text import named, plural, printable


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one variant."""

    variant: str
    profile: Profile
    """Without the first step, where it can be distinguished from the others."""
    count: int
    """Steps in it, or runs."""
    is_whole: bool
    """Whether the first step is in it, with what only a first step does."""

    @property
    def wall_s(self) -> float:
        """Seconds of a step."""
        return (self.profile.end_ns - self.profile.start_ns) / 1e9 / self.count


@dataclass(frozen=True)
class Recordings:
    """All recordings of an experiment, and a warning for each that is damaged or missing."""

    found: Mapping[str, Recorded]
    """By variant, the baseline first."""
    sampled: Mapping[str, Recorded]
    """Of those, the ones with samples under their scopes: in the recording, or in a file beside it."""
    warnings: tuple[str, ...]


def recordings_of(results: Results) -> Recordings:
    """Return the recordings and samples of an experiment; for each that is damaged or missing there is a warning."""
    variants = [results.baseline, *(name for name in results.variants if name != results.baseline)]
    if not any(results.recording_folder(name).is_dir() for name in variants):
        return Recordings({}, {}, ())
    found: dict[str, Recorded] = {}
    sampled: dict[str, Recorded] = {}
    warnings: list[str] = []
    for variant in variants:
        folder, name = results.recording_folder(variant), named(variant)
        if not folder.is_dir():
            warnings.append(f"{name} has no recording: it opens no scope, or was not recorded.")
            continue
        try:
            profile = read_recording(folder)
        except (WorkbenchError, OSError) as error:
            warnings.append(f"The recording of {name} cannot be read: {printable(str(error))}")
            continue
        if aggregate(profile, of="spans").all_ns <= 0:
            warnings.append(f"The recording of {name} holds no time in scopes.")
            continue
        warnings += _warnings(profile, name)
        found[variant] = _without_first(variant, profile, _count(results, variant))
        if _has_samples(found[variant].profile):
            sampled[variant] = found[variant]
            continue
        file = results.samples_file(variant)
        try:
            merged = read_profile(file) if file.is_file() else None
        except (WorkbenchError, OSError) as error:
            warnings.append(f"The samples of {name} cannot be read: {printable(str(error))}")
            continue
        if merged is not None and _has_samples(merged):
            sampled[variant] = _without_first(variant, merged, _count(results, variant))
    return Recordings(found, sampled, tuple(warnings))


def _warnings(profile: Profile, name: str) -> list[str]:
    facts = profile.recording
    warnings = []
    if damaged := facts.damaged:
        warnings.append(
            f"The recording of {name} is damaged in {damaged:,} {plural(damaged, 'place')}, left out here."
        )
    if facts.stopped_full or facts.stopped_by_error:
        warnings.append(f"The recording of {name} stopped before its end.")
    return warnings


def _count(results: Results, variant: str) -> int:
    """Return how many steps a recorded run has: as many as the measured one from the same seed."""
    runs = [run for run in results.runs if run.name == variant and run.error is None]
    seed = results.runs[0].seed if results.runs else None
    runs.sort(key=lambda run: run.seed != seed)
    return (len(runs[0].steps_s) if runs else 0) or STEPLESS_RUNS


def _without_first(variant: str, profile: Profile, count: int) -> Recorded:
    """Return a recording without its first step, which starts workers and fills caches. Measured values do the same.

    A step ends with the scope that ran once in each of them, of those the longest. From the end of its first
    call to that of its last there are all other steps, with what they do before and after it.
    """
    if count > 1:
        for name, totals in scope_totals(profile).items():  # the longest first
            if totals.calls == count:
                ends = _ends(profile, name)
                part = between(profile, int(ends[0]), int(ends[-1]))
                if part.end_ns > part.start_ns and aggregate(part, of="spans").all_ns > 0:
                    return Recorded(variant, part, count - 1, is_whole=False)
    return Recorded(variant, _during_scopes(profile), count, is_whole=count > 1)


def _during_scopes(profile: Profile) -> Profile:
    """Return a profile from its first scope to the end of its last: samples are of the whole process."""
    spans = [track.spans for track in profile.tracks if track.spans is not None and len(track.spans)]
    if not spans:
        return profile
    return between(
        profile, min(int(s.start_ns.min()) for s in spans), max(int(s.end_ns.max()) for s in spans)
    )


def _has_samples(profile: Profile) -> bool:
    return aggregate(profile, of="samples").all_ns > 0


def _ends(profile: Profile, name: str) -> NDArray[np.int64]:
    """Return when each call of a scope ended, in order of time."""
    wanted = np.array([f.kind is FrameKind.SCOPE and f.name == name for f in profile.frames], dtype=np.bool_)
    ends = []
    for spans in (track.spans for track in profile.tracks if track.spans is not None):
        chosen = wanted[profile.stacks.frame[spans.stack]]
        if spans.propagated is not None:
            chosen &= ~spans.propagated
        ends.append(spans.end_ns[chosen])
    return np.sort(np.concatenate(ends))
