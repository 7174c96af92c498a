"""What it costs the sampler's helper to read what the system counts of a process (docs/resources.md).

    python benchmarks/readings.py                   about 12 minutes
    python benchmarks/readings.py --quick           few rounds, wide intervals; writes nothing

Writes docs/measured/readings.md and .json. In each round a program runs with readings and without, in an order drawn
for the round.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from measured import Row, finish, in_rounds, median, options_of
from sampler import IN_PROCESS, run, scratch, show

from workbench.errors import WorkbenchError

SECONDS, MAX_CPU = 5, 0.2
"""How long a program runs, and per cent of one core that readings may take."""
ROUNDS, QUICK_ROUNDS = 12, 3
PROGRAM = """
import mmap, sys, threading, time
from workbench.scopes import _native
_native.sampler_readings(sys.argv[2] == "with")
end = time.monotonic() + float(sys.argv[1])
{}
time.sleep(max(0, end - time.monotonic()))
"""
PROGRAMS = {
    "one thread that sleeps": "",
    "one thread that computes": "while time.monotonic() < end: sum(range(10_000))",
    "1,000 threads that sleep": """
threading.stack_size(256 << 10)
threads = [threading.Thread(target=time.sleep, args=(float(sys.argv[1]),)) for _ in range(1000)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    "1 GiB and 20,000 mappings": """
block = bytearray(1 << 30)
maps = [mmap.mmap(-1, 8192, prot=mmap.PROT_READ if i % 2 else mmap.PROT_READ | mmap.PROT_WRITE) for i in range(20_000)]
""",
}
NOTES = [
    "The helper's CPU time is what the sampler states, at its default rate.",
    "By readings: with less without, of one round.",
]


def rows_of(name: str, code: str, rounds: int, seed: int) -> list[Row]:
    """Return the helper's CPU time in a program, with and without readings."""
    with scratch() as folder:

        def once(way: str) -> float:
            show(f"{name}, {way} readings")
            with tempfile.TemporaryDirectory(dir=folder) as each:
                found = run(Path(each, "run"), ("-c", PROGRAM.format(code), str(SECONDS), way), IN_PROCESS[0])
            return 100 * sum(one.helper_ns for one in found.samplers) / 1e9 / found.seconds

        ways = {way: partial(once, way) for way in ("with", "without")}
        found = in_rounds(ways, rounds, seed=seed, warm_up=0)
    show("")
    unit = "% of one core"
    more = [one - other for one, other in zip(found["with"], found["without"], strict=True)]
    return [
        *(median(f"helper {way} readings", values, unit) for way, values in found.items()),
        median("by readings", more, unit, MAX_CPU),
    ]


def main() -> None:
    """Measure, print and write."""
    parser = options_of(__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the orders follow from it")
    options = parser.parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    try:
        sections = {name: rows_of(name, code, rounds, options.seed) for name, code in PROGRAMS.items()}
    except (WorkbenchError, KeyboardInterrupt) as error:
        raise SystemExit(str(error) or "interrupted") from None
    finish(
        "readings",
        "What it costs to read what the system counts",
        sections,
        [*NOTES, f"{rounds} rounds."],
        options,
    )


if __name__ == "__main__":
    main()
