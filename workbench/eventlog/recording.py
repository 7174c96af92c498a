"""Reading a recording: the event logs of all its processes, as one profile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.eventlog.clocks import on_one_clock
from workbench.eventlog.events import (
    TrackEvents,
    in_time,
    last_in_time,
    points_of,
    scopes_of,
    still_open,
)
from workbench.eventlog.log_files import MAX_TIME_NS, OPEN, ProcessLog, read_process_logs, scope_sites
from workbench.eventlog.nesting import Scopes, nested_spans
from workbench.eventlog.resource_readings import resources_of
from workbench.eventlog.sample_tracks import (
    NOTHING,
    SampledThread,
    SampledTracks,
    sampled_tracks,
    sampler_run,
)
from workbench.eventlog.symbols import Symbols
from workbench.profile import (
    Counter,
    Frame,
    FrameKind,
    Marks,
    MeasuredScopeCost,
    Profile,
    ProfileBuilder,
    RecordingFacts,
    Samples,
    Spans,
)
from workbench.scopes import layout, manifests

_NONE = np.empty(0, dtype=np.int64)
NO_SCOPES = Scopes(_NONE, _NONE, _NONE, _NONE)
MAX_PATH = 1000
MAX_PROPAGATED = 2_000_000
"""Spans of remote parents on one track: beyond it the outer ones are left out."""


def is_recording(folder: Path) -> bool:
    """Return whether a folder holds a recording."""
    return (folder / layout.MANIFEST).is_file()


def read_recording(folder: str | Path, *, rank: int | None = None) -> Profile:
    """Return a recording's logs as one profile, with a track for each thread and task of each process.

    Scopes that were open when the recording ended, or when their process was killed, end at the last time at which
    the process is known to have run and are marked unfinished. Propagated work is under the scope that sent it: its
    track has spans for that scope and those around it, marked as propagated.

    Args:
        folder: The recording's folder.
        rank: Read only the logs of this rank of a parallel job.

    Raises:
        InvalidInputError: The folder holds no recording, or one of another version.
    """
    folder = Path(folder)
    if not is_recording(folder):
        raise InvalidInputError(f"{folder} holds no recording: it has no {layout.MANIFEST}")
    builder = ProfileBuilder(folder.name)
    unmoved = {
        log.key: log
        for log in read_process_logs(folder)
        if rank is None or not log.facts or log.facts.get("rank") == rank
    }
    logs = on_one_clock(list(unmoved.values()))
    manifest = manifests.read(str(folder))
    if manifest is None and not unmoved:
        raise InvalidInputError(
            f"{folder} holds no recording: its {layout.MANIFEST} is no manifest, and there is no log"
        )
    processes = []
    symbols = Symbols()
    threads: list[tuple[int | None, str | None]] = []
    for log in logs:
        end_ns = _end_of(manifest, unmoved[log.key])
        if end_ns != MAX_TIME_NS:
            end_ns += log.start_ns - unmoved[log.key].start_ns
        processes.append(_Process(builder, log, symbols, end_ns, threads))
        processes[-1].add_tracks()
    counted = [resources_of(process.log, process.until_ns) for process in processes]
    profile = builder.build(
        RecordingFacts(
            processes=len(logs),
            damaged=sum(process.log.damaged + process.strange for process in processes)
            + sum(damaged for _, damaged in counted),
            closed_elsewhere=sum(process.elsewhere for process in processes),
            after_end=sum(process.late for process in processes),
            misnested=builder.misnested,
            other_clocks=sum(log.moved_ns != 0 for log in logs),
            samplers=tuple(run for log in logs if (run := sampler_run(log)) is not None),
            given_up_bytes=sum(log.given_up for log in logs),
            stopped_full=any(log.stopped == layout.STOPPED_FULL for log in logs),
            stopped_by_error=any(log.stopped == layout.STOPPED_BY_ERROR for log in logs),
            scope_costs=tuple(
                cost
                for log in logs
                for stated in log.costs
                if (cost := MeasuredScopeCost.of(log.pid, stated)) is not None
            ),
            sites=scope_sites(logs),
            threads=tuple(threads),
            hosts=tuple(sorted({str(log.facts["host"]) for log in logs if log.facts.get("host")})),
            wall_minus_monotonic_ns=logs[0].wall_ns - logs[0].start_ns if logs else 0,
        )
    )
    return replace(profile, resources=tuple(found for found, _ in counted if found is not None))


@dataclass
class _Process:
    """Adds one process's log to a profile."""

    builder: ProfileBuilder
    log: ProcessLog
    symbols: Symbols
    until_ns: int
    """When the recording ended: what begins on a track later is left out."""
    threads: list[tuple[int | None, str | None]]
    """For each track, the native id of its thread and the name of its task or None."""
    strange: int = 0
    """Damaged events, which are left out."""
    elsewhere: int = 0
    """Scopes that stayed open because another thread or task closed them."""
    late: int = 0
    """Scopes, counters and marks after the end, which are left out."""

    def add_tracks(self) -> None:
        """Add the process's tracks to the builder."""
        closed = {track: TrackEvents.of(chunks) for track, chunks in self.log.events.items()}
        opened = {track: still_open(chunks) for track, chunks in self.log.open.items()}
        sampled = self._sampled(closed, opened)
        self.strange += sampled.damaged
        last = _last_sign_of_life(self.log, closed, opened, sampled)
        of_track = dict(sampled.of_track)
        for track in sorted(closed.keys() | opened.keys()):
            events = closed.pop(track, None) or TrackEvents.of([])
            levels = opened.get(track, np.empty(0, OPEN))
            events, levels, late = in_time(events, levels, self.until_ns)
            self.late += late
            found = scopes_of(self.log, events, levels, last)
            self.strange += found.strange
            self.elsewhere += found.elsewhere
            self._add_track(track, found.scopes, *points_of(self.log, events), of_track.pop(track, None))
        for track, samples in sorted(of_track.items()):
            self._add_track(track, NO_SCOPES, (), None, samples)
        for thread in sampled.others:
            self._add_thread(thread)

    def _sampled(self, closed: dict[int, TrackEvents], opened: dict[int, NDArray[np.void]]) -> SampledTracks:
        """Return the samples of the process's threads up to the recording's end."""
        if not self.log.samples:
            return NOTHING
        nothing, none = TrackEvents.of([]), np.empty(0, OPEN)
        until_ns = max(
            (
                last_in_time(closed.get(track, nothing), opened.get(track, none), self.until_ns)
                for track in closed.keys() | opened.keys()
            ),
            default=self.until_ns,
        )
        return sampled_tracks(self.builder, self.log, self.symbols, self._parent_path, until_ns)

    def _add_track(
        self,
        track: int,
        scopes: Scopes,
        counters: tuple[Counter, ...],
        marks: Marks | None,
        samples: Samples | None,
    ) -> None:
        if not (len(scopes.start_ns) or counters or marks is not None or samples is not None):
            return
        facts = self.log.tracks.get(track, {})
        name = str(facts.get("name") or f"Thread {track}")
        if facts.get("task"):
            name = f"{name} › {facts['task']}"
        ident = facts.get("ident")
        lanes = nested_spans(self.builder, *self._framed(scopes))
        spans: Spans | None
        for i, spans in enumerate(lanes or [None]):
            self.threads.append((facts.get("native_id"), facts.get("task")))
            self.builder.add_track(
                f"{name} (out of order)" if i else name,
                pid=self.log.pid,
                tid=ident if isinstance(ident, int) else track,
                process=self.log.command,
                spans=spans,
                samples=None if i else samples,
                counters=() if i else counters,
                marks=None if i else marks,
            )

    @cached_property
    def _of_native_id(self) -> dict[object, dict[str, Any]]:
        """The facts of the first track of each thread, by native id."""
        tracks = [each for each in self.log.tracks.values() if isinstance(each.get("native_id"), int)]
        return {each["native_id"]: each for each in reversed(tracks)}

    def _add_thread(self, thread: SampledThread) -> None:
        """Add a thread that has only samples."""
        # Tracks of its asyncio tasks name their thread.
        facts = self.log.tracks.get(thread.track) or self._of_native_id.get(thread.tid or None, {})
        task = facts.get("task") if thread.track else None
        name, ident = str(facts.get("name") or thread.name), facts.get("ident")
        self.threads.append((thread.tid, task))
        self.builder.add_track(
            f"{name} › {task}" if task else name,
            pid=self.log.pid,
            tid=ident if isinstance(ident, int) else thread.tid,
            process=self.log.command,
            samples=thread.samples,
        )

    def _parent_path(self, number: int) -> list[int] | None:
        """Return the frames of a remote parent's path; None for the id of another scope."""
        sender = _path(self.log.remote_parents.get(number))
        return [self._frame(name) for name in sender] if sender else None

    def _framed(self, scopes: Scopes) -> tuple[Scopes, NDArray[np.int64]]:
        """Return the scopes, with remote parents replaced by their paths, and the frame of each number of a name."""
        there = np.zeros(int(scopes.name.max(initial=0)) + 1, dtype=np.bool_)
        there[scopes.name] = True
        frames = np.zeros(len(there), dtype=np.int64)
        paths: dict[int, list[int]] = {}
        for number in np.flatnonzero(there).tolist():
            sender = _path(self.log.remote_parents.get(number))
            if sender:
                paths[number] = [self._frame(name) for name in sender]
            else:
                frames[number] = self._frame(self.log.names[number])
        if not paths:
            return scopes, frames
        framed = replace(scopes, name=frames[scopes.name])
        parents = np.flatnonzero(np.isin(scopes.name, list(paths))).tolist()
        # Deep paths that were sent often would take more memory than what was recorded.
        longest = max(1, MAX_PROPAGATED // len(parents))
        framed = framed.with_paths({i: paths[int(scopes.name[i])][-longest:] for i in parents})
        return framed, np.arange(int(framed.name.max(initial=0)) + 1)

    def _frame(self, name: str) -> int:
        return self.builder.frame(Frame(name, kind=FrameKind.SCOPE))


def _end_of(manifest: manifests.Manifest | None, log: ProcessLog) -> int:
    """Return when the recording ended on a log's own clock; `MAX_TIME_NS` if unknown."""
    if manifest is None or not manifest.boot_id or log.facts.get("boot_id") != manifest.boot_id:
        return MAX_TIME_NS
    return manifest.ended_ns if 0 < manifest.ended_ns < MAX_TIME_NS >> 1 else MAX_TIME_NS


def _path(sender: dict[str, Any] | None) -> list[str]:
    path = sender.get("path") if sender else None
    return [str(name) for name in path[:MAX_PATH]] if isinstance(path, list) else []


def _last_sign_of_life(
    log: ProcessLog,
    closed: dict[int, TrackEvents],
    still_open: dict[int, NDArray[np.void]],
    sampled: SampledTracks,
) -> int:
    """Return the time at which a process ended its log, or the last time in it."""
    times = [sampled.last_ns]
    times += [int(events.end.max(initial=0)) for events in closed.values()]
    for levels in still_open.values():
        starts = levels["start"]
        times.append(int(starts[starts <= MAX_TIME_NS].max(initial=0)))
    return log.end_ns if 0 < log.end_ns <= MAX_TIME_NS else max(times, default=0)
