"""What profiling costs a program: a suite measures it, and `cost.json` in the profile's folder keeps it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from workbench import records
from workbench.bench.machine.environment import PINNED, processor
from workbench.capture.command import check
from workbench.capture.samplers import TRACEMALLOC, SamplerName, Sampling
from workbench.errors import InvalidInputError, InvalidOptionError, Remedy, WorkbenchError
from workbench.outputs import OutputFolder, cannot_write, held
from workbench.records import Above0, Many
from workbench.scopes.recording_folder import make_folders
from workbench.system import usable_cores
from workbench.text import shortened

if TYPE_CHECKING:  # whoever reads a figure does not pay for measuring one
    from workbench.bench.results.results import Results
    from workbench.bench.run.rounds import Report

SUITE, VARIABLE = "profiling", "WORKBENCH_PROFILED_PROGRAM"
BARE, SCOPES, IN_PROCESS, PY_SPY = "bare", "scopes", "in-process", "py-spy"
PY_SPY_NATIVE, MEMORY = "py-spy, native frames", "memory"
ROUNDS = 3
"""Of each way: enough to see what it is about."""
DELTA = 0.01
"""The smallest cost that matters, as a share; what recording may add to a run."""
RUN, FILE, NOTES = "cost", "cost.json", "run.json"
"""In a profile's folder: the experiment's folder and its outcome; in the former, facts on the first run of each way."""
MAX_BYTES, SHORT_SECONDS, MAX_CHARACTERS = 16 << 20, 0.2, 120
TIMEOUT_S = 7 * 86_400.0
"""A program may take as long as it wants."""
COMMAND, MEMORY_COMMAND = "workbench profile --cost", "workbench profile --memory --cost"


@dataclass(frozen=True)
class Way:
    """A way to run the program."""

    name: str
    recorded: bool = False
    sampler: SamplerName = "none"
    native: bool = False
    """Whether it is left out where no native frames are wanted."""


WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way(BARE),
        Way(SCOPES, recorded=True),
        Way(IN_PROCESS, recorded=True, sampler="in-process"),
        Way(PY_SPY, sampler="py-spy"),
        Way(PY_SPY_NATIVE, sampler="py-spy", native=True),
        Way(MEMORY, recorded=True, sampler=TRACEMALLOC),
    )
}
LABELS = {
    "none": (SCOPES, "recording makes"),
    "in-process": (IN_PROCESS, "profiling makes"),
    "in-process with native frames": (IN_PROCESS, "profiling makes"),
    "py-spy": (PY_SPY, "sampling by py-spy makes"),
    "py-spy with native frames": (PY_SPY_NATIVE, "sampling by py-spy makes"),
    TRACEMALLOC: (MEMORY, "tracing memory makes"),
}
"""By a capture's label of its sampler: the way that was measured, and what makes the program longer."""


class AskedProgram(msgspec.Struct, frozen=True):
    """The program that the suite runs, as the variable names it."""

    program: tuple[str, ...]
    rate: int
    native: bool
    memory: bool
    scratch: str
    """A folder on the disk that a profile would be written to."""
    environment: dict[str, str | None]
    """Variables that processes of a run have otherwise, as they were; None: there was none."""

    def ways(self) -> list[Way]:
        """Return the ways that are compared: with memory traced, or with each sampler."""
        if self.memory:
            return [WAYS[name] for name in (BARE, SCOPES, MEMORY)]
        return [way for way in WAYS.values() if way.name != MEMORY and (self.native or not way.native)]


@dataclass(frozen=True)
class RunFacts:
    """What the first run of a way was like."""

    seconds: float
    scopes: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class CostOptions:
    """Which program to run, how it is profiled, and how often."""

    program: tuple[str, ...]
    folder: Path
    """Of the profile."""
    sampling: Sampling = field(default_factory=Sampling)
    """Its rate, whether native frames are sampled too, and whether memory is traced; the sampler is each in turn."""
    rounds: int = ROUNDS


@dataclass(frozen=True)
class KnownCost:
    """What is known of the cost of profiling a program."""

    times: str
    """The ratio of times with its interval, as text; empty where it is unknown."""
    sentence: str


class Ratio(msgspec.Struct, frozen=True):
    """The ratio of the times of two ways."""

    way: str
    base: str
    value: Above0
    low: Above0 | None
    """None, as the other end, where each way ran once: then there is no interval."""
    high: Above0 | None

    def __post_init__(self) -> None:
        """Check the interval.

        Raises:
            ValueError: It is out of order.
        """
        if not (self.low or self.value) <= self.value <= (self.high or self.value):
            raise ValueError("an interval is out of order")


