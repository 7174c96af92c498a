"""Running a suite: begun anew or resumed. Its results are what is in the file."""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from workbench import records
from workbench.bench.design.axes import FULL, chosen_variants, option_name
from workbench.bench.design.suite import AA_CONTROL, Suite, folder_names, load_suite
from workbench.bench.design.suite_files import suite_source
from workbench.bench.design.suite_tables import Residuals
from workbench.bench.machine.environment import PINNED, environment
from workbench.bench.results.lines import Head
from workbench.bench.results.results import (
    FITS,
    RECORDINGS,
    RESIDUALS,
    SAMPLES,
    Results,
    is_begun,
    read_results,
)
from workbench.bench.results.retention import retire, would_delete
from workbench.bench.results.writer import ResultsWriter, check_results
from workbench.bench.run.explain import add_tables, record_variants
from workbench.bench.run.fingerprint import changes, digest, fingerprint
from workbench.bench.run.instructions import check_counting, count_instructions
from workbench.bench.run.plan import min_rounds, pilot_rounds, runs_of, square_rounds
from workbench.bench.run.process import HERE, Interpreter
from workbench.bench.run.rounds import Check, Report, RoundRunner, Say, round_orders
from workbench.bench.stats.intervals import family_confidence, min_count
from workbench.errors import InvalidInputError, InvalidOptionError, WorkbenchError
from workbench.outputs import PAGE, OutputFolder
from workbench.text import as_rounds


class InterruptedRunError(WorkbenchError):
    """Ctrl-C came before anything could be reported."""

    exit_code = 130


