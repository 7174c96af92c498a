"""What a profile page is made of: the scopes and the samples of one run, and what is known about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from workbench.bench.profiling_cost import KnownCost, known_cost
from workbench.capture.allocations import read_allocations
from workbench.capture.around import without_pytest
from workbench.capture.attribution import attribute
from workbench.capture.load import RECORDING, SAMPLES, load, with_copied_sources
from workbench.capture.program import Capture
from workbench.capture.samplers import PY_SPY, TRACE
from workbench.capture.samplers.py_spy import read_trace
from workbench.capture.sent_functions import with_sent_functions
from workbench.capture.source_scopes import scopes_of_sources
from workbench.capture.sources import read_file, read_sources
from workbench.capture.warnings import CaptureWarning, WarningCode, warning_text
from workbench.errors import InvalidInputError
from workbench.eventlog import read_recording
from workbench.profile import (
    Allocations,
    Profile,
    aggregate,
    drop_idle,
    join,
    samples_only,
    without_samples,
)
from workbench.report.profile.ranks import capture_of_ranks, is_of_ranks
from workbench.report.profile.summary import SUMMARY, Summary, read_summary
from workbench.text import as_amount

SCOPES = "scopes.speedscope.json"
OLD_TRACE = "py-spy.chrometrace.json"


@dataclass(frozen=True)
class ProfileRun:
    """One run of a program, as recorder and sampler saw it; either may be missing, or be of a clock of its own."""

    title: str
    program: str = ""
    """The command line, as far as it is known."""
    scopes: Profile | None = None
    """With the counters and marks of the run."""
    samples: Profile | None = None
    """Of threads that did not wait, or waited in a scope."""
    together: Profile | None = None
    """Both on one clock, where they came that way, with samples as in `samples`."""
    sampler: str = ""
    rate: int | None = None
    """Samples a second that were asked for."""
    seconds: float | None = None
    """How long the program ran; by default what the profile covers."""
    returncode: int | None = None
    attached: int | None = None
    """The PID of a program that ran already and went on; None: it was started."""
    warnings: tuple[str, ...] = ()
    source: str = ""
    """What it was read from."""
    cost: KnownCost | None = None
    """What profiling its program costs, where that is known or can be measured."""
    old: str = ""
    """A line where an earlier version attributed the samples by time."""
    is_foreign: bool = False
    """Whether it is from a file that anybody may have written: source files that it names are not read."""
    sources: Mapping[str, str] | None = None
    """The text of its source files, by path; None: they are read where they are, unless it is foreign."""
    cells: Mapping[str, str] = field(default_factory=dict)
    """The text of a notebook's cells, by name, where that notebook runs."""
    inputs: tuple[Path, ...] = field(default=())
    """Files that it was read from, which are not to be written over."""
    allocations: Allocations | None = None
    """What it allocated, of a run with `--memory`, whose times are those of a traced program; None: any other run."""


def run_of_capture(capture: Capture, *, title: str | None = None) -> ProfileRun:
    """Return what `workbench profile` saw; with a title, the program is not what was typed, and is left out."""
    program = shlex.join(capture.options.program)
    samples = None if capture.samples is None else drop_idle(capture.samples)
    both = capture.one_clock and samples is not None and capture.scopes is not None
    return ProfileRun(
        title=title or program,
        program="" if title else program,
        scopes=capture.scopes,
        samples=samples,
        together=drop_idle(capture.merged) if both and capture.merged is not None else None,
        sampler=capture.sampler,
        rate=capture.options.sampling.rate,
        seconds=capture.seconds,
        returncode=capture.returncode if capture.options.pid is None else None,
        attached=capture.options.pid,
        warnings=_texts(capture.warnings),
        cost=cost_of_capture(capture),
        sources=None if capture.options.source else {},
        cells={cell.name: cell.text for cell in capture.cells},
        allocations=capture.allocations,
    )


