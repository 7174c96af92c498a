"""Segments of very many samples, written from docs/event-log.md as the sampler writes them, and the time to read them.

Two busy threads have stacks of some forty frames of Python, C and scopes, of which every fifth is new in its
instruction or its native top.
"""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from workbench.eventlog import read_recording
from workbench.eventlog.log_files import RECORD
from workbench.profile import SampleCounts
from workbench.scopes import layout

KEY, PERIOD = "5-1f", 1_000_000
SEGMENT = 1 << 24
DEPTH = 40
FUNCTIONS = 400
TABLE = b"\x80\x00" + b"\xd8\x04\x05" * 200
"""Line entries of one instruction, and of a line each."""
NEW_EVERY = 5


def chunk(kind: int, number: int, content: bytes) -> bytes:
    """Return a chunk of a segment."""
    return layout.CHUNK.pack(layout.CHUNK.size + len(content), kind, number, 0, 0) + content


def text(kind: int, number: int, content: bytes) -> bytes:
    """Return a text."""
    return layout.TEXT.pack(len(content) + 1, kind, number) + content + bytes(-len(content) % 8)


def segment(content: bytes) -> bytes:
    """Return a segment with a header."""
    size = layout.HEADER_SIZE + len(content)
    head = layout.HEADER.pack(layout.MAGIC, layout.VERSION, 4096, size, 0, 5, 1, 0, 31, 10**18)
    facts = json.dumps({"command": ["program"]}).encode()
    head += struct.pack("<QI", 0, len(facts))
    return (head.ljust(layout.HEADER_INFO_AT, b"\0") + facts).ljust(layout.HEADER_SIZE, b"\0") + content


def codes() -> bytes:
    """Return the records of all functions."""
    content = b""
    for number in range(1, FUNCTIONS + 1):
        name, file = (
            f"Class{number % 9}.method_{number}".encode(),
            f"/package/module_{number % 30}.py".encode(),
        )
        body = layout.SAMPLE_CODE.pack(len(name), len(file), len(TABLE), 0) + name + file + TABLE
        body += bytes(-len(body) % 16)
        content += layout.SAMPLE_RECORD.pack(layout.RECORD_CODE | (len(body) // 16) << 8, 10, number) + body
    return content


def samples(count: int, random: np.random.Generator) -> bytes:
    """Return the records of a thread: nodes where a stack is new, and a sample each."""
    rows: list[tuple[int, int, int]] = []
    stacks: list[int] = []
    node = 0
    choice = random.integers(0, FUNCTIONS, size=(count, 4)).tolist()
    for i in range(count):
        if i % NEW_EVERY == 0:
            first, second, third, place = choice[i]
            if len(stacks) % 500 == 0:  # a new path
                parent = 0
                for depth in range(DEPTH):
                    kind = layout.NODE_SCOPE if depth % 10 == 5 else layout.NODE_PYTHON
                    b = 0 if kind == layout.NODE_SCOPE else 1 + (first + depth) % FUNCTIONS
                    rows.append((layout.RECORD_NODE | kind << 4 | parent << 8, 1 + depth % 3, b))
                    node += 1
                    parent = node
                base = parent
            rows.append((layout.RECORD_NODE | base << 8, place % 200, 1 + second))
            rows.append(
                (layout.RECORD_NODE | layout.NODE_NATIVE << 4 | (node + 1) << 8, 1, 4096 + 64 * (third % 50))
            )
            node += 2
            stacks.append(node)
        top = stacks[-1 - choice[i][0] % min(len(stacks), 50)]
        rows.append(((layout.RECORD_SAMPLE + 1) | 1 << 4 | top << 8, PERIOD, PERIOD - i % 1000))
    return np.array(rows, dtype=RECORD).tobytes()


def write(folder: Path, count: int) -> int:
    """Write a recording of so many samples; return its bytes."""
    random = np.random.default_rng(1)
    (folder / layout.MANIFEST).write_text("{}")
    names = b"".join(text(layout.TEXT_NAME, i, f"scope {i}".encode()) for i in range(1, 4))
    (folder / f"{KEY}-t0000{layout.SUFFIX}").write_bytes(segment(chunk(layout.CHUNK_TEXT, 0, names)))
    state = layout.SAMPLER_STATE.pack(PERIOD, 10**9, 10**10, count, *[0] * 12)
    each, size, number = 50_000, 0, 0
    for begin in range(0, count, each):
        part = chunk(layout.CHUNK_SAMPLER, 0, state)
        part += chunk(layout.CHUNK_TEXT, 0, text(layout.TEXT_MODULE, 1, b"7f00 - /lib/libkernel.so"))
        for thread in (1, 2):
            start = layout.SAMPLE_RECORD.pack(
                layout.RECORD_THREAD | (100 + thread) << 8, 0, 10**9 + begin * PERIOD
            )
            content = start + codes() + samples(min(each, count - begin) // 2, random)
            part += chunk(layout.CHUNK_SAMPLES, thread, content)
        (folder / f"{KEY}-s{number:04d}{layout.SUFFIX}").write_bytes(segment(part))
        size, number = size + layout.HEADER_SIZE + len(part), number + 1
    return size


def reading(count: int, times: int) -> list[float]:
    """Return the seconds that it takes to make a profile of so many samples, that many times."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), count)
        took = []
        for _ in range(times):
            begin = perf_counter()
            profile = read_recording(name)
            took.append(perf_counter() - begin)
        seen = int(SampleCounts.of(profile.check()).count.sum())
        if seen != count or profile.recording.damaged:
            raise SystemExit(f"{seen:,} of {count:,} samples were read, damaged {profile.recording.damaged}")
        return took
