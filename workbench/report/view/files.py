"""Which files of a folder `workbench view` gives away: of known types, and nothing that leads out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import unquote

TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".jsonl": "text/plain; charset=utf-8",
    ".folded": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}
"""What is served of the folder, by suffix."""
VIEWER_TYPES: Mapping[str, str] = {
    **TYPES,
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}


class NotServedError(Exception):
    """There is no such file, or none for a browser: what is answered instead."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def is_plain_path(path: str) -> bool:
    """Return whether a quoted path is text that means the same to everyone."""
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return "\0" not in decoded and "\\" not in decoded


def inside_of(folder: Path, parts: list[str]) -> Path:
    """Return a path below a folder, without links that lead out of it; what begins with a dot is not there."""
    if any(not part or part.startswith(".") or "/" in part for part in parts):
        raise NotServedError(404, "not found")
    try:
        root = folder.resolve(strict=True)
        path = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise NotServedError(404, "not found") from None
    if not path.is_relative_to(root) or any(part.startswith(".") for part in path.relative_to(root).parts):
        raise NotServedError(404, "not found")
    return path


def file_in(folder: Path, parts: list[str], types: Mapping[str, str] = TYPES) -> Path:
    """Return the ordinary file of a known type at a path below a folder."""
    path = inside_of(folder, parts)
    if path.suffix.lower() not in types or not path.is_file():
        raise NotServedError(404, "not found")
    return path


def open_file(path: Path) -> IO[bytes]:
    """Open an ordinary file that is no link: between the check and here it may have been replaced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no ordinary file")
    return os.fdopen(descriptor, "rb")
