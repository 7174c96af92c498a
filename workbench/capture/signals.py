"""Waiting for a program, and what becomes of SIGINT, SIGTERM and SIGHUP meanwhile.

Handlers are used and no masks: a program that we start would inherit a mask, and a signal is delivered to
whichever thread does not block it, of which NumPy's libraries have some.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PASS_ON_SECONDS = 0.5
"""A signal that was sent to the whole group has reached the program by itself: it gets this long to end,
before the signal is passed on as one that was sent to us alone."""
GRACE_SECONDS = 10.0
"""A program that does not end within this time of SIGTERM or SIGHUP is killed."""
NEVER = 1 << 30
_POLL_SECONDS = 0.05


class Signals:
    """Collects the signals that ask us to stop, from entry to exit. Does nothing outside the main thread.

    A signal that is ignored when it starts, as under `nohup`, stays ignored.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        """The first signal that came."""
        self._received: list[int] = []
        self._raising_from = NEVER
        self._before: dict[int, Any] = {}
        self._wake: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._wake = os.pipe()
            for end in self._wake:
                os.set_blocking(end, False)
            self._wakeup_before = signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
            for number in WATCHED:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._wake is not None:
            signal.set_wakeup_fd(self._wakeup_before)
            for end in self._wake:
                os.close(end)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or number
        self._received.append(number)
        if len(self._received) >= self._raising_from:
            _stop(number)

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """Within this a signal raises: there is nothing yet that should be kept."""
        if self._received:
            _stop(self._received[0])
        self._raising_from = 1
        try:
            yield
        finally:
            self._raising_from = NEVER

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the program, passing signals on to it, and return its exit code."""
        pending: list[int] = []
        due = deadline = float("inf")
        with _exit_of(process) as ends:
            while (returncode := process.poll()) is None:
                now = time.monotonic()
                while self._received:
                    number = self._received.pop(0)
                    if number != signal.SIGINT:
                        deadline = min(deadline, now + GRACE_SECONDS)
                    if number != signal.SIGINT or not _in_foreground():
                        pending.append(number)
                        due = now + PASS_ON_SECONDS
                if now >= due:
                    for number in pending:
                        process.send_signal(number)
                    pending, due = [], float("inf")
                if now >= deadline:
                    process.kill()
                    deadline = float("inf")
                self._sleep(ends, min(due, deadline) - now)
        return returncode

    def wait_for(self, end: int, seconds: float) -> None:
        """Wait until a signal has come, a descriptor is readable, or so many seconds are over."""
        if not self._received:
            self._sleep(end, seconds)

    def _sleep(self, ends: int | None, seconds: float) -> None:
        """Sleep until a signal comes, the program ends, or the time is over."""
        if ends is None or self._wake is None:
            seconds = min(seconds, _POLL_SECONDS)
        watched = [end for end in (ends, self._wake and self._wake[0]) if end is not None]
        select.select(watched, [], [], None if seconds == float("inf") else max(seconds, 0.0))
        if self._wake is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake[0], 512)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Within this a first signal is ignored, because results are being written; a second raises."""
        self._received.clear()
        self._raising_from = 2
        try:
            yield
        finally:
            self._raising_from = NEVER


def _stop(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _exit_of(process: subprocess.Popen[bytes]) -> Iterator[int | None]:
    """Yield a descriptor that becomes readable when the process ends, or None where there is no such thing."""
    try:
        end = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        yield None
        return
    try:
        yield end
    finally:
        os.close(end)


def _in_foreground() -> bool:
    """Return whether Ctrl-C in the terminal reaches our group, and so the program, by itself."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
