"""Source files of a run: their lines, and where in one a function begins."""

from __future__ import annotations

import ast
from pathlib import Path

from workbench.report.profile.run import ProfileRun, duration_ns, started

LARGEST = 1 << 21
MAX_BYTES = 1 << 20
"""Of a file that is shown: a larger one is no source that somebody wrote."""
TOLERANCE_S = 2.0
"""By which a file may seem to be newer than the run: clocks of file systems are coarse."""


def source_of(run: ProfileRun, file: str) -> tuple[list[str], str]:
    """Return the lines of a file as it was when the program ran, or none and why it is not shown."""
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
    found: list[tuple[str, int]] = []
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, prefix = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((prefix + child.name, child.lineno))
                todo.append((child, f"{prefix}{child.name}.<locals>."))
            elif isinstance(child, ast.ClassDef):
                todo.append((child, f"{prefix}{child.name}."))
            else:
                todo.append((child, prefix))
    lines = [line for name, line in found if name == function]
    lines = lines or [line for name, line in found if name.endswith(f".{function}")]
    return lines[0] if len(lines) == 1 else None
