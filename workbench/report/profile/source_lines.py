"""Source files of a run: their lines, and where in one a function begins."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from workbench.capture.sources import MAX_ALL_BYTES, MAX_BYTES, functions_of
from workbench.report.profile.run import ProfileRun, duration_ns, started

LARGEST = 1 << 21
TOLERANCE_S = 2.0
"""By which a file may seem to be newer than the run: clocks of file systems are coarse."""


def source_of(run: ProfileRun, file: str) -> tuple[list[str], str]:
    """Return the lines of a file as it was when the program ran, or none and why it is not shown."""
    if file in run.cells:
        return run.cells[file].splitlines(), ""
    if run.sources is not None:
        text = run.sources.get(file)
        return ([], "not shown: not copied with the profile") if text is None else (text.splitlines(), "")
    if run.is_foreign:
        return [], "not shown: the profile may be somebody else's"
    begin, path = started(run), Path(file)
    try:
        facts = path.stat()
        if path.suffix != ".py" or not path.is_file() or facts.st_size > MAX_BYTES:
            return [], "not shown: no Python file of up to 1 MiB"
        if begin is not None and facts.st_mtime > begin.timestamp() + duration_ns(run) / 1e9 + TOLERANCE_S:
            return [], "not shown: the file was changed after the run"
        return path.read_text(encoding="utf-8", errors="replace").splitlines(), ""
    except (OSError, ValueError):
        return [], "not shown: the file is not there"


def copied_sources(run: ProfileRun, files: Iterable[str]) -> dict[str, str]:
    """Return the texts of source files to be copied with a profile, those named first if there are too many."""
    found: dict[str, str] = {}
    left = MAX_ALL_BYTES
    for file in files:
        text = "".join(f"{line}\n" for line in source_of(run, file)[0])
        left -= len(text.encode())
        if left < 0:
            break
        if text:
            found[file] = text
    return found


def line_of(file: str, function: str) -> int | None:
    """Return the line on which a function, given by its qualified name or its own, is defined in a Python file.

    None where the file is gone, is no Python source, or does not have exactly one such function.
    """
    path = Path(file)
    try:
        if path.suffix != ".py" or not path.is_file() or path.stat().st_size > LARGEST:
            return None
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = [(name, node.lineno) for name, node in functions_of(tree)]
    lines = [line for name, line in found if name == function]
    lines = lines or [line for name, line in found if name.endswith(f".{function}")]
    return lines[0] if len(lines) == 1 else None
