"""A recording that is still written: its state is that of the program, and is read in increments."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.processes import wait_until
from tests.helpers.running_programs import running
from workbench import counter, mark, record, scope
from workbench.capture.collect import date_end
from workbench.errors import InvalidInputError
from workbench.eventlog import read_process_logs, read_recording
from workbench.eventlog.compression import compress_ended
from workbench.eventlog.live import LiveRecording, LiveState
from workbench.eventlog.live_log import Life, LiveLog
from workbench.eventlog.sample_records import read_thread
from workbench.scopes import layout


def calls(state: LiveState) -> dict[str, int]:
    """Return how many scopes of each name were closed in the period of the rates."""
    first = state.rates[0].per_second if state.rates else 1.0
    return {rate.name: round(rate.per_second / first * 1000) for rate in state.rates}


def paths(state: LiveState) -> dict[str, list[str]]:
    """Return the names of the open scopes of each thread or task."""
    return {
        track.task or track.name: [each.name for each in track.scopes]
        for process in state.processes
        for track in process.tracks
    }


def copy_of(recording: Path, to: Path, change: Callable[[bytearray], object] = lambda content: None) -> Path:
    """Copy a recording as if its process had been killed, with a change to its first segment."""
    to.mkdir()
    for path in recording.iterdir():
        content = bytearray(path.read_bytes())
        if path.suffix == layout.SUFFIX:
            layout.HEADER_END_NS.pack_into(content, layout.HEADER_END_NS_AT, 0)
            if path.stem.endswith("t0000"):
                change(content)
        (to / path.name).write_bytes(content)
    return to


def test_open_scopes_of_threads_and_tasks_have_their_age(tmp_path: Path) -> None:
    """Each thread and task has the scopes that are open there, outermost and oldest first."""
    with running(tmp_path, record=tmp_path / "r") as program:
        recording = LiveRecording(tmp_path / "r")
        state = wait_until(lambda: found if (found := recording.refresh()).rates else None)
        open_now = paths(state)
        assert open_now["MainThread"] == ["fit", "epoch"]
        assert open_now["background"][:1] == ["background loop"]
        assert open_now["Task-1"] == ["request"]
        (process,) = state.processes
        assert (process.pid, process.life, process.sampled) == (program.pid, Life.RUNS, False)
        for track in process.tracks:
            ages = [each.age_ns or 0 for each in track.scopes]
            assert ages == sorted(ages, reverse=True)
            assert all(0 <= age <= 1e9 * process.seconds for age in ages)
        assert [(each.name, each.last) for each in state.counters] == [("error", 0.5)]
        assert [(each.name, each.count) for each in state.marks] == [("begun", 1)]
        assert [rate.name for rate in state.rates] == ["item"]
        assert not state.ended


def test_every_event_is_counted_once_however_often_it_is_read(tmp_path: Path) -> None:
    """Over many refreshes each closed scope, on three threads and in several segments, is read exactly once."""
    with record(tmp_path / "r"):
        (key,) = {path.stem.rpartition("-")[0] for path in (tmp_path / "r").glob("*.wblog")}
        log, read = LiveLog(key), 0

        def refresh() -> int:
            for path in sorted((tmp_path / "r").glob("*.wblog")):
                log.add(path)
            log.refresh(0)
            return sum(map(len, log.take_events()))

        def work(count: int) -> None:
            for _ in range(count):
                with scope("outer"), scope("inner"):
                    pass

        for count in (1, 10, 100, 40_000, 0, 1000):
            threads = [threading.Thread(target=work, args=(count,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            read += refresh()
            work(count)
            for thread in threads:
                thread.join()
        read += refresh()
        assert refresh() == 0
    assert read == 2 * 3 * 41_111


def test_a_late_reader_has_the_newest_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more events than are read at once the newest count, and the rate is as if all had been read."""
    monkeypatch.setattr("workbench.eventlog.live_log.TAIL_BYTES", 1 << 20)
    with record(tmp_path / "r"):
        for _ in range(200_000):
            with scope("work"):
                pass
        state = LiveRecording(tmp_path / "r").refresh()
    (spans,) = (track.spans for track in read_recording(tmp_path / "r").tracks)
    assert spans is not None
    (rate,) = state.rates
    whole = len(spans) / (int(spans.end_ns[-1]) - int(spans.start_ns[0])) * 1e9
    assert 0.1 * whole < rate.per_second < 10 * whole
    assert 0 < rate.mean_ns < 1e6


