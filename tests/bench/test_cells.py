"""A cell of a notebook as a suite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench.bench.design.cells import cell_suite, cell_variants
from workbench.errors import InvalidInputError


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("# %% a\nfit(x)", "fit, x and does not define them"),
        ("def f():\n    return limit\n# %% a\nf()", "limit and does not define it"),
        ("# %% a\nx = 1\n# %% b\ny = x", "x and does not define it"),
        ("# %% a\ntotal += 1", "total and"),
        ("class A:\n    b = other\n# %% a\nA()", "other and"),
        ("# %% a\n[k for k in items]", "items and"),
    ],
)
def test_names_of_other_cells(source: str, names: str) -> None:
    """A cell that reads what it does not define is refused with the names and the remedy, in one line."""
    with pytest.raises(InvalidInputError, match=re.escape(names)) as caught:
        cell_variants(source)
    assert "define or import" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\n# %% a\nnp.zeros(seed)",
        "def f(n):\n    m = n\n    return lambda: m\n# %% a\nprint(f(3)())",
        "n = 0\ndef f(k):\n    k += 1\n# %% a\nn += 1\nm = 0\nm += n",
        "from math import *\n# %% a\nsqrt(2)",
        "def f():\n    global n\n    n = 1\n# %% a\nf(); n",
        "# %% a\ntry:\n    pass\nexcept OSError as error:\n    error\n",
        "# %% a\n[k for k in range(3)]\nwith open(__file__) as file:\n    file.read()",
    ],
)
def test_cells_of_their_own(source: str) -> None:
    """What a cell defines, imports or has from Python is no name of another cell."""
    assert list(cell_variants(source).variants) == ["a"]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1", "no variants: begin each with a line such as"),
        ("# %% a\n1\n# %% a\n2", "line 3 of the cell begins a second variant 'a'"),
        ("1\n# %%\n2", "line 2 of the cell begins a variant without a name"),
        ("# %% a\n1\n# %% b\n1 +", "line 4 of the cell: invalid syntax"),
    ],
)
def test_cells_that_are_no_suite(source: str, line: str) -> None:
    """One line says where the cell cannot be used, by its own line numbers."""
    with pytest.raises(InvalidInputError, match=re.escape(line)) as caught:
        cell_variants(source)
    assert "\n" not in str(caught.value)


def test_a_suite_of_a_cell(tmp_path: Path) -> None:
    """Each case executes the set-up anew, and then its own part, whose lines are those of the cell."""
    path = tmp_path / "cell.py"
    path.write_text("done = [seed]\n# %% first\ndone.append('first')\n# %% second\n\nraise OSError(done)\n")
    suite = cell_suite(str(path), "cells")
    assert (suite.name, list(suite.variants), suite.baseline) == ("cells", ["first", "second"], "first")
    suite.case("first", 1).run()
    with pytest.raises(OSError, match=r"\[5\]") as caught:
        suite.case("second", 5).run()
    assert [(entry.path, entry.lineno + 1) for entry in caught.traceback][-1] == (path, 6)
