"""One call from whatever holds a profile to the profile."""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.errors import InvalidInputError
from workbench.eventlog import is_recording, read_recording
from workbench.formats.registry import read_profile
from workbench.formats.source import source_of
from workbench.profile import Profile

RECORDING = "recording"
"""Where `workbench profile` keeps the recording, in the folder of a run."""


def load(path: str | Path, format: str | None = None) -> Profile:  # noqa: A002  the word of the command line
    """Read a profile: the folder of a recording with all its workers, or a file of any readable format.

    Args:
        path: A recording, a folder that `workbench profile` wrote, or a file, which may be gzipped; "-" is
            standard input.
        format: The name of a file's format; by default its content and its suffix tell.

    Raises:
        InvalidInputError: It is neither, cannot be read, or is damaged; the line says where.
    """
    if str(path) == "-":
        return read_profile(source_of("standard input", sys.stdin.buffer), format)
    path = Path(path)
    if not path.is_dir():
        return read_profile(path, format)
    if format is not None:
        raise InvalidInputError(f"{path} is a folder, which has no format: leave {format!r} out")
    for folder in (path, path / RECORDING):
        if is_recording(folder):
            return read_recording(folder)
    raise InvalidInputError(f"{path} holds no recording: name a recording's folder, or a file")
