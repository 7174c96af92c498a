"""The reader of recordings: it agrees with the page that describes them, and trusts nothing."""

from __future__ import annotations

import json
import os
import random
import struct
import threading
from pathlib import Path

import pytest

from workbench import record, scope
from workbench.capture.event_log import read_recording
from workbench.errors import InvalidInputError
from workbench.formats.speedscope import speedscope


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording with threads, nesting, open scopes, an out-of-order one and odd names."""
    folder = tmp_path_factory.mktemp("logs") / "r"

    def work():
        for i in range(40):
            with scope("outer"), scope(f"inner {i % 7} \ud800é"), scope("leaf"):
                pass
        scope("left open").__enter__()
        scope("left open too").__enter__()

    with record(folder):
        threads = [threading.Thread(target=work, name=f"worker {i}") for i in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        first, second = scope("first"), scope("second")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        scope("open at the end").__enter__()
    return folder


def read_by_the_page(folder: Path) -> set[tuple[str, str, int, int, bool]]:
    """Return (track, name, start, end, unfinished) of every scope, by docs/event-log.md alone."""
    assert json.loads((folder / "recording.json").read_text())["version"] == 1
    names, tracks, events, levels, ended = {}, {}, {}, {}, 0
    for path in sorted(folder.glob("*.wblog"), key=lambda p: int(p.stem.split("-")[2])):
        data = path.read_bytes()
        assert data[:8] == bytes.fromhex("57 42 45 56 4C 4F 47 01")
        version, header, size = struct.unpack_from("<IIQ", data, 8)
        assert (version, header, size) == (1, 4096, len(data))
        assert struct.unpack_from("<I", data, 28)[0] == os.getpid() == int(path.stem.split("-")[0])
        (ended,) = struct.unpack_from("<Q", data, 56)
        at = 4096
        while at + 24 <= len(data):
            size, kind, track = struct.unpack_from("<IIQ", data, at)
            if size == 0:
                break
            content = data[at + 24 : at + size]
            at += size
            if kind == 1:
                read_texts(content, names, tracks)
            elif kind == 2:
                whole = content[: len(content) // 24 * 24]
                events.setdefault(track, []).extend(struct.iter_unpack("<QIHHQ", whole))
            elif kind == 3:
                whole = content[: len(content) // 16 * 16]
                levels.setdefault(track, []).extend(struct.iter_unpack("<IIQ", whole))
    found = set()
    for track in events.keys() | levels.keys():
        label = tracks[track]["name"]
        closed = [event for event in events.get(track, []) if event[4]]
        found |= {(label, names[name], start, end, False) for start, name, _, _, end in closed}
        known = {(start, name) for start, name, *_ in closed}
        for name, _, start in levels.get(track, []):
            if start == 0:
                break
            if (start, name) not in known:
                found.add((label, names[name], start, ended, True))
    return found


def read_texts(content, names, tracks):
    at = 0
    while at + 16 <= len(content):
        length, kind, number = struct.unpack_from("<IIQ", content, at)
        if length == 0:
            return
        text = content[at + 16 : at + 16 + length - 1]
        if kind == 1:
            names[number] = text.decode("utf-8", "surrogatepass")
        else:
            tracks[number] = json.loads(text)
        at += 16 + (length - 1 + 7) // 8 * 8


def test_the_page_describes_the_log(folder):
    """A reader written from docs/event-log.md alone finds what our reader finds, with no damage."""
    profile = read_recording(folder).check()
    assert profile.facts["damaged"] == 0
    found = set()
    for track in profile.tracks:
        spans = track.spans
        for i in range(len(spans)):
            name = profile.frames[profile.stacks.frame[spans.stack[i]]].name
            row = (track.name.removesuffix(" (out of order)"), name)
            found.add((*row, int(spans.start_ns[i]), int(spans.end_ns[i]), bool(spans.unfinished[i])))
    assert len(found) == 3 * 122 + 3
    assert found == read_by_the_page(folder)


@pytest.mark.parametrize("missing", ["nowhere", ""])
def test_no_recording(tmp_path, missing):
    """A folder that is not there, or holds none, is an InvalidInputError that names it."""
    with pytest.raises(InvalidInputError, match="holds no recording"):
        read_recording(tmp_path / missing)


def test_another_version_is_refused(folder, tmp_path):
    """A log of a version that this reader does not know is refused, not guessed at."""
    (log,) = folder.glob("*.wblog")
    data = bytearray(log.read_bytes())
    data[8] = 2
    (tmp_path / "recording.json").write_text("{}")
    (tmp_path / log.name).write_bytes(data)
    with pytest.raises(InvalidInputError, match="version 2"):
        read_recording(tmp_path)


def test_what_is_no_log_is_left_out(folder, tmp_path):
    """Folders, pipes and text named as logs are damage, a segment that was begun is not; the rest is read."""
    (log,) = folder.glob("*.wblog")
    (tmp_path / "recording.json").write_text("not even JSON")
    (tmp_path / log.name).write_bytes(log.read_bytes())
    (tmp_path / "0-0-0000.wblog").write_bytes(b"")
    (tmp_path / "1-1-0000.wblog").write_bytes(bytes(1 << 18))
    (tmp_path / "2-2-0000.wblog").write_text("text" * 2000)
    (tmp_path / "3-3-0000.wblog").mkdir()
    os.mkfifo(tmp_path / "4-4-0000.wblog")
    (tmp_path / "strange.wblog").symlink_to("nowhere")
    profile = read_recording(tmp_path).check()
    assert profile.facts["damaged"] == 4
    assert len(profile.tracks) == len(read_recording(folder).tracks)


def mutated(data: bytes, used: int, random: random.Random) -> bytes:
    """Return a log with some damage: cut, bits flipped, numbers set to extremes, parts moved or zeroed."""
    log = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5, 50])):
        at = random.randrange(used)
        match random.randrange(6):
            case 0:
                del log[max(at, 1) :]
                return bytes(log)
            case 1:
                log[at] ^= 1 << random.randrange(8)
            case 2:
                size = random.choice([1, 2, 4, 8])
                at -= at % size
                log[at : at + size] = random.choice([b"\xff", b"\x00", b"\x7f", b"\x80"]) * size
            case 3:
                at -= at % 8
                value = random.choice([1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
                struct.pack_into("<Q", log, at, value)
            case 4:
                start, size = random.randrange(used), random.randrange(1, 200)
                log[at : at + size] = log[start : start + size]
            case 5:
                log[at : at + random.randrange(1, 400)] = b""
    return bytes(log)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_logs(folder, tmp_path, seed):
    """Whatever is wrong in a log, reading gives a profile without contradictions, or an InvalidInputError."""
    generator = random.Random(seed)
    (log,) = folder.glob("*.wblog")
    data = log.read_bytes()
    used = len(data.rstrip(b"\0")) + 64
    (tmp_path / "recording.json").write_text("{}")
    read = 0
    for _ in range(100):
        (tmp_path / log.name).write_bytes(mutated(data, used, generator))
        try:
            profile = read_recording(tmp_path).check()
        except InvalidInputError:
            continue
        read += 1
        json.dumps(speedscope(profile))
    assert read > 50


def test_truncated_logs(folder, tmp_path):
    """A log that was cut anywhere gives what stands before the cut."""
    (log,) = folder.glob("*.wblog")
    data = log.read_bytes()
    (tmp_path / "recording.json").write_text("{}")
    before = 0
    for size in range(0, len(data.rstrip(b"\0")) + 1000, 397):
        (tmp_path / log.name).write_bytes(data[:size])
        profile = read_recording(tmp_path).check()
        spans = sum(len(track.spans) for track in profile.tracks)
        assert spans >= before
        before = spans
    assert before == 3 * 122 + 3
