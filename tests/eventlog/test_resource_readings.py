"""What the system counted of a process, from readings that are written by docs/event-log.md alone."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from pathlib import Path

import pytest

from tests.eventlog.sample_segments import BOOT, PID, List, Recording, Sample, chunk, python
from workbench.eventlog import read_recording
from workbench.profile import Resources, between, thin, without_samples

UNKNOWN = 2**64 - 1
MOMENTS = range(6)


def reading(i: int, **other: int) -> bytes:
    values = {
        "at": BOOT + 1000 * i,
        "resident": 1 << 20,
        "threads": 2,
        "cpu": 500 * i,
        "faults": i,
        "read": 10 * i,
    }
    values |= {"written": 20 * i, "voluntary": 3 * i, "involuntary": i} | other
    return struct.pack("<9Q", *values.values())


def recorded(folder: Path, *chunks: bytes) -> tuple[Resources, ...]:
    thread = List(900)
    thread.start(BOOT)
    thread.add(Sample((python("f"),), 10))
    recording = Recording(
        folder, segments=[{1: thread}], before=b"".join(chunk(7, 0, each) for each in chunks)
    )
    profile = read_recording(recording.write()).check()
    assert without_samples(profile).resources == thin(profile, 100).resources == profile.resources
    return profile.resources


def test_readings_are_read(tmp_path: Path) -> None:
    """Readings of several chunks are in order; one whose time is not written, and what follows it, is absent."""
    (found,) = recorded(
        tmp_path, b"".join(map(reading, MOMENTS[:4])), b"".join(map(reading, MOMENTS[4:])) + reading(9, at=0)
    )
    assert found.pid == PID
    assert (found.at_ns - BOOT).tolist() == [1000 * i for i in MOMENTS]
    assert found.written_bytes.tolist() == [20 * i for i in MOMENTS]
    assert found.involuntary_switches.tolist() == list(MOMENTS)


def test_bytes_that_are_not_told(tmp_path: Path) -> None:
    """Where the system does not tell the bytes at one time, they are -1 all through."""
    (found,) = recorded(tmp_path, reading(1) + reading(2, read=UNKNOWN, written=UNKNOWN))
    assert found.read_bytes.tolist() == found.written_bytes.tolist() == [-1, -1]
    assert found.cpu_ns.tolist() == [500, 1000]


@pytest.mark.parametrize("value", [1, 2**62, 2**63, UNKNOWN])
@pytest.mark.parametrize("name", ["at", "cpu", "faults", "voluntary"])
def test_a_damaged_reading_is_left_out(tmp_path: Path, name: str, value: int) -> None:
    """One that contradicts the others is left out, and the others stay."""
    (found,) = recorded(tmp_path, b"".join(reading(i, **({name: value} if i == 3 else {})) for i in MOMENTS))
    assert (found.at_ns - BOOT).tolist() == [1000 * i for i in MOMENTS if i != 3]


def test_any_damage_is_read(tmp_path: Path) -> None:
    """Whatever the bytes are, what is read holds what a profile promises."""
    draw = random.Random(5)
    for turn in range(40):
        content = bytearray(b"".join(map(reading, MOMENTS)))
        for _ in range(draw.choice([1, 5, 100])):
            content[draw.randrange(len(content))] = draw.choice([0, 1, 127, 255])
        recorded(tmp_path / str(turn), bytes(content[: draw.randrange(len(content))]))


def test_a_range_has_the_readings_in_it(tmp_path: Path) -> None:
    """Ranges side by side have all readings."""
    recorded(tmp_path, b"".join(map(reading, MOMENTS)))
    profile = read_recording(tmp_path)
    ends = (BOOT, BOOT + 2000, BOOT + 10_000)
    parts = [between(profile, *each).check().resources[0].cpu_ns for each in pairwise(ends)]
    assert [part.tolist() for part in parts] == [[0, 500], [1000, 1500, 2000, 2500]]
