"""Two revisions, or two environments, measured in turns, in one experiment.

A stored time is no reference, since the machine has changed as well. So both sides are measured together, in rounds,
and the results are those of any experiment.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.bench.compare.comparison import (
    BASE,
    NEW,
    Both,
    comparison_head,
    differences,
    interpreters_of,
    pairs_of,
)
from workbench.bench.compare.gate import Limits, Verdict, judge
from workbench.bench.compare.sides import (
    OURS,
    SIDE_SUITE,
    Side,
    check_checkout,
    check_origin,
    describe,
    installed_side,
    is_workbench,
    lend_worker,
    make_shim,
    project_in,
    python_side,
    requirements_in,
    source_side,
    suite_in,
)
from workbench.bench.compare.worktrees import (
    Revision,
    changed_files,
    find_revision,
    repository_of,
    worktrees,
)
from workbench.bench.design.suite_files import is_file
from workbench.bench.results.results import FILE, Results, read_results
from workbench.bench.results.retention import retire, would_delete
from workbench.bench.run.experiment import (
    BenchOptions,
    check_options,
    measure,
    orderly_end,
    run_folder,
    with_instructions,
)
from workbench.bench.run.rounds import Report, Say
from workbench.errors import InvalidInputError, Remedy


@dataclass(frozen=True)
class CompareOptions:
    """What is compared, how, and what the new side may cost."""

    suite: str
    folder: Path
    """Of the experiment."""
    base: str | None = None
    """A revision; or else the Pythons of two environments."""
    new: str | None = None
    base_python: str | None = None
    new_python: str | None = None
    install: bool = True
    """Whether each revision is installed into an environment of its own, or runs as it is on this Python."""
    extras: tuple[str, ...] = ()
    """What is installed beside it on both sides, in pip's words."""
    variants: tuple[str, ...] = ()
    """Of the suite; its baseline where none are named."""
    limits: Limits = field(default_factory=Limits)
    budget_s: float = 300.0
    rounds: int | None = None
    seed: int = 0
    timeout_s: float = 120.0
    instructions: bool = False
    """Whether the instructions of both sides are counted, too; a limit to them implies it."""
    keep: int | None = None
    """How many experiments of this suite and machine are kept beside the new one, it among them; None: all."""


@dataclass(frozen=True)
class RevisionComparison:
    """A comparison that was measured."""

    results: Results
    verdict: Verdict


def compare_revisions(
    options: CompareOptions,
    *,
    progress: Report = lambda progress: None,
    say: Say = lambda text: None,
    step: Callable[[str], None] = lambda text: None,
) -> RevisionComparison:
    """Measure both sides together and judge the new one; `step` hears of what is prepared.

    Nothing stays of the revisions' trees and environments, whatever happens; the user's checkout is not touched.

    Raises:
        InvalidInputError: A revision or environment is not there or cannot run the suite, or the options contradict
            themselves.
        InterruptedRunError: It was interrupted before a round was complete.
        WorkbenchError: The results cannot be written.
    """
    bench = _bench_options(options)
    check_options(bench)
    _check(options)
    if (options.folder / FILE).exists():  # before anything is installed
        raise InvalidInputError(f"{options.folder} already holds results", remedy=Remedy.ANOTHER_FOLDER)
    with run_folder(bench.folder, []) as output, _prepared(options, say, step) as both:
        pairs = pairs_of(both, options.variants)
        head = comparison_head(bench, both, pairs, options.limits)
        interpreters = interpreters_of(both, pairs)

        def check(name: str, found: Mapping[str, Any]) -> None:
            """Refuse a side that is broken, or imports something else than what is installed there."""
            if found["error"] is not None:
                raise InvalidInputError(f"{name} fails, so nothing is measured: {found['error']}")
            check_origin(Side(name, interpreters[name], ""), found["misplaced"])

        results = measure(bench, output, head, None, interpreters, progress=progress, say=say, check=check)
        if bench.instructions and len(results.complete_rounds()) >= results.planned:
            with_instructions(results, output, interpreters, bench, progress, say)
    results = read_results(options.folder)
    if options.keep is not None:
        for line in retire(results, options.keep):
            say(line)
    return RevisionComparison(results, judge(results, pairs, options.limits))


def would_retire(options: CompareOptions, keep: int, *, say: Say, step: Callable[[str], None]) -> list[str]:
    """Return in lines what the comparison would delete, and measure nothing; both sides are prepared for their suite.

    Raises:
        InvalidInputError: See `compare_revisions`.
    """
    bench = _bench_options(options)
    check_options(bench)
    _check(options)
    with _prepared(options, say, step) as both:
        head = comparison_head(bench, both, pairs_of(both, options.variants), options.limits)
    return would_delete(options.folder, head.suite, head.fingerprint.machine, keep)


def _bench_options(options: CompareOptions) -> BenchOptions:
    return BenchOptions(
        suite=str(SIDE_SUITE),
        folder=options.folder.absolute(),  # runs have other working folders
        budget_s=options.budget_s,
        rounds=options.rounds,
        # Half of the limit: where nothing has changed the interval, and not its middle alone, is to be below it.
        precision=options.limits.slower / 2,
        delta=options.limits.slower,
        margin=options.limits.worse,
        seed=options.seed,
        timeout_s=options.timeout_s,
        instructions=options.instructions or options.limits.instructions is not None,
        keep=options.keep,
    )