def _texts(warnings: Iterable[CaptureWarning]) -> tuple[str, ...]:
    """Return warnings as text, without that on damage, which the page states from the recording."""
    return tuple(warning_text(each) for each in warnings if each.code is not WarningCode.DAMAGED)


def cost_of_capture(capture: Capture) -> KnownCost:
    """Return what profiling this program costs, as it was last measured."""
    options = capture.options
    return known_cost(options.folder, options.program, options.sampling.rate, capture.sampler)


def run_of_profile(
    profile: Profile, *, title: str | None = None, inputs: tuple[Path, ...] = ()
) -> ProfileRun:
    """Return the run that a single profile is of."""
    has_points = any(track.counters or track.marks is not None for track in profile.tracks)
    scopes = profile if _any(profile, "spans") or has_points else None
    samples = drop_idle(samples_only(profile)) if _any(profile, "samples") else None
    if samples is not None and not samples.tracks:
        samples = None  # all of them waited
    together = drop_idle(profile) if samples is not None and _any(profile, "spans") else None
    commands = list(dict.fromkeys(track.process for track in profile.tracks if track.process))
    return ProfileRun(
        title=title or (commands[0] if commands else "") or profile.name or "profile",
        program=commands[0] if commands else "",
        scopes=None if scopes is None else _without_samples(scopes),
        samples=samples,
        together=together,
        warnings=profile.file.warnings,
        inputs=inputs,
    )


def read_run(path: str | Path) -> ProfileRun:
    """Read a run: a folder that `workbench profile` wrote, a recording, or a file of any readable format.

    Raises:
        InvalidInputError: It is none of these, or is damaged; the line says where.
    """
    path = Path(path)
    if is_of_ranks(path):
        run = run_of_capture(capture_of_ranks(path))
        return replace(run, source=path.resolve().name, sources=read_sources(path).files)
    if is_profile_folder(path):
        return _of_folder(path)
    run = run_of_profile(load(path), title=None if path.is_dir() else path.name, inputs=(path,))
    return replace(run, source=path.name, is_foreign=not path.is_dir())


def is_profile_folder(path: Path) -> bool:
    """Return whether a folder is one that `workbench profile` wrote."""
    return is_of_ranks(path) or (
        (path / SUMMARY).is_file()
        and any(
            (path / name).exists()
            for name in (RECORDING, SCOPES, SAMPLES, "samples.folded", "samples.svg", "index.html")
        )
    )


def _of_folder(folder: Path) -> ProfileRun:
    facts = read_summary(folder / SUMMARY)
    inputs = [folder / name for name in (SCOPES, SAMPLES) if (folder / name).is_file()]
    scopes = samples = together = None
    copied = read_sources(folder)
    if (folder / RECORDING).is_dir():
        together = with_copied_sources(read_recording(folder / RECORDING), copied)
        together = without_pytest(together) if facts.tests else together
        scopes = _without_samples(together)
    elif (folder / SCOPES).is_file():
        scopes = load(folder / SCOPES)
    allocations = None
    if (folder / RECORDING).is_dir():
        allocations = read_allocations(
            folder / RECORDING, scopes, lambda file: copied.files.get(file) or read_file(file)
        )
    if together is not None and _any(together, "samples"):  # of every process that still runs, too
        samples = drop_idle(samples_only(together))
    elif (folder / SAMPLES).is_file():
        samples = drop_idle(_samples_of(folder, facts, scopes, copied.files))
    if samples is not None:
        recording = samples.recording
        samples = replace(
            samples,
            attribution=samples.attribution or facts.known_attribution(),
            recording=replace(recording, samplers=recording.samplers or facts.known_samplers()),
        )
    if scopes is None and samples is None and not facts.is_empty:
        raise InvalidInputError(f"{folder} has neither a recording nor {SCOPES} nor {SAMPLES}: profile again")
    words = shlex.join(facts.program)
    cost = None
    if facts.program and facts.rate is not None:
        cost = known_cost(folder, facts.program, facts.rate, facts.sampler)
    old = old_trace(folder, has_placement=isinstance(facts.placement, dict))
    return ProfileRun(
        title=facts.title or words or folder.resolve().name,
        program="" if facts.title else words,
        scopes=scopes,
        samples=samples,
        together=_together(scopes, samples, one_clock=facts.one_clock),
        sampler=facts.sampler,
        rate=facts.rate,
        seconds=facts.seconds,
        returncode=facts.returncode,
        attached=facts.attached,
        warnings=(*_texts(facts.known_warnings()), *([old] if old else [])),
        source=folder.resolve().name,
        old=old,
        cost=cost,
        inputs=tuple(inputs),
        sources=copied.files or ({} if facts.source is not None else None),
        allocations=allocations,
    )


