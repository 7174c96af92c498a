"""What profiling costs the reference problem: bare, with scopes recorded, sampled in-process and by py-spy, paired.

    python benchmarks/profiling_cost.py             half an hour
    python benchmarks/profiling_cost.py --quick     twelve runs of each way; writes nothing

Writes docs/measured/profiling-cost.md and .json, with the limit that the project has set itself: a run that is
recorded and sampled in-process takes at most three per cent longer.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measured import FOLDER, Row, median, table, write

from workbench.bench.environment import PINNED
from workbench.bench.profiling_cost import CostOptions, measure_cost
from workbench.bench.profiling_cost_figures import BARE, IN_PROCESS, Cost
from workbench.bench.statistics import Estimate
from workbench.bench.suite import AGAIN
from workbench.errors import WorkbenchError

PROFILES = FOLDER.parents[1] / "profiles"
"""Where profiles are written: the recordings are made on the same disk."""
LIMIT = 3.0
"""Per cent that recording and sampling may add."""
RUNS, QUICK_RUNS = 60, 12

NOTES = [
    (
        "A run is one training of the variant `exact` of the suite `reference` in a process of its own, as "
        "`workbench profile` starts it, with one BLAS thread and standard output thrown away. What is timed is the "
        "program from its start to its end; py-spy's attaching and the writing of its file are not in it."
    ),
    (
        "Bare: no recording, no sampler. Scopes: recorded alone. In-process: recorded and sampled with native frames, "
        "as `workbench profile` does. py-spy: alone, without and with native frames. "
        f"{AGAIN} is bare a second time: what it differs by is the method's own error."
    ),
    (
        "A block runs each way once, in an order of a randomised Williams square; ratios are of one block's runs, and "
        "their intervals are order statistics, so sure that all of them hold together at 95 %."
    ),
]


def measure(runs: int, rate: int, seed: int) -> Cost:
    """Return the cost of profiling one training, measured by so many runs of each way."""
    PROFILES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cost-", dir=PROFILES) as folder:
        kept = Path(folder, "kept")
        kept.mkdir()
        program = ("-m", "workbench.suites.repeat", "reference", "exact", str(kept), "0", "7")
        options = CostOptions(
            program, Path(folder, "runs"), rate=rate, runs=runs, seed=seed, environment=PINNED
        )
        return measure_cost(options, progress=_show, say=lambda text: print(text, file=sys.stderr))


def _show(done: float, total: float | None, now: str) -> None:
    if sys.stderr.isatty():
        print(
            f"\r\x1b[K{done:.0f} of {total:.0f}: {now}", end="" if now else "\n", file=sys.stderr, flush=True
        )


def sections(cost: Cost) -> dict[str, list[Row]]:
    """Return the rows of the page: what each ratio is above 1, with its verdict in the note, and seconds."""
    ratios = []
    for each in cost.ratios():
        ratio = each.speed.ratio
        limit = LIMIT if (each.way, each.base) == (IN_PROCESS, BARE) else None
        ratios.append(_row(each.name, ratio, limit, each.words))
    check = cost.check().ratio
    assert check is not None
    ratios.append(_row(f"{AGAIN} / {BARE}", check, None, "95 % of its own"))
    return {
        "How much longer it takes, with intervals that hold together at 95 %": ratios,
        "Seconds of a run": [median(name, values, "s") for name, values in cost.seconds().items()],
    }


def _row(name: str, ratio: Estimate, limit: float | None, note: str) -> Row:
    value, low, high = (100 * (each - 1) for each in (ratio.value, ratio.low, ratio.high))
    return Row(name, value, low, high, "%", limit, note)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs of each way, and no page")
    parser.add_argument("--runs", type=int, help=f"runs of each way, by default {RUNS}")
    parser.add_argument("--rate", type=int, default=100, help="samples a second")
    parser.add_argument("--seed", type=int, default=0, help="the orders follow from it")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="folder of the page")
    options = parser.parse_args()
    runs = options.runs if options.runs is not None else QUICK_RUNS if options.quick else RUNS
    try:
        cost = measure(runs, options.rate, options.seed)
    except (WorkbenchError, KeyboardInterrupt) as error:
        raise SystemExit(str(error) or "interrupted") from None
    found = sections(cost)
    for title, rows in found.items():
        print(f"\n{title}\n{table(rows, 'what')}", flush=True)
    said = [cost.check().words, *cost.notes()]
    print("", *said, sep="\n")
    conditions = f"{cost.blocks} blocks, {cost.rate} samples a second, orders from seed {cost.seed}."
    if not options.quick:
        write(
            "profiling-cost",
            "What profiling costs",
            found,
            [*NOTES, conditions, *(f"{line}." for line in said)],
            options.output,
            script="profiling_cost",
        )


if __name__ == "__main__":
    main()