def test_a_killed_program_has_its_last_state(tmp_path: Path) -> None:
    """A program that is killed is gone; the scopes that were open are still there, with the age that they reached."""
    with running(tmp_path, record=tmp_path / "r") as program:
        recording = LiveRecording(tmp_path / "r")
        assert not recording.refresh().ended
        os.kill(program.pid, signal.SIGKILL)
        program.wait()
        state = wait_until(lambda: found if (found := recording.refresh()).ended else None)
    assert [process.life for process in state.processes] == [Life.GONE]
    assert paths(state)["MainThread"] == ["fit", "epoch"]
    assert paths(LiveRecording(tmp_path / "r").refresh()) == paths(state)
    date_end(tmp_path / "r", program.pid, time.perf_counter_ns())  # as `workbench profile` does it
    assert [process.life for process in LiveRecording(tmp_path / "r").refresh().processes] == [Life.GONE]
    again = recording.refresh()
    assert [track.scopes for track in again.processes[0].tracks] == [
        track.scopes for track in state.processes[0].tracks
    ]


def test_a_program_that_ends_has_no_open_scopes(tmp_path: Path) -> None:
    """A program that ends while it is followed ended its log, and its recording has ended with it."""
    with running(tmp_path, record=tmp_path / "r") as program:
        recording = LiveRecording(tmp_path / "r")
        assert not recording.refresh().ended
        program.communicate(timeout=60)
        state = wait_until(lambda: found if (found := recording.refresh()).ended else None)
    assert [process.life for process in state.processes] == [Life.ENDED]
    assert not any(paths(state).values())


def test_a_block_that_ends_ends_its_recording_alone(tmp_path: Path) -> None:
    """When a `record()` block is left the recording has ended, though its process runs."""
    with record(tmp_path / "r"), scope("work"):
        recording = LiveRecording(tmp_path / "r")
        state = recording.refresh()
        assert not state.ended
        assert state.processes[0].pid == os.getpid()
        assert paths(state)["MainThread"] == ["work"]
    assert recording.refresh().ended


def test_a_torn_record_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """An event without an end, and a text without a length, are not there; they are when those have been written."""
    with record(tmp_path / "r"):
        for i in range(5):
            counter("value", i)
    (first,) = (tmp_path / "r").glob("*-t0000.wblog")
    whole = first.read_bytes()
    at = whole.rindex(layout.EVENT.pack(*layout.EVENT.unpack(_events(whole)[-1].tobytes())))
    torn = copy_of(
        tmp_path / "r",
        tmp_path / "torn",
        lambda content: content.__setitem__(slice(at + 16, at + 24), bytes(8)),
    )
    log = LiveLog(first.stem.rpartition("-")[0])
    log.add(torn / first.name)
    log.refresh(0)
    assert sum(map(len, log.take_events())) == 4
    log.life = Life.RUNS  # as if it ran on
    copied = bytearray((torn / first.name).read_bytes())
    copied[at + 16 : at + 24] = whole[at + 16 : at + 24]
    (torn / first.name).write_bytes(copied)
    log.refresh(0)
    ((event,),) = (rows.tolist() for rows in log.take_events())
    assert event[4] == int(_events(whole)[-1]["end"])


def _events(content: bytes) -> np.ndarray:
    from workbench.eventlog.log_files import EVENT

    at = content.index(layout.CHUNK.pack(16 * 24 + 24, layout.CHUNK_EVENTS, 1, 0, 0)) + layout.CHUNK.size
    rows = np.frombuffer(content, EVENT, 16, at)
    return rows[rows["end"] != 0]