def _samples_of(folder: Path, facts: Summary, scopes: Profile | None, sources: Mapping[str, str]) -> Profile:
    """Return the samples of another sampler: from py-spy's own file, which has lines, where it is there."""
    if facts.sampler.startswith(PY_SPY) and (folder / TRACE).is_file():
        with suppress(InvalidInputError):
            sampled = read_trace(folder / TRACE, name=folder.name)
            if facts.attached is not None:
                scopes = scopes_of_sources(sampled, sources.get)
            return with_sent_functions(attribute(sampled, scopes), sources.get, sources)
    return load(folder / SAMPLES)


def old_trace(folder: Path, *, has_placement: bool = False) -> str:
    """Return a line where the samples of a folder are of a version that attributed py-spy's by a clock, or nothing."""
    if not (folder / OLD_TRACE).is_file() and not has_placement:
        return ""
    return (
        f"{folder} was made by workbench 0.1.0, which attributed py-spy's samples by time: "
        "profile again for samples that are taken under their scopes"
    )


def _together(scopes: Profile | None, samples: Profile | None, *, one_clock: bool) -> Profile | None:
    return join(scopes, samples) if one_clock and scopes is not None and samples is not None else None


def started(run: ProfileRun) -> datetime | None:
    """Return when the run's first scope began, where its recording ties its clock to the calendar."""
    for profile in (run.scopes, run.together, run.samples):
        offset = profile.recording.wall_minus_monotonic_ns if profile is not None else 0
        if profile is None or not offset:
            continue
        try:
            return datetime.fromtimestamp((profile.start_ns + offset) / 1e9, tz=UTC).astimezone()
        except (OverflowError, ValueError, OSError):
            continue
    return None


def duration_ns(run: ProfileRun) -> int:
    """Return how long the run took, or what its profile covers."""
    if run.seconds is not None:
        return round(run.seconds * 1e9)
    profiles = [p for p in (run.together, run.scopes, run.samples) if p is not None]
    return max((p.end_ns - p.start_ns for p in profiles), default=0)


def took(run: ProfileRun) -> str:
    """Return how long the run took, how long this program was measured, or what its profile covers, in words."""
    time = as_amount(duration_ns(run), "ns")
    if run.attached is not None:
        return f"attached to PID {run.attached} for {time}"
    return f"covers {time}" if run.seconds is None else f"took {time}"


def has_time(profile: Profile | None, of: str) -> bool:
    """Return whether there is anything to draw of a profile's spans or samples."""
    return profile is not None and _any(profile, of) and aggregate(profile, of=of).all_ns > 0


def _any(profile: Profile, of: str) -> bool:
    return any(len(part) for part in (getattr(track, of) for track in profile.tracks) if part is not None)


def _without_samples(profile: Profile) -> Profile:
    return without_samples(profile) if _any(profile, "samples") else profile


def same_file(path: Path, inputs: tuple[Path, ...]) -> bool:
    """Return whether a file is one of those that a run was read from."""
    try:
        return any(other.exists() and path.exists() and path.samefile(other) for other in inputs)
    except OSError:
        return False