class Conditions(msgspec.Struct, frozen=True):
    """The machine."""

    machine: str
    usable_cores: int | None


class Check(msgspec.Struct, frozen=True):
    """The A/A control."""

    void: bool


class Cost(msgspec.Struct, frozen=True):
    """What `cost.json` holds."""

    program: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    rate: Many
    native: bool
    date: str
    environment: Conditions
    check: Check
    ratios: tuple[Ratio, ...]
    """Of each way by bare."""

    def __post_init__(self) -> None:
        """Check that scopes were measured.

        Raises:
            ValueError: They were not.
        """
        if self.ratio(SCOPES) is None:
            raise ValueError("recording scopes was not measured")

    def ratio(self, way: str) -> Ratio | None:
        """Return a way's ratio to bare; None where it was not measured."""
        return next((each for each in self.ratios if (each.way, each.base) == (way, BARE)), None)

    def differences(self, program: Sequence[str], rate: int, sampler: str) -> list[str]:
        """Return how the measurement differs from the run that a profile shows."""
        found = []
        if _same_file(self.program, program) and self.program != tuple(program):
            found.append("with other arguments")
        if sampler not in ("none", TRACEMALLOC) and self.rate != rate:
            found.append(f"at {self.rate} samples a second")
        if sampler == "in-process with native frames" and not self.native:
            found.append("without native frames")
        if (self.environment.machine, self.environment.usable_cores) != (processor(), usable_cores()):
            found.append(
                f"on another machine: {self.environment.machine}, {self.environment.usable_cores} cores"
            )
        if self.check.void:
            found.append("in an experiment that was void")
        return found


def asked_program() -> AskedProgram:
    """Return the program that the suite runs.

    Raises:
        InvalidInputError: None is named.
    """
    try:
        return records.parse(os.environ.get(VARIABLE, ""), AskedProgram)
    except ValueError:
        raise InvalidInputError(f"suite {SUITE} needs a program", remedy=Remedy.MEASURE_COST) from None


def measure_cost(
    options: CostOptions,
    *,
    progress: Report = lambda progress: None,
    say: Callable[[str], None] = lambda text: None,
) -> Results:
    """Measure what profiling costs a program, and keep it in the profile's folder.

    Ctrl-C ends it early; the rounds that are complete are kept, and the same call resumes them.

    Raises:
        InvalidInputError: The program does not exist, or an option cannot be used.
        InterruptedRunError: It was interrupted before a round was complete.
        WorkbenchError: The program fails, or the results cannot be written.
    """
    from workbench.bench.results.results import is_begun
    from workbench.bench.run.experiment import BenchOptions, orderly_end, run_suite

    check(options.program)
    if options.rounds < 1:
        raise InvalidOptionError("runs", options.rounds, "choose 1 or more")
    with OutputFolder(options.folder, [FILE]) as output, orderly_end(), _asked(options):
        folder = _run_folder(options)
        bench = BenchOptions(
            SUITE,
            folder,
            rounds=options.rounds,
            delta=DELTA,
            timeout_s=TIMEOUT_S,
            resume=is_begun(folder),
            profiled=False,
        )
        results = run_suite(bench, progress=progress, say=say)
        write_cost(cost_of(results), output)
    return results


def _run_folder(options: CostOptions) -> Path:
    """Return the folder of the experiment: that of the same one if it was interrupted, else a new one."""
    from workbench.bench.design.suite import load_suite
    from workbench.bench.design.suite_files import suite_source
    from workbench.bench.results.results import is_begun, read_results
    from workbench.bench.run.fingerprint import fingerprint

    ways = load_suite(SUITE).variants
    for number in itertools.count(1):
        folder = options.folder / (RUN if number == 1 else f"{RUN}-{number}")
        if not is_begun(folder):
            break
        there = read_results(folder)
        is_same = (there.head.variants, there.head.rounds) == (ways, options.rounds)
        is_cut = len(there.complete_rounds()) < options.rounds
        if is_same and is_cut and there.head.fingerprint == fingerprint(suite_source(SUITE)):
            break
    return folder


