"""Logs that are damaged, or made to do harm: reading them ends soon, with a profile or an InvalidInputError."""

from __future__ import annotations

import io
import json
import random
import struct
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from workbench import carry, counter, mark, record, scope
from workbench.errors import InvalidInputError
from workbench.eventlog import read_recording
from workbench.formats.speedscope import write_speedscope
from workbench.profile import scope_totals
from workbench.scopes import _journal, _log, layout

pytestmark = pytest.mark.timeout(60)  # what is quadratic takes longer


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """The files of a recording with everything in it, by name; small, so that damage hits something."""
    folder = tmp_path_factory.mktemp("logs") / "r"

    def work():
        for i in range(12):
            with scope("outer"), scope(f"inner {i % 5}"), scope("leaf", flops=i, bytes=2.5):
                counter("error", i / 4)
                mark("tick")
        scope("left open").__enter__()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_log, "FIRST_SEGMENT", 1 << 15)
        patch.setattr(_log, "MAX_SEGMENT_BYTES", 1 << 13)
        with record(folder):
            with scope("sender"):
                threads = [threading.Thread(target=carry(work), name=f"worker {i}") for i in range(2)]
                for thread in threads:
                    thread.start()
                    thread.join()
            first, second = scope("first"), scope("second")
            first.__enter__()
            second.__enter__()
            first.__exit__(None, None, None)
            _journal.active.log.text(layout.TEXT_FULL, 1000, "1-1-e0001.wblog")
    return {path.name: path.read_bytes() for path in folder.glob("*.wblog")}


