"""When a process ended that could not say so itself: it was killed, or it left by `os._exit`."""

from __future__ import annotations

import contextlib
from pathlib import Path

from workbench.scopes import _layout as layout


def date_end(recording: Path, pid: int, ended_ns: int) -> None:
    """Write into a process's log when the process ended, unless it did so itself.

    Scopes that were open then end at that time; without it they would end at the last event of the log.

    Args:
        recording: Its folder.
        pid: A process of this machine that has ended.
        ended_ns: When, on the monotonic clock.
    """
    by_log: dict[str, list[Path]] = {}
    for path in recording.glob(f"{pid}-*{layout.SUFFIX}"):
        by_log.setdefault(path.stem.rpartition("-")[0], []).append(path)
    if len(by_log) != 1:  # none, or it became another program that records, too: which one was it at the end?
        return
    (segments,) = by_log.values()
    with contextlib.suppress(OSError):  # the log is as good as it was
        ends = {path: end for path in segments if (end := _end(path)) is not None}
        for path in ends if not any(ends.values()) else ():
            with path.open("r+b") as file:
                file.seek(layout.HEADER_END_NS_AT)
                file.write(layout.HEADER_END_NS.pack(ended_ns))


def _end(segment: Path) -> int | None:
    """Return when a segment says that its process ended, 0: it does not; None: it is no segment."""
    with segment.open("rb") as file:
        header = file.read(layout.HEADER_SIZE)
    if len(header) < layout.HEADER_SIZE or header[: len(layout.MAGIC)] != layout.MAGIC:
        return None
    (end,) = layout.HEADER_END_NS.unpack_from(header, layout.HEADER_END_NS_AT)
    return int(end)