@dataclass(frozen=True)
class BenchOptions:
    """What to measure, for how long, and where the results go."""

    suite: str
    folder: Path
    budget_s: float = 300.0
    rounds: int | None = None
    """A fixed number of rounds; by default as many whole squares as the budget holds, judged by the first round."""
    precision: float | None = None
    """Wanted half-width of the ratios' intervals, such as 0.02: no more rounds than it needs."""
    delta: float = 0.02
    """The smallest difference in speed that matters."""
    margin: float = 0.1
    """The largest loss of quality that does not matter, in powers of ten of its figure."""
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The options wanted on some axes; all where none are named."""
    plan: str = FULL
    seed: int = 0
    timeout_s: float = 120.0
    resume: bool = False
    """Whether to resume the results that are in the folder; what they were begun with counts, not this."""
    profiled: bool = True
    """Whether each variant is run twice more, behind what is measured, to record its scopes and to sample it."""
    instructions: bool = False
    """Whether the instructions of each variant are counted, behind what is measured."""
    keep: int | None = None
    """How many experiments of this suite and machine are kept beside the new one, it among them; None: all."""
    force: bool = False
    """Whether to go on although suite, machine or packages have changed."""


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Take a request to end, such as a cancelled CI job's, for Ctrl-C: what is to be removed is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run_suite(
    options: BenchOptions,
    *,
    progress: Report = lambda progress: None,
    say: Say = lambda text: None,
) -> Results:
    """Measure a suite. Ctrl-C ends it early and keeps what was measured.

    One seed serves all runs of a round, and each round has a new one; no two runs overlap.

    Raises:
        InvalidInputError: The suite cannot be used, the options contradict themselves, or the experiment to resume
            was measured under other conditions.
        InterruptedRunError: It was interrupted before a round was complete.
        WorkbenchError: The results cannot be written.
    """
    check_options(options)
    suite = _loaded(options)
    before = read_results(options.folder) if options.resume and is_begun(options.folder) else None
    if before is not None:
        _check_same(before, options, suite, say)
    head = before.head if before is not None else run_head(suite, options)
    for line in suite.left_out(options.axes):
        say(line)
    interpreters = dict.fromkeys(head.runs, HERE)
    with run_folder(options.folder, head.variants, resumed=before is not None) as output:
        results = measure(options, output, head, before, interpreters, progress=progress, say=say)
        is_over = head.rounds is None and results.planned < min_rounds(len(head.runs))
        if len(results.complete_rounds()) >= results.planned and not is_over:
            results = _explained(suite, results, output, options, progress, say)
        if options.instructions and len(results.complete_rounds()) >= results.planned:
            results = with_instructions(results, output, interpreters, options, progress, say)
        _draw(suite, results, output, say)
    if options.keep is not None and len(results.complete_rounds()) >= results.planned:
        for line in retire(results, options.keep):
            say(line)
    return results


def run_folder(folder: Path, variants: Iterable[str], *, resumed: bool = False) -> OutputFolder:
    """Return the folder of an experiment, locked until its end.

    Raises:
        InvalidInputError: Something that is not ours is in the way, or another process is writing there.
        WorkbenchError: It holds results already, or cannot be written.
    """
    if resumed:
        return OutputFolder(folder, [PAGE])
    check_results(folder)
    names = folder_names(variants).values()
    recordings = [f"{RECORDINGS}/{name}" for name in names]
    return OutputFolder(folder, [PAGE], recordings=recordings, folders=[FITS, SAMPLES])


def _explained(
    suite: Suite,
    results: Results,
    output: OutputFolder,
    options: BenchOptions,
    progress: Report,
    say: Say,
) -> Results:
    """Add tables, and a recording of each variant with samples, to an experiment that is complete."""
    try:
        if suite.tables is not None and not results.tables:
            add_tables(results, output, options.timeout_s, say)
        if options.profiled:
            record_variants(results, output, options.timeout_s, progress, say)
    except KeyboardInterrupt:
        say(
            f"interrupted: all is measured, and what would explain it is not: resume {results.folder} for that"
        )
    return read_results(options.folder)


def with_instructions(
    results: Results,
    output: OutputFolder,
    interpreters: Mapping[str, Interpreter],
    options: BenchOptions,
    progress: Report,
    say: Say,
) -> Results:
    """Count the instructions of each variant of an experiment that is complete; Ctrl-C keeps what is there."""
    try:
        count_instructions(results, output, interpreters, options.timeout_s, progress, say)
    except KeyboardInterrupt:
        say("interrupted: all is measured, and the instructions of some variants are not counted")
    return read_results(options.folder)


def measure(
    options: BenchOptions,
    output: OutputFolder,
    head: Head,
    before: Results | None,
    interpreters: Mapping[str, Interpreter],
    *,
    progress: Report,
    say: Say,
    check: Check | None = None,
) -> Results:
    """Measure all rounds of an experiment, each run by its own interpreter; `check` gets each trial."""
    writer = ResultsWriter(output, head, resumed=before is not None)
    interrupted = False
    try:
        run = RoundRunner(head, writer, interpreters, options.timeout_s, progress, say, check)
        if before is not None:
            run.take_up(before)
        run.go()
    except KeyboardInterrupt:
        interrupted = True
    except InvalidInputError:
        if before is None:
            writer.discard()
        raise
    finally:
        writer.close()
    results = read_results(options.folder)
    if interrupted:
        _say_interrupted(results, say)
    return results


def planned(options: BenchOptions) -> list[str]:
    """Return lines on what an experiment would run, without running anything.

    Raises:
        InvalidInputError: The suite or the options cannot be used.
    """
    check_options(options)
    suite = _loaded(options)
    names = _chosen(suite, options)
    runs = runs_of(names)
    square = square_rounds(len(runs))
    if options.rounds is not None:
        rounds = f"{options.rounds} rounds"
    else:
        rounds = f"whole squares of {square} rounds, as many as {options.budget_s:g} s hold"
        if options.precision is not None:
            rounds += f" and ±{options.precision:.1%} needs, by a pilot of {pilot_rounds(len(runs))} rounds"
    confidence = family_confidence(len(names) - 1)
    first = next(round_orders(runs, options.seed))
    return [
        f"suite {suite.name}: {len(names)} variants in {len(runs)} fresh processes a round",
        f"plan: {rounds}; a verdict needs at least {min_count(confidence)} ({confidence:.2%} intervals)",
        f"order of the first round, seed {first[0]}:",
        *(f"  {_described(suite, name)}" for name in first[1]),
        *(["then the instructions of each variant, once under valgrind"] if options.instructions else []),
        *suite.left_out(options.axes),
        *_would_delete(options, suite),
    ]


def _would_delete(options: BenchOptions, suite: Suite) -> list[str]:
    if options.keep is None:
        return []
    machine = fingerprint(suite_source(options.suite)).machine
    return would_delete(options.folder, suite.name, machine, options.keep)


def _chosen(suite: Suite, options: BenchOptions) -> list[str]:
    """Return the names of the variants that are wanted; where none of them can run here, that is the error."""
    try:
        return chosen_variants(suite.variants, suite.baseline, options.axes, options.plan)
    except InvalidInputError as error:
        for line in suite.left_out(options.axes):
            raise InvalidInputError(line) from error
        raise


def _described(suite: Suite, name: str) -> str:
    if name == AA_CONTROL:
        return f"{name}: the baseline again"
    options = ", ".join(f"{axis}={option_name(option)}" for axis, option in suite.variants[name].items())
    mark = " (baseline)" if name == suite.baseline else ""
    return f"{name}{mark}: {options or 'no options'}"


def _loaded(options: BenchOptions) -> Suite:
    with contextlib.chdir(Path.cwd()):  # a suite may go to another folder as it is imported
        return load_suite(options.suite)


def check_options(options: BenchOptions) -> None:
    """Raise InvalidInputError, with the value and the remedy, unless the options can be used."""
    if options.rounds is not None and options.rounds < 1:
        raise InvalidOptionError("rounds", options.rounds, "choose 1 or more")
    for name, seconds in (("budget", options.budget_s), ("timeout", options.timeout_s)):
        if not 0 < seconds < math.inf:
            raise InvalidOptionError(name, f"{seconds:g} s", "choose a positive time")
    for name, share in (("precision", options.precision), ("delta", options.delta)):
        if share is not None and not 0 < share < 1:
            raise InvalidOptionError(name, f"{share:g}", "choose a share between 0 and 1, such as 2%")
    if not 0 < options.margin < math.inf:
        raise InvalidOptionError("margin", f"{options.margin:g}", "choose a positive number of powers of ten")
    if options.keep is not None and options.keep < 1:
        raise InvalidOptionError("keep", options.keep, "choose 1 or more")
    if options.instructions:
        check_counting()
    if options.seed < 0:
        raise InvalidOptionError("seed", options.seed, "choose 0 or more")
    if options.resume and not options.folder.is_dir():
        raise InvalidInputError(f"{options.folder} does not exist: to resume an experiment, name its folder")


def run_head(suite: Suite, options: BenchOptions, **more: object) -> Head:
    """Return the first line of a new experiment's results; of a comparison with its `pairs` and `sides`."""
    names = _chosen(suite, options)
    found = {
        "kind": "experiment",
        "suite": suite.name,
        "suite_source": options.suite,
        "baseline": suite.baseline,
        "variants": plain({name: suite.variants[name] for name in names}),
        "runs": runs_of(names),
        "axes": {name: list(each.options) for name, each in suite.axes.items()},
        "descriptions": {name: text for name, text in suite.descriptions.items() if name in names},
        "quality": suite.quality,
        "targets": list(suite.targets),
        "target_of": suite.target_of,
        "micro": suite.micro,
        "scaling": asdict(suite.scaling) if suite.scaling is not None else None,
        "delta": options.delta,
        "margin": options.margin,
        "seed": options.seed,
        "budget_s": options.budget_s,
        "precision": options.precision,
        "rounds": options.rounds,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "pinned": PINNED,
        "environment": environment(),
        "fingerprint": records.plain(fingerprint(suite_source(options.suite))),
    }
    return records.convert(found | more, Head)


