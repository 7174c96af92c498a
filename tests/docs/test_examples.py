"""Every example of README and docs/ does what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks

WITH_EXAMPLES = {
    str(page.relative_to(ROOT)): page
    for page in PAGES
    if any(block.language.startswith(("python", "console")) for block in blocks(page))
}

LONG = {
    f"docs/{name}.md"
    for name in (
        "ci",
        "comparing",
        "faster",
        "instructions",
        "large-data",
        "pytest",
        "script",
        "start",
        "workers",
    )
}
"""Their examples are whole experiments."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=name, marks=[pytest.mark.proof] if name in LONG else [])
        for name, page in WITH_EXAMPLES.items()
    ],
)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """The examples of a page run in their order, in an empty folder, and print what the page shows."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_page", page],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
