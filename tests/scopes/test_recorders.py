"""The native recorder and the one in Python: the same scope, the same log, the same tests."""

from __future__ import annotations

import os

from workbench.scopes import engine

VARIABLE = "WORKBENCH_RECORDER"


def test_which_recorder_is_tested():
    """Where CI=true the native recorder is there: no test passes because the compiler was missing."""
    if os.environ.get(VARIABLE) == "python":
        assert engine.name == "python"
    elif os.environ.get("CI") == "true":
        assert engine.name == "native"


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
