"""A million samples become a profile: seconds, on one core.

    python benchmarks/read_samples.py             a few seconds; writes nothing but a folder that it deletes
    python benchmarks/read_samples.py --samples 100000

The segments are written from docs/event-log.md as the sampler writes them: two busy threads with stacks of some forty
frames of Python, C and scopes, of which every fifth is new in its instruction or its native top.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

from workbench.capture.event_log import read_recording
from workbench.capture.log_files import RECORD
from workbench.profile import SampleCounts, scope_samples
from workbench.scopes import _layout as layout

KEY, PERIOD = "5-1f", 1_000_000
SEGMENT = 1 << 24
DEPTH = 40
FUNCTIONS = 400
TABLE = b"\x80\x00" + b"\xd8\x04\x05" * 200
"""Line entries of one instruction, and of a line each."""
NEW_EVERY = 5
LIMIT_S = 2.0


def chunk(kind: int, number: int, content: bytes) -> bytes:
    """Return a chunk of a segment."""
    return layout.CHUNK.pack(layout.CHUNK.size + len(content), kind, number, 0, 0) + content


def text(kind: int, number: int, content: bytes) -> bytes:
    """Return a text."""
    return layout.TEXT.pack(len(content) + 1, kind, number) + content + bytes(-len(content) % 8)


def header() -> bytes:
    """Return a segment's header."""
    head = layout.HEADER.pack(layout.MAGIC, layout.VERSION, 4096, 0, 0, 5, 1, 0, 31, 10**18)
    facts = json.dumps({"command": ["program"]}).encode()
    head += struct.pack("<QI", 0, len(facts))
    return (head.ljust(layout.HEADER_INFO_AT, b"\0") + facts).ljust(layout.HEADER_SIZE, b"\0")


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
    (folder / f"{KEY}-t0000{layout.SUFFIX}").write_bytes(header() + chunk(layout.CHUNK_TEXT, 0, names))
    state = layout.SAMPLER_STATE.pack(PERIOD, 10**9, 10**10, count, *[0] * 12)
    each, size, number = 50_000, 0, 0
    for begin in range(0, count, each):
        part = header() + chunk(layout.CHUNK_SAMPLER, 0, state)
        part += chunk(layout.CHUNK_TEXT, 0, text(layout.TEXT_MODULE, 1, b"7f00 - /lib/libkernel.so"))
        for thread in (1, 2):
            start = layout.SAMPLE_RECORD.pack(
                layout.RECORD_THREAD | (100 + thread) << 8, 0, 10**9 + begin * PERIOD
            )
            content = start + codes() + samples(min(each, count - begin) // 2, random)
            part += chunk(layout.CHUNK_SAMPLES, thread, content)
        (folder / f"{KEY}-s{number:04d}{layout.SUFFIX}").write_bytes(part)
        size, number = size + len(part), number + 1
    return size


def main() -> None:
    """Write, read and sum up; print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    count = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write(folder, count)
        took, cpu = [], []
        for _ in range(3):
            begin, used = perf_counter(), process_time()
            profile = read_recording(folder)
            took.append(perf_counter() - begin)
            cpu.append(process_time() - used)
        begin = perf_counter()
        scope_samples(profile)
        summed = perf_counter() - begin
        profile.check()
    seen = int(SampleCounts.of(profile).count.sum())
    print(
        f"{seen:,} samples in {size / 1e6:.1f} MB, {len(profile.stacks):,} stacks, damaged {profile.facts['damaged']}"
    )
    print(
        f"read in {median(took):.2f} s (of 3: {', '.join(f'{each:.2f}' for each in took)}); limit {LIMIT_S} s"
    )
    print(f"CPU time of reading {median(cpu):.2f} s")
    print(f"scopes summed up in {summed:.2f} s")


if __name__ == "__main__":
    main()
