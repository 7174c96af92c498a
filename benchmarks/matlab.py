"""The trainer beside MATLAB, GNU Octave and Python's libraries: writes docs/measured/matlab.{md,json}.

    python benchmarks/matlab.py           ten minutes at most; leave the machine alone meanwhile
    python benchmarks/matlab.py --quick   one round, in a minute; writes nothing

It runs the suite `workbench bench matlab`. What is not installed is left out, and a line says so.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the runs, for what the page says of this program

from measured import options_of, write_page

from workbench.bench.analysis.analysis import Analysis, analyse
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.bench.run.rounds import RoundProgress
from workbench.report.bench.markdown import experiment_markdown
from workbench.report.bench.tables import target_table
from workbench.suites.reference.matlab import DESCRIPTIONS, suite
from workbench.text import for_markdown

BUDGET_S = 540.0
NOTES = """
- y = −x·sin(10x) at 1000 places, of which 700 are training rows, scaled to [−1, 1]; a network 1-20-20-10-1 with 681
  parameters; float64; one thread. In a round all have the same rows and the same Nguyen-Widrow weights.
- A time is the median over all rounds. That of a step is the median of a fit, without its first step. Each program
  times itself; no start, no import and no compilation is in a time.
- A fit ends at an error of 1e-8, after 300 steps, or after 5 s: what is slow has the error that it had then.
- The interval of each ratio is such that all of them hold together at 95 %.
"""


def shown(now: RoundProgress) -> None:
    """Print which run starts."""
    print(f"round {now.round + 1} of {now.rounds or '?'}: {now.variant}", file=sys.stderr, flush=True)


def page_table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table in Markdown, behind an empty line."""
    lines = [columns, ["---"] * len(columns), *rows]
    return ["", *("| " + " | ".join(map(for_markdown, line)) + " |" for line in lines)]


def targets(analysis: Analysis) -> list[str]:
    """Return the time to each target, with its interval, and in how many rounds it was reached."""
    table = target_table(analysis)
    assert table is not None
    rows = []
    for row in table.rows:
        found = zip(row.cells[0::3], row.cells[1::3], strict=True)
        times = [f"{time.text} {time.note}, {reached.text}" for reached, time in found]
        rows.append([row.name, *times])
    return page_table(["variant", *(column.group for column in table.columns[0::3])], rows)


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asked = BenchOptions(
            "matlab",
            Path(scratch, "run"),
            budget_s=BUDGET_S,
            rounds=1 if options.quick else None,
            profiled=False,
        )
        results = run_suite(asked, progress=shown, say=lambda text: print(text, flush=True))
    analysis = analyse(results)
    assert suite.tables is not None
    programs = suite.tables()[0]
    lines = [
        "",
        f"{analysis.rounds} rounds of {len(results.head.runs)} runs.",
        "",
        "## A step, and the error at the end",
        "",
        *experiment_markdown(analysis),
        "",
        "## Time to an error, and the rounds in which it was reached",
        *targets(analysis),
        "",
        "## What ran",
        *page_table(
            ["variant", "what it is", "ran in"],
            [[str(name), DESCRIPTIONS[str(name)], str(runs)] for name, runs in programs.rows],
        ),
        "",
        "## How",
        NOTES.rstrip(),
    ]
    print("\n".join(lines), flush=True)
    if not options.quick:
        content = {"analysis": analysis.to_json(), "programs": list(programs.rows)}
        write_page(
            "matlab", "The trainer beside MATLAB, Octave and libraries", content, lines, options.output
        )
        print(f"\nwritten to {options.output}/matlab.md")


if __name__ == "__main__":
    main()