def _check(options: CompareOptions) -> None:
    revisions, pythons = (options.base, options.new), (options.base_python, options.new_python)
    if any(pythons) and (any(revisions) or options.extras or not options.install):
        raise InvalidInputError(
            "environments are compared as they are, with one source: name no revisions, and nothing to install"
        )
    if any(pythons) and not all(pythons):
        raise InvalidInputError("two environments are compared: name the Python of both")
    if not any(pythons) and not all(revisions):
        raise InvalidInputError("two revisions are compared: name both")
    if options.extras and not options.install:
        raise InvalidInputError(
            f"{options.extras[0]} is installed into new environments, and without installing there are none: choose one"
        )


@contextlib.contextmanager
def _prepared(options: CompareOptions, say: Say, step: Callable[[str], None]) -> Iterator[Both]:
    """Prepare both sides, and remove what was made for them at the end."""
    with orderly_end(), tempfile.TemporaryDirectory(prefix="workbench-compare-") as scratch:
        if options.base_python is None or options.new_python is None:
            with _revisions(options, Path(scratch), say, step) as both:
                yield both
            return
        if is_file(options.suite) and not Path(options.suite).is_file():
            raise InvalidInputError(f"suite {options.suite} does not exist: name a Python file")
        suite = str(Path(options.suite).absolute()) if is_file(options.suite) else options.suite
        shim = make_shim(Path(scratch, "path"))
        pythons = (options.base_python, options.new_python)
        sides = [
            python_side(name, python, suite, shim) for name, python in zip((BASE, NEW), pythons, strict=True)
        ]
        facts = [_described(side, options, step) for side in sides]
        for side, fact in zip(sides, facts, strict=True):
            check_origin(side, fact["misplaced"])
        first, second = (
            replace(side, label=f"{side} (Python {fact['python']})")
            for side, fact in zip(sides, facts, strict=True)
        )
        yield Both((first, second), (facts[0], facts[1]), pythons)


@contextlib.contextmanager
def _revisions(
    options: CompareOptions, scratch: Path, say: Say, step: Callable[[str], None]
) -> Iterator[Both]:
    assert options.base is not None
    assert options.new is not None
    # The repository is where we are, as for git; a suite outside of it is the same file on both sides.
    named = not is_file(options.suite)
    repository = repository_of(Path.cwd()) or (None if named else repository_of(Path(options.suite).parent))
    if repository is None:
        raise InvalidInputError(
            f"neither {options.suite} nor this folder is in a git repository: go into one"
        )
    if not (
        named or Path(options.suite).resolve().is_relative_to(repository) or Path(options.suite).is_file()
    ):
        raise InvalidInputError(f"suite {options.suite} does not exist: name a Python file")
    revisions = [find_revision(repository, name) for name in (options.base, options.new)]
    changed = changed_files(repository)
    if changed:
        say(
            f"{changed} changed file{'s' if changed > 1 else ''} in {repository} not committed, so not measured"
        )
    step("checking both revisions out")
    with worktrees(repository, {BASE: revisions[0].commit, NEW: revisions[1].commit}) as trees:
        sides = [
            _revision_side(options, name, revision, tree, repository, scratch, step, say)
            for revision, (name, tree) in zip(revisions, trees.items(), strict=True)
        ]
        facts = [_described(side, options, step) for side in sides]
        for side, fact, tree in zip(sides, facts, trees.values(), strict=True):
            check_checkout(side, fact["files"], tree, repository, None if is_workbench(tree) else OURS)
            check_origin(side, fact["misplaced"])
        for line in differences(facts):
            say(line)
        notes = [f"{revision.name}: {revision.subject}" for revision in revisions]
        yield Both((sides[0], sides[1]), (facts[0], facts[1]), (notes[0], notes[1]))


def _revision_side(
    options: CompareOptions,
    name: str,
    revision: Revision,
    tree: Path,
    repository: Path,
    scratch: Path,
    step: Callable[[str], None],
    say: Say,
) -> Side:
    label = f"{name} ({revision.short})"
    suite = suite_in(tree, options.suite, repository, label)
    if (tree / ".gitmodules").is_file():
        say(f"{label}: submodules are not checked out")
    own = is_workbench(tree)
    if own:
        lend_worker(tree)
    shim = None if own else scratch / f"path-{name}"
    if shim is not None:
        make_shim(shim)
    here = Path.cwd().resolve()
    inside = tree / here.relative_to(repository) if here.is_relative_to(repository) else tree
    folder = inside if inside.is_dir() else tree
    project = project_in(tree, folder, suite)
    if options.install and project is None:
        if options.extras:
            raise InvalidInputError(
                f"{label}: {options.extras[0]} is installed beside a project, and there is no pyproject.toml or "
                "setup.py above this folder or the suite: go into the project's folder"
            )
        say(f"{label}: there is no pyproject.toml or setup.py, so it runs as it is on this Python")
    if not options.install or project is None:
        return source_side(label, project or tree, folder, suite, shim)
    extras = requirements_in(label, options.extras, project, folder, tree, repository)
    step(f"installing {label}")
    return installed_side(label, project, folder, suite, shim, scratch / f"venv-{name}", extras)


def _described(side: Side, options: CompareOptions, step: Callable[[str], None]) -> dict[str, Any]:
    step(f"loading the suite of {side}")
    return describe(side, options.variants, options.timeout_s)
