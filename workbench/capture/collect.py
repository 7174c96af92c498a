"""What was recorded of a run when it is over, and when it ended where it could not say so itself."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from workbench.capture.load import RECORDING
from workbench.capture.samplers import FILES
from workbench.capture.sent_functions import with_sent_functions
from workbench.capture.sources import read_file
from workbench.capture.warnings import CaptureWarning, Warn, WarningCode
from workbench.errors import InvalidInputError, Remedy
from workbench.eventlog import is_recording, read_recording
from workbench.eventlog.traces import has_snapshots
from workbench.outputs import OutputFolder
from workbench.profile import Profile
from workbench.scopes import layout

RANKS = "ranks"
"""The folder in which each rank of a parallel job has one of its own."""
LINGER_SECONDS = 0.5
"""Helpers such as a resource tracker end a moment after the program that started them."""


def let_children_end(recording: Path, pid: int) -> None:
    """Wait a moment for the processes that a program started, so that they are recorded to their end.

    Args:
        recording: Its folder.
        pid: Of the program's first process, which has ended.
    """
    until = time.monotonic() + LINGER_SECONDS
    words = {path.name.partition("-")[0] for path in recording.glob(f"*{layout.SUFFIX}")}
    left = {int(word) for word in words if word.isascii() and word.isdigit()} - {pid}
    while (left := {each for each in left if _runs(each)}) and time.monotonic() < until:
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/exe")  # noqa: PTH110  never raises


def rank_of(output: OutputFolder) -> int | None:
    """Return which rank of a parallel job writes to a folder; None where it is no job."""
    return None if output.member is None else output.member.rank


def rank_prefix(output: OutputFolder) -> str:
    """Return what the names of files begin with that each rank has for itself."""
    return "" if output.member is None else f"{RANKS}/{output.member.rank}/"


def keep_sampler_files(output: OutputFolder, files: Path, warn: Warn) -> None:
    """Keep what a sampler wrote into a folder, by its name, for other tools."""
    for name in FILES:
        file = files / name
        # Where the folder cannot be written, whoever writes the page says what is wrong.
        with contextlib.suppress(OSError):
            if file.is_file() and file.stat().st_size:
                try:
                    output.keep(file, rank_prefix(output) + name)
                except InvalidInputError as error:
                    warn(CaptureWarning(WarningCode.IN_THE_WAY, {"reason": str(error)}))


def collect_recording(output: OutputFolder, warn: Warn) -> Profile | None:
    """Return what was recorded, scopes and samples, or None where there is neither: then no recording is kept."""
    folder = output.named / RECORDING
    if not is_recording(folder):
        warn(CaptureWarning(WarningCode.RECORDING_GONE, {"folder": str(folder)}, (Remedy.ANOTHER_FOLDER,)))
        return None
    try:
        profile = with_sent_functions(read_recording(folder, rank=rank_of(output)), read_file)
    except InvalidInputError as error:
        warn(CaptureWarning(WarningCode.UNREADABLE, {"reason": str(error)}))
        return None
    if damaged := profile.recording.damaged:
        warn(CaptureWarning(WarningCode.DAMAGED, {"damaged": damaged, "folder": str(folder)}))
    elif not has_snapshots(folder) and not any(
        track.spans is not None or track.samples is not None for track in profile.tracks
    ):
        if output.member is None:  # else the other ranks record there
            output.remove_recording(RECORDING)
        return None
    return profile


def has_spans(profile: Profile) -> bool:
    """Return whether any scope was recorded."""
    return any(track.spans is not None for track in profile.tracks)


def say_what_runs_on(folder: Path, pid: int, recorded: Profile | None, warn: Warn) -> None:
    """Warn where processes that the program started outlived it: they are seen up to here.

    Args:
        folder: Of the run.
        pid: Of the program's first process, which has ended.
        recorded: What was recorded.
        warn: Called with the warning.
    """
    pids = {track.pid for track in recorded.tracks} - {pid} if recorded is not None else set()
    here = recorded is None or len(recorded.recording.hosts) <= 1
    if here and any(map(_runs, pids)):
        warn(CaptureWarning(WarningCode.RUNS_ON, {"folder": str(folder)}))


def date_end(recording: Path, pid: int, ended_ns: int) -> None:
    """Write into a process's log when the process ended, unless it did so itself.

    Scopes that were open then end at that time; without it they would end at the last event of the log.

    Args:
        recording: Its folder.
        pid: A process of this machine that has ended.
        ended_ns: When, on the monotonic clock.
    """
    by_log: dict[str, list[Path]] = {}
    for path in recording.glob(f"{pid}-*{layout.SUFFIX}"):
        by_log.setdefault(path.stem.rpartition("-")[0], []).append(path)
    if len(by_log) != 1:  # none, or it became another program that records, too: which one was it at the end?
        return
    (segments,) = by_log.values()
    with contextlib.suppress(OSError):  # the log is as good as it was
        ends = {path: end for path in segments if (end := _end(path)) is not None}
        for path in ends if not any(ends.values()) else ():
            with path.open("r+b") as file:
                file.seek(layout.HEADER_END_NS_AT)
                file.write(layout.HEADER_END_NS.pack(ended_ns))


def _end(segment: Path) -> int | None:
    """Return when a segment says that its process ended, 0: it does not; None: it is no segment."""
    with segment.open("rb") as file:
        header = file.read(layout.HEADER_SIZE)
    if len(header) < layout.HEADER_SIZE or header[: len(layout.MAGIC)] != layout.MAGIC:
        return None
    (end,) = layout.HEADER_END_NS.unpack_from(header, layout.HEADER_END_NS_AT)
    return int(end)
