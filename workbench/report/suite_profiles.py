"""Profiling every variant of a suite, each into a folder of its own; the index page is `suite_page`'s.

Each variant runs twice: under the in-process sampler, from which its page is, and under py-spy, the witness, which
leaves its own file unchanged beside it.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench import records
from workbench.bench.arm import ArmRequest, run_arm_process
from workbench.bench.axes import chosen_variants
from workbench.bench.beside import Scaling
from workbench.bench.environment import PINNED
from workbench.bench.run import InterruptedRunError
from workbench.bench.suite import Suite, folder_names, load_suite
from workbench.capture.program import Capture, CaptureOptions, run_program
from workbench.capture.samplers import DEFAULT_RATE, FILES, NONE, PICTURE, PY_SPY, TRACE, SamplerName
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder
from workbench.profile import Profile, durations
from workbench.report.profile_files import (
    FLAME_GRAPH,
    add_to_summary,
    profile_folder,
    trace_picture,
    write_profile_files,
)
from workbench.report.profile_sampled import BY_TIME
from workbench.report.story_facts import INNER, TRAINER, StoryFacts, share_of_whole, story_facts
from workbench.report.suite_agreement import compare
from workbench.report.suite_differences import DIFFERENCE, side_of
from workbench.report.suite_page import EPOCH, FIT, HISTORY, LINKS, Profiled, suite_names, write_suite_page
from workbench.report.suite_story import workers_of

INTERRUPTED = (130, 143)
ARM_TIMEOUT_S = 120.0
LARGEST_HISTORY = 64 << 20
"""Bytes of a file of error curves that is read."""
QUOTED = {
    "exact": "tanh 73 %",
    "fast": "tanh 57 %, fit satisfactory",
    "faster": "tanh 37 %, fit visibly worse",
    "faster, residuals only": "better than faster everywhere",
    "exact, 2 processes": "about 3× on 8 workers",
}
"""What the original notes report of the reference problem."""


@dataclass(frozen=True)
class SuiteProfileOptions:
    """Which suite to profile, and how."""

    suite: str
    folder: Path
    seconds: float = 4.0
    """Each variant is run again from the same seed until this time is over, for enough samples."""
    rate: int = DEFAULT_RATE
    native: bool | None = None
    sampler: SamplerName = "auto"
    seed: int = 7


def profile_suite(
    options: SuiteProfileOptions,
    *,
    progress: Callable[[int, int, str], None] = lambda done, total, now: None,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Profile each variant into a folder of its own; return the index page.

    Ctrl-C ends it early: the variants that are done are on the page. A variant whose program fails is named,
    the others are profiled and on the page, and then the failure is raised.

    Raises:
        InvalidInputError: The suite or an option cannot be used.
        InterruptedRunError: It was interrupted before a variant was done.
        WorkbenchError: The folder cannot be written, or a variant's program failed.
    """
    if not 0 <= options.seconds < math.inf:
        raise InvalidInputError(f"--seconds {options.seconds:g}: choose 0 or more")
    suite = load_suite(options.suite)
    with contextlib.ExitStack() as stack:
        slugs = folder_names(chosen_variants(suite.variants, suite.baseline, {}))
        output = stack.enter_context(OutputFolder(options.folder, suite_names(slugs.values())))
        folders = {}
        for name, slug in slugs.items():  # all are looked at before the first program starts
            folder = profile_folder(_capture_options(name, options.folder / slug, options), HISTORY, FIT)
            folders[name] = stack.enter_context(folder)
        return _profile_variants(suite, options, output, folders, progress, say)


