"""The state of a recording that is being written, as a screen for a terminal and as JSON."""

from __future__ import annotations

import linecache
import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workbench.eventlog.live import CounterValues, LiveState
from workbench.eventlog.live_log import Life, LiveProcess, LiveTrack, OpenScope
from workbench.profile import Frame, ThreadState
from workbench.scopes import layout
from workbench.text import (
    as_digits,
    as_rough_share,
    as_short_number,
    plural,
    printable,
    shortened,
    shown_path,
)

STATES = {
    ThreadState.PYTHON: "running",
    ThreadState.NATIVE: "running native code",
    ThreadState.WAITING_FOR_GIL: "waiting for the GIL",
    ThreadState.SLEEPING: "waiting",
    ThreadState.SIGNAL_BLOCKED: "running",
}
"""What a thread does; nothing is said where that is not known."""
FIGURE = 10
"""Columns of a figure."""
RATE_FIGURES = ("calls/s", "mean")
SPARKS = "▁▂▃▄▅▆▇█"
SPARKLINE = 24
"""Values in a sparkline."""
LOG_FROM = 100.0
"""Ratio of the largest to the smallest value from which a sparkline is logarithmic."""
MAX_ROWS, MAX_FEW = 200, 10
"""Rows of open scopes, and of other parts, where there is room for all."""
MIN_LINES = 3
"""Of the screen that each part has, its title among them: else the last parts are left out."""
OPEN_WEIGHT = 3.0
TRAINER = ("workbench", "trainer", "training.py")
"""The file that counts the epochs of a fit."""


class ScreenLine(NamedTuple):
    """A line of the screen."""

    text: str
    is_title: bool = False


class _ScreenPart(NamedTuple):
    """A part of the screen: a title, and rows of which there may be room for some only."""

    title: str
    rows: Sequence[str]
    weight: float
    """Of two parts, the one with more rows for its weight gives way."""


def screen(state: LiveState, width: int, height: int | None = None, *, keys: str = "") -> list[ScreenLine]:
    """Return the state as lines.

    Args:
        state: What is shown.
        width: Columns of the terminal.
        height: Its rows; None: as many as are needed.
        keys: What the keys do, shown in the first line.
    """
    head = [_headline(state, width, keys)]
    if fit := _fit(state):
        head.append(_cut(fit, width))
    head += [_cut(line, width) for line in _notes(state)]
    last = f"last {max(round(state.window_s), 1)} s"
    parts = [
        _ScreenPart(_ends("OPEN SCOPES", "age", width), _open_rows(state, width, expanded=True), OPEN_WEIGHT),
        _ScreenPart(
            _columns(f"SCOPES CLOSED, {last}", RATE_FIGURES, width),
            _rate_rows(state, width),
            2.0,
        ),
        _ScreenPart(_ends(f"HOTTEST LINES, {last}", "share", width), _line_rows(state, width), 2.0),
        _ScreenPart(_ends("COUNTERS AND MARKS", "last", width), _counter_rows(state, width), 1.5),
    ]
    parts = [part for part in parts if part.rows]
    while height is not None and len(parts) > 1 and height - len(head) < MIN_LINES * len(parts):
        parts.pop()
    if height is None:
        room = [MAX_ROWS if part.weight == OPEN_WEIGHT else MAX_FEW for part in parts]
        blank = 1
    else:
        left = height - len(head) - len(parts)
        blank = 1 if left - len(parts) >= 4 * len(parts) else 0
        room = _shared(left - blank * len(parts), parts)
        if parts and parts[0].weight == OPEN_WEIGHT and room[0] < len(parts[0].rows):
            parts[0] = parts[0]._replace(rows=_open_rows(state, width, expanded=False))
            room = _shared(left - blank * len(parts), parts)
    lines = [ScreenLine(head[0], is_title=True), *map(ScreenLine, head[1:])]
    for part, rows in zip(parts, room, strict=True):
        lines += [ScreenLine("")] * blank + [ScreenLine(part.title, is_title=True)]
        lines += map(ScreenLine, _first(part.rows, rows))
    return lines[:height]


def as_json(state: LiveState) -> dict[str, Any]:
    """Return the state as JSON: durations in nanoseconds."""
    return {
        "folder": str(state.folder),
        "ended": state.ended,
        "processes": [
            {
                "pid": process.pid,
                "command": list(process.command),
                "rank": process.rank,
                "state": process.life.value,
                "seconds": process.seconds,
                "sampled": process.sampled,
                "threads": [thread_json(track) for track in process.tracks],
            }
            for process in state.processes
        ],
        "window_seconds": state.window_s,
        "rates": [
            {"scope": rate.name, "calls_per_second": rate.per_second, "mean_ns": rate.mean_ns}
            for rate in state.rates
        ],
        "lines": [_frame_json(each.line) | {"share": each.share} for each in state.lines],
        "counters": [
            {"name": each.name, "last": each.last, "values": each.values} for each in state.counters
        ],
        "marks": [{"name": each.name, "count": each.count, "age_ns": each.age_ns} for each in state.marks],
    }


