"""The fixture `bench` of the pytest plugin: compares functions of tests, and fails a test whose function is slower."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import click
import pytest

from workbench.bench.compare.functions import (
    SOURCE,
    Function,
    FunctionComparison,
    FunctionOptions,
    Place,
    compare_functions,
    function_of,
    is_defined,
    store_source,
)
from workbench.bench.compare.gate import REGRESSION, Limits
from workbench.bench.compare.worktrees import Revision, find_revision, repository_of, worktrees
from workbench.bench.design.suite import folder_names
from workbench.bench.run.experiment import InterruptedRunError
from workbench.bench.run.rounds import RoundProgress
from workbench.cli.bench import Duration
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder, cannot_write
from workbench.report.bench.page import write_page

STORED = "base (stored)"
CACHE = "workbench-baseline"
"""The folder of baselines in pytest's cache, for tests that name none."""


class UnusableOptionError(InvalidInputError):
    """An option of pytest that cannot be used."""


class BenchSession:
    """What the fixture needs for all tests of a run.

    Args:
        config: That of pytest.

    Raises:
        UnusableOptionError: An option has a value that cannot be used.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.lines: list[str] = []
        """What was found, for the summary."""
        self.reports = Path(
            config.getoption("workbench_reports")
            or Path("reports", datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S"))
        ).absolute()
        self.root = config.rootpath.resolve()
        self.revision: Revision | None = None
        self.stored: Path | None = None
        """Where baselines are stored."""
        self.config = config
        self._made = contextlib.ExitStack()
        self._tree: Path | None = None
        try:
            self.budget_s = Duration().convert(config.getoption("workbench_budget"), None, None)
        except click.BadParameter as error:
            raise UnusableOptionError(f"--workbench-budget: {error.message}") from None
        baseline, save = config.getoption("workbench_baseline"), config.getoption("workbench_save")
        self.is_saving = bool(save)
        if baseline and save:
            raise UnusableOptionError(
                f"--workbench-save={save} stores a baseline, --workbench-baseline={baseline} names one: give either"
            )
        if save:
            self.stored = Path(save).absolute()
        elif baseline and Path(baseline).is_dir():
            self.stored = Path(baseline).absolute()
        elif baseline:
            self._find(baseline)
        elif config.pluginmanager.has_plugin("cacheprovider"):
            assert config.cache is not None
            self.stored = config.cache.mkdir(CACHE)

    def _find(self, baseline: str) -> None:
        why = f"no git repository is here: store a baseline by --workbench-save={baseline}"
        try:
            repository = repository_of(Path.cwd())
            if repository is not None:
                self.revision, self.root = find_revision(repository, baseline), repository.resolve()
        except InvalidInputError as error:
            why = str(error)
        if self.revision is None:
            raise UnusableOptionError(f"--workbench-baseline={baseline}: there is no such folder, and {why}")

    def bench(self, test: str) -> Bench:
        """Return the fixture of a test."""
        return Bench(self, test)

    def tree(self) -> Path:
        """Return the files of the revision, which are checked out once."""
        if self._tree is None:
            assert self.revision is not None
            made = self._made.enter_context(worktrees(self.root, {"base": self.revision.commit}))
            self._tree = made["base"]
        return self._tree

    def close(self) -> None:
        """Remove the files of the revision."""
        self._made.close()


class Bench:
    """The fixture `bench` of one test: call it with the function to compare.

    Args:
        session: That of the run.
        test: The test's id.
    """

    def __init__(self, session: BenchSession, test: str) -> None:
        self._session = session
        self._test = test
        self._calls = 0

    def __call__(
        self,
        function: Callable[..., object],
        /,
        *arguments: object,
        baseline: Callable[..., object] | None = None,
        fail_slower: float = 0.05,
        fail_worse: float = 0.1,
        fail_larger: float | None = None,
        rounds: int | None = None,
    ) -> FunctionComparison:
        """Compare a function with its baseline in fresh processes, in paired rounds; fail the test if it is slower.

        It is slower by the verdict of `workbench compare`: if the interval of the ratio is above the limit. An
        inconclusive comparison does not fail the test.

        Args:
            function: What is timed; or what sets it up, if it takes a `seed`: it returns a `workbench.bench.Case`.
                Fresh processes import it by its name.
            arguments: What it is called with: numbers, text, and tuples of these.
            baseline: What it is compared with, called with the same arguments; by default the function itself as it is
                in the revision or stored baseline that pytest was given, or as it was when it was first measured.
            fail_slower: The largest slowdown that passes, as a share.
            fail_worse: The largest increase of the error of a case's `quality` that passes, in powers of ten.
            fail_larger: The largest increase of the peak memory that passes, as a share; by default any.
            rounds: How many rounds to measure; by default as many as the limit needs and the budget holds.

        Returns:
            The results, and the verdict; None where nothing was there to compare with.
        """
        self._calls += 1
        name = self._test if self._calls == 1 else f"{self._test} ({self._calls})"
        problem = ""
        try:
            limits = Limits(fail_slower, fail_worse, fail_larger)
            _check(limits)
            if rounds is not None and rounds < 1:
                raise InvalidInputError(f"rounds={rounds}: give 1 or more, or leave it out")
            new = function_of(function, arguments)
            old = None if baseline is None else function_of(baseline, arguments)
            found = self._compare(name, new, old, limits, rounds)
            if found.verdict is not None and found.verdict.verdict == REGRESSION:
                problem = "\n".join(found.verdict.lines)
        except InterruptedRunError:
            raise KeyboardInterrupt from None
        except WorkbenchError as error:
            problem = str(error)
        finally:
            self._show("")
        if problem:
            pytest.fail(problem, pytrace=False)
        return found

    def _compare(
        self, name: str, new: Function, old: Function | None, limits: Limits, rounds: int | None
    ) -> FunctionComparison:
        session = self._session
        key = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        folder = f"{folder_names([name])[name]}-{key}"
        base, stores = self._base(new, old, folder)
        label = new.name if base is None or base.label != new.name else f"{new.name} (new)"
        options = FunctionOptions(
            name,
            session.reports / folder,
            session.root,
            limits=limits,
            budget_s=session.budget_s,
            rounds=rounds,
        )
        session.lines.append(name)
        found = compare_functions(Place(label, new), base, options, progress=self._progress, say=self._say)
        if found.is_interrupted:
            self._say("interrupted: the complete rounds are in the experiment")
        elif stores is not None:
            with _writing(stores), OutputFolder(stores, folders=[SOURCE]) as output:
                store_source(found.results, session.root, output)
            again = "" if session.is_saving else "the first run: "
            self._say(f"{again}stored as baseline in {_short(stores)}")
        for line in () if found.verdict is None else found.verdict.lines:
            self._say(line)
        session.lines.append(f"  open {_short(write_page(found.results))} in a browser")
        if found.is_interrupted:
            raise KeyboardInterrupt
        return found

    def _base(self, new: Function, old: Function | None, folder: str) -> tuple[Place | None, Path | None]:
        """Return what the function is compared with, and the folder in which it is stored instead.

        Raises:
            InvalidInputError: There can be none.
        """
        session = self._session
        if old is not None:
            return Place(old.name, old), None
        if new.file is None or not new.file.is_relative_to(session.root):
            raise InvalidInputError(
                f"{new} is not in {session.root}, of which a baseline is made: give bench(…, baseline=…)"
            )
        if session.revision is not None:
            label = f"base ({session.revision.short})"
            if not is_defined(new, session.root, session.tree()):
                pytest.skip(f"{new} is not in {session.revision.name}: there is nothing to compare with")
            return Place(label, new, session.tree()), None
        if session.stored is None:
            raise InvalidInputError(
                f"{new} has nothing to be compared with, as pytest has no cache: give bench(…, baseline=…), "
                "or --workbench-baseline"
            )
        stored = session.stored / folder
        tree = (stored / SOURCE).resolve()
        if session.is_saving or not is_defined(new, session.root, tree):
            return None, stored
        return Place(STORED, new, tree), None

    def _say(self, text: str) -> None:
        self._session.lines.append(f"  {text}")

    def _progress(self, now: RoundProgress) -> None:
        rounds = f" of {now.rounds}" if now.rounds is not None else ""
        self._show(f"{self._test}: round {now.round + 1}{rounds}, {now.variant}")

    def _show(self, text: str) -> None:
        """Show how far it is, on a terminal."""
        plugins = self._session.config.pluginmanager
        reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
        if reporter is None or not reporter.isatty:
            return
        with contextlib.nullcontext() if capture is None else capture.global_and_fixture_disabled():
            reporter.rewrite(text, erase=True)


def _check(limits: Limits) -> None:
    """Raise InvalidInputError unless the limits can be used."""
    larger = () if limits.larger is None else (("fail_larger", limits.larger),)
    for name, limit in (("fail_slower", limits.slower), ("fail_worse", limits.worse), *larger):
        if not isinstance(limit, int | float) or not 0 < limit < 1:
            raise InvalidInputError(f"{name}={limit!r}: give a number between 0 and 1, such as 0.05")


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(folder, error) from None


def _short(path: Path) -> str:
    """Return a path below the working folder by its way from there."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
