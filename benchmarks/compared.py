"""Workbench beside other profilers: what each costs, how far its shares are from known ones, and what each sees.

    python benchmarks/compared.py                                  about 8 minutes
    python benchmarks/compared.py --tachyon /opt/v315/bin/python   with a CPython 3.15 that has NumPy
    python benchmarks/compared.py --quick                          two rounds; writes nothing

Writes docs/measured/compared.md and .json. A profiler that is not installed beside this Python is named as not
measured: pip install py-spy pyinstrument line_profiler scalene memray viztracer. Python functions have names in perf
from CPython 3.13 on (perf_jit); it leaves files in the folder for temporary ones.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import pickle
import pstats
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from measured import Row, children_cpu_s, in_rounds, median, options_of, ratio, table, write_page

import workbench
from workbench.errors import WorkbenchError
from workbench.profile import aggregate

PROGRAM = Path(__file__).with_name("_compared_program.py")
SIZES = {"calls": 45, "arrays": 60}
ROUNDS, QUICK_ROUNDS = 6, 2
LIMIT_S = 180
SEEN = {
    "threads": "in_thread",
    "a thread that sleeps": "in_sleep",
    "child processes": "in_child",
    "native functions": r"DOUBLE_tanh",
    "parts that the program names": "a named part",
}
"""What is looked for among the names that have time in what a profiler wrote of the program `sees`."""
FUNCTIONS = dict.fromkeys(("in_thread", "in_sleep", "in_child", "before_kill", "tanh", "a named part"), 0.0)
KILLED, SURE = "what was measured before SIGKILL", "how sure a share is"

NOTES = [
    (
        "Both programs are `benchmarks/_compared_program.py`. *calls* is Python: a loop, a recursive function, and "
        "short-lived objects. *arrays* is NumPy: tanh, matrix products and sorts in a few hundred calls. In a round "
        "each profiler runs both once, in an order drawn for the round; ratios are of one round's runs."
    ),
    (
        "Wall time is the program's own, from its first function to its last. CPU time is of all processes, with the "
        "start of Python and the profiler's own work, such as writing files, in it."
    ),
    (
        "The exact share of a function is that of the thread's CPU clock, in the bare run of the round. The error is "
        "of the function whose share is furthest from it. At 100 samples a second a run has about a hundred: an error "
        "of a few points is that of the number of samples, not of the profiler."
    ),
    (
        "What each sees was checked by running a program with a thread, a sleeping thread, a child process, np.tanh, "
        "and a part that is named by a scope, or by VizTracer's log_event. Names were searched that have time in what "
        "was written; the command has the options by which the profiler sees most. *How sure a share is*: what the "
        "profiler prints has a ± or the word interval or confidence. *no* means that it was not found, for whatever "
        "reason."
    ),
    "After SIGKILL, perf has its samples, but not the names of Python functions.",
    "memray measures memory, and has no shares of time: only its cost is here.",
    "Tachyon is `profiling.sampling` of CPython 3.15, compared with the bare program on that Python.",
]


@dataclass(frozen=True)
class Tool:
    """A profiler: how it runs a program, and how what it wrote is read."""

    name: str
    words: tuple[str, ...]
    """Before the program; `OUT` is what it writes to."""
    package: str = ""
    python: tuple[str, ...] = (sys.executable,)
    program_python: bool = False
    """Whether the words are followed by a Python that runs the program."""
    most: tuple[str, ...] | None = None
    """The words with which it sees most, if others."""
    out: str = "out"
    format: str | None = None
    """Of `workbench.load`, which reads what it wrote."""
    shares: Callable[[Path, dict[str, float]], dict[str, float]] | None = None
    """Reads its shares where `workbench.load` does not."""
    prints: tuple[str, ...] = ()
    """Prints what it found."""

    def command(self, folder: Path, program: tuple[str, ...], *, most: bool = False) -> list[str]:
        """Return the command that runs a program."""
        words = self.most if most and self.most is not None else self.words
        return [
            *(word.replace("OUT", str(folder / self.out)) for word in words),
            *(self.python if self.program_python else ()),
            str(PROGRAM),
            *program,
        ]

    @property
    def version(self) -> str:
        """Its version, where it has a package."""
        return importlib.metadata.version(self.package) if self.package else ""


def scalene_shares(file: Path, names: dict[str, float]) -> dict[str, float]:
    """Return Python, native and system time of each function, of scalene's file."""
    parts = ("n_cpu_percent_python", "n_cpu_percent_c", "n_sys_percent")
    files = json.loads(file.read_text(encoding="utf-8"))["files"].values()
    functions = [each for file in files for each in file["functions"]]
    return {each["line"]: sum(each[part] for part in parts) for each in functions if each["line"] in names}