def test_damage_is_left_out(tmp_path: Path) -> None:
    """Files of which parts are overwritten or cut are read as far as they are whole, and nothing raises."""
    with record(tmp_path / "r"), scope("fit"):
        for _ in range(100):
            with scope("work"):
                counter("value", 1.0)
                mark("there")
    rng = np.random.default_rng(7)
    for i in range(40):
        folder = copy_of(tmp_path / "r", tmp_path / f"damaged{i}", lambda content: _damage(content, rng))
        recording = LiveRecording(folder)
        recording.refresh()
        recording.refresh()


def _damage(content: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(layout.HEADER_SIZE, len(content), 20).tolist():
        content[at] = int(rng.integers(256))
    del content[int(rng.integers(len(content) // 2, len(content))) :]


def test_compressed_logs_have_the_same_state(tmp_path: Path) -> None:
    """The last state of a recording is the same when its logs are compressed."""
    with record(tmp_path / "r"):
        for i in range(20_000):
            with scope("work"):
                counter("value", i)
    before = LiveRecording(tmp_path / "r").refresh()
    compress_ended(tmp_path / "r", tmp_path)
    after = LiveRecording(tmp_path / "r").refresh()
    assert after.ended
    assert [rate.name for rate in after.rates] == ["work"]
    assert after.counters == before.counters
    assert calls(after) == calls(before)


def test_samples_are_read_once_in_any_steps(tmp_path: Path) -> None:
    """A log of samples that grows by some records at a time has the samples of the whole one, and its last stack."""
    with running(tmp_path, record=tmp_path / "r", sample=True) as program:
        recording = LiveRecording(tmp_path / "r")
        try:
            wait_until(lambda: recording.refresh().lines, seconds=20)
        except AssertionError:
            pytest.skip("no in-process sampler here")
        program.communicate(timeout=60)
    (whole,) = (log for log in read_process_logs(tmp_path / "r") if log.pid == program.pid)
    found = [read_thread(chunks) for segment in whole.samples for chunks in segment.threads.values()]
    ran = sum(int(each.ticks[np.isin(each.state, [1, 2, 5])].sum()) for each in found)
    grown = copy_of(tmp_path / "r", tmp_path / "grown")
    contents = {path: path.read_bytes() for path in sorted(grown.glob(f"{whole.key}-s*.wblog"))}
    log, ticks = LiveLog(whole.key), 0
    for path in sorted(grown.glob("*-t*.wblog")):
        log.add(path)
    for path, content in contents.items():  # each is full before the next one begins
        log.add(path)
        ends = record_ends(content)
        for end in (*ends[:: len(ends) // 20 + 1], ends[-1]):
            path.write_bytes(content[:end] + bytes(len(content) - end))
            log.life = Life.RUNS  # as if it ran on
            log.refresh(0)
            ticks += sum(sample.ticks for sample in log.take_samples())
    assert ticks == ran
    thread = log.thread(whole.pid)
    assert thread is not None
    assert thread.at_ns == max(int(each.at_ns[-1]) for each in found if each.tid == whole.pid)
    assert all(frame.name for frame in thread.stack())
    assert thread.stack()


def record_ends(content: bytes) -> list[int]:
    """Return the offsets at which a segment of samples may end while it is written: behind each record."""
    found, at = [layout.HEADER_SIZE], layout.HEADER_SIZE
    while at + layout.CHUNK.size < len(content):
        size, kind = layout.CHUNK.unpack_from(content, at)[:2]
        record = at + layout.CHUNK.size
        while kind == layout.CHUNK_SAMPLES and record < at + size:
            head, _, _ = layout.SAMPLE_RECORD.unpack_from(content, record)
            if not head:
                break
            record += layout.SAMPLE_RECORD.size * (1 + (head >> 8 if head & 15 == layout.RECORD_CODE else 0))
            found.append(record)
        at += size
        found.append(at)
    return found


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    """What is no recording is named."""
    with pytest.raises(InvalidInputError, match="holds no recording"):
        LiveRecording(tmp_path)
