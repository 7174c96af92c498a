"""The source that is copied with a profile, one file of JSON by path; and where in a source functions are."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from workbench import records

SOURCES = "sources.json"
SCHEMA = 1
MAX_BYTES = 1 << 20
"""Of a file: a larger one is no source that somebody wrote."""
MAX_ALL_BYTES = 20 << 20
"""Of all files of a profile."""
MAX_READ_BYTES = 8 * MAX_ALL_BYTES
"""Of `SOURCES`: one letter may take six there."""


def sources_text(texts: Mapping[str, str], cells: Mapping[str, str]) -> str:
    """Return the content of `SOURCES`.

    Args:
        texts: The source files, by path, and cells of a notebook by name, as `In [3]`.
        cells: The names of cells, by what IPython compiled each as.
    """
    named = {"cells": dict(cells)} if cells else {}
    return json.dumps({"schema": SCHEMA, "files": dict(texts), **named}, indent=1) + "\n"


class CopiedSources(NamedTuple):
    """What was copied with a profile."""

    files: Mapping[str, str]
    """The texts of its source files, by path."""
    cells: Mapping[str, str]
    """The names of a notebook's cells, by what IPython compiled each as."""


def read_sources(folder: Path) -> CopiedSources:
    """Return what was copied with a profile; nothing where there is nothing, or it is damaged."""
    found: object = None
    with suppress(ValueError):
        found = json.loads(records.read_inside(folder, SOURCES, MAX_READ_BYTES) or b"null")
    return CopiedSources(_texts(found, "files"), _texts(found, "cells"))


def _texts(found: object, key: str) -> dict[str, str]:
    texts = found.get(key) if isinstance(found, dict) else None
    if not isinstance(texts, dict):
        return {}
    return {path: text for path, text in texts.items() if isinstance(text, str)}


def read_file(file: str) -> str | None:
    """Return the text of a Python file, None where it is none of up to 1 MiB that can be read."""
    path = Path(file)
    try:
        if path.suffix != ".py" or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None


def functions_in(source: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the qualified name, first and last line of each function; none where the source cannot be parsed."""
    try:
        tree = ast.parse("\n".join(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        (name, min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or 0)
        for name, node in functions_of(tree)
    ]


def functions_of(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Return each function with its qualified name."""
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, prefix = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, child
                todo.append((child, f"{prefix}{child.name}.<locals>."))
            elif isinstance(child, ast.ClassDef):
                todo.append((child, f"{prefix}{child.name}."))
            else:
                todo.append((child, prefix))
