"""How much longer programs take under `workbench profile --memory` (docs/memory.md).

    python benchmarks/memory.py                     about 8 minutes
    python benchmarks/memory.py --quick             few rounds, wide intervals; writes nothing

In each round a program runs alone, under Python's own tracemalloc with one frame and with 64, and under `workbench
profile --memory`, in an order drawn for the round. It states how long it took.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measured import Row, finish, in_rounds, median, options_of, ratio

ROUNDS, QUICK_ROUNDS = 4, 2
PROGRAM = """
import time
{}
began = time.perf_counter()
run({})
print(time.perf_counter() - began)
"""
PROGRAMS = {
    "arrays of a million numbers": (
        """
import numpy as np
from workbench import scope
def run(n):
    for _ in range(n):
        with scope("step"):
            x = np.linspace(0, 1, 1_000_000)
            y = np.tanh(x) + x
""",
        "60",
    ),
    "the reference trainer": (
        """
from workbench.trainer import LevenbergMarquardt, Sequential, problem
data = problem("multimodal_1d")
def run(n):
    model = Sequential.builder(inputs=1).dense(20, "tanh").dense(10, "tanh").dense(1, "linear").build(seed=7)
    model.fit(data.x, data.y, optimizer=LevenbergMarquardt(), epochs=n, target_mse=0)
""",
        "100",
    ),
    "many small objects": (
        """
from workbench import scope
def run(n):
    for _ in range(n):
        with scope("step"):
            kept = [[i, str(i)] for i in range(20_000)]
""",
        "60",
    ),
    "the import of SciPy's optimizers": (
        """
def run(n):
    import scipy.optimize
""",
        "1",
    ),
}
ALONE, OURS = "alone", "under profile --memory"
PEERS = {
    f"under tracemalloc, {words}": f"tracemalloc={n}" for n, words in ((1, "1 frame"), (64, "64 frames"))
}


def rows_of(code: str, count: str, rounds: int) -> list[Row]:
    """Return how long a program takes alone, and how much longer under each."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        program = Path(scratch, "program.py")
        program.write_text(PROGRAM.format(code, count), encoding="utf-8")

        def once(*words: str) -> float:
            done = subprocess.run(
                [sys.executable, *words, program], check=True, capture_output=True, text=True
            )
            return float(done.stdout)

        profile = ("-m", "workbench", "profile", "--memory", "-o", str(Path(scratch, "out")))
        ways: dict[str, Callable[[], float]] = {
            ALONE: once,
            **{name: partial(once, "-X", option) for name, option in PEERS.items()},
            OURS: partial(once, *profile),
        }
        found = in_rounds(ways, rounds)
    return [
        median(ALONE, found[ALONE], "s"),
        *(ratio(way, found[way], found[ALONE]) for way in (*PEERS, OURS)),
    ]


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    sections = {name: rows_of(*program, rounds) for name, program in PROGRAMS.items()}
    notes = ["Times are the program's own, of its loop: start and page are not in them.", f"{rounds} rounds."]
    finish("memory", "What tracing memory costs a program", sections, notes, options)


if __name__ == "__main__":
    main()