def thread_json(track: LiveTrack) -> dict[str, Any]:
    """Return a thread or a task with its open scopes as JSON."""
    return {
        "name": track.name,
        "native_id": track.tid,
        "task": track.task,
        "state": None if track.state is None else track.state.name.lower(),
        "line": None if track.line is None else _frame_json(track.line),
        "scopes": [
            {"name": each.name, "age_ns": each.age_ns, "remote": each.remote} for each in track.scopes
        ],
    }


def _frame_json(frame: Frame) -> dict[str, Any]:
    return {"function": frame.name, "file": frame.file, "line": frame.line}


def track_name(track: LiveTrack) -> str:
    """Return the name of a thread, and of its task."""
    return printable(f"{track.name} › {track.task}" if track.task else track.name)


def process_name(process: LiveProcess) -> str:
    """Return a process's command, with its rank in a parallel job."""
    rank = "" if process.rank is None else f"rank {process.rank}: "
    return printable(rank) + command_words(process.command) or f"process {process.pid}"


def command_words(command: Sequence[str]) -> str:
    """Return a command without the folders of its interpreter and script."""
    words = [Path(word).name if i < 2 and "/" in word else word for i, word in enumerate(command)]
    return printable(shlex.join(words))


def as_age(duration_ns: float | None) -> str:
    """Return how long something has been open."""
    return "" if duration_ns is None else " ".join(as_digits(duration_ns))


def ending(process: LiveProcess) -> str:
    """Return what became of a process, as the end of a sentence; empty while it runs."""
    return {
        Life.RUNS: "",
        Life.ENDED: "ended its recording",
        Life.GONE: "was killed, or left without ending its log",
        Life.UNSEEN: "",
    }[process.life]


def _headline(state: LiveState, width: int, keys: str) -> str:
    if not state.processes:
        return _ends(f"{state.folder}: nothing is recorded yet", keys, width)
    main = state.processes[0]
    count = sum(process.life in (Life.RUNS, Life.UNSEEN) for process in state.processes)
    life = "ended" if state.ended else f"{count} processes" if count > 1 else "running"
    facts = f" · pid {main.pid} · {as_age(1e9 * main.seconds)} · {life}"
    room = max(width - len(facts) - len(keys) - 2 * bool(keys), 4)
    return _ends(_cut(process_name(main), room) + facts, keys, width)


def _notes(state: LiveState) -> Iterator[str]:
    """Yield what is worth a line of its own about the processes."""
    for process in state.processes:
        name = f"pid {process.pid}"
        if process.stopped == layout.STOPPED_FULL:
            yield f"{name} records no more: the recording has reached its largest size"
        elif process.stopped == layout.STOPPED_BY_ERROR:
            yield f"{name} records no more, because of an error: see its standard error"
        if process.life is Life.UNSEEN:
            yield f"{name} is on another machine: ages are up to the last entry of its log"
    first, gone = state.processes[:1], [each for each in state.processes[1:] if each.life is Life.GONE]
    for process in [each for each in first if each.life is Life.GONE] + (gone if len(gone) == 1 else []):
        yield f"pid {process.pid} {ending(process)}, {as_age(1e9 * process.seconds)} after its log began"
    if len(gone) > 1:
        yield f"{len(gone):,} other processes were killed, or left without ending their log"


def _fit(state: LiveState) -> str:
    """Return how far the fit of the trainer is; empty where there is none."""
    counted = {each.name: each for each in state.counters if Path(each.file).parts[-3:] == TRAINER}
    if "epoch" not in counted:
        return ""
    epoch, most = counted["epoch"].last, counted.get("epochs at most")
    text = f"fit: epoch {epoch:,.0f}" + (f" of at most {most.last:,.0f}" if most is not None else "")
    for name in ("train mse", "validation mse"):
        if name in counted:
            text += f" · {name} {as_short_number(counted[name].last)} {sparkline(counted[name].values, 12)}"
    return text


