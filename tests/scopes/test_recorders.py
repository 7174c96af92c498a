"""The native recorder and the one in Python: the same guard, the same log, the same tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.scopes import engine

TESTS = Path(__file__).parents[1]
ALL = ["tests/scopes", "tests/eventlog/test_event_log.py"]
OTHERS = ["--ignore-glob=*/test_carry*", "--ignore-glob=*/test_workers*"]
"""These run their programs with both."""
VARIABLE = "WORKBENCH_RECORDER"


def test_which_recorder_is_tested():
    """Where CI=true the native recorder is there: no test passes because the compiler was missing."""
    if os.environ.get(VARIABLE) == "python":
        assert engine.name == "python"
    elif os.environ.get("CI") == "true":
        assert engine.name == "native"


@pytest.mark.skipif(VARIABLE in os.environ, reason="this is the other recorder's run")
@pytest.mark.timeout(900)
def test_the_recorder_in_python_passes_the_same_tests():
    """Every test of recording and of reading passes with the pure-Python recorder, too."""
    if engine.name == "python":
        pytest.skip("it is the one that is tested: the native recorder was not built")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not proof",
        "-p",
        "no:cacheprovider",
        *OTHERS,
        *ALL,
    ]
    done = subprocess.run(
        command, env=os.environ | {VARIABLE: "python"}, cwd=TESTS.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:]


def test_both_have_the_same_names(run):
    """Programs cannot tell the recorders apart by what they import."""
    code = """
    import inspect
    from workbench.scopes import engine
    print(engine.name, sorted(n for n in dir(engine.scope("x")) if not n.startswith("__")))
    """
    (native, *names), (python, *others) = (
        run(code, **{VARIABLE: name}).stdout.split() for name in ("", "python")
    )
    assert python == "python"
    assert set(names) <= set(others) or native == python
