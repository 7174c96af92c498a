"""The source that is copied with a profile: one file of JSON, which names each source file by its path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

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


def read_sources(folder: Path) -> dict[str, str]:
    """Return the texts that were copied with a profile, by path; nothing where there are none, or they are damaged."""
    return _read(folder, "files")


def read_cells(folder: Path) -> dict[str, str]:
    """Return the names of a notebook's cells in a profile, by what IPython compiled each as."""
    return _read(folder, "cells")


def _read(folder: Path, key: str) -> dict[str, str]:
    with suppress(ValueError):
        content = records.read_inside(folder, SOURCES, MAX_READ_BYTES)
        found = json.loads(content or b"null")
        texts = found.get(key) if isinstance(found, dict) else None
        if isinstance(texts, dict):
            return {path: text for path, text in texts.items() if isinstance(text, str)}
    return {}
