"""Instructions beside times: the serial variants of the reference suite, counted by callgrind.

    python benchmarks/instructions.py           about five minutes; writes docs/measured/instructions.{md,json}

One epoch of each training, as valgrind makes it a hundred times longer. Those with the exact tanh are counted twice.
"""

from __future__ import annotations

import os

os.environ["WORKBENCH_REFERENCE_EPOCHS"] = "1"

import tempfile
from pathlib import Path

from measured import Row, finish, options_of

from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import Results
from workbench.bench.run.experiment import BenchOptions, run_suite

ROUNDS, QUICK_ROUNDS = 18, 1
SERIAL = {"n_jobs": ("1",)}


def measured(folder: Path, rounds: int, axes: dict[str, tuple[str, ...]]) -> Results:
    """Measure the variants in so many rounds, and count each."""
    options = BenchOptions(
        "reference", folder, rounds=rounds, axes=axes, timeout_s=240, profiled=False, instructions=True
    )
    return run_suite(options, progress=lambda now: print(f"round {now.round + 1}, {now.variant}"), say=print)


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    exact = SERIAL | {"tanh": ("exact",)}
    with tempfile.TemporaryDirectory() as scratch:
        results = measured(Path(scratch, "first"), rounds, exact if options.quick else SERIAL)
        again = measured(Path(scratch, "again"), 1, exact)
        counted, timed, agreement = [], [], []
        for c in analyse(results).comparisons:
            ratio = results.instruction_ratio(c.variant)
            found = [each.instructions.get(c.variant) for each in (results, again)]
            counts = [each.count if each is not None else None for each in found]
            if ratio is not None and c.speed is not None:
                counted.append(Row(c.variant, ratio, ratio, ratio, "×"))
                speed = c.speed.ratio
                timed.append(Row(c.variant, speed.value, speed.low, speed.high, "×"))
            if counts[0] is not None and counts[1] is not None:
                apart = 100 * abs(counts[1] / counts[0] - 1)
                agreement.append(Row(c.variant, apart, apart, apart, "%", 0.5))
        path = next((each.code_path for each in results.instructions.values() if each.code_path), "not known")
    sections = {
        "Instructions, by those of exact": counted,
        "Time of the epoch, by that of exact": timed,
        "How far two counts of one variant are apart": agreement,
    }
    notes = [
        f"Counted: {path}. Timed: {results.head.environment.code_path}; medians of {rounds} rounds.",
        "Both are of a training of one epoch.",
    ]
    finish("instructions", "Instructions beside times", sections, notes, options)


if __name__ == "__main__":
    main()
