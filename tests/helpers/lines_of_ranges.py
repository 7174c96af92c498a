"""The lines of ranges, and the costs of scopes, as a page's own scripts count them."""

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
    lines = page.data("lines")
    asked = [{**_timeline(page, of), "lines": lines, "questions": questions}]
    (answers,) = _printed("print_lines.js", asked)
    return [{place(lines, row): shares(row["figures"]) for row in rows} for rows in answers]


def costs_of_run(page: Page, of: str) -> dict[str, dict[str, float]]:
    """Return what each scope cost in a range that is the whole run: `time`, `cpu`, `lock`, `system` and `resident`."""
    found: dict[str, dict[str, float]] = _printed("print_costs.js", _timeline(page, of))
    return found


def _timeline(page: Page, of: str) -> dict[str, Any]:
    source = page.source[page.source.index(f'data-of="{of}"') :]
    (facts, *_), chunks = (
        re.findall(rf'<metadata class="{which}">(.*?)</metadata>', source.partition("</svg>")[0], re.DOTALL)
        for which in ("wt-facts", "wt-data")
    )
    return {"facts": json.loads(facts), "chunks": chunks}


def _printed(script: str, asked: object) -> Any:
    done = subprocess.run(
        [node(), f"tests/js/{script}"],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def place(lines: dict[str, Any], row: dict[str, Any]) -> str:
    """Return file and line of a row."""
    return f"{Path(lines['files'][row['file']]['place']).name}:{row['line']}"


def shares(figures: dict[str, list[float]]) -> dict[str, float]:
    """Return the shares of a row by column, without their intervals."""
    return {key: share for key, (share, _) in figures.items()}
