"""What the threads of a process do at one moment, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.capture.dump import ProcessDump, ThreadDump
from workbench.report.live import (
    STATES,
    as_age,
    command_words,
    line_name,
    scope_name,
    thread_json,
    track_name,
)
from workbench.text import shortened

SOURCES = {
    "samples": "stacks: the latest samples of the in-process sampler",
    "py-spy": "stacks: read by py-spy",
    "": "stacks: none",
}


def as_text(dumped: ProcessDump, width: int | None) -> Iterator[str]:
    """Yield the lines of a dump, the innermost frame of a stack first; cut to the width of a terminal if given."""
    head = f"{command_words(dumped.command) or 'process'} · pid {dumped.pid}"
    yield head if dumped.folder is None else f"{head} · recorded into {dumped.folder}"
    scopes = "from the log" if dumped.folder is not None else "by the lines of with statements"
    yield f"scopes: {scopes}; {SOURCES[dumped.stacks]}"
    for thread in dumped.threads:
        yield ""
        for line in _thread_lines(thread):
            yield shortened(line, width) if width is not None else line


def as_json(dumped: ProcessDump) -> dict[str, Any]:
    """Return a dump as JSON: ages in nanoseconds, stacks with the outermost frame first."""
    return {
        "pid": dumped.pid,
        "command": list(dumped.command),
        "folder": None if dumped.folder is None else str(dumped.folder),
        "scopes_from": "lines" if dumped.folder is None else "log",
        "stacks_from": dumped.stacks or None,
        "refused": dumped.refused or None,
        "threads": [
            thread_json(each.track)
            | {
                "stack": [
                    {"function": frame.name, "file": frame.file, "line": frame.line} for frame in each.stack
                ],
                "native": each.native or None,
            }
            for each in dumped.threads
        ],
    }


def _thread_lines(thread: ThreadDump) -> Iterator[str]:
    track = thread.track
    state = STATES.get(track.state, "") if track.state is not None else ""
    yield f"{track_name(track)} ({track.tid})" + f": {state}" * bool(state)
    if track.scopes:
        names = (f"{scope_name(each)} {as_age(each.age_ns)}".rstrip() for each in track.scopes)
        yield f"  in {' › '.join(names)}"
    if thread.native:
        yield f"    {thread.native}"
    for frame in reversed(thread.stack):
        yield f"    {line_name(frame)}"
