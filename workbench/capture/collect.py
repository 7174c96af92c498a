"""What was recorded of scopes, when a run is over."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from workbench.capture.event_log import is_recording, read_recording
from workbench.errors import InvalidInputError
from workbench.profile import Profile
from workbench.scopes import _layout as layout

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


def collect_recording(folder: Path, warn: Callable[[str], None]) -> Profile | None:
    """Return what was recorded, scopes and samples, or None where there is neither."""
    if not is_recording(folder):
        warn(f"the recording in {folder} is gone: the program deleted it; choose another folder with -o")
        return None
    try:
        profile = read_recording(folder)
    except InvalidInputError as error:
        warn(f"the recording cannot be read: {error}")
        return None
    if profile.facts["damaged"]:
        warn(f"{profile.facts['damaged']} damaged places in {folder} were left out")
    elif not any(track.spans is not None or track.samples is not None for track in profile.tracks):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return profile


def has_spans(profile: Profile) -> bool:
    """Return whether any scope was recorded."""
    return any(track.spans is not None for track in profile.tracks)


def say_what_runs_on(folder: Path, pid: int, recorded: Profile | None, warn: Callable[[str], None]) -> None:
    """Say in a line where processes that the program started outlived it: they are seen up to here.

    Args:
        folder: Of the run.
        pid: Of the program's first process, which has ended.
        recorded: What was recorded.
        warn: Called with the line.
    """
    pids = {track.pid for track in recorded.tracks} - {pid} if recorded is not None else set()
    hosts = recorded.facts.get("hosts") if recorded is not None else None
    here = not isinstance(hosts, list) or len(hosts) <= 1
    if here and any(map(_runs, pids)):
        warn(
            "processes that the program started run on, and the profile ends here: "
            f"`workbench report {folder}` shows what their scopes record later"
        )
