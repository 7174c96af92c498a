"""Sampling one thread of this process with pyinstrument, through its public interface alone.

What is sampled is kept by pyinstrument and saved as its own session file at the end: a program that leaves by
`os._exit`, or is killed, has no samples.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

QUIET = "PYINSTRUMENT_IGNORE_OVERHEAD_WARNING"
NEWEST = (3, 14)
"""The newest Python that pyinstrument supports; on newer ones it is no dependency (pyproject.toml)."""


def not_installed(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return in one line what helps where it is not there."""
    if python > NEWEST:
        newest, own = (".".join(map(str, each)) for each in (NEWEST, python))
        return f"pyinstrument is not installed: it supports Python up to {newest}, and this is {own}"
    return "pyinstrument is not installed: pip install pyinstrument"


class PyinstrumentSession:
    """Samples of the thread that begins it. Its stacks are those that ran: `await` is not looked through."""

    def __init__(self, output: str, rate: int) -> None:
        """Import pyinstrument. Raises ImportError where it is not there."""
        is_set = QUIET in os.environ
        os.environ.setdefault(QUIET, "1")  # the program's streams are its own
        try:
            from pyinstrument import Profiler
        finally:
            if not is_set:
                del os.environ[QUIET]
        self._profiler = Profiler(interval=1 / rate, async_mode="disabled")
        self._output = os.path.abspath(output)  # noqa: PTH100  the program may change its folder
        self._pid, self._thread = os.getpid(), threading.get_ident()

    def begin(self, caller: FrameType | None = None) -> None:
        """Sample from now on.

        Args:
            caller: The frame in which what is sampled runs; those around it are no part of it.
        """
        self._profiler.start(caller_frame=caller)
        os.register_at_fork(after_in_child=self.leave)

    def finish(self) -> None:
        """End the session and save it. A forked child has nothing to save; whatever is wrong is one line."""
        if os.getpid() != self._pid or not self._profiler.is_running:
            return
        if threading.get_ident() != self._thread:
            _say("pyinstrument's samples are lost: the block began and ended on different threads")
            return
        try:
            self._profiler.stop().save(self._output)
        except Exception as error:  # noqa: BLE001  the program's own exit must not become ours
            _say(f"pyinstrument's samples are lost: {error}")

    def leave(self) -> None:
        """Sample no more, and save nothing."""
        if self._profiler.is_running and threading.get_ident() == self._thread:
            with suppress(RuntimeError):  # an interrupt came in the middle of it
                self._profiler.stop()


def sample_until_exit(rate: int, output: str) -> None:
    """Sample this thread until the interpreter ends. Raises ImportError where pyinstrument is not there."""
    import atexit

    session = PyinstrumentSession(output, rate)
    atexit.register(session.finish)
    session.begin()


def _say(text: str) -> None:
    from workbench.scopes.error import log_line

    log_line(text)
