"""Run tests and write the outcome of each, by its id, as JSON: `outcomes.py FILE unittest|pytest WORDS`."""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path

outcomes: dict[str, str] = {}


class Result(unittest.TextTestResult):
    """Notes what came of each test; one with a subtest that failed has failed."""

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        outcomes.setdefault(test.id(), "passed")

    def addError(self, test, err) -> None:  # noqa: N802
        super().addError(test, err)
        outcomes[test.id()] = "error"

    def addFailure(self, test, err) -> None:  # noqa: N802
        super().addFailure(test, err)
        outcomes[test.id()] = "failed"

    def addSkip(self, test, reason) -> None:  # noqa: N802
        super().addSkip(test, reason)
        outcomes[test.id()] = "skipped"

    def addSubTest(self, test, subtest, err) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            outcomes[test.id()] = "failed"


class Plugin:
    """The same for pytest."""

    def pytest_runtest_logreport(self, report) -> None:
        """Keep the worst of a test's phases."""
        if report.outcome != "passed" or outcomes.get(report.nodeid) is None:
            outcomes[report.nodeid] = report.outcome


def main() -> None:
    """Run them."""
    sys.path.pop(0)  # this folder: what is tested is elsewhere
    file, kind, *words = sys.argv[1:]
    if kind == "unittest":
        suite = unittest.defaultTestLoader.loadTestsFromNames(words)
        unittest.TextTestRunner(stream=sys.stderr, verbosity=0, resultclass=Result).run(suite)
    else:
        import pytest

        pytest.main([*words, "-q", "-p", "no:cacheprovider", "-p", "no:terminalreporter"], plugins=[Plugin()])
    Path(file).write_text(json.dumps(outcomes))


if __name__ == "__main__":  # and not where a process of a pool imports what its parent ran
    main()
