"""Golden charts: compared without what has a file of its own, and with a difference that can be read."""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def compare(name: str, svg: str, folder: Path = GOLDEN) -> None:
    """Compare with the chart that was looked at; WORKBENCH_BLESS=1 accepts a new one.

    Style and script have files of their own and are left out. Where the rest differs, the message is the
    lines that do.
    """
    path = folder / name
    svg = re.sub(r"(<style>|<script>).*?(</style>|</script>)", r"\1\2", svg, flags=re.DOTALL)
    svg = re.sub(r'class="wf-[0-9a-f]{8} ', 'class="', svg)  # named after the style
    if os.environ.get("WORKBENCH_BLESS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(svg, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    if svg == kept:
        return
    lines = difflib.unified_diff(readable(kept), readable(svg), "golden/" + name, "now", lineterm="", n=1)
    shown = "\n".join(line[:160] for line in itertools.islice(lines, 60))
    pytest.fail(f"look at the new chart, then set WORKBENCH_BLESS=1:\n{shown}", pytrace=False)


def readable(svg: str) -> list[str]:
    """Return the lines of a chart, with the columns of its data on lines of their own."""
    return re.sub(r'(\],|\},|",)(?=["\[{])', r"\1\n", svg).splitlines()


@pytest.fixture
def assert_golden() -> Callable[..., None]:
    """Return the function that compares a chart with the golden one of a name."""
    return compare
