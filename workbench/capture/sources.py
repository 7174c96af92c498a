"""The source that is copied with a profile: one file of JSON, which names each source file by its path."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
