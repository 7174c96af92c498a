"""The notebook of the guide runs, and has the guide's examples."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.docs.pages import ROOT, blocks
from tests.helpers.notebooks import execute, shown

NOTEBOOK = nbformat.read(ROOT / "docs" / "notebooks" / "profile.ipynb", as_version=4)


def test_the_notebook_has_the_examples_of_the_guide() -> None:
    """Each example of the guide is a cell of the notebook, which has no outputs in the repository."""
    cells = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    examples = [
        block.text.strip() for block in blocks(ROOT / "docs" / "notebooks.md") if block.language == "ipython"
    ]
    assert examples
    assert set(examples) <= {cell.source for cell in cells}


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_the_notebook_runs(tmp_path: Path) -> None:
    """All its cells run, and those that profile and compare show what they found."""
    done = execute(NOTEBOOK, tmp_path)
    text = {
        cell.source.split()[0]: shown(cell, "text/plain") for cell in done.cells if cell.source[:1] == "%"
    }
    assert "signal: took" in text["%%profile"][-1]
    assert "In [2]" in text["%profile"][-1]
    assert "A/A control" in text["%%bench"][-1]
    assert (tmp_path / "profiles" / "signal" / "index.html").is_file()