def line_profiler_shares(file: Path, names: dict[str, float]) -> dict[str, float]:
    """Return the time of the lines of each function, of line_profiler's file; of a recursive one, of its caller."""
    timings = pickle.loads(file.read_bytes()).timings  # noqa: S301  written a moment ago
    return {name: sum(each[2] for each in lines) for (_, _, name), lines in timings.items() if name in names}


def loaded_shares(file: Path, names: dict[str, float], format_name: str | None) -> dict[str, float]:
    """Return the samples, or the time, below each function's outermost frame."""
    profile = workbench.load(file, format_name)
    tree = aggregate(profile, of="spans" if format_name == "chrome" else "samples")
    found = dict.fromkeys(names, 0.0)
    for stack in range(len(profile.stacks)):
        path = [re.sub(r"^(__main__\.|py::)", "", profile.frames[i].name) for i in profile.stacks.path(stack)]
        name = next((name for name in path if name.split(" (")[0] in found), None)
        if name is not None:
            found[name.split(" (")[0]] += float(tree.self_ns[stack])
    return found


def cprofile_shares(file: Path, names: dict[str, float]) -> dict[str, float]:
    """Return the cumulative time of each function, of cProfile's file."""
    functions = pstats.Stats(str(file)).stats.items()  # type: ignore[attr-defined]
    return {name: values[3] for (_, _, name), values in functions if name in names}


def perf_script(file: Path) -> str:
    """Return perf's samples as text, with the names of Python functions."""
    named = file.with_suffix(".named")
    executed(["perf", "inject", "--jit", "-i", str(file), "-o", str(named)])
    return executed(["perf", "script", "-i", str(named)]).stdout


def tools(tachyon: str | None) -> tuple[list[Tool], list[str]]:
    """Return the profilers that are here, and the names of the others."""
    here, py = Path(sys.executable).parent, sys.executable
    known = [
        Tool(
            "workbench",
            (str(here / "workbench"), "profile", "--summary", "-o", "OUT"),
            "scopebench",
            prints=(str(here / "workbench"), "show", "OUT"),
        ),
        Tool(
            "py-spy",
            (str(here / "py-spy"), "record", "-r", "100", "-f", "raw", "-o", "OUT", "--"),
            "py-spy",
            program_python=True,
            most=(
                *(str(here / "py-spy"), "record", "--subprocesses", "--idle"),
                *("-r", "100", "-f", "raw", "-o", "OUT", "--"),
            ),
            format="pyspy-raw",
        ),
        Tool(
            "py-spy, native frames",
            (str(here / "py-spy"), "record", "--native", "-r", "100", "-f", "raw", "-o", "OUT", "--"),
            "py-spy",
            program_python=True,
            most=(
                *(str(here / "py-spy"), "record", "--native", "--subprocesses", "--idle"),
                *("-r", "100", "-f", "raw", "-o", "OUT", "--"),
            ),
            format="pyspy-raw",
        ),
        Tool(
            "pyinstrument",
            (py, "-m", "pyinstrument", "-r", "pyisession", "-o", "OUT"),
            "pyinstrument",
            format="pyinstrument",
            prints=(py, "-m", "pyinstrument", "--load", "OUT"),
        ),
        Tool(
            "cProfile",
            (py, "-m", "cProfile", "-o", "OUT"),
            shares=cprofile_shares,
            prints=(py, "-c", "import pstats, sys; pstats.Stats(sys.argv[1]).print_stats()", "OUT"),
        ),
        Tool(
            "line_profiler",
            (py, "-m", "kernprof", "-q", "-l", "-p", str(PROGRAM), "-o", "OUT"),
            "line_profiler",
            shares=line_profiler_shares,
            prints=(py, "-m", "line_profiler", "OUT"),
        ),
        Tool(
            "scalene, CPU only",
            (py, "-m", "scalene", "run", "--cpu-only", "-o", "OUT"),
            "scalene",
            out="out.json",
            shares=scalene_shares,
            prints=(py, "-m", "scalene", "view", "--cli", "OUT"),
        ),
        Tool("memray", (py, "-m", "memray", "run", "-q", "-f", "-o", "OUT"), "memray"),
        Tool(
            "VizTracer",
            (py, "-m", "viztracer", "--quiet", "-o", "OUT"),
            "viztracer",
            out="out.json",
            format="chrome",
        ),
        Tool(
            "perf",
            (
                "perf",
                "record",
                "-q",
                "-k",
                "1",
                "-e",
                "cpu-clock",
                "--call-graph",
                "dwarf",
                "-F",
                "99",
                "-o",
                "OUT",
            ),
            program_python=True,
            prints=("perf", "report", "--stdio", "-i", "OUT"),
        ),
    ]
    if tachyon is not None:
        python = tuple(shlex.split(tachyon))
        words = (*python, "-m", "profiling.sampling", "run", "-r", "100", "--all-threads")
        known.append(
            Tool(
                "Tachyon",
                (*words, "--binary", "-o", "OUT"),
                python=python,
                most=(*words, "--native", "--subprocesses", "--collapsed", "-o", "OUT"),
                format="tachyon",
            )
        )
    found, missing = [], [] if tachyon is not None else ["Tachyon (name a CPython 3.15 with --tachyon)"]
    for tool in known:
        try:
            has = bool(tool.version) if tool.package else shutil.which(tool.words[0]) is not None
        except importlib.metadata.PackageNotFoundError:
            has = False
        if has:
            found.append(tool)
        else:
            missing.append(tool.name)
    return found, missing


