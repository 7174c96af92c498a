"""The lines of ranges as a page's own scripts count them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.helpers.html import Page
from tests.helpers.node import node

ROOT = Path(__file__).parents[2]
Question = tuple[str | None, int, int]
"""A scope or None, and from when to before when, in nanoseconds of the timeline."""


def lines_of_ranges(page: Page, of: str, questions: Sequence[Question]) -> list[dict[str, dict[str, float]]]:
    """Return for each question the shares by file and line, such as `fit.py:3`, and by column.

    Args:
        page: A profile's page.
        of: What the timeline is of: `profile` or `samples`.
        questions: What to ask.
    """
    source = page.source[page.source.index(f'data-of="{of}"') :]
    (facts, *_), chunks = (
        re.findall(rf'<metadata class="{which}">(.*?)</metadata>', source.partition("</svg>")[0], re.DOTALL)
        for which in ("wt-facts", "wt-data")
    )
    lines = page.data("lines")
    asked = [{"facts": json.loads(facts), "chunks": chunks, "lines": lines, "questions": questions}]
    done = subprocess.run(
        [node(), "tests/js/print_lines.js"],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    (answers,) = json.loads(done.stdout)
    return [{place(lines, row): shares(row["figures"]) for row in rows} for rows in answers]


def place(lines: dict[str, Any], row: dict[str, Any]) -> str:
    """Return file and line of a row."""
    return f"{Path(lines['files'][row['file']]['place']).name}:{row['line']}"


def shares(figures: dict[str, list[float]]) -> dict[str, float]:
    """Return the shares of a row by column, without their intervals."""
    return {key: share for key, (share, _) in figures.items()}
