"""pyinstrument's session files: an ordered list of (stack, seconds) of one thread.

Seen in pyinstrument 4 and 5: a frame is "name, NUL, file, NUL, line of its def", the first frame of a stack names the
thread. Behind it, each behind an SOH character, stand attributes, which early versions of 4 do not have: `l` and the
line that ran, `c` and the name of the class of `self` or `cls`, `h` where the frame is to be hidden.

The name is the function's own, `code.co_name`. The class does not make it a qualified name: it is the one of the
object, which may have inherited the method, and functions inside functions have none.

A record is a stack and the time since the one before it. pyinstrument looks when a function is called or returns, and
a stack that it sees then is what ran until that instant: a second in one function of C is seen when it is over. So a
sample seen at t stands for (t - seconds, t].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import InvalidInputError
from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import MOST_NS, whole_number
from workbench.formats._source import Source, read_source
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, Samples
from workbench.profile._parts import extent

_WAITING = frozenset(
    {"sleep", "lock.acquire", "RLock.acquire", "select", "poll.poll", "epoll.poll", "waitpid", "wait4"}
    | {"SemLock.acquire", "sigwait", "sigtimedwait"}
)
"""Functions written in C in which a thread waits; their file is "<built-in>"."""
_NUMBERS = ("start_ns", "pid", "tid")
_OURS = b'{"workbench":'
"""How a session begins that `workbench profile` took."""


def read_pyinstrument(
    path: str | Path | Source,
    *,
    pid: int | None = None,
    base_file: str = "",
    name: str | None = None,
    lines: bool = False,
    start_ns: int | None = None,
    tid: int | None = None,
    thread: str | None = None,
) -> Profile:
    """Read a session as a profile with samples; its clock begins where the session did.

    A session that `workbench profile` took says when it began on the recorder's clock, and of which process and
    thread it is, and which frames were around what was profiled, which are left out. Where it was cut off, which a kill
    does, it is read as far as it goes, and the fact `cut_off` is true. An argument goes before what the file says.

    Args:
        path: The session, as JSON.
        pid: The process it was taken in, which pyinstrument's own files do not say; 0 by default.
        base_file: A file whose frames, and all below them, are left out: the start-up code that ran the
            program.
        name: The profile's name; the file's by default.
        lines: For placing samples: whether each frame has the line that ran (0 where the file has none), and
            each sample stands at the instant at which its stack was *seen*. What it stands for is before that:
            such a profile is no valid one until `from_begin` has moved its samples.
        start_ns: When the session began, on whatever clock the profile is to have; 0 by default.
        tid: The thread's ident; 0 by default.
        thread: The thread's name; MainThread by default.

    Raises:
        InvalidInputError: The file is missing, or is no session.
    """
    source, cut_off = _with_an_end(read_source(path))
    text = JsonText(source, "a pyinstrument session")
    told = _Told()
    records: _Records | None = None
    for key in text.members():
        if key == "frame_records":
            records = _Records(name or source.stem, _Frames(lines, base_file, told.around))
            for record in text.elements():
                records.add(record, source.name)
        elif key == "workbench":
            told = _Told.of(text.value(), source.name)
        else:
            text.value()
    text.end()
    if records is None:
        raise InvalidInputError(f"{source.name} is not a pyinstrument session: it has no frame_records")
    begin = told.start_ns if start_ns is None else start_ns
    samples = records.samples(begin, seen=lines)
    if any(stack >= 0 for stack in records.stacks):
        records.builder.add_track(
            told.thread if thread is None else thread,
            pid=told.pid if pid is None else pid,
            tid=told.tid if tid is None else tid,
            samples=samples,
        )
    return records.builder.build({"cut_off": True} if cut_off else {})


def from_begin(profile: Profile) -> Profile:
    """Return a profile of samples that stand where they were seen with each where its time begins.

    Invariant: the order, stack and weight of every sample stays, and what it stands for ends where it was seen.
    """
    tracks = [
        track
        if track.samples is None
        else replace(
            track, samples=replace(track.samples, at_ns=track.samples.at_ns - track.samples.weight_ns)
        )
        for track in profile.tracks
    ]
    start_ns, end_ns = extent(tracks) or (0, 0)
    return replace(profile, tracks=tuple(tracks), start_ns=start_ns, end_ns=end_ns)


def _with_an_end(source: Source) -> tuple[Source, bool]:
    """Return a file of ours with an end, and whether it had none; others as they are."""
    data = source.data
    whole = data.rfind(b"\n") + 1  # a line that is whole is a record that is
    if not data.startswith(_OURS) or data.endswith(b"}\n") or not whole:
        return source, False
    return replace(source, data=data[:whole] + b"]}"), True


@dataclass(frozen=True)
class _Told:
    """What a session of ours says of itself."""

    start_ns: int = 0
    pid: int = 0
    tid: int = 0
    thread: str = "MainThread"
    around: Sequence[str] = ()

    @classmethod
    def of(cls, value: Any, name: str) -> _Told:
        try:
            numbers = {key: whole_number(value.get(key, 0), most=MOST_NS // 2) for key in _NUMBERS}
            if numbers["start_ns"] < 0:
                raise ValueError(f"start_ns {numbers['start_ns']} is before all time")  # noqa: TRY301  as below
            around = [str(code) for code in value.get("around", ())]
            return cls(**numbers, thread=str(value.get("thread", cls.thread)), around=around)
        except (AttributeError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f"{name} is not a pyinstrument session: in workbench, {shown(error)}"
            ) from None


class _Records:
    """The samples of a session, in their order."""

    def __init__(self, name: str, frames: _Frames) -> None:
        self.builder = ProfileBuilder(name)
        self.stacks: list[int] = []
        self._frames = frames
        self._ends: list[int] = []
        self._weights: list[int] = []

    def add(self, record: Any, name: str) -> None:
        """Add a record of the file of a name."""
        try:
            identifiers, seconds = record
            stack = self.builder.stack_of(self._frames.of(identifiers))
            weight = max(round(seconds * 1e9), 0)
            end = weight + (self._ends[-1] if self._ends else 0)
            if end > MOST_NS:
                raise ValueError(f"the time {shown(seconds)} is too large")  # noqa: TRY301  all that is wrong is told below
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidInputError(
                f"{name} is not a pyinstrument session: in frame_records[{len(self.stacks)}], {shown(error)}"
            ) from None
        self.stacks.append(stack)
        self._ends.append(end)
        self._weights.append(weight)

    def samples(self, start_ns: int, *, seen: bool) -> Samples:
        """Return them where they were seen, or where what they stand for begins."""
        ends = [start_ns + end for end in self._ends]
        at = ends if seen else [end - weight for end, weight in zip(ends, self._weights, strict=True)]
        return self.builder.samples(self.stacks, at, self._weights)


class _Frames:
    """Makes frames of identifiers, each distinct one once."""

    def __init__(self, lines: bool, base_file: str, around: Sequence[str]) -> None:
        self._lines = lines
        self._base_file = base_file
        self._around = around
        self._known: dict[str, tuple[str, Frame]] = {}

    def of(self, identifiers: list[Any]) -> list[Frame]:
        """Return a record's stack, root first, without what is no part of the program."""
        frames: list[Frame] = []
        depth = 0
        is_around = True
        for identifier in identifiers:
            code, frame = self._frame(str(identifier))
            if frame.file == "<thread>":
                continue
            is_around = is_around and depth < len(self._around) and code == self._around[depth]
            depth += 1
            if is_around:
                continue
            if self._base_file and frame.file == self._base_file:
                frames.clear()
                continue
            if not frame.file.startswith("<frozen importlib"):
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


def _line(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{shown(text)} is no line")
    return int(text)