def executed(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what is left of the variables has nothing of ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    environment |= {"OPENBLAS_NUM_THREADS": "1"}
    if command[0] == "perf":
        environment["PYTHON_PERF_JIT_SUPPORT"] = "1"  # CPython 3.13: names of Python functions
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LIMIT_S,
        check=False,
    )


@dataclass(frozen=True)
class Timed:
    """One run."""

    seconds: float
    cpu_s: float
    shares: dict[str, float]
    """By function; of the bare program the exact ones, and empty where a profiler has none."""


def timed(tool: Tool | None, kind: str, python: tuple[str, ...]) -> Timed:
    """Run a program once, under a profiler or bare."""
    with tempfile.TemporaryDirectory() as name:
        folder, took = Path(name), Path(name, "took")
        program = (kind, str(SIZES[kind]), str(took))
        command = [*python, str(PROGRAM), *program] if tool is None else tool.command(folder, program)
        before = children_cpu_s()
        done = executed(command)
        cpu_s = children_cpu_s() - before
        if not took.is_file():
            raise SystemExit(f"{command}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        exact = json.loads(took.read_text())
        if tool is None:
            return Timed(exact["seconds"], cpu_s, exact["shares"])
        return Timed(exact["seconds"], cpu_s, shares_of(tool, folder / tool.out, exact["shares"]))


def shares_of(tool: Tool, file: Path, names: dict[str, float]) -> dict[str, float]:
    """Return the share of each function, of what a profiler wrote."""
    if tool.name == "memray":
        return {}
    if tool.name == "perf":
        script = file.with_suffix(".perf")
        script.write_text(perf_script(file))
        file = script
    found = tool.shares(file, names) if tool.shares is not None else loaded_shares(file, names, tool.format)
    whole = sum(found.values())
    return {name: each / whole for name, each in found.items()} if whole else {}


def seen(tool: Tool) -> dict[str, bool]:
    """Run the program in which there is something to see, and return what is in what the profiler wrote."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Where there is no workbench, there are no scopes.
        executed(tool.command(folder, ("sees",) if tool.name == "Tachyon" else ("sees", "part"), most=True))
        text = written(tool, folder)
        printed = (
            executed([word.replace("OUT", str(folder / tool.out)) for word in tool.prints]).stdout
            if (tool.prints)
            else ""
        )
        found = {what: bool(re.search(pattern, text)) for what, pattern in SEEN.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        executed(tool.command(folder, ("killed",)))
        found[KILLED] = "before_kill" in written(tool, folder)
    found[SURE] = bool(re.search(r"±|\binterval|confidence", printed))
    return found


def written(tool: Tool, folder: Path) -> str:
    """Return the names that have time in what a profiler wrote."""
    if tool.name == "workbench" or tool.format is not None:
        files = [folder / tool.out] if tool.name == "workbench" else sorted(folder.iterdir())
        profiles = []
        for file in files:
            # Tachyon writes folded stacks where it is to see most.
            folded = tool.name == "Tachyon" and file.read_bytes()[:4] == b"tid:"
            with suppress(WorkbenchError):
                profiles.append(workbench.load(file, "folded" if folded else tool.format))
        return "\n".join(frame.name for profile in profiles for frame in profile.frames)
    if not (folder / tool.out).is_file():
        return ""
    if tool.shares is None:
        return perf_script(folder / tool.out)
    with suppress(EOFError, TypeError, ValueError):  # the file of a killed process may be cut
        return "\n".join(name for name, each in tool.shares(folder / tool.out, FUNCTIONS).items() if each > 0)
    return ""


def main() -> None:
    """Measure, print and write."""
    parser = options_of(__doc__)
    parser.add_argument("--rounds", type=int, help=f"by default {ROUNDS}")
    parser.add_argument("--tachyon", metavar="PYTHON", help="words that start a CPython 3.15 with NumPy")
    options = parser.parse_args()
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    found, missing = tools(options.tachyon)
    try:
        sees = {}
        for tool in (tool for tool in found if tool.name != "memray"):
            show(f"what {tool.name} sees")
            sees[tool.name] = seen(tool)
        pythons = {tool.python for tool in found} | {(sys.executable,)}
        works = {
            f"{kind}|{tool.name if tool else ' '.join(python)}": partial(timed, tool, kind, python)
            for kind in SIZES
            for tool, python in [
                *((None, python) for python in pythons),
                *((tool, tool.python) for tool in found),
            ]
        }
        runs = in_rounds(works, rounds, warm_up=0)
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None
    publish(found, missing, sees, runs, rounds, options)


def publish(
    found: list[Tool],
    missing: list[str],
    sees: dict[str, dict[str, bool]],
    runs: dict[str, list[Timed]],
    rounds: int,
    options: argparse.Namespace,
) -> None:
    """Print the tables, and write the page unless the run is a quick one."""
    sections: dict[str, list[Row]] = {}
    for kind in SIZES:
        for what in ("seconds", "cpu_s"):
            title = f"{'Wall' if what == 'seconds' else 'CPU'} time of *{kind}*, by that of the bare program"
            sections[title] = [
                ratio(
                    tool.name,
                    [getattr(run, what) for run in runs[f"{kind}|{tool.name}"]],
                    [getattr(run, what) for run in runs[f"{kind}|{' '.join(tool.python)}"]],
                )
                for tool in found
            ]
        sections[f"Error of the shares of *{kind}*"] = [
            median(tool.name, errors, "points")
            for tool in found
            if (errors := errors_of(runs[f"{kind}|{tool.name}"], runs[f"{kind}|{' '.join(tool.python)}"]))
        ]
    lines = []
    for title, rows in sections.items():
        lines += ["", f"## {title}", "", table(rows, "profiler")]
    columns = list(next(iter(sees.values())))
    lines += ["", "## What each sees", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join('yes' if row[column] else 'no' for column in columns)} |"
        for name, row in sees.items()
    ]
    versions = ", ".join(dict.fromkeys(f"{tool.package} {tool.version}" for tool in found if tool.package))
    notes = [*NOTES, f"{rounds} rounds. {versions}."]
    if missing:
        notes.append(f"Not measured, because not installed: {', '.join(missing)}.")
    lines += ["", "## How", "", *(f"- {note}" for note in notes)]
    print("\n".join(lines))
    if not options.quick:
        content = {
            "sections": {title: [asdict(row) for row in rows] for title, rows in sections.items()},
            "sees": sees,
            "notes": notes,
        }
        write_page("compared", "Beside other profilers", content, lines, options.output)


def errors_of(runs: list[Timed], bare: list[Timed]) -> list[float]:
    """Return by round the largest difference of a share from the exact one, in points; empty without shares."""
    return [
        100 * max(abs(run.shares.get(name, 0.0) - share) for name, share in exact.shares.items())
        for run, exact in zip(runs, bare, strict=True)
        if run.shares
    ]


def show(text: str) -> None:
    """Show how far it is, where a person looks on."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
