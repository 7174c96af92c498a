"""What is there after a run: the guards' recording, a sampler's file, and both as one profile."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.capture import bootstrap
from workbench.capture.event_log import is_recording, read_recording
from workbench.capture.load import RECORDING
from workbench.capture.placement import Clock, merge, tie_clocks
from workbench.capture.sampler import PySpy
from workbench.errors import InvalidInputError
from workbench.formats.pyinstrument import from_begin, read_pyinstrument
from workbench.formats.pyspy import MAIN_THREAD, read_pyspy_chrometrace
from workbench.outputs import OutputFolder
from workbench.profile import Profile

TRACE, SESSION = "py-spy.chrometrace.json", "pyinstrument.json"
RANKS = "ranks"
"""The folder in which each rank of a parallel job has one of its own."""
LEAST_SAMPLES = 20
"""From which on their number says how long the gaps between them were."""
LATE_AT_END_S = 1.0
UNREAD_PART = 10
"""A tenth of the looks, from which on those that failed are worth a line, and the last stack says nothing."""
SEEN_BY_THEN_S = 1.0
"""A program that took longer has been seen by a sampler that works."""


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
    session: Path = Path()
    """What pyinstrument wrote, where it sampled."""

    @property
    def period_ns(self) -> int:
        """The gap between samples that was asked for."""
        return 1_000_000_000 // self.rate


__all__ = [
    "RANKS",
    "RECORDING",
    "SESSION",
    "TRACE",
    "Sampled",
    "collect_py_spy",
    "collect_pyinstrument",
    "collect_scopes",
    "keep_sampler_files",
    "rank_prefix",
    "say_what_runs_on",
]

Found = tuple[Profile | None, int, bool]
"""(the merged profile, how many samples, whether sampling failed)"""


def collect_py_spy(run: Sampled, spy: PySpy, scopes: Profile | None, warn: Callable[[str], None]) -> Found:
    """Return what py-spy, which is ended, saw under what the guards recorded."""
    counts = spy.counts()
    if counts is None or not spy.output.is_file():
        warn(f"{spy.failure()}; {_kept(scopes)}")
        return None, 0, True
    samples, errors = counts
    seconds = min(run.ended, spy.ended_at or run.ended) - (spy.sampling_since or run.ended)
    unread = errors * UNREAD_PART > samples + errors
    _say_what_is_missing(run, spy, unread=unread, warn=warn)
    try:
        sampled = read_pyspy_chrometrace(
            spy.output,
            period_ns=run.period_ns,
            base_file=bootstrap.__file__,
            name=run.folder.name,
            # The last stack was there until the end at least, unless py-spy could not see whether it was.
            ended_ns={} if unread else {run.pid: round(seconds * 1e9)},
            lines=True,
        )
    except InvalidInputError as error:
        warn(f"the samples cannot be read: {error}; {_kept(scopes)}")
        return None, 0, True
    gap_ns = _gap_ns(run.period_ns, sampled, samples)
    clocks = tie_clocks(sampled, scopes, run.pulses, gap_ns)
    clock = clocks.get(run.pid)
    until_ns = round(min(run.ended, spy.ended_at or run.ended) * 1e9)
    if not unread and clock is not None and clock.is_known:
        sampled = _lasting_until(sampled, run.pid, clock.stamp(until_ns))
    merged = merge(sampled, scopes, clocks, until_ns=until_ns)
    count = _count(merged)
    if count:
        return merged, count, False
    if seconds < SEEN_BY_THEN_S:  # there may have been no look at it
        return None, 0, False
    warn(
        f"py-spy saw nothing of the program in {seconds:.1f} s: profile again, or use --sampler pyinstrument"
    )
    return None, 0, True


def _say_what_is_missing(run: Sampled, spy: PySpy, *, unread: bool, warn: Callable[[str], None]) -> None:
    """Say in a line each where py-spy ended early or could not read, and where it was late."""
    if spy.held_a_killed and spy.ended_at is not None:
        warn(
            "a process that was killed could not end while py-spy held it: py-spy was stopped "
            f"{max(run.ended - spy.ended_at, 0.0):.1f} s before the program's end, and samples stop there"
        )
    elif spy.ended_at is not None and (early := run.ended - spy.ended_at) > LATE_AT_END_S:
        warn(f"py-spy lost the program {early:.1f} s before its end: samples stop there")
    elif unread:
        warn(
            "py-spy could not read the program's stack for a part of the time (did it exec another program, or was "
            "it stopped?): samples are of the rest"
        )
    if spy.behind:
        often = "once" if spy.behind == 1 else f"{spy.behind} times"
        warn(f"py-spy fell over a second behind {often}: use a lower --rate, or --no-native")


def say_what_runs_on(
    run: Sampled, spy: PySpy | None, scopes: Profile | None, warn: Callable[[str], None]
) -> None:
    """Say in a line where processes that the program started outlived it: they are seen up to here."""
    pids = {track.pid for track in scopes.tracks} - {run.pid} if scopes is not None else set()
    hosts = scopes.facts.get("hosts") if scopes is not None else None
    here = not isinstance(hosts, list) or len(hosts) <= 1
    if here and any(os.path.exists(f"/proc/{pid}/exe") for pid in pids):  # noqa: PTH110  never raises
        warn(
            "processes that the program started run on, and the profile ends here: "
            f"`workbench report {run.folder}` shows what their guards record later"
        )
    elif spy is not None and spy.was_asked:
        warn("processes that the program started outlived it: samples of them end here")


def _gap_ns(period_ns: int, sampled: Profile, count: int) -> int:
    """Return the gap between two looks at a thread, on average: a slow sampler takes longer than it was asked to.

    py-spy looks at all threads in a round, and counts the stacks. How long it saw each thread, as far as a trace
    of changes tells, adds up to a gap for each of them.
    """
    if count < LEAST_SAMPLES:
        return period_ns
    seen_ns = sum(int(t.samples.weight_ns.sum()) for t in sampled.tracks if t.samples is not None)
    return min(max(seen_ns // count, period_ns), 10 * period_ns)


def _lasting_until(sampled: Profile, pid: int, end_ns: int) -> Profile:
    """Return the samples with the last stack of a process's main thread lasting until a time on their clock.

    That clock begins some time before py-spy says that it samples: only when it is tied can its end be told.
    """
    tracks = list(sampled.tracks)
    own = [
        (int(track.samples.at_ns[-1]), i, track.samples)
        for i, track in enumerate(tracks)
        if track.pid == pid and track.name == MAIN_THREAD and track.samples is not None and len(track.samples)
    ]
    if own:
        last, i, samples = max(own, key=lambda each: each[:2])
        weight = samples.weight_ns.copy()
        weight[-1] = max(int(weight[-1]), end_ns - last)
        tracks[i] = replace(tracks[i], samples=replace(samples, weight_ns=weight))
    return replace(sampled, tracks=tuple(tracks), end_ns=max(end_ns, sampled.end_ns))


def _count(merged: Profile) -> int:
    return sum(len(track.samples) for track in merged.tracks if track.samples is not None)


def _kept(scopes: Profile | None) -> str:
    return "and there is nothing of guards" if scopes is None else "the guards' files are there"


def collect_pyinstrument(run: Sampled, scopes: Profile | None, warn: Callable[[str], None]) -> Found:
    """Return what pyinstrument saw under what the guards recorded."""
    try:
        sampled = read_pyinstrument(
            run.session, base_file=bootstrap.__file__, name=run.folder.name, lines=True
        )
    except InvalidInputError as error:
        warn(f"the samples cannot be read: {error}; {_kept(scopes)}")
        return None, 0, True
    merged = from_begin(merge(sampled, scopes, Clock.same(run.period_ns), changes_alone=False))
    return merged, _count(merged), False


def rank_prefix(output: OutputFolder) -> str:
    """Return what the names of files begin with that each rank has for itself."""
    return "" if output.member is None else f"{RANKS}/{output.member.rank}/"


def keep_sampler_files(output: OutputFolder, files: Mapping[str, Path], warn: Callable[[str], None]) -> None:
    """Keep what a sampler wrote, by its name, for other tools; files that are empty go with the unfinished ones."""
    for name, file in files.items():
        with contextlib.suppress(
            OSError
        ):  # the program deleted it; whoever writes the page says what is wrong
            if file.stat().st_size:
                try:
                    output.keep(file, rank_prefix(output) + name)
                except InvalidInputError as error:
                    warn(str(error))


def collect_scopes(output: OutputFolder, warn: Callable[[str], None]) -> Profile | None:
    """Return what the guards recorded, or None where the program has none: then no recording is kept."""
    folder = output.named / RECORDING
    if not is_recording(folder):
        warn(f"the recording in {folder} is gone: the program deleted it; choose another folder with -o")
        return None
    try:
        rank = None if output.member is None else output.member.rank
        profile = read_recording(folder, rank=rank)
    except InvalidInputError as error:
        warn(f"the recording cannot be read: {error}")
        return None
    if profile.facts["damaged"]:
        warn(f"{profile.facts['damaged']} damaged places in {folder} were left out")
    elif not any(track.spans is not None for track in profile.tracks):
        if output.member is None:  # else the other ranks record there
            output.remove_recording(RECORDING)
        return None
    return profile
