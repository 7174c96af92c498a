"""The native recorder and the one in Python: the same guard, the same log, the same tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.scopes import engine

ROOT = Path(__file__).parents[2]
NAMES = ("scope", "generators", "asyncio", "carry", "names", "limits", "ends", "recording", "interleavings")
QUICK = [*(f"tests/scopes/test_{name}.py" for name in NAMES), "tests/eventlog/test_event_log.py"]
"""Tests of what a recorder writes; they take seconds."""
VARIABLE = "WORKBENCH_RECORDER"


def test_which_recorder_is_tested():
    """Where CI=true the native recorder is there: no test passes because the compiler was missing."""
    if os.environ.get(VARIABLE) == "python":
        assert engine.name == "python"
    elif os.environ.get("CI") == "true":
        assert engine.name == "native"


@pytest.mark.skipif(VARIABLE in os.environ, reason="this is the other recorder's run")
@pytest.mark.skipif(
    engine.name == "python", reason="it is the one that is tested: the native one was not built"
)
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "tests",
    [
        QUICK,
        pytest.param(
            ["tests/scopes", "tests/eventlog", "--ignore-glob=*/test_workers*"], marks=pytest.mark.proof
        ),
    ],
    ids=["what is written", "all"],
)
def test_the_recorder_in_python_passes_the_same_tests(tests):
    """The tests of recording and of reading pass with the pure-Python recorder, too."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not proof", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {VARIABLE: "python"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
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
