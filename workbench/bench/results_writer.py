"""Writes a run's results: each line is on the disk before the next arm starts, and one process alone writes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.bench.results import FILE, FITS, SCHEMA, is_begun
from workbench.bench.suite import folder_names
from workbench.errors import WorkbenchError


class ResultsWriter:
    """Appends lines to a run's results, new or resumed. Holds a lock on the file."""

    def __init__(self, folder: Path, head: Mapping[str, Any], *, resumed: bool = False) -> None:
        """Begin a run's results, or go on with those that are there.

        Raises:
            WorkbenchError: The folder holds results already, or cannot be written, or another process writes there.
        """
        self._path = folder / FILE
        self._fits = folder / FITS
        self._names = folder_names(head["variants"])
        try:
            if folder.exists() and not folder.is_dir():
                raise WorkbenchError(f"cannot write to {folder}: it is a file; name a folder with -o")
            folder.mkdir(parents=True, exist_ok=True)
            if not resumed and self._path.exists() and is_begun(folder):
                raise WorkbenchError(
                    f"{folder} already holds results: go on with --resume, or choose another folder with -o"
                )
            self._file = self._path.open("r+b" if self._path.exists() else "xb")
            self._lock()
            self._end_last_line(resumed)
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {folder}: {error.strerror}; choose another folder with -o"
            ) from None
        if not resumed:
            self.append({"kind": "run", "schema": SCHEMA, **head})
            _sync_folder(folder)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise WorkbenchError(
                f"{self._path.parent} is being measured by another process: wait for its end"
            ) from None

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

    def fit_folder(self, variant: str) -> Path:
        """Return the folder for what a variant keeps of the first block."""
        return self._fits / self._names[variant]

    def append(self, line: Mapping[str, Any]) -> None:
        """Append one line and sync it."""
        try:
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {self._path}: {error.strerror}; make room, what is written is kept"
            ) from None

    def close(self) -> None:
        """Close the file, and give the lock up."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and remove it: nothing was measured, and the folder is free for the next try."""
        self.close()
        self._path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """See to it that the new file's name outlives a power cut, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some file systems cannot
        pass
    finally:
        os.close(handle)
