"""A profile of the tests that pytest runs: each test is a scope, and the workers of xdist are its processes."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workbench.scopes import scope

if TYPE_CHECKING:
    from workbench.capture.program import Capture
    from workbench.report.profile.profiled import profiled

Closing = Generator[None, object, object]
"""What a wrapper of hooks is."""


def register(config: pytest.Config, folder: Path, *, each: bool) -> None:
    """Profile what this run of pytest does, or as a worker of xdist take part in its profile.

    Args:
        config: That of pytest.
        folder: Of the profile.
        each: Whether each test has a profile of its own, too.
    """
    worker = getattr(config, "workerinput", None)
    opened = OpenedScopes("" if worker is None else str(worker["workerid"]))
    for plugin in (opened, ClosedScopes(opened)):
        config.pluginmanager.register(plugin)
    if worker is None:  # a worker joins the recording of the process that starts it
        config.pluginmanager.register(ProfiledSession(config, folder, each=each))


class OpenedScopes:
    """Opens a scope for each test, and in it for set-up, call and teardown, and for its fixtures.

    pytest calls these first. They are plain functions, so that what it calls next is inside the scopes for the sampler,
    too: it attributes samples to no scope of a generator that is suspended.

    Args:
        worker: The name of this worker of xdist, which the track of its main thread gets.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self.scopes: list[scope] = []
        """The open ones."""

    def _open(self, name: str) -> None:
        self.scopes.append(scope(name))
        self.scopes[-1].__enter__()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Record the collection; in a worker that is the first scope of the main thread, and names its track."""
        thread, name = threading.current_thread(), threading.current_thread().name
        thread.name = self._worker or name
        self._open("collection")
        thread.name = name

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Record a test."""
        self._open(item.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Record the set-up of a test."""
        self._open("setup")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Record the test itself."""
        self._open("call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Record the teardown of a test."""
        self._open("teardown")

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Record the set-up of a fixture."""
        self._open(f"fixture {fixturedef.argname}")


class ClosedScopes:
    """Closes the scopes of `OpenedScopes`, however what is inside them ends.

    Args:
        opened: The scopes.
    """

    def __init__(self, opened: OpenedScopes) -> None:
        self._scopes = opened.scopes

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Closing:
        """Close the scope of the collection."""
        return (yield from self._closing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Closing:
        """Close the scope of a test."""
        return (yield from self._closing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Closing:
        """Close the scope of a set-up."""
        return (yield from self._closing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Closing:
        """Close the scope of a call."""
        return (yield from self._closing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Closing:
        """Close the scope of a teardown."""
        return (yield from self._closing())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Closing:
        """Close the scope of a fixture's set-up, and record the teardown of one that yields."""
        if not inspect.isgeneratorfunction(fixturedef.func):
            return (yield from self._closing())
        teardown = scope(f"fixture {fixturedef.argname}")
        fixturedef.addfinalizer(lambda: teardown.__exit__(None, None, None))  # called in the reverse order
        result = yield from self._closing()
        fixturedef.addfinalizer(teardown.__enter__)
        return result

    def _closing(self) -> Closing:
        before = len(self._scopes)
        try:
            return (yield)
        finally:
            while len(self._scopes) > before:
                self._scopes.pop().__exit__(None, None, None)


class ProfiledSession:
    """Records and samples this process, and those that it starts; writes the profile at the end.

    Args:
        config: That of pytest.
        folder: Of the profile.
        each: Whether each test has a profile of its own, too.
    """

    def __init__(self, config: pytest.Config, folder: Path, *, each: bool) -> None:
        self._config = config
        self._folder = folder
        self._each = each
        self._names: dict[str, None] = {}
        """The tests that ran, in the order of their reports."""
        self._profiled: profiled | None = None
        self._session: pytest.Session | None = None
        self._lines: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Begin, before xdist starts its workers."""
        from workbench.errors import WorkbenchError

        self._session = session
        try:
            self._profiled = self._make()
            self._profiled.__enter__()
        except (WorkbenchError, ModuleNotFoundError) as error:
            raise pytest.UsageError(f"--workbench-profile: {error}") from None

    def _make(self) -> profiled:
        """Return the block that is profiled: it shows tests without what runs them.

        Raises:
            ModuleNotFoundError: The packages for profiles are not installed; the line says how to install them.
        """
        import workbench

        _ = workbench.profiled
        from workbench.report.profile.profiled import profiled

        write = self._write

        class ProfiledTests(profiled):
            def write(self, capture: Capture) -> list[Path]:
                return write(capture)

        words = " ".join(["pytest", *map(str, self._config.invocation_params.args)])
        return ProfiledTests(self._folder, title=words)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which tests have run, in whatever process."""
        self._names[report.nodeid] = None

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Write the profile when all else has ended, the workers of xdist too."""
        try:
            return (yield)
        finally:
            block, self._profiled = self._profiled, None
            if block is not None:
                block.__exit__(None, None, None)

    def _write(self, capture: Capture) -> list[Path]:
        from dataclasses import replace

        from workbench.capture.around import without_pytest
        from workbench.report.profile.files import add_to_summary, write_profile_files
        from workbench.report.profile.page import PAGE
        from workbench.report.profile.slowest_tests import remove_each, slowest_tests, tests_of, write_each

        status = 0 if self._session is None else int(self._session.exitstatus)
        merged = None if capture.merged is None else without_pytest(capture.merged)
        capture = replace(capture, returncode=status, merged=merged)
        files = write_profile_files(capture, title=capture.options.program[0])
        if not files:
            return files
        with capture.options.held() as output:
            add_to_summary(output, tests=True)
        tests = [] if capture.scopes is None else tests_of(capture.scopes, self._names)
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        self._lines += slowest_tests(merged, tests)
        remove_each(capture.options.folder)
        if self._each:

            def progress(number: int) -> None:
                if reporter is not None and reporter.isatty:
                    reporter.rewrite(f"writing the profile of test {number + 1} of {len(tests)}", erase=True)

            folders = write_each(capture, tests, progress)
            self._lines.append(f"a profile of each of {len(folders)} tests: {self._folder / 'tests'}")
        self._lines.append(f"open {self._folder / PAGE} in a browser")
        return files

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the slowest tests with their hottest lines, and where the page is."""
        if self._lines:
            terminalreporter.section("workbench: slowest tests, with their hottest lines")
            for line in self._lines:
                terminalreporter.write_line(line)