@contextlib.contextmanager
def _asked(options: CostOptions) -> Iterator[None]:
    """Name the program to the suite, here and in its processes."""
    before = os.environ.get(VARIABLE)
    threads = {name: os.environ.get(name) for name in PINNED}
    try:
        make_folders(str(options.folder.absolute()))
        with tempfile.TemporaryDirectory(
            prefix=".cost-", dir=options.folder, ignore_cleanup_errors=True
        ) as scratch:
            asked = AskedProgram(
                options.program,
                options.sampling.rate,
                options.sampling.native is not False,
                options.sampling.sampler == TRACEMALLOC,
                str(Path(scratch).absolute()),
                threads,
            )
            os.environ[VARIABLE] = json.dumps(records.plain(asked))
            yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def cost_of(results: Results) -> Cost:
    """Return the costs that an experiment with the suite found.

    Raises:
        InvalidInputError: No round is complete.
    """
    from workbench.bench.analysis.analysis import analyse

    analysis, head = analyse(results), results.head
    options = head.variants[BARE]
    found = [(each.variant, each.speed.ratio) for each in analysis.comparisons if each.speed is not None]
    if SCOPES not in dict(found):
        raise WorkbenchError(f"{results.folder}: the program never worked with its scopes recorded")
    return Cost(
        tuple(options["program"]),
        options["rate"],
        options["native"],
        head.started,
        Conditions(head.environment.machine, head.environment.usable_cores),
        Check(analysis.check.void),
        tuple(Ratio(way, BARE, ratio.value, *(ratio.ends or (None, None))) for way, ratio in found),
    )


def cost_notes(results: Results) -> list[str]:
    """Return what the figures do not say, a line each."""
    found: list[str] = []
    facts: dict[str, RunFacts] = {}
    for way in results.variants:
        content = records.read_inside(*results.fit_file(way, NOTES), MAX_BYTES)
        with contextlib.suppress(ValueError):
            facts[way] = records.parse(content or b"", RunFacts)
    if BARE in facts and facts[BARE].seconds < SHORT_SECONDS:
        seconds = facts[BARE].seconds
        found.append(f"the program takes {seconds:.2g} s: its start-up dominates, and the ratios are of that")
    if SCOPES in facts and not facts[SCOPES].scopes:
        found.append("the program has no scopes: what is said of them is of a recorder with nothing to do")
    warned = {way: each.warnings[0] for way, each in facts.items() if each.warnings}
    return found + [f"{way}: {warning}" for way, warning in warned.items()]


def write_cost(cost: Cost, folder: Path | OutputFolder) -> Path:
    """Write `cost.json` into a profile's folder, in place of an earlier one; return it.

    Raises:
        InvalidInputError: A file of that name that is not ours is in the way.
        WorkbenchError: It cannot be written.
    """
    content = {"kind": "profiling cost"} | records.plain(cost)
    try:
        with held(folder, [FILE]) as output:
            return output.write(FILE, json.dumps(content, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        path = folder / FILE if isinstance(folder, Path) else folder.path / FILE
        raise cannot_write(path, error) from None


def known_cost(folder: Path, program: Sequence[str], rate: int, sampler: str) -> KnownCost:
    """Return the cost for a sampler by the label that a capture gives it; "none" is recording alone."""
    command, cost = (MEMORY_COMMAND, "tracing memory") if sampler == TRACEMALLOC else (COMMAND, "profiling")
    unknown = f"what {cost} costs this program is unknown: measure it with {command}"
    if sampler not in LABELS:
        return KnownCost("", f"what this sampler costs is unknown: {COMMAND} measures in-process and py-spy")
    try:
        found = records.parse(records.read_inside(folder, FILE, MAX_BYTES) or b"", Cost)
    except ValueError:  # there is none, or none that we wrote
        return KnownCost("", unknown)
    way, what = LABELS[sampler]
    ratio, scopes = found.ratio(way), found.ratio(SCOPES)
    if ratio is None or scopes is None:
        return KnownCost("", unknown)
    aside = [] if sampler == "none" else [f"recording scopes {_times(scopes)}"]
    if ratio.low is None:
        aside.append("from one run of each way")
    aside.append(f"measured {found.date[:10]}")
    aside += found.differences(program, rate, sampler)
    times = _times(ratio)
    if not _same_file(found.program, program):
        other = shortened(shlex.join(found.program), MAX_CHARACTERS)
        return KnownCost(
            "", f"{unknown}; {what} another program, {other}, {times} as long ({', '.join(aside)})"
        )
    return KnownCost(times, f"{what} this program {times} as long ({', '.join(aside)})")


def _same_file(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two command lines run the same script or module."""
    length = 2 if one and one[0] == "-m" else 1
    return tuple(one[:length]) == tuple(other[:length])


def _times(ratio: Ratio) -> str:
    """Return a ratio and its interval, with three decimals where it is near 1."""
    digits = 3 if abs(ratio.value - 1) < 0.1 else 2
    ends = f" [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]" if ratio.low and ratio.high else ""
    return f"{ratio.value:.{digits}f} ×{ends}"
