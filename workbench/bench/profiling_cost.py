"""What profiling itself costs a program: the same program run with and without, paired by block.

A block has every way once, never two at a time, in an order of a Williams square. What is timed is the program's own
wall time, from its start to its end, without the time that it waits for py-spy: the interpreter's start is in it in all
ways, py-spy's attaching and writing in none.
"""

from __future__ import annotations

import math
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from workbench.bench.blocks import block_orders
from workbench.bench.environment import environment
from workbench.bench.plan import square_blocks
from workbench.bench.profiling_cost_figures import IN_PROCESS, Cost, TimedRun, Way, confidence_of, ways_of
from workbench.bench.run import InterruptedRunError
from workbench.bench.statistics import least_count
from workbench.capture.program import Capture, CaptureOptions, check_options, run_program
from workbench.capture.samplers import DEFAULT_RATE
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.scopes.recording_folder import make_folders

COMPLAINT_BYTES, COMPLAINT_CHARACTERS = 4096, 200


@dataclass(frozen=True)
class CostOptions:
    """Which program to run, how it is profiled, and how often."""

    program: tuple[str, ...]
    folder: Path
    """Where the recordings are made, and removed: on the disk that a profile would be written to."""
    rate: int = DEFAULT_RATE
    native: bool = True
    runs: int | None = None
    """Of each way; whole squares are made of them. By default the fewest that give an interval."""
    seed: int = 0
    """The orders follow from it."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Timed:
    """What one run gave."""

    seconds: float
    samples: int = 0
    scopes: int = 0
    warnings: tuple[str, ...] = ()


Runner = Callable[[CostOptions, Way], Timed]
"""Runs the program once, in one of the ways."""


class RunFailedError(Exception):
    """A run that cannot be counted; the message says why."""


def measure_cost(
    options: CostOptions,
    *,
    run: Runner | None = None,
    progress: Callable[[float, float | None, str], None] = lambda done, total, now: None,
    say: Callable[[str], None] = lambda text: None,
) -> Cost:
    """Run a program in all ways, paired by block, and return what each took.

    Ctrl-C ends it early: the blocks that are whole are returned where they are enough for an interval.

    Args:
        options: What to run, and how often.
        run: Runs the program once; by default as a process of its own.
        progress: Called before each run, with how many are done and how many there will be.
        say: Called with each message, one line.

    Raises:
        InvalidInputError: The program does not exist, or an option cannot be used.
        InterruptedRunError: It was interrupted before there was enough for an interval.
        WorkbenchError: A run failed; the message says which, in which way, and why.
    """
    check_options(CaptureOptions(options.program, options.folder, options.rate))
    blocks = planned_blocks(options, say)
    facts = environment()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    timed: list[TimedRun] = []
    interrupted = False
    try:
        for each in _runs(options, blocks, run or run_once, progress):
            timed.append(each)  # noqa: PERF402  what there is when it is interrupted counts
    except KeyboardInterrupt:
        interrupted = True
    arms = len(ways_of(options.native))
    whole = len(timed) // arms
    if interrupted:
        needed = least_count(confidence_of(options.native))
        if whole < needed:
            raise InterruptedRunError(
                f"interrupted after {whole} of {blocks} blocks: no interval has fewer than {needed}, "
                "so nothing is said and nothing written"
            )
        say(f"interrupted: what is said is of the {whole} blocks that are whole")
    return Cost(
        program=options.program,
        rate=options.rate,
        native=options.native,
        seed=options.seed,
        started=started,
        environment=facts,
        planned=blocks,
        runs=tuple(timed[: whole * arms]),
    )


def planned_blocks(options: CostOptions, say: Callable[[str], None] = lambda text: None) -> int:
    """Return how many blocks there will be: whole squares, and enough for intervals that hold together.

    Raises:
        InvalidInputError: Fewer are asked for than give an interval.
    """
    square = square_blocks(len(ways_of(options.native)))
    needed = least_count(confidence_of(options.native))
    wanted = needed if options.runs is None else options.runs
    if wanted < needed:
        raise InvalidInputError(
            f"--runs {wanted}: choose {needed} or more, fewer give no interval that is sure enough"
        )
    if options.seed < 0:
        raise InvalidInputError(f"--seed {options.seed}: choose 0 or more")
    blocks = square * math.ceil(wanted / square)
    if options.runs is not None and blocks != options.runs:
        say(f"--runs {options.runs}: {blocks} are made of it, in whole squares of {square}")
    return blocks


def _runs(
    options: CostOptions, blocks: int, run: Runner, progress: Callable[[float, float | None, str], None]
) -> Iterator[TimedRun]:
    """Yield the runs of all blocks in their order.

    One that does not count comes first, in the way that has all there is: it fills the caches, and finds out
    whether the program works and can be sampled.
    """
    ways = ways_of(options.native)
    total = blocks * len(ways) + 1
    try:
        make_folders(str(options.folder.absolute()))
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {options.folder}: {error.strerror}; choose another folder with -o"
        ) from None
    progress(0, total, "a first try")
    _run(run, options, ways[IN_PROCESS], f"the first try ({IN_PROCESS})")
    for block, (_, order) in zip(range(blocks), block_orders(list(ways), options.seed), strict=False):
        for position, name in enumerate(order):
            done = block * len(ways) + position + 1
            progress(done, total, f"block {block + 1} of {blocks}, {name}")
            found = _run(run, options, ways[name], f"run {done} of {total - 1} ({name}, block {block + 1})")
            yield TimedRun(block, position, name, **asdict(found))
    progress(total, total, "")


def _run(run: Runner, options: CostOptions, way: Way, place: str) -> Timed:
    try:
        return run(options, way)
    except RunFailedError as failure:
        raise WorkbenchError(f"{place} failed, so nothing is measured: {failure}") from None


def run_once(options: CostOptions, way: Way) -> Timed:
    """Run the program to its end as a process of its own, without standard input, its output thrown away.

    Raises:
        RunFailedError: It did not end with exit code 0, or could not be sampled.
        KeyboardInterrupt: Ctrl-C, also where the program takes it for its own end.
    """
    # Beside the profile, so that the log is mapped from the disk that a profile's would be.
    with tempfile.TemporaryDirectory(
        prefix=".cost-", dir=options.folder, ignore_cleanup_errors=True
    ) as scratch:
        complaint = Path(scratch, "stderr")
        with complaint.open("wb") as errors:
            capture = run_program(
                CaptureOptions(
                    program=options.program,
                    folder=Path(scratch, "run"),
                    rate=options.rate,
                    native=way.native,
                    sampler=way.sampler,
                    environment=options.environment,
                    input=subprocess.DEVNULL,
                    output=subprocess.DEVNULL,
                    errors=errors.fileno(),
                    record=way.recorded,
                )
            )
        if capture.stopped_by == signal.SIGINT:
            raise KeyboardInterrupt
        if capture.stopped_by is not None:
            raise SystemExit(128 + capture.stopped_by)
        if capture.returncode:
            raise RunFailedError(f"exit code {capture.returncode}{_last_line(complaint)}")
    if capture.sampling_failed:
        raise RunFailedError(capture.warnings[-1])
    return Timed(capture.program_seconds, capture.sample_count, _scopes(capture), capture.warnings)


def _scopes(capture: Capture) -> int:
    tracks = capture.scopes.tracks if capture.scopes is not None else ()
    return sum(len(track.spans) for track in tracks if track.spans is not None)


def _last_line(complaint: Path) -> str:
    """Return the last line of what the program said; it may have written gigabytes."""
    with complaint.open("rb") as file:
        file.seek(max(0, complaint.stat().st_size - COMPLAINT_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    said = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in lines]
    last = next((line for line in reversed(said) if line), "")
    return f": {last[:COMPLAINT_CHARACTERS]}" if last else ""
