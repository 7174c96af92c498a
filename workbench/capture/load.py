"""One call from whatever holds a profile to the profile."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from workbench.capture.sent_functions import with_sent_functions
from workbench.capture.sources import CopiedSources, read_file, read_sources
from workbench.errors import InvalidInputError
from workbench.eventlog import is_recording, read_recording
from workbench.formats.registry import read_profile
from workbench.formats.source import source_of
from workbench.profile import Profile, with_file_names
from workbench.text import plural

RECORDING, SAMPLES = "recording", "samples.speedscope.json"
"""Where `workbench profile` keeps the recording and the samples, in the folder of a run."""
RESULTS = "results.jsonl"
"""The file of an experiment."""


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
    if path.is_file() and (path.name == RESULTS or (path.suffix == ".py" and format is None)):
        raise no_profile(path)
    if not path.is_dir():
        return read_profile(path, format)
    if format is not None:
        raise InvalidInputError(f"{path} is a folder, which has no format: leave {format!r} out")
    if is_recording(path):
        return with_sent_functions(read_recording(path), read_file)
    if is_recording(path / RECORDING):
        recorded = with_copied_sources(read_recording(path / RECORDING), read_sources(path))
        return _with_hint(recorded, path)
    raise no_profile(path)


def with_copied_sources(recorded: Profile, sources: CopiedSources) -> Profile:
    """Return what was recorded with the names of cells, and with functions that were sent in the file they are of."""
    named = with_file_names(recorded, sources.cells)
    return with_sent_functions(named, lambda file: sources.files.get(file) or read_file(file), sources.files)


def _with_hint(recorded: Profile, folder: Path) -> Profile:
    """Return what was recorded, with a line where the samples of another sampler are in a file of their own."""
    samples = folder / SAMPLES
    if any(track.samples is not None for track in recorded.tracks) or not samples.is_file():
        return recorded
    line = f"the samples of {folder} have another clock than its scopes, and are not included: name {samples}"
    return replace(recorded, file=replace(recorded.file, warnings=(*recorded.file.warnings, line)))


def no_profile(path: Path) -> InvalidInputError:
    """Return the error for a path that holds no profile: it says what is there, and what to name or to run."""
    if path.name == RESULTS or (path / RESULTS).is_file():
        return InvalidInputError(
            f"{path} is an experiment, not a profile: use workbench show, report, compare or export"
        )
    if path.suffix == ".py" and path.is_file():
        return InvalidInputError(
            f"{path} is a program, not a profile: make one with workbench profile {path}"
        )
    inside = profiles_in(path)
    if inside:
        return InvalidInputError(
            f"{path} has {len(inside)} {plural(len(inside), 'profile')}: name one of them, such as {inside[0]}"
        )
    return InvalidInputError(
        f"{path} holds no profile, recording or experiment: make a profile with workbench profile"
    )


def profiles_in(folder: Path) -> list[Path]:
    """Return the folders of profiles and recordings in a folder, in the order of their names."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    return [each for each in inside if holds_profile(each)]


def holds_profile(folder: Path) -> bool:
    """Return whether a folder is a recording, or that of a profile."""
    return is_recording(folder) or is_recording(folder / RECORDING) or (folder / SAMPLES).is_file()