def _profile_variants(
    suite: Suite,
    options: SuiteProfileOptions,
    output: OutputFolder,
    folders: Mapping[str, OutputFolder],
    progress: Callable[[int, int, str], None],
    say: Callable[[str], None],
) -> Path:
    done: list[Profiled] = []
    failed: list[str] = []
    names = list(folders)
    for i, name in enumerate(names):
        progress(i, len(names), name)
        try:
            output.remove(f"{folders[name].path.name}/{DIFFERENCE}")
            one = _profile_variant(suite, name, options, folders[name], say)
        except VariantFailedError as failure:
            failed.append(str(failure))
            continue
        except KeyboardInterrupt:
            one = None
        if one is None:
            if done:
                say(f"interrupted at {name!r}: the page has the variants before it")
            break
        done.append(one)
    else:
        progress(len(names), len(names), "")
    index = write_suite_page(suite, done, output) if done else None
    if failed:
        there = f"; {index} has the others" if index is not None else ""
        raise WorkbenchError(f"{'; '.join(failed)}; the program's own message stands above{there}")
    if index is None:
        raise InterruptedRunError("interrupted before a variant was profiled: there is no page")
    return index


class VariantFailedError(Exception):
    """A variant's program ended with an exit code of its own."""


def _profile_variant(
    suite: Suite, name: str, options: SuiteProfileOptions, output: OutputFolder, say: Callable[[str], None]
) -> Profiled | None:
    """Return what there is on a variant for the page, or None where its program was interrupted."""
    folder = output.path
    _remove_kept(output)
    with output.scratch() as scratch:  # a suite's own code names the files that it keeps and draws
        capture = _run_variant(name, options, options.sampler, scratch, output, say)
        write_profile_files(capture, title=f"{suite.name}: {name}")
        if capture.returncode in INTERRUPTED:
            return None
        if capture.returncode != 0:
            raise VariantFailedError(
                f"variant {name!r} of suite {suite.name!r} failed with exit code {capture.returncode}"
            )
        if suite.draw is not None:
            try:
                suite.draw(scratch, f"{name}: fit and true function")
            except Exception as error:  # noqa: BLE001  a suite's own code; the profile must not be lost
                say(f"{name}: the suite's draw failed: {type(error).__name__}: {error}")
        for text in output.take_in(scratch):
            say(f"{name}: {text}")
    compared = None
    if options.sampler not in (NONE, PY_SPY):
        witness = _run_witness(suite, name, options, output, say)
        if witness.returncode in INTERRUPTED:
            return None
        compared = compare(name, capture, witness)
        add_to_summary(output, agreement=compared.facts())
    scaling = suite.scaling or TRAINER
    row = _row(suite, name, folder, capture, scaling) | {"bare_ms": _bare_ms(name, options, say)}
    facts, side = StoryFacts(), None
    if capture.merged is not None:
        workers = workers_of(suite.variants[name], scaling)
        by_time = capture.sampler in BY_TIME
        facts = story_facts(capture.merged, capture.scopes, workers=workers, scaling=scaling, by_time=by_time)
        step_ns = 1e6 * row["bare_ms"] if row["bare_ms"] is not None else None
        side = side_of(name, capture.merged, step=EPOCH if row["epoch_ms"] else None, step_ns=step_ns)
    return Profiled(row, facts, side, compared)


def _run_variant(
    name: str,
    options: SuiteProfileOptions,
    sampler: SamplerName,
    kept: Path,
    output: OutputFolder,
    say: Callable[[str], None],
) -> Capture:
    """Run the program of a variant once under a sampler; it keeps its result in the folder `kept`."""
    capture_options = replace(
        _capture_options(name, kept, options),
        folder=output.path,
        native=False if sampler == PY_SPY else options.native,
        sampler=sampler,
        output_folder=output,
    )
    return run_program(capture_options, say=lambda text: say(f"{name}: {text}"))


def _capture_options(name: str, kept: Path, options: SuiteProfileOptions) -> CaptureOptions:
    arguments = (str(kept), str(options.seconds), str(options.seed))
    return CaptureOptions(
        program=("-m", "workbench.suites.repeat", options.suite, name, *arguments),
        folder=kept,
        rate=options.rate,
        native=options.native,
        sampler=options.sampler,
        environment=PINNED,
        output=subprocess.DEVNULL,
    )


