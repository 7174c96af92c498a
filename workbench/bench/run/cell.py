"""Running a cell of a notebook as a suite: its source is kept beside the results, and is all that the runs read."""

from __future__ import annotations

import sys
from dataclasses import replace

from workbench.bench.design.cells import cell_variants
from workbench.bench.results.results import Results
from workbench.bench.results.writer import check_results
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.bench.run.rounds import Report, Say
from workbench.outputs import OutputFolder

SOURCE, SUITE = "cell.py", "cell_suite.py"
_SUITE = '''"""A suite whose variants are the parts of {source}: `workbench bench {suite}` measures them again."""

from pathlib import Path

from workbench.bench.design.cells import cell_suite

suite = cell_suite(str(Path(__file__).with_name({source!r})), {name!r})
'''


def run_cell(source: str, name: str, options: BenchOptions, *, progress: Report, say: Say) -> Results:
    """Measure the variants of a cell; see `run_suite`. The path on which modules are found stays as it was.

    Args:
        source: The cell.
        name: What the suite is called.
        options: What to measure; its suite is not used.
        progress: Called before each run.
        say: Called with messages.

    Raises:
        InvalidInputError: The cell cannot be run by itself, or see `run_suite`.
    """
    cell_variants(source)
    check_results(options.folder)
    with OutputFolder(options.folder, [SOURCE, SUITE]) as output:
        output.write(SOURCE, source)
        output.write(SUITE, _SUITE.format(source=SOURCE, suite=SUITE, name=name))
    path = list(sys.path)
    try:
        suite = str(options.folder / SUITE)
        return run_suite(replace(options, suite=suite), progress=progress, say=say)
    finally:
        sys.path[:] = path
