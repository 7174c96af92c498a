"""Profiling every variant of a suite, each into a folder of its own; the index page is `suite_page`'s.

Each variant runs twice: under the in-process sampler, from which its page is, and under py-spy, the witness, which
leaves its own file unchanged beside it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.bench.design.axes import chosen_variants
from workbench.bench.design.suite import Suite, folder_names, load_suite
from workbench.bench.run.experiment import InterruptedRunError
from workbench.bench.run.process import RunRequest, run_process
from workbench.bench.run.recorded import VariantRun, profile_variant
from workbench.capture.program import Capture, CaptureOptions
from workbench.capture.samplers import FILES, NONE, PICTURE, PY_SPY, TRACE, Sampling
from workbench.capture.warnings import warning_text
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder, cannot_write
from workbench.profile import durations, share_of_whole, workers_idle
from workbench.report.profile.files import (
    add_to_summary,
    profile_folder,
    trace_flame_graph,
    write_profile_files,
)
from workbench.report.suite.agreement import compare
from workbench.report.suite.differences import DIFFERENCE, sampled_tree
from workbench.report.suite.page import (
    ProfiledVariant,
    keep_live_links,
    page_links,
    suite_names,
    write_suite_page,
)
from workbench.report.suite.summary import workers_of

INTERRUPTED = (130, 143)
_OF_EARLIER_VERSIONS = ("difference.svg", "fit.png")
RUN_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class SuiteProfileOptions:
    """Which suite to profile, and how."""

    suite: str
    folder: Path
    seconds: float = 4.0
    """Each variant is run again from the same seed until this time is over, for enough samples."""
    sampling: Sampling = field(default_factory=Sampling)
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
        raise InvalidInputError(f"seconds is {options.seconds:g}: choose 0 or more")
    suite = load_suite(options.suite)
    with contextlib.ExitStack() as stack:
        slugs = folder_names(chosen_variants(suite.variants, suite.baseline, {}))
        output = stack.enter_context(OutputFolder(options.folder, suite_names(slugs.values())))
        folders = {}
        for name, slug in slugs.items():  # all are looked at before the first program starts
            folder = profile_folder(CaptureOptions((), options.folder / slug))
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
    done: list[ProfiledVariant] = []
    failed: list[str] = []
    names = list(folders)
    slugs = {name: folder.path.name for name, folder in folders.items()}
    for i, name in enumerate(names):
        progress(i, len(names), name)
        try:
            output.remove(f"{slugs[name]}/{DIFFERENCE}")
            links = page_links(suite, slugs, name)
            one = _profile_variant(suite, name, options, folders[name], links, say)
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
    for each in done:
        with _writable(folders[each.name]):
            keep_live_links(folders[each.name])
    if failed:
        there = f"; {index} has the others" if index is not None else ""
        raise WorkbenchError(f"{'; '.join(failed)}; the program's own message stands above{there}")
    if index is None:
        raise InterruptedRunError("interrupted before a variant was profiled: there is no page")
    return index


class VariantFailedError(Exception):
    """A variant's program ended with an exit code of its own."""


def _profile_variant(
    suite: Suite,
    name: str,
    options: SuiteProfileOptions,
    output: OutputFolder,
    links: Sequence[tuple[str, str]],
    say: Callable[[str], None],
) -> ProfiledVariant | None:
    """Return what there is on a variant for the page, or None where its program was interrupted."""

    def log(text: str) -> None:
        say(f"{name}: {text}")

    with _writable(output):
        for file in (*_OF_EARLIER_VERSIONS, TRACE, PICTURE):  # so that a folder is of one run
            output.remove(file)
    with output.scratch() as scratch:  # a suite's own code names the files that it keeps
        capture = _run_variant(name, options, options.sampling, scratch, output, log)
        write_profile_files(capture, title=f"{suite.name}: {name}", links=links)
        if capture.returncode in INTERRUPTED:
            return None
        if capture.returncode != 0:
            raise VariantFailedError(
                f"variant {name!r} of suite {suite.name!r} failed with exit code {capture.returncode}"
            )
        residuals = None
        if suite.residuals is not None:
            try:
                residuals = suite.residuals(scratch)
            except Exception as error:  # noqa: BLE001  a suite's own code; the profile must not be lost
                log(f"the suite's residuals failed: {type(error).__name__}: {error}")
        for text in output.take_in(scratch):
            log(text)
    compared = None
    if options.sampling.sampler not in (NONE, PY_SPY):
        witness = _run_witness(suite, name, options, output, log)
        if witness.returncode in INTERRUPTED:
            return None
        compared = compare(name, capture, witness)
        add_to_summary(output, agreement=compared.facts())
    bare_ms, wrong_by = _bare_run(suite, name, options, log)
    found = _found(suite, name, output.path, capture)
    step = suite.commentary.step if found.has_steps else None
    return replace(
        found,
        compared=compared,
        residuals=residuals,
        bare_ms=bare_ms,
        error=wrong_by,
        tree=sampled_tree(name, capture.merged, step=step, step_ns=bare_ms and 1e6 * bare_ms),
    )


