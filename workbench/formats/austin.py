"""Austin's text: folded stacks with process and thread in front, `P4317;T4317;fit.py:main:12 10051`.

Lines that begin with `#` are settings; each other line is a sample, in chronological order. The metric is
microseconds; in full mode it is time, whether the thread was idle, and memory; in memory mode it is memory alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.formats._json import shown
from workbench.formats._numbers import MAX_NS
from workbench.formats.source import Source, check_tracks, reading
from workbench.profile import ROOT, FileFacts, Frame, FrameKind, Profile, ProfileBuilder

_STACK = re.compile(r"P(\d{1,18});T([^;]*)(?:;(.*))?", re.DOTALL)
_METRIC = re.compile(r"(\d{1,18})(?:,([01]),(-?\d{1,18}))?")
_FRAME = re.compile(r"(.*):([^:]*):(\d{1,9})", re.DOTALL)


@dataclass
class _AustinThread:
    pid: int
    name: str
    stacks: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)


def looks_like_austin(data: bytes) -> bool:
    """Return whether text begins as austin writes it."""
    lines = data[:65536].split(b"\n")
    line = next((line for line in lines if line.strip() and not line.startswith(b"#")), b"")
    return data.startswith(b"# austin: ") or re.match(rb"P\d+;T[^;\s]*[; ]", line) is not None


def read_austin(source: str | Path | Source) -> Profile:
    """Read a track for each thread, whose samples follow each other.

    Raises:
        InvalidInputError: It cannot be read, or a line is no sample.
    """
    with reading(source, "austin's output") as source:
        return _read(source)


def _read(source: Source) -> Profile:
    builder = ProfileBuilder(source.stem)
    threads: dict[tuple[str, str], _AustinThread] = {}
    stacks: dict[tuple[str, str | None], int] = {}
    said: dict[str, str] = {}
    has_memory = False
    for number, line in enumerate(source.data.decode("utf-8", "replace").split("\n"), start=1):
        if not line.strip():
            continue
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            said[key.strip()] = value.strip()
            continue
        stack, _, metric = line.rstrip().rpartition(" ")
        where, found = _STACK.fullmatch(stack), _METRIC.fullmatch(metric)
        if where is None or found is None:
            raise ValueError(
                f"line {number} should be P, T, frames, a blank and a metric: {shown(line[:40])}"
            )
        has_memory |= found[3] is not None
        key_ = (where[3] or "", found[2])
        if key_ not in stacks:
            stacks[key_] = builder.stack_of(_frames(where[3] or "", is_idle=found[2] == "1"))
        thread = threads.setdefault((where[1], where[2]), _AustinThread(int(where[1]), where[2]))
        check_tracks(len(threads))
        thread.stacks.append(stacks[key_])
        thread.weights.append(int(found[1]) * 1000)
    for i, thread in enumerate(threads.values()):
        if sum(thread.weights) > MAX_NS:
            raise ValueError("its times together are too large")
        at = [0]
        for weight in thread.weights:
            at.append(at[-1] + weight)
        rows = [row for row, stack in enumerate(thread.stacks) if stack != ROOT]
        samples = builder.samples(
            [thread.stacks[row] for row in rows],
            [at[row] for row in rows],
            [thread.weights[row] for row in rows],
        )
        builder.add_track(f"Thread {thread.name}", pid=thread.pid, tid=i, samples=samples)
    lines = ["the file's amounts are memory: a kilobyte is shown as a microsecond"] * (
        said.get("mode") == "memory"
    )
    if has_memory:
        lines.append("amounts of memory were left out")
    return replace(builder.build(), file=FileFacts("austin", tuple(lines)))


def _frames(text: str, *, is_idle: bool) -> list[Frame]:
    found = []
    for label in text.split(";") if text else ():
        match = _FRAME.fullmatch(label)
        found.append(Frame(label) if match is None else Frame(match[2], match[1], int(match[3])))
    if is_idle and found:
        found[-1] = found[-1]._replace(kind=FrameKind.IDLE)
    return found
