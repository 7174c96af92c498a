"""A screen of text that is drawn again and again, on a plain terminal: over SSH, without a mouse."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from workbench.report.live import ScreenLine

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
"""Another screen, without a cursor."""
_LEAVE = "\x1b[?25h\x1b[?1049l"
MIN_WIDTH, MIN_HEIGHT = 40, 8


class Terminal:
    """Standard output as a screen, and the keys of standard input. See `terminal`."""

    def __init__(self) -> None:
        self._drawn: list[ScreenLine] = []
        self._size = (0, 0)
        self._modes = termios.tcgetattr(0) if sys.stdin is not None and sys.stdin.isatty() else None

    def size(self) -> tuple[int, int]:
        """Return columns and rows."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 80, 24
        return max(columns, MIN_WIDTH), max(rows, MIN_HEIGHT)

    def draw(self, lines: Sequence[ScreenLine]) -> None:
        """Write what differs from what is on the screen."""
        size = self.size()
        if size != self._size:
            self._drawn, self._size = [], size
            self._write("\x1b[2J")
        rows = size[1]
        before = self._drawn + [ScreenLine("")] * (rows - len(self._drawn))
        after = [*lines[:rows], *[ScreenLine("")] * (rows - len(lines))]
        self._write(
            "".join(
                f"\x1b[{row}H{_styled(line)}\x1b[K"
                for row, (old, line) in enumerate(zip(before, after, strict=True), 1)
                if old != line
            )
        )
        self._drawn = after

    def key(self, seconds: float) -> str:
        """Return what is typed within some seconds; `q` where the terminal is gone."""
        ready, _, _ = select.select([] if self._modes is None else [0], [], [], seconds)
        return os.read(0, 64).decode("utf-8", "replace") or "q" if ready else ""

    def enter(self) -> None:
        """Take the terminal."""
        if self._modes is not None:
            tty.setcbreak(0)
        self._drawn, self._size = [], (0, 0)
        self._write(_ENTER)

    def leave(self) -> None:
        """Give the terminal back as it was."""
        self._write(_LEAVE)
        if self._modes is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._modes)

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Take the terminal while the block runs, and give it back whatever ends it; Ctrl-Z gives it back for a while."""
    screen = Terminal()

    def stop(_number: int, _frame: FrameType | None) -> None:
        screen.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        screen.enter()

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    handlers = {signal.SIGTSTP: stop, signal.SIGTERM: end, signal.SIGHUP: end}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        screen.enter()
        yield screen
    finally:
        screen.leave()
        for number, handler in before.items():
            signal.signal(number, handler)


def _styled(line: ScreenLine) -> str:
    return f"\x1b[1m{line.text}\x1b[0m" if line.is_title else line.text
