"""pyinstrument's session files: an ordered list of (stack, seconds) of one thread.

Seen in pyinstrument 5: a frame is "name, NUL, file, NUL, line", and attributes behind SOH characters; the
first frame of a stack names the thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import InvalidInputError
from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import MOST_NS
from workbench.formats._source import Source, read_source
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder

_WAITING = frozenset(
    {"sleep", "lock.acquire", "RLock.acquire", "select", "poll.poll", "epoll.poll", "waitpid", "wait4"}
    | {"SemLock.acquire", "sigwait", "sigtimedwait"}
)
"""Functions written in C in which a thread waits; their file is "<built-in>"."""


def read_pyinstrument(
    path: str | Path | Source, *, pid: int = 0, base_file: str = "", name: str | None = None
) -> Profile:
    """Read a session as a profile with samples; its clock begins where the session did.

    Args:
        path: The session, as JSON.
        pid: The process it was taken in, which the file does not say.
        base_file: A file whose frames, and all below them, are left out: the start-up code that ran the
            program.
        name: The profile's name; the file's by default.

    Raises:
        InvalidInputError: The file is missing, or is no session.
    """
    source = read_source(path)
    text = JsonText(source, "a pyinstrument session")
    session = text.value()
    text.end()
    stacks: list[int] = []
    at: list[int] = []
    weights: list[int] = []
    now = 0
    try:
        records = session["frame_records"]
        builder = ProfileBuilder(name or source.stem)
        for identifiers, seconds in records:
            stacks.append(builder.stack_of(_frames(identifiers, base_file)))
            at.append(now)
            weights.append(max(round(seconds * 1e9), 0))
            now += weights[-1]
            if now > MOST_NS:
                raise ValueError(f"the time {shown(seconds)} is too large")  # noqa: TRY301  all that is wrong is told below
        samples = builder.samples(stacks, at, weights)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidInputError(
            f"{source.name} is not a pyinstrument session: in frame_records[{len(stacks)}], {shown(error)}"
        ) from None
    if any(stack >= 0 for stack in stacks):
        builder.add_track("MainThread", pid=pid, tid=0, samples=samples)
    return builder.build()


def _frames(identifiers: list[Any], base_file: str) -> list[Frame]:
    frames: list[Frame] = []
    for identifier in identifiers:
        name, file, _ = str(identifier).split("\x01", 1)[0].split("\x00", 2)
        if file == "<thread>":
            continue
        if base_file and file == base_file:
            frames.clear()
            continue
        if not file.startswith("<frozen importlib"):
            frames.append(Frame(name, file, 0, FrameKind.PYTHON))
    if frames and frames[-1].file == "<built-in>" and frames[-1].name in _WAITING:
        frames[-1] = frames[-1]._replace(kind=FrameKind.IDLE)
    return frames
