"""What the in-process sampler costs and says beside Tachyon, CPython's own sampling profiler from 3.15 on.

    python3.15 benchmarks/tachyon.py              a few minutes
    python3.15 benchmarks/tachyon.py --quick      few rounds, wide intervals; writes nothing

Tachyon is `profiling.sampling` of the interpreter that runs this, which has to be able to read the memory of a program
that it starts. Writes docs/measured/tachyon.md and .json.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from measured import FOLDER, Row, children_cpu_s, finish, in_rounds, median, options_of, ratio

from workbench.errors import InvalidInputError
from workbench.eventlog import read_recording
from workbench.formats.tachyon import read_tachyon
from workbench.profile import FrameKind, Profile, aggregate

ROOT = FOLDER.parents[1]
PROGRAM = Path(__file__).with_name("_tachyon_program.py")
FUNCTIONS = ("loop", "call", "digest")
ROUNDS, QUICK_ROUNDS = 12, 4
SIZE = 360

NOTES = [
    (
        "The program is `benchmarks/_tachyon_program.py`: a fixed amount of work in three functions, two in Python and "
        "one in C without the interpreter's lock, and a thread that waits. In a round each way runs once, in an order "
        "drawn for the round; ratios are of one round's runs."
    ),
    (
        "In every way but bare the program's scopes are recorded. In-process is sampled with native frames. Tachyon "
        "runs as `python -m profiling.sampling run --all-threads --binary`, a second process that reads the memory of "
        "the program; its CPU time, its own start included, is counted with the program's."
    ),
    "Wall time is the program's own, from its first function to its last.",
    (
        "A share is a function's part of all samples in the three functions, less the recorder's exact part of the "
        "time in their scopes in the same run."
    ),
]


@dataclass(frozen=True)
class Way:
    """A way to run the program."""

    name: str
    rate: int = 0
    """Samples a second; 0: it is not sampled."""
    is_tachyon: bool = False
    is_recorded: bool = True


BARE, SCOPES = Way("bare", is_recorded=False), Way("scopes")
IN_PROCESS = [Way(f"in-process, {rate}/s", rate) for rate in (100, 1000)]
TACHYON = [Way(f"Tachyon, {rate}/s", rate, is_tachyon=True) for rate in (100, 1000)]
WAYS = [BARE, SCOPES, *IN_PROCESS, *TACHYON]


@dataclass(frozen=True)
class Timed:
    """One run."""

    seconds: float
    cpu_s: float
    """Of the program and of what samples it."""
    off: dict[str, float]
    """By function: its share of samples less the exact one, in points."""
    samples: int
    """In the three functions."""


def timed(way: Way) -> Timed:
    """Run the program once."""
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), way, SIZE)


def run(folder: Path, way: Way, size: int) -> Timed:
    """Run the program once, with its files in a folder."""
    took, recording, trace = folder / "seconds", folder / "recording", folder / "tachyon.bin"
    words = [str(PROGRAM), str(size), str(took)]
    if way.is_tachyon:
        words = [
            *("-m", "profiling.sampling", "run", "-r", str(way.rate), "--all-threads"),
            *("--binary", "-o", str(trace), *words),
        ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    environment["PYTHONPATH"] = str(ROOT)
    if way.is_recorded:
        environment["WORKBENCH_RECORD"] = str(recording)
    if way.rate and not way.is_tachyon:
        environment["WORKBENCH_SAMPLE"] = f"{way.rate},native"
    before = children_cpu_s()
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    cpu_s = children_cpu_s() - before
    if done.returncode or not took.is_file():
        raise SystemExit(f"{way.name}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    off, samples = {}, 0
    if way.rate:
        exact = read_recording(recording)
        off, samples = compared(exact, read_tachyon(trace) if way.is_tachyon else exact)
    return Timed(float(took.read_text()), cpu_s, off, samples)


def compared(exact: Profile, sampled: Profile) -> tuple[dict[str, float], int]:
    """Return by function its share of samples less its share of exact time, in points, and how many samples."""
    seconds, seen = inside(exact, "spans"), inside(sampled, "samples")
    if not all(seen.values()):
        raise SystemExit(f"a function has no samples: {seen}")
    whole, all_seen = sum(seconds.values()), sum(seen.values())
    off = {name: 100 * (seen[name] / all_seen - seconds[name] / whole) for name in FUNCTIONS}
    return off, all_seen


def inside(profile: Profile, of: str) -> dict[str, int]:
    """Return by function the time of its scope, or how often it was seen, under itself once."""
    tree = aggregate(profile, of=of)
    found = dict.fromkeys(FUNCTIONS, 0)
    for stack in range(len(profile.stacks)):
        frames = [profile.frames[i] for i in profile.stacks.path(stack)]
        names = [frame.name for frame in frames if (frame.kind is FrameKind.SCOPE) == (of == "spans")]
        name = next((name for name in names if name in found), None)
        if name is not None:
            found[name] += int(tree.self_ns[stack] if of == "spans" else tree.count[stack])
    return found


def main() -> None:
    """Measure, print and write."""
    parser = options_of(__doc__)
    parser.add_argument("--rounds", type=int, help=f"of all ways, by default {ROUNDS}")
    parser.add_argument("--seed", type=int, default=0, help="the orders follow from it")
    options = parser.parse_args()
    rounds = options.rounds if options.rounds is not None else QUICK_ROUNDS if options.quick else ROUNDS
    if rounds < 1:
        raise SystemExit(f"--rounds {rounds}: choose 1 or more")
    if importlib.util.find_spec("profiling") is None:
        raise SystemExit(f"{sys.executable} has no profiling.sampling: run this with CPython 3.15 or later")
    try:
        found = in_rounds({way.name: partial(timed, way) for way in WAYS}, rounds, seed=options.seed)
    except (InvalidInputError, KeyboardInterrupt) as error:
        raise SystemExit(str(error) or "interrupted") from None
    conditions = f"{rounds} rounds, orders from seed {options.seed}."
    title = "The in-process sampler beside Tachyon"
    finish("tachyon", title, sections_of(found), [*NOTES, conditions], options)


def sections_of(found: dict[str, list[Timed]]) -> dict[str, list[Row]]:
    """Return the rows of the page."""
    bare, scopes = found[BARE.name], found[SCOPES.name]
    sampled = [*IN_PROCESS, *TACHYON]
    return {
        "Wall time of the program, paired by round": [
            ratio(f"{way.name} / bare", [t.seconds for t in found[way.name]], [t.seconds for t in bare])
            for way in (SCOPES, *sampled)
        ],
        "CPU time of the program and its profiler, paired by round": [
            ratio(f"{way.name} / scopes", [t.cpu_s for t in found[way.name]], [t.cpu_s for t in scopes])
            for way in sampled
        ],
        "Share of a function less its exact share, in points": [
            median(f"{way.name}, {name}", [t.off[name] for t in found[way.name]], "points")
            for way in sampled
            for name in FUNCTIONS
        ],
        "Samples in the functions": [
            median(way.name, [float(t.samples) for t in found[way.name]], "samples") for way in sampled
        ],
        "Seconds of a run": [median(name, [t.seconds for t in runs], "s") for name, runs in found.items()],
    }


if __name__ == "__main__":
    main()
