"""Our Levenberg-Marquardt beside other libraries, and beside the machine: writes docs/measured/peers.{md,json}.

    python benchmarks/peers.py                          twenty-five minutes at most, on two cores
    python benchmarks/peers.py --quick                  a minute or two, with wide intervals; writes nothing
    python benchmarks/peers.py --only step,columns      these sections; of step, target, columns, workers, large

All of it but what must be in a process of its own runs in one process, on the same rows, from the same initial
weights, with two threads for every library, in float64. A library that is not installed is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import _peers_threads  # first: it says to the libraries how many threads they have
from _peers_machine import jacobian_rows, large_rows, worker_rows
from _peers_notes import notes
from _peers_race import step_rows, target_rows
from measured import FOLDER, Row, table, write


class Plan(NamedTuple):
    """How long each part goes on."""

    step_rounds: int
    starts: int
    slow_starts: int
    target_minutes: float
    max_seconds: float
    """Of a run to the target."""
    column_rounds: int
    worker_rounds: int
    large_rounds: int
    large_rows: int


FULL = Plan(12, 25, 2, 17.0, 40.0, 15, 12, 6, 1_000_000)
QUICK = Plan(2, 2, 0, 0.5, 4.0, 3, 2, 1, 100_000)


def sections_of(plan: Plan) -> dict[str, Callable[[], dict[str, list[Row]]]]:
    """Return what each name on the command line measures, by the title of its table."""
    return {
        "step": lambda: step_rows(plan.step_rounds),
        "target": lambda: target_rows(plan.starts, plan.slow_starts, plan.target_minutes, plan.max_seconds),
        "columns": lambda: {"A Jacobian, 1000 rows and 681 parameters": jacobian_rows(plan.column_rounds)},
        "workers": lambda: {"Columns on two workers": worker_rows(plan.worker_rounds)},
        "large": lambda: {
            f"{plan.large_rows:,} rows, backprop-chunked": large_rows(plan.large_rounds, plan.large_rows)
        },
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and no page")
    parser.add_argument("--only", help="sections to measure, separated by commas; then no page is written")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="folder of the page")
    options = parser.parse_args()
    known = sections_of(QUICK if options.quick else FULL)
    wanted = options.only.split(",") if options.only else list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}: choose of {', '.join(known)}")
    print(f"{_peers_threads.THREADS} threads", flush=True)
    sections: dict[str, list[Row]] = {}
    for name in wanted:
        for title, rows in known[name]().items():
            if rows:
                sections[title] = rows
                print(f"\n{title}\n{table(rows, 'what')}", flush=True)
    if not options.quick and not options.only:
        write("peers", "Levenberg-Marquardt beside other libraries", sections, notes(), options.output)
        print(f"\nwritten to {options.output}/peers.md")


if __name__ == "__main__":
    main()
