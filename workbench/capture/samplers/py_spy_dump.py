"""What each thread of a process does now, by py-spy, which holds the process for some milliseconds."""

from __future__ import annotations

import json
import re
import subprocess
from typing import NamedTuple

from workbench.capture.samplers._py_spy_process import ATTACH_SECONDS, explain, find_py_spy, run_dump
from workbench.capture.samplers.base import SamplerError
from workbench.formats.pyspy import frame_of
from workbench.profile import Frame

_NO_PYTHON = re.compile(r"Failed to (?:find|get) python|Failed to get process executable", re.IGNORECASE)


class DumpedThread(NamedTuple):
    """A thread as py-spy sees it."""

    name: str
    """Empty where the program has not named it."""
    tid: int
    """Its native id."""
    ident: int
    """Python's number of it."""
    is_active: bool
    owns_gil: bool
    stack: tuple[Frame, ...]
    """Its Python frames with their lines, outermost first."""


def dump_by_py_spy(pid: int) -> list[DumpedThread]:
    """Return the threads of a Python process.

    Raises:
        SamplerError: py-spy is not there, may not read the process, or finds no Python in it.
    """
    try:
        done = run_dump(find_py_spy(), pid, "--json")
    except subprocess.TimeoutExpired:
        raise SamplerError(f"py-spy did not read process {pid} within {ATTACH_SECONDS:.0f} s") from None
    except OSError as error:
        raise SamplerError(f"py-spy cannot be started ({error.strerror}): pip install py-spy") from None
    if done.returncode:
        if _NO_PYTHON.search(done.stderr):
            raise SamplerError(
                f"py-spy finds no Python in process {pid}: name the process of a Python program"
            )
        raise SamplerError(explain(done.stderr.partition("\n\nStack backtrace")[0], done.returncode).text)
    try:
        return [_thread(each) for each in json.loads(done.stdout)]
    except (ValueError, KeyError, TypeError):
        raise SamplerError(f"py-spy wrote what is no JSON of threads: {done.stdout[:80]!r}") from None


def _thread(said: dict[str, object]) -> DumpedThread:
    frames = said["frames"]
    assert isinstance(frames, list), "py-spy gives a list"
    return DumpedThread(
        str(said["thread_name"] or ""),
        int(str(said["os_thread_id"] or 0)),
        int(str(said["thread_id"] or 0)),
        bool(said["active"]),
        bool(said["owns_gil"]),
        tuple(frame_of(each["name"], each["filename"], each["line"]) for each in reversed(frames)),
    )