def _run_witness(
    suite: Suite, name: str, options: SuiteProfileOptions, output: OutputFolder, say: Callable[[str], None]
) -> Capture:
    """Run a variant under py-spy, and leave its file, unchanged, with a flame graph of it.

    What is to be known of its samples is on the page, so lines are shown only where there are none.
    """
    lines: list[str] = []
    try:
        with output.scratch() as scratch, OutputFolder(scratch / "py-spy", FILES) as apart:
            capture = _run_variant(name, options, PY_SPY, scratch, apart, lines.append)
            trace = apart.path / TRACE
            if capture.returncode not in INTERRUPTED and trace.is_file():
                picture = trace_picture(trace, f"{suite.name}: {name}")
                output.keep(trace, TRACE)
                output.write(PICTURE, picture)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {output.path}: {error.strerror}; choose another folder with -o"
        ) from None
    if capture.merged is None:
        for text in lines:
            say(text)
    return capture


def _remove_kept(output: OutputFolder) -> None:
    """Remove what an earlier run kept, so that a folder is of one run."""
    try:
        for file in (HISTORY, FIT, TRACE, PICTURE):
            output.remove(file)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {output.path}: {error.strerror}; choose another folder with -o"
        ) from None


def _bare_ms(name: str, options: SuiteProfileOptions, say: Callable[[str], None]) -> float | None:
    """Return milliseconds a step of the same variant without recorder and sampler, in a process of its own."""
    arm = run_arm_process(ArmRequest(options.suite, name, options.seed), ARM_TIMEOUT_S)
    if arm["error"] is not None:
        say(f"{name}, without profiler: {arm['error']}")
        return None
    return 1e3 * float(arm["value_s"])


def _row(suite: Suite, name: str, folder: Path, capture: Capture, scaling: Scaling) -> dict[str, Any]:
    history = _history(folder)
    row: dict[str, Any] = {
        "name": name,
        "slug": folder.name,
        "description": suite.descriptions.get(name, ""),
        "baseline": name == suite.baseline,
        "samples": capture.sample_count,
        "sampler": capture.sampler,
        "scopes": 0,
        "trainings": 0,
        "warnings": capture.warnings,
        "flame": (folder / FLAME_GRAPH).is_file(),
        "fit": (folder / FIT).is_file(),
        "difference": False,
        "links": [(label, file) for label, file in LINKS if (folder / file).is_file()],
        "quoted": QUOTED.get(name) if suite.name == "reference" else None,
        "epoch_ms": None,
        "bare_ms": None,
        "forward_share": None,
        "tanh_share": None,
    }
    for key in ("train_mse", "validation_mse", "test_mse"):
        series = history.get(key)
        last = series[-1] if isinstance(series, list) and series else None
        row[key] = last if isinstance(last, int | float) else None
    reason, epochs = history.get("stop_reason"), history.get("epochs")
    row["stop_reason"] = reason if isinstance(reason, str) else None
    row["epochs"] = epochs if isinstance(epochs, int) else None
    if capture.scopes is not None:
        row |= scope_facts(capture.scopes, scaling)
    return row


def scope_facts(scopes: Profile, scaling: Scaling = TRAINER) -> dict[str, Any]:
    """Return what scopes say of a training run: ms an epoch, and shares of the Jacobian."""
    epochs = durations(scopes, EPOCH).tolist()
    return {
        "scopes": sum(len(track.spans) for track in scopes.tracks if track.spans is not None),
        "trainings": len(durations(scopes, "fit")),
        "epoch_ms": statistics.median(epochs) / 1e6 if epochs else None,
        "forward_share": share_of_whole(scopes, "predict", scaling),
        "tanh_share": share_of_whole(scopes, INNER, scaling),
    }


def _history(folder: Path) -> dict[str, Any]:
    try:
        history = records.scan(records.read_inside(folder, HISTORY, LARGEST_HISTORY) or b"")
    except ValueError:
        return {}
    return history if isinstance(history, dict) else {}
