"""Compressed logs: they are read as before, and no process that still records loses anything."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from workbench import record, scope
from workbench.eventlog import read_recording
from workbench.eventlog.compression import MAX_SEGMENT, compress_ended, expanded
from workbench.outputs.folder import foreign_in_recording
from workbench.profile import Profile
from workbench.scopes import layout

SPANS = 20_000


@pytest.fixture(name="recording")
def a_recording(tmp_path: Path) -> Path:
    """A recording of many short scopes."""
    with record(tmp_path / "r"):
        for _ in range(SPANS):
            with scope("work"):
                pass
    return tmp_path / "r"


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each segment."""
    return {path.name: path.stat().st_size for path in folder.glob(f"*{layout.SUFFIX}")}


def spans_of(profile: Profile) -> list[list[int]]:
    """Return the times of all spans."""
    spans = [track.spans for track in profile.tracks if track.spans is not None]
    return [np.concatenate([each.start_ns, each.end_ns]).tolist() for each in spans]


def test_a_log_is_smaller_and_says_the_same(recording: Path, tmp_path: Path) -> None:
    """Events are a third or less of their size, every span is as it was, and the files are still the recording's."""
    before, there = spans_of(read_recording(recording)), sizes(recording)
    compress_ended(recording, tmp_path)
    assert spans_of(read_recording(recording)) == before
    assert sizes(recording).keys() == there.keys()
    assert sum(sizes(recording).values()) < sum(there.values()) / 3
    assert foreign_in_recording(recording) is None
    assert {path.stat().st_mode & 0o777 for path in recording.glob("*.wblog")} == {0o600}
    once = sizes(recording)
    compress_ended(recording, tmp_path)
    assert sizes(recording) == once
    with record(recording, replace=True):
        pass
    assert len(sizes(recording)) == 1


def test_a_process_that_may_still_record_is_left_alone(recording: Path, tmp_path: Path) -> None:
    """Without a time at which it ended, a log is neither compressed nor read as something else."""
    (first,) = recording.glob("*-t0000.wblog")
    content = bytearray(first.read_bytes())
    layout.HEADER_END_NS.pack_into(content, layout.HEADER_END_NS_AT, 0)
    first.write_bytes(content)
    before = sizes(recording)
    compress_ended(recording, tmp_path)
    assert sizes(recording) == before


def test_a_damaged_file_is_read_up_to_the_damage(recording: Path, tmp_path: Path) -> None:
    """What is cut off or wrong is counted as damage; the rest is there, and nothing raises."""
    compress_ended(recording, tmp_path)
    largest = max(recording.glob("*-e*.wblog"), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    largest.write_bytes(content[: len(content) // 2])
    profile = read_recording(recording)
    assert profile.recording.damaged
    assert 0 < sum(map(len, spans_of(profile))) < 2 * SPANS
    largest.write_bytes(content[:100] + bytes(50) + content[150:])
    assert read_recording(recording).recording.damaged


def test_a_file_that_expands_without_end_is_bounded() -> None:
    """Memory is bounded whatever a file of a few kilobytes expands to."""
    bomb = gzip.compress(bytes(4 * MAX_SEGMENT), 1)
    assert MAX_SEGMENT <= len(expanded(bomb)) < 2 * MAX_SEGMENT
    assert expanded(b"\x1f\x8b no gzip") == b""
