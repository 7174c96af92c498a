"""The pytest plugin: profiles of tests, and the fixture `bench`, which compares functions in fresh processes.

Unused, it adds the options and the fixture, and imports nothing beside pytest and the scopes (docs/pytest.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from workbench.pytest_bench import Bench, BenchSession

PROFILE, EACH = "--workbench-profile", "--workbench-each"
BASELINE, SAVE, BUDGET = "--workbench-baseline", "--workbench-save", "--workbench-budget"
DEFAULT_FOLDER = "profiles/pytest"
_BENCH = pytest.StashKey["BenchSession"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("workbench", "profiles of tests, and benchmarks in tests (scopebench)")
    group.addoption(
        PROFILE,
        nargs="?",
        const=DEFAULT_FOLDER,
        metavar="DIR",
        help=f"Profile the tests and write the profile into DIR ({DEFAULT_FOLDER}).",
    )
    group.addoption(
        EACH, action="store_true", help=f"With {PROFILE}, also write a profile of each test, below DIR/tests."
    )
    group.addoption(
        BASELINE,
        metavar="REV|DIR",
        help=f"What the fixture bench compares with: a git revision, or a folder of {SAVE}.",
    )
    group.addoption(
        SAVE, metavar="DIR", help="Store the code that the fixture bench measures, as a baseline for later."
    )
    group.addoption(
        BUDGET, default="1m", metavar="TIME", help="How long the fixture bench measures a function (1m)."
    )
    group.addoption(
        "--workbench-reports",
        metavar="DIR",
        help="Folder of the experiments of the fixture bench (reports/DATE-TIME).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register what the options ask for."""
    stated = {name: config.getoption(name) for name in ("workbench_baseline", "workbench_save")}
    for name, value in stated.items():
        if value == "":
            raise pytest.UsageError(f"--{name.replace('_', '-')} has no value: give one, or leave it out")
    names_baseline = any(stated.values())
    if names_baseline and not hasattr(config, "workerinput"):
        _bench_session(config)  # what is wrong with it is said before any test runs
    folder = config.getoption("workbench_profile")
    if folder is None:
        if config.getoption("workbench_each"):
            raise pytest.UsageError(f"{EACH} writes profiles of single tests: give {PROFILE}[=DIR], too")
        return
    if folder in config.invocation_params.args:  # a word of its own, such as the name of a test
        raise pytest.UsageError(
            f"{folder!r} behind {PROFILE} would be its folder: write {PROFILE}=DIR, or put the option last"
        )
    if config.getoption("collectonly"):
        return
    from workbench.pytest_profile import register

    register(config, Path(folder), each=config.getoption("workbench_each"))


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """Compare a function with a baseline in fresh processes, in paired rounds; the test fails if it is slower."""
    if hasattr(request.config, "workerinput"):
        pytest.fail("bench cannot time tests beside others: run without -n", pytrace=False)
    if request.config.getoption("workbench_profile") is not None:
        pytest.fail(f"bench cannot time tests that are profiled: run without {PROFILE}", pytrace=False)
    problem = ""
    try:
        return _bench_session(request.config).bench(request.node.nodeid)
    except pytest.UsageError as error:
        problem = str(error)
    pytest.fail(problem, pytrace=False)


def _bench_session(config: pytest.Config) -> BenchSession:
    """Return what the fixture needs for all tests; an option that cannot be used ends pytest."""
    if _BENCH not in config.stash:
        from workbench.extras import missing_extra

        try:
            from workbench.pytest_bench import BenchSession, UnusableOptionError
        except ModuleNotFoundError as error:
            if missing_extra(error) is None:
                raise
            raise pytest.UsageError(
                f"bench needs {error.name}, which is not installed: pip install 'scopebench[bench]'"
            ) from None
        try:
            config.stash[_BENCH] = BenchSession(config)
        except UnusableOptionError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[_BENCH]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the fixture bench found."""
    session = config.stash.get(_BENCH, None)
    if session is not None and session.lines:
        terminalreporter.section("workbench: benchmarks")
        for line in session.lines:
            terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what was made for the fixture bench."""
    session = config.stash.get(_BENCH, None)
    if session is not None:
        session.close()
