"""pyinstrument's session files: an ordered list of (stack, seconds) of one thread.

Seen in pyinstrument 4 and 5: a frame is "name, NUL, file, NUL, line of its def", the first frame of a stack names the
thread. After it, each after an SOH character, are attributes, which early versions of 4 do not have: `l` and the
line that ran, `c` and the name of the class of `self` or `cls`, `h` where the frame is to be hidden.

The name is the function's own, `code.co_name`. The class does not make it a qualified name: it is the one of the
object, which may have inherited the method, and functions inside functions have none.

A record is a stack and the time since the one before it. pyinstrument samples when a function is called or returns, and
a stack that it sees then is what ran until that instant: a second in one function of C is seen when it is over. So a
sample seen at t covers (t - seconds, t].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import MAX_NS
from workbench.formats.source import Source, reading
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder

_WAITING = frozenset(
    {"sleep", "lock.acquire", "RLock.acquire", "select", "poll.poll", "epoll.poll", "waitpid", "wait4"}
    | {"SemLock.acquire", "sigwait", "sigtimedwait"}
)
"""Functions written in C in which a thread waits; their file is "<built-in>"."""


def read_pyinstrument(
    path: str | Path | Source,
    *,
    name: str | None = None,
    pid: int = 0,
    lines: bool = False,
    trim: bool = False,
) -> Profile:
    """Read a session as a profile with samples; its clock begins where the session did.

    Args:
        path: The session, as JSON.
        name: The profile's name; the file's by default.
        pid: The process it was taken in, which is not in the file.
        lines: Whether each frame has the line that ran (0 where the file has none).
        trim: Whether the frames around the one that started the profiler are left out.

    Raises:
        InvalidInputError: The file is missing, or is no session.
    """
    with reading(path, "a pyinstrument session") as source:
        text = JsonText(source, "a pyinstrument session")
        builder = ProfileBuilder(name or source.stem)
        around: list[str] = []
        rows: list[tuple[int, int, int]] | None = None
        for key in text.members():
            if key == "frame_records":
                rows = list(_rows(text, builder, _SessionFrames(lines, around)))
                continue
            value = text.value()
            if key == "start_call_stack" and trim:
                around = [str(each) for each in value[:-1]] if isinstance(value, list) else []
        text.end()
        if rows is None:
            raise ValueError("it has no frame_records")
    if any(stack >= 0 for stack, _, _ in rows):
        stacks, at, weights = map(list, zip(*rows, strict=True))
        builder.add_track("MainThread", pid=pid, tid=0, samples=builder.samples(stacks, at, weights))
    return builder.build()


def _rows(text: JsonText, builder: ProfileBuilder, frames: _SessionFrames) -> Iterator[tuple[int, int, int]]:
    """Yield the stack of each record, when its time begins, and how long it is."""
    at = 0
    for number, record in enumerate(text.elements()):
        try:
            identifiers, seconds = record
            stack = builder.stack_of(frames.of(identifiers))
            weight = max(round(seconds * 1e9), 0)
            if at + weight > MAX_NS:
                raise ValueError(f"the time {shown(seconds)} is too large")  # noqa: TRY301  all errors are named below
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"in frame_records[{number}], {shown(error)}") from None
        yield stack, at, weight
        at += weight


class _SessionFrames:
    """Makes frames of identifiers, each distinct one once."""

    def __init__(self, lines: bool, around: Sequence[str]) -> None:
        self._lines = lines
        self._around = [code for code in (each.split("\x01")[0] for each in around) if not _is_thread(code)]
        self._known: dict[str, tuple[str, Frame]] = {}

    def of(self, identifiers: list[Any]) -> list[Frame]:
        """Return a record's stack, root first, without what is no part of the program."""
        frames: list[Frame] = []
        depth = 0
        is_around = True
        for identifier in identifiers:
            code, frame = self._frame(str(identifier))
            if _is_thread(code):
                continue
            is_around = is_around and depth < len(self._around) and code == self._around[depth]
            depth += 1
            if not is_around and not frame.file.startswith("<frozen importlib"):
                frames.append(frame)
        if frames and frames[-1].file == "<built-in>" and frames[-1].name in _WAITING:
            frames[-1] = frames[-1]._replace(kind=FrameKind.IDLE)
        return frames

    def _frame(self, identifier: str) -> tuple[str, Frame]:
        if identifier not in self._known:
            code, *attributes = identifier.split("\x01")
            name, file, _ = code.split("\x00", 2)
            line = next((a[1:] for a in attributes if a[:1] == "l"), "0") if self._lines else "0"
            self._known[identifier] = code, Frame(name, file, _line(line), FrameKind.PYTHON)
        return self._known[identifier]


def _is_thread(code: str) -> bool:
    return "\x00<thread>\x00" in code


def _line(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{shown(text)} is no line")
    return int(text)