def _check_same(before: Results, options: BenchOptions, suite: Suite, say: Say) -> None:
    head = before.head
    if head.suite != suite.name:
        raise InvalidInputError(
            f"{before.folder} has suite {head.suite!r}, not {suite.name!r}: name that suite to resume it"
        )
    if options.rounds is not None and options.rounds != head.rounds:
        was = "a budget" if head.rounds is None else as_rounds(head.rounds)
        raise InvalidOptionError(
            "rounds",
            options.rounds,
            f"{before.folder} was begun with {was}, which is fixed in advance: leave it out",
        )
    source = suite_source(options.suite)
    changed = changes(head.fingerprint, fingerprint(source))
    changed += [
        file
        for file, was in before.sources.items()
        if Path(file) != source.resolve() and digest(Path(file)) != was
    ]
    if not changed:
        return
    what = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    if not options.force:
        raise InvalidInputError(
            f"{before.folder} was measured under other conditions: {what} changed; begin anew, or force it"
        )
    say(f"going on although something has changed: {what}")


def _say_interrupted(results: Results, say: Say) -> None:
    complete = len(results.complete_rounds())
    if not complete:
        raise InterruptedRunError("interrupted before a round was complete, so there is no report yet")
    rounds = f"are the {complete} complete rounds" if complete > 1 else "is the one complete round"
    say(f"interrupted: what is reported {rounds}")


def _draw(suite: Suite, results: Results, output: OutputFolder, say: Say) -> None:
    """Let the suite make what pages show of what each variant kept: a plot, and its residuals."""
    hooks: dict[str, Callable[[Path, str], None]] = {}
    if suite.draw is not None:
        hooks["draw"] = suite.draw
    if suite.residuals is not None:
        hooks["residuals"] = partial(_save_residuals, suite.residuals)
    for variant in results.variants if hooks else ():
        folder = results.fit_folder(variant)
        if not folder.is_dir():
            continue
        with output.scratch() as scratch:
            shutil.copytree(folder, scratch, dirs_exist_ok=True)
            for name, hook in hooks.items():
                try:
                    with contextlib.chdir(Path.cwd()):
                        hook(scratch.absolute(), variant)
                except Exception as error:  # noqa: BLE001  a suite's own code; what was measured must not be lost
                    say(f"the suite's {name} failed for {variant}: {type(error).__name__}: {error}")
            for text in output.take_in(scratch, folder.relative_to(results.folder).as_posix()):
                say(text)


def _save_residuals(residuals: Callable[[Path], Residuals], folder: Path, _variant: str) -> None:
    x, residual = residuals(folder)
    np.savez_compressed(
        folder / RESIDUALS, x=np.asarray(x, np.float64), residual=np.asarray(residual, np.float64)
    )


def plain(value: object) -> Any:
    """Return a variant's options as JSON holds them; what it cannot hold, such as a function, as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if (
        value is None
        or isinstance(value, str | bool | int)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return repr(value)
