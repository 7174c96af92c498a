"""What `watch` and `dump` are asked about: a process, or the folder of a recording."""

from __future__ import annotations

from pathlib import Path

from workbench.capture.load import RECORDING
from workbench.capture.running import gone
from workbench.errors import InvalidInputError
from workbench.eventlog import is_recording
from workbench.eventlog.live_processes import descendants, recorded_into, runs


def recording_in(folder: Path) -> Path:
    """Return the recording in a folder of a profile, or the folder itself if it is one.

    Raises:
        InvalidInputError: There is none.
    """
    for each in (folder, folder / RECORDING):
        if is_recording(each):
            return each
    if not folder.is_dir():
        raise InvalidInputError(
            f"{folder}: there is no such folder; name that of a recording or profile, or the number of a process"
        )
    raise InvalidInputError(
        f"{folder} holds no recording: name the folder that record() or workbench profile writes to"
    )


def recorded_process(pid: int) -> tuple[int, Path] | None:
    """Return a process that is being recorded and its recording's folder: it, or the first of those that it started.

    Raises:
        InvalidInputError: There is no such process, or it is another user's.
    """
    if not runs(pid):
        raise gone(pid)
    try:
        for each in (pid, *descendants(pid)):
            folder = recorded_into(each)
            if folder is not None:
                return each, folder
    except PermissionError:
        raise InvalidInputError(
            f"process {pid} belongs to another user: run the command as that user or as root"
        ) from None
    except FileNotFoundError:
        raise InvalidInputError(f"process {pid} has just ended") from None
    return None