def mutated(data: bytes, used: int, random: random.Random) -> bytes:
    """Return a log with some damage: cut, bits flipped, numbers set to extremes, parts moved or zeroed."""
    log = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5, 50])):
        at = random.randrange(used) if random.random() < 0.3 else random.randrange(4096, used)
        match random.randrange(7):
            case 0 if random.random() < 0.3:
                del log[max(at, 1) :]
                return bytes(log)
            case 1:
                log[min(at, len(log) - 1)] ^= 1 << random.randrange(8)
            case 2:
                size = random.choice([1, 2, 4, 8])
                at -= at % size
                log[at : at + size] = random.choice([b"\xff", b"\x00", b"\x7f", b"\x80"]) * size
            case 3 | 4:
                at = min(at - at % 8, len(log) - 8)
                value = random.choice([1, 2, 8, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
                struct.pack_into("<Q", log, at, value)
            case 5:
                start, size = random.randrange(used), random.randrange(1, 200)
                log[at : at + size] = log[start : start + size]
            case 6 if random.random() < 0.3:
                log[at : at + random.randrange(1, 400)] = b""
    return bytes(log)


def survive(segments: dict[str, bytes], folder: Path, seed: int, turns: int) -> int:
    """Read so many damaged versions of a recording; return how many were read."""
    generator = random.Random(seed)
    (folder / "recording.json").write_text("{}")
    used = {name: max(4200, len(data.rstrip(b"\0")) + 64) for name, data in segments.items()}
    for name, data in segments.items():
        (folder / name).write_bytes(data)
    read = 0
    for turn in range(turns):
        name = generator.choice(sorted(segments))
        (folder / name).write_bytes(mutated(segments[name], min(used[name], len(segments[name])), generator))
        try:
            profile = read_recording(folder).check()
        except InvalidInputError:
            pass
        else:
            read += 1
            scope_totals(profile)
            if turn % 10 == 0:
                write_speedscope(profile, io.BytesIO())
        (folder / name).write_bytes(segments[name])
    return read


def threads(folder: Path, count: int) -> float:
    """Write a recording with so many threads, each with a scope and a sample; return the seconds that reading takes."""
    texts = [
        NAME,
        *((2, i, json.dumps({"name": f"t{i}", "native_id": i}).encode()) for i in range(1, count + 1)),
    ]
    forged = Forged(folder).texts(*texts)
    for i in range(1, count + 1):
        forged.events([(10 * i, 1, 0, 0, 10 * i + 9)], track=i)
        # A thread of its own number, a frame's node, and one tick on it.
        records = (3 | (count // 2 + i) << 8, 0, i), (1, 1, 0), (9 | 1 << 4 | 1 << 8, 5, 0)
        forged.chunk(4, i, b"".join(struct.pack("<IIQ", *record) for record in records))
    forged.write()
    begun = time.process_time()
    assert len(read_recording(folder).tracks) >= count
    return time.process_time() - begun


@pytest.mark.proof
def test_many_threads_take_linear_time(tmp_path):
    """A recording of 32,000 threads takes at most six times the time of one of 8,000."""
    assert threads(tmp_path / "many", 32_000) < 6 * threads(tmp_path / "few", 8000)


def test_damaged_logs(segments, tmp_path):
    """Reading any damaged log gives a consistent profile, or an InvalidInputError."""
    assert survive(segments, tmp_path, 0, 400) > 200


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_damaged_logs(segments, tmp_path, seed):
    """Two hundred thousand damaged logs: no exception but InvalidInputError, and no contradictions."""
    assert survive(segments, tmp_path, seed, 10_000) > 5_000


def test_truncated_logs(segments, tmp_path):
    """A truncated log gives everything before the cut."""
    (tmp_path / "recording.json").write_text("{}")
    for name, data in segments.items():
        (tmp_path / name).write_bytes(data)
    whole = sum(len(track.spans) for track in read_recording(tmp_path).tracks if track.spans is not None)
    for name, data in segments.items():
        if not name.rpartition("-")[2].startswith("e"):
            continue
        before = 0
        for size in [*range(0, len(data.rstrip(b"\0")) + 1000, 97), len(data)]:
            (tmp_path / name).write_bytes(data[:size])
            profile = read_recording(tmp_path).check()
            spans = sum(len(track.spans) for track in profile.tracks if track.spans is not None)
            assert spans >= before
            before = spans
        assert before == whole
        (tmp_path / name).write_bytes(data)


class Forged:
    """A log that is written by hand, by docs/event-log.md."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content = bytearray()

    def texts(self, *entries: tuple[int, int, bytes]) -> Forged:
        content = b""
        for kind, number, text in entries:
            content += struct.pack("<IIQ", len(text) + 1, kind, number) + text + bytes(-len(text) % 8)
        return self.chunk(1, 0, content)

    def events(self, rows: list[tuple[int, int, int, int, int]], track: int = 1) -> Forged:
        return self.chunk(2, track, b"".join(struct.pack("<QIHHQ", *row) for row in rows))

    def levels(self, rows: list[tuple[int, int]], track: int = 1) -> Forged:
        return self.chunk(3, track, b"".join(struct.pack("<IIQ", name, 0, start) for name, start in rows))

    def chunk(self, kind: int, track: int, content: bytes) -> Forged:
        self.content += struct.pack("<IIQQ", len(content) + 24, kind, track, 0) + content
        return self

    def write(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "recording.json").write_text("{}")
        size = 4096 + len(self.content)
        header = b"WBEVLOG\x01" + struct.pack("<IIQIIIIQQ", 1, 4096, size, 0, 1, 1, 0, 1, 1)
        (self.folder / "1-1-t0000.wblog").write_bytes(header.ljust(4096, b"\0") + self.content)

    def read(self):
        """Read it, and draw totals of it: within a quarter of a gigabyte, however it is made."""
        self.write()
        tracemalloc.start()
        try:
            profile = read_recording(self.folder)
            scope_totals(profile)
            assert tracemalloc.get_traced_memory()[1] < 1 << 28
        finally:
            tracemalloc.stop()
        profile.check()
        return profile


MANY = 20_000
NAME = (1, 1, b"f")


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(i + 1, 1, MANY - 1 - i, 0, 4 * MANY - i) for i in reversed(range(MANY))], id="deep"),
        pytest.param(
            [(i + 1, 1, 65535, 0, 4 * MANY - i) for i in reversed(range(MANY))], id="as deep as can be"
        ),
        pytest.param([(5, 1, 0, 0, 5)] * MANY, id="one instant"),
        pytest.param([(5, 1, i % 65536, 0, 5) for i in range(MANY)], id="one instant, deep"),
        pytest.param([(5, 1, i % 3, 0, 5 + i % 7) for i in range(MANY)], id="one start"),
        pytest.param(
            [(i + 1, 1, i * 7919 % 65536, 0, i + 2) for i in range(MANY)], id="depths without sense"
        ),
        pytest.param([(i + 1, 1, 0, 1, 3 * MANY - i * 7919 % MANY) for i in range(MANY)], id="out of order"),
        pytest.param([(i + 1, 1, 0, 1, MANY + i + 1) for i in range(MANY)], id="none nests in another"),
        pytest.param([(i, 1, 0, 2, 9) for i in range(MANY)], id="numbers of no scope"),
        pytest.param([(i, 1 + i, 0, 4, MANY - i) for i in range(MANY)], id="counters backwards in time"),
        pytest.param(
            [(i, 2**32 - 1 - i, i % 2, 2**16 - 1 - i % 16, 2**63 + i) for i in range(MANY)], id="all ones"
        ),
    ],
)
def test_hostile_events(tmp_path, rows):
    """Depths, times and flags that no recorder writes take no more time and memory than others."""
    Forged(tmp_path).texts(NAME).events(rows).read()


def test_values_with_many_names(tmp_path):
    """Each number of a scope may have its own name: the columns are bounded."""
    rows = []
    for i in range(3000):
        rows += [(1, 2 + i, 0, 2, 10 * i + 5), (10 * i + 1, 1, 0, 0, 10 * i + 5)]
    Forged(tmp_path).texts(NAME, *((1, 2 + i, b"v%d" % i) for i in range(3000))).events(rows).read()


def test_many_names_and_tracks(tmp_path):
    """As many names, and as many tracks of one event, as fit into a file of this size are read."""
    forged = Forged(tmp_path).texts(*((1, i, b"") for i in range(1, MANY)))
    for i in range(2000):
        forged.events([(1, i + 1, 0, 0, 9)], track=2**64 - 1 - i)
    assert len(forged.read().tracks) == 2000


@pytest.mark.parametrize(("stated", "tracks"), [(None, 1), (4096, 0), (0, 0), (1 << 32, 1), (2**64 - 1, 1)])
def test_segments_are_read_as_far_as_their_headers_say(tmp_path, stated, tracks):
    """A segment with four gigabytes of nothing behind it takes little memory, whatever its header states."""
    Forged(tmp_path).texts(NAME).events([(1, 1, 0, 0, 9)]).read()
    file = tmp_path / "1-1-t0000.wblog"
    with file.open("r+b") as opened:
        opened.truncate(1 << 32)
        if stated is not None:
            opened.seek(16)
            opened.write(struct.pack("<Q", stated))
    tracemalloc.start()
    try:
        assert len(read_recording(tmp_path).check().tracks) == tracks
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()


def test_numbers_of_names_that_are_too_large(tmp_path):
    """Names with huge numbers allocate no table of that size; events of names that are not there are left out."""
    forged = Forged(tmp_path).texts(NAME, (1, 2**24 - 2, b"large"), (1, 2**40, b"x"), (1, 2**64 - 1, b"y"))
    profile = forged.events([(1, 1, 0, 0, 9), (10, 2**32 - 1, 0, 0, 11), (12, 2**24 - 2, 0, 0, 13)]).read()
    assert [len(track.spans) for track in profile.tracks] == [2]
    assert profile.recording.damaged == 1


@pytest.mark.parametrize("path", [["a"] * 8000, [["nested"]], [None], "text", 3, [], {"a": 1}])
def test_hostile_senders(tmp_path, path):
    """Paths of remote parents are bounded, and invalid ones are ignored."""
    sent = json.dumps({"process": 1, "track": "x", "path": path, "start_ns": []}).encode()[:60_000]
    rows = [(10 * i + 1, 1, 0, 0, 10 * i + 9) for i in range(30)]
    Forged(tmp_path).texts(NAME, (6, 1, sent)).events(rows).read()


def test_hostile_levels(tmp_path):
    """A map of open scopes that is longer than can be, with the same scope over and over."""
    rows = [(1, i // 2 + 1) for i in range(MANY)]
    profile = Forged(tmp_path).texts(NAME).levels(rows).read()
    assert sum(len(track.spans) for track in profile.tracks) == MANY // 2


@pytest.mark.parametrize(
    "text", [b"[" * 16000, b'{"name": {"a": [1]}, "ident": 1e999, "task": []}', b"\xff\xfe", b"NaN"]
)
def test_hostile_facts(tmp_path, text):
    """Facts that are no facts are none."""
    entries = [(kind, 1, text) for kind in range(2, 9)]
    profile = Forged(tmp_path).texts(NAME, *entries).events([(1, 1, 0, 0, 9)]).read()
    assert len(profile.tracks) == 1
