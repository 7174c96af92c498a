"""What `workbench profile` adds to a program of one second of CPU time, `import workbench`, and starts of commands.

    python benchmarks/command.py               three minutes
    python benchmarks/command.py --quick       two rounds, no limits; writes nothing

In each round the program runs by itself, profiled with what the workbench caches (symbols of native functions, compiled
templates), and profiled with an empty cache, as at the first run on a machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from measured import Row, children_cpu_s, finish, in_rounds, median, options_of, ratio

from workbench.cli.group import COMMANDS

PROGRAM = """
import time
from workbench import scope

def step(n):
    return sum(i * i for i in range(n))

with scope("fit"):
    end = time.process_time() + 1
    while time.process_time() < end:
        with scope("step"):
            step(2000)
"""
MAX_EXTRA_S = 0.6
IMPORT = "from time import perf_counter; began = perf_counter(); import {}; print(perf_counter() - began)"
MAX_IMPORT_MS = 3.0
MAX_HELP_S = 0.15
SHOWS = {
    "workbench show PROFILE": ["show", "out"],
    "workbench convert PROFILE": ["convert", "out", "out.folded"],
    "workbench doctor --brief": ["doctor", "--brief"],
    "workbench bench SUITE --dry-run": ["bench", "reference", "--dry-run"],
}
"""Commands that only read: what they take beside their start is little."""


def timed(command: list[str], folder: Path, cache: Path) -> tuple[float, float]:
    """Return the wall and the CPU seconds of a command."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as it is installed
    cpu, started = children_cpu_s(), perf_counter()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return perf_counter() - started, children_cpu_s() - cpu


def works(folder: Path) -> dict[str, Callable[[], tuple[float, float]]]:
    """Return the ways in which the program runs."""
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    bare = [sys.executable, "program.py"]
    profile = [sys.executable, "-m", "workbench", "profile", "-o", "out", "program.py"]
    cache = folder / "cache"

    def first() -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as empty:
            return timed(profile, folder, Path(empty))

    return {
        "bare": lambda: timed(bare, folder, cache),
        "profiled": lambda: timed(profile, folder, cache),
        "first": first,
    }


def import_ms(module: str) -> Callable[[], float]:
    """Return what measures the import of a module in a fresh process, in milliseconds."""
    command = [sys.executable, "-c", IMPORT.format(module)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def timed_import() -> float:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return 1e3 * float(done.stdout)

    return timed_import


def starts(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what measures the wall seconds of the help of each subcommand, and of those that only read."""
    commands = {"workbench --help": ["--help"]}
    commands |= {f"workbench {name} --help": [name, "--help"] for name in sorted(COMMANDS)} | SHOWS

    def taken(arguments: list[str]) -> Callable[[], float]:
        command = [sys.executable, "-m", "workbench", *arguments]
        return lambda: timed(command, folder, folder / "cache")[0]

    return {name: taken(arguments) for name, arguments in commands.items()}


def rows(found: dict[str, list[tuple[float, float]]], limit: float | None) -> list[Row]:
    """Return the table: seconds more than the program by itself, round by round, and the ratio."""
    lines = []
    for what, at in (("wall time", 0), ("CPU time", 1)):
        of = {name: [each[at] for each in values] for name, values in found.items()}
        more = {
            name: [with_it - bare for with_it, bare in zip(of[name], of["bare"], strict=True)]
            for name in ("profiled", "first")
        }
        lines += [
            median(f"{what} of the program", of["bare"], "s"),
            median(f"{what} that profiling adds, with symbols cached", more["profiled"], "s", limit),
            ratio(f"{what} of both, with symbols cached", of["profiled"], of["bare"]),
            median(f"{what} that profiling adds, with an empty cache", more["first"], "s"),
        ]
    return lines


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = in_rounds(works(Path(scratch)), 2 if options.quick else 11)
        began = in_rounds(starts(Path(scratch)), 2 if options.quick else 21)
    modules = ("workbench", "json")
    imports = in_rounds({module: import_ms(module) for module in modules}, 2 if options.quick else 41)
    limit = None if options.quick else MAX_IMPORT_MS
    sections = {
        "A program of one second": rows(found, None if options.quick else MAX_EXTRA_S),
        "An import": [
            median("import workbench", imports["workbench"], "ms", limit),
            median("import json, of the standard library", imports["json"], "ms"),
            ratio("import json ÷ import workbench", imports["json"], imports["workbench"]),
        ],
    }
    limit = None if options.quick else MAX_HELP_S
    sections["Starts"] = [
        median(name, values, "s", None if name in SHOWS else limit) for name, values in began.items()
    ]
    finish("command", "What workbench profile adds to a short program", sections, NOTES, options)


NOTES = [
    "Each run is a fresh process; the three ways take turns, in an order drawn for each round.",
    "Profiling means scopes, the in-process sampler with native frames, and all files with the page.",
    "The cache, `$XDG_CACHE_HOME/workbench`, has tables of native functions, by build id, and compiled templates.",
    "An import is that of a fresh process, byte code warm, with the modules that the start of Python has loaded.",
    "Starts are of fresh processes, byte code warm, to their end.",
    "CPU time is that of all processes; on a busy machine it says more than wall time does.",
]


if __name__ == "__main__":
    main()
