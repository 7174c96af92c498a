"""Writes an experiment's results: each line is on disk before the next run starts, and only one process writes."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from workbench import records
from workbench.bench.design.suite import folder_names
from workbench.bench.results.lines import Head, Line, Run
from workbench.bench.results.results import FILE, FITS, is_begun
from workbench.errors import InvalidInputError, Remedy, WorkbenchError
from workbench.outputs import OutputFolder, cannot_write
from workbench.scopes.recording_folder import head

OF_FAILED = (
    "kind", "round", "attempt", "position", "name", "variant", "seed", "error", "load_1min", "took_s",
)  # fmt: skip
"""What the line of a run that failed has."""
FIRST_LINES = (b'{"kind": "experiment", "schema": ', b'{"kind": "run", "schema": ')
"""What the file begins with; the second is that of schemas 2 and 3."""


class ResultsWriter:
    """Appends lines to results, new or resumed, in a folder that no other process writes to meanwhile."""

    def __init__(self, folder: Path | OutputFolder, head: Head, *, resumed: bool = False) -> None:
        """Begin an experiment's results, or append to those that are there.

        Raises:
            InvalidInputError: A file that is not ours is in the way, or another process writes there.
            WorkbenchError: The folder holds results already, or cannot be written.
        """
        self.output = folder if isinstance(folder, OutputFolder) else OutputFolder(folder)
        self._is_held = isinstance(folder, OutputFolder)
        folder = self.output.path
        self._path = folder / FILE
        self._names = folder_names(head.variants)
        try:
            self._open(folder, resumed=resumed)
            if not resumed:
                self.append(head)
                self._name()
                _sync_folder(folder)
        except BaseException:
            self._give_up()
            raise

    def _open(self, folder: Path, *, resumed: bool) -> None:
        try:
            check_results(folder, resumed=resumed)
            self._unnamed = None if self._path.exists() else self.output.unfinished(FILE)
            self._file = open(self._unnamed or self._path, "r+b", opener=_open_private)  # noqa: SIM115
            self._end_last_line(resumed)
        except OSError as error:
            raise cannot_write(folder, error) from None

    def _name(self) -> None:
        """Give a new file its name once it has its first line, so that an empty file of that name is never ours."""
        if self._unnamed is None:
            return
        try:
            check_results(self.output.path)
            self._unnamed.replace(self._path)
        except OSError as error:
            raise cannot_write(self.output.path, error) from None

    def _give_up(self) -> None:
        if not self._is_held:
            self.output.close()

    def _end_last_line(self, resumed: bool) -> None:
        """Cut what a kill left of a line, so that the next one begins at its own; end one that lacks its end alone."""
        text = self._file.read() if self._file.readable() else b""
        whole = text.rfind(b"\n") + 1
        self._file.seek(whole)
        if whole == len(text):
            return
        self._file.truncate(whole)
        with contextlib.suppress(ValueError):
            if resumed and isinstance(json.loads(text[whole:]), dict):
                self._file.write(text[whole:] + b"\n")  # the reader has counted it

    def keep_fit(self, variant: str, scratch: Path) -> list[str]:
        """Keep what a variant left of the first round; return in lines what was in the way."""
        return self.output.take_in(scratch, f"{FITS}/{self._names[variant]}")

    def append(self, record: Head | Line) -> None:
        """Append one line and sync it."""
        line = records.plain(record)
        if isinstance(record, Run):  # what is not known is left out
            known = {name: value for name, value in line.items() if value is not None or name == "error"}
            line = (
                known if record.error is None else {name: known[name] for name in OF_FAILED if name in known}
            )
        try:
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {self._path}: {error.strerror}; make room, what is written is kept"
            ) from None

    def close(self) -> None:
        """Close the file, and give the folder up."""
        self._file.close()
        self._give_up()

    def discard(self) -> None:
        """Close the file and remove it: nothing was measured, and the folder is free for the next try."""
        self._file.close()
        self._path.unlink(missing_ok=True)
        self._give_up()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def check_results(folder: Path, *, resumed: bool = False) -> None:
    """Refuse results that are there, unless they are resumed, and a file that is not ours.

    Of an earlier version's a kill may have left the begin of the first line alone.

    Raises:
        InvalidInputError: The file is not ours, or the folder holds results already.
    """
    path = folder / FILE
    content = head(str(path), len(FIRST_LINES[0]))
    if os.path.lexists(path) and (
        not content
        or not any(content.startswith(begin) or begin.startswith(content) for begin in FIRST_LINES)
    ):
        raise InvalidInputError(
            f"{path} is in the way and was not written by workbench", remedy=Remedy.ANOTHER_FOLDER
        )
    if not resumed and is_begun(folder):
        raise InvalidInputError(
            f"{folder} already holds results: resume that experiment", remedy=Remedy.ANOTHER_FOLDER
        )


def _sync_folder(folder: Path) -> None:
    """See to it that the new file's name outlives a power cut, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some file systems cannot
        pass
    finally:
        os.close(handle)