def _run_variant(
    name: str,
    options: SuiteProfileOptions,
    sampling: Sampling,
    kept: Path,
    output: OutputFolder,
    say: Callable[[str], None],
) -> Capture:
    """Run the program of a variant once under a sampler; it keeps its result in the folder `kept`."""
    how = CaptureOptions((), output.path, sampling, output_folder=output)
    return profile_variant(
        VariantRun(options.suite, name, options.seed, options.seconds),
        how,
        kept=kept,
        say=lambda warning: say(warning_text(warning)),
    )


def _run_witness(
    suite: Suite, name: str, options: SuiteProfileOptions, output: OutputFolder, say: Callable[[str], None]
) -> Capture:
    """Run a variant under py-spy, and leave its file, unchanged, with a flame graph of it.

    What is to be known of its samples is on the page, so lines are shown only where there are none.
    """
    lines: list[str] = []
    witness = replace(options.sampling, sampler=PY_SPY, native=False)
    with _writable(output), output.scratch() as scratch, OutputFolder(scratch / "py-spy", FILES) as apart:
        capture = _run_variant(name, options, witness, scratch, apart, lines.append)
        trace = apart.path / TRACE
        if capture.returncode not in INTERRUPTED and trace.is_file():
            flame = trace_flame_graph(trace, f"{suite.name}: {name}")
            output.keep(trace, TRACE)
            output.write(PICTURE, flame)
    if capture.merged is None:
        for text in lines:
            say(text)
    return capture


@contextlib.contextmanager
def _writable(output: OutputFolder) -> Iterator[None]:
    """Let a folder that cannot be written be an error with a remedy."""
    try:
        yield
    except OSError as error:
        raise cannot_write(output.path, error) from None


def _bare_run(
    suite: Suite, name: str, options: SuiteProfileOptions, say: Callable[[str], None]
) -> tuple[float | None, float | None]:
    """Run the same variant without recorder and sampler, in a process of its own; return ms a step, and its error."""
    run = run_process(RunRequest(options.suite, name, options.seed), RUN_TIMEOUT_S)
    if run["error"] is not None:
        say(f"without profiler: {run['error']}")
        return None, None
    figures: dict[str, float] = run["quality"]
    return 1e3 * float(run["value_s"]), figures.get(suite.quality or next(iter(figures), ""))


def _found(suite: Suite, name: str, folder: Path, capture: Capture) -> ProfiledVariant:
    """Return what a variant's recording says."""
    found = ProfiledVariant(
        name,
        folder.name,
        description=suite.descriptions.get(name, ""),
        is_baseline=name == suite.baseline,
        warnings=tuple(map(warning_text, capture.warnings)),
    )
    if capture.scopes is None:
        return found
    found = replace(found, has_steps=len(durations(capture.scopes, suite.commentary.step)) > 0)
    scaling = suite.scaling
    if scaling is None:
        return found
    scopes, names = capture.scopes, {"whole": scaling.whole, "work": scaling.work}
    return replace(
        found,
        share=share_of_whole(scopes, suite.commentary.part, **names),
        workers_idle=workers_idle(scopes, workers_of(suite.variants[name], scaling), **names),
    )
