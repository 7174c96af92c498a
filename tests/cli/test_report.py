"""`workbench report`: the page again, from the results alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench.bench.results import FILE, ResultsWriter
from workbench.cli.report import command
from workbench.errors import InvalidInputError

HEAD = {
    "suite": "tiny",
    "baseline": "one",
    "variants": {"one": {}},
    "descriptions": {},
    "started": "2026-01-01",
    "environment": {
        "machine": "m", "cores": 1, "usable_cores": 1, "memory_gib": 1, "system": "s", "python": "3", "blas": "b",
        "load_1min": 0, "packages": {"workbench": "0"},
    },
}  # fmt: skip


@pytest.mark.parametrize("named", ["", FILE])
def test_the_page_is_made_from_the_results(tmp_path: Path, named: str) -> None:
    """The folder of a run, or its file of results, is enough."""
    writer = ResultsWriter(tmp_path / "run", HEAD)
    writer.append({"kind": "arm", "block": 0, "variant": "one", "error": None, "value_s": 1.0, "quality": {}})
    writer.close()
    done = CliRunner().invoke(command, [str(tmp_path / "run" / named)])
    assert done.stdout == f"open {tmp_path / 'run' / 'index.html'} in a browser\n"
    assert (tmp_path / "run" / "index.html").is_file()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """What is no run is named, and nothing is written."""
    with pytest.raises(InvalidInputError, match="holds no results"):
        CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert not list(tmp_path.iterdir())