def _open_rows(state: LiveState, width: int, *, expanded: bool) -> list[str]:
    rows: list[str] = []
    shown = [process for process in state.processes if process.tracks]
    for process in shown:
        if len(shown) > 1:
            rows.append(_cut(f"pid {process.pid} · {process_name(process)}", width))
        indent = "  " if len(shown) > 1 else ""
        for track in process.tracks:
            what = _doing(track)
            if not expanded:
                path = " › ".join(printable(each.name) for each in track.scopes)
                age = as_age(track.scopes[-1].age_ns) if track.scopes else ""
                rows.append(_ends(f"{indent}{track_name(track)}: {path or what}", age, width))
                continue
            rows.append(_cut(f"{indent}{track_name(track)}{': ' if what else ''}{what}", width))
            rows += (
                _scope_row(each, indent + "  " * depth, width) for depth, each in enumerate(track.scopes, 1)
            )
    return rows


def _scope_row(each: OpenScope, indent: str, width: int) -> str:
    return _ends(indent + scope_name(each), as_age(each.age_ns), width)


def scope_name(each: OpenScope) -> str:
    """Return the name of a scope; work that was sent is inside scopes of its sender."""
    return printable(each.name) + " (of the sender)" * each.remote


def _doing(track: LiveTrack) -> str:
    """Return what a thread did when it was last sampled."""
    words = STATES.get(track.state, "") if track.state is not None else ""
    if not words or track.line is None:
        return words
    return f"{words} in {line_name(track.line)}"


def line_name(line: Frame) -> str:
    """Return a function with its line."""
    return f"{printable(line.name)} ({printable(shown_path(line.file))}:{line.line})"


def _rate_rows(state: LiveState, width: int) -> list[str]:
    return [
        _columns(
            printable(rate.name),
            (
                as_short_number(rate.per_second),
                as_age(rate.mean_ns),
            ),
            width,
        )
        for rate in state.rates
    ]


def _line_rows(state: LiveState, width: int) -> list[str]:
    rows = []
    for each in state.lines:
        source = printable(linecache.getline(each.line.file, each.line.line).strip())
        rows.append(_ends(f"{line_name(each.line)}  {source}", as_rough_share(each.share), width))
    return rows


def _counter_rows(state: LiveState, width: int) -> list[str]:
    rows = [
        _ends(_beside(printable(each.name), _sparks_of(each), width), as_short_number(each.last), width)
        for each in state.counters
    ]
    for mark in state.marks:
        count = f"{mark.count:,} {plural(mark.count, 'time')}"
        rows.append(_ends(_beside(printable(mark.name), count, width), f"{as_age(mark.age_ns)} ago", width))
    return rows


def _sparks_of(counter: CounterValues) -> str:
    return sparkline(counter.values, SPARKLINE) + (" log" if _is_wide(counter.values) else "")


def sparkline(values: Sequence[float], most: int) -> str:
    """Return values as a line of blocks, evenly thinned to `most`; logarithmic where they differ by 100 times."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) > most:
        finite = [finite[round(i * (len(finite) - 1) / (most - 1))] for i in range(most)]
    if _is_wide(finite):
        finite = [math.log(value) for value in finite]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    step = (high - low) / (len(SPARKS) - 1)
    return "".join(SPARKS[round((value - low) / step) if step > 0 else 0] for value in finite)


def _is_wide(values: Sequence[float]) -> bool:
    return (
        bool(values) and min(values) > 0 and max(values) >= LOG_FROM * min(values) and max(values) < math.inf
    )


def _shared(room: int, parts: Sequence[_ScreenPart]) -> list[int]:
    """Return how many rows each part gets."""
    given = [0] * len(parts)
    for _ in range(max(room, 0)):
        wanting = [i for i, part in enumerate(parts) if given[i] < len(part.rows)]
        if not wanting:
            break
        given[min(wanting, key=lambda i: given[i] / parts[i].weight)] += 1
    return given


def _first(rows: Sequence[str], most: int) -> Sequence[str]:
    """Return the first rows, and how many there are beside."""
    if len(rows) <= most or most < 1:
        return rows[:most]
    return [*rows[: most - 1], f"… {len(rows) - most + 1:,} more"]


def _columns(name: str, figures: Sequence[str], width: int) -> str:
    return _ends(name, "".join(figure.rjust(max(FIGURE, len(figure) + 2)) for figure in figures), width)


def _beside(name: str, what: str, width: int) -> str:
    room = max(width // 3, 8)
    return _cut(name, room).ljust(room) + "  " + what


def _ends(left: str, right: str, width: int) -> str:
    """Return a line with a text at each end."""
    kept = _cut(left, max(width - len(right) - 2, 4) if right else width)
    return (kept + " " * (width - _cells(kept) - len(right)) + right).rstrip()


def _cut(text: str, width: int) -> str:
    """Return text cut to columns of a terminal."""
    if text.isascii() or _cells(text) == len(text):
        return shortened(text, width)
    from rich.cells import set_cell_size

    return text if _cells(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
