"""Programs that end with scopes open, by themselves or because they were killed."""

from __future__ import annotations

import pytest

ENDS = {
    "return": "",
    "sys.exit": "import sys; sys.exit(3)",
    "exception": "raise ValueError",
    "os._exit": "import os; os._exit(4)",
    "SIGKILL": "import os; os.kill(os.getpid(), 9)",
    "SIGTERM": "import os; os.kill(os.getpid(), 15)",
    "abort": "import os; os.abort()",
    "SIGSEGV": "import ctypes; ctypes.string_at(0)",
    "SIGBUS": "import os, signal; os.kill(os.getpid(), signal.SIGBUS)",
    "os._exit in a thread": "import os, threading; threading.Thread(target=os._exit, args=(5,)).run()",
}


@pytest.mark.parametrize("how", ENDS)
def test_open_scopes_are_kept(run, tmp_path, read, how):
    """However a program ends, closed scopes are closed, and open ones are kept and marked unfinished."""
    run(
        f"""
        from workbench import scope
        outer, inner = scope("outer"), scope("inner")
        outer.__enter__()
        inner.__enter__()
        with scope("closed"):
            pass
        {ENDS[how]}
        """,
        WORKBENCH_RECORD="r",
        PYTHONFAULTHANDLER="",
    )
    found = read(tmp_path / "r")
    assert [(i.path, i.unfinished) for i in found] == [
        ("outer", True),
        ("outer/inner", True),
        ("outer/inner/closed", False),
    ]
    outer, inner, closed = found
    assert outer.end == inner.end >= closed.end
