"""The reader of recordings: it agrees with the page that describes them, and trusts nothing."""

from __future__ import annotations

import json
import os
import shutil
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from workbench import carry, counter, mark, record, scope
from workbench.errors import InvalidInputError
from workbench.eventlog import read_process_logs, read_recording
from workbench.profile import MeasuredScopeCost
from workbench.scopes import _journal, layout

SPANS = 3 * (1 + 40 * 6 + 2) + 5
"""Scopes of the recording, those of remote parents included."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording with threads, nesting, propagated work, numbers, open scopes, an out-of-order one and odd names."""
    folder = tmp_path_factory.mktemp("logs") / "r"

    def work():
        for i in range(40):
            with scope("outer"), scope(f"inner {i % 7} \ud800é"), scope("leaf", flops=i, bytes=2.5):
                counter("error", i / 4)
            with scope("leaf"), scope("decorated"):
                mark("tick")
            made(i)
        scope("left open").__enter__()
        scope("left open too").__enter__()

    @scope("function")
    def made(i):
        return i

    with record(folder):
        with scope("sender"):
            threads = [threading.Thread(target=carry(work), name=f"worker {i}") for i in range(3)]
            for thread in threads:
                thread.start()
                thread.join()
        first, second = scope("first"), scope("second")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        _journal.active.log.text(layout.TEXT_FULL, 1000, "1-1-e0001.wblog")
        scope("open at the end").__enter__()
        scope("open at the very end").__enter__()
    return folder


class ByThePage:
    """A reader that is written from docs/event-log.md alone."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "recording.json").read_text())
        assert (manifest["version"], manifest["when_full"], manifest["max_bytes"]) == (1, "stop", 1 << 30)
        self.names, self.tracks, self.sites, self.carried = {}, {}, {}, {}
        self.costs, self.clocks, self.elsewhere, self.given_up = [], [], [], 0
        self.events, self.levels, self.ended = {}, {}, 0
        numbered = {int(path.stem.split("-")[2][1:]): path for path in folder.glob("*.wblog")}
        assert sorted(numbered) == list(range(len(numbered)))
        for number, path in sorted(numbered.items()):
            self.segment(path, number)

    def segment(self, path: Path, number: int) -> None:
        data = path.read_bytes()
        assert data[:8] == bytes.fromhex("57 42 45 56 4C 4F 47 01")
        assert struct.unpack_from("<IIQI", data, 8) == (1, 4096, len(data), number)
        assert struct.unpack_from("<I", data, 28)[0] == os.getpid() == int(path.stem.split("-")[0])
        assert struct.unpack_from("<I", data, 36)[0] == 0
        self.ended = max(self.ended, struct.unpack_from("<Q", data, 56)[0])
        at = 4096
        while at + 24 <= len(data):
            size, kind, track = struct.unpack_from("<IIQ", data, at)
            if size == 0:
                break
            content = data[at + 24 : at + size]
            at += size
            # The first events may be among the texts, in the first segment.
            assert kind == 2 if path.name.rpartition("-")[2].startswith("e") else (kind != 2 or number == 0)
            if kind == 1:
                self.texts(content)
            elif kind == 2:
                whole = content[: len(content) // 24 * 24]
                self.events.setdefault(track, []).extend(struct.iter_unpack("<8sIHHQ", whole))
            elif kind == 3:
                whole = content[: len(content) // 16 * 16]
                self.levels.setdefault(track, []).extend(struct.iter_unpack("<IIQ", whole))

    def texts(self, content: bytes) -> None:
        at = 0
        while at + 16 <= len(content):
            length, kind, number = struct.unpack_from("<IIQ", content, at)
            if length == 0:
                return
            raw = content[at + 16 : at + 16 + length - 1]
            match kind:
                case 1:
                    self.names[number] = raw.decode("utf-8", "surrogatepass")
                case 2:
                    self.tracks[number] = json.loads(raw)
                case 3:
                    first, last, file = raw.decode().split(" ", 2)
                    self.sites[number] = (file, int(first), int(last))
                case 4:
                    self.clocks.append((number, int(raw)))
                case 5:
                    self.costs.append(json.loads(raw))
                case 6:
                    self.carried[number] = json.loads(raw)
                case 7:
                    self.given_up += number
                case 10:
                    self.elsewhere.append(raw.decode())
            at += 16 + (length - 1 + 7) // 8 * 8

    def scopes(self) -> set[tuple[str, str, int, int, bool, tuple[tuple[str, float], ...]]]:
        """Return (track, name, start, end, unfinished, numbers) of every scope."""
        found = set()
        for track in self.events.keys() | self.levels.keys():
            label = self.tracks[track]["name"]
            known, work = set(), []
            for bits, name, _, flags, end in self.events.get(track, []):
                if end and flags & 2:
                    work.append((self.names[name], struct.unpack("<d", bits)[0]))
                elif end and not flags & 12:
                    start = int.from_bytes(bits, "little")
                    known.add((start, name))
                    found.add((label, self.names[name], start, end, False, tuple(sorted(work))))
                    work = []
            for name, _, start in self.levels.get(track, []):
                if start and (start, name) not in known:
                    known.add((start, name))
                    found.add((label, self.names[name], start, self.ended, True, ()))
        return found

    def points(self, flag: int) -> set[tuple[str, str, int, float]]:
        """Return (track, name, time, value) of every counter or mark."""
        return {
            (self.tracks[track]["name"], self.names[name], end, struct.unpack("<d", bits)[0])
            for track, events in self.events.items()
            for bits, name, _, flags, end in events
            if end and flags & flag
        }


def scopes_of(profile):
    found = set()
    for track in profile.tracks:
        spans = track.spans
        for i in range(len(spans)):
            if spans.propagated is not None and spans.propagated[i]:
                continue
            name = profile.frames[profile.stacks.frame[spans.stack[i]]].name
            work = sorted((key, column[i]) for key, column in spans.work.items() if not np.isnan(column[i]))
            row = (
                track.name.removesuffix(" (out of order)"),
                name,
                int(spans.start_ns[i]),
                int(spans.end_ns[i]),
            )
            found.add((*row, bool(spans.unfinished[i]), tuple(work)))
    return found


def test_the_page_describes_the_log(folder):
    """A reader written from docs/event-log.md alone finds what our reader finds, with no damage."""
    profile, page = read_recording(folder).check(), ByThePage(folder)
    assert profile.recording.damaged == 0
    assert sum(len(track.spans) for track in profile.tracks) == SPANS
    # What a propagated interval is called is the path of its sender.
    carried = {page.names[number] for number in page.carried}
    assert carried == {"sender"}
    by_page = {row for row in page.scopes() if not (row[1] == "sender" and row[0] != "MainThread")}
    assert scopes_of(profile) == by_page
    assert page.given_up == profile.recording.given_up_bytes == 1000
    assert [MeasuredScopeCost.of(os.getpid(), cost) for cost in page.costs] == list(
        profile.recording.scope_costs
    )
    assert len(page.costs) == 2
    assert {page.names[n] for n in page.sites} >= {"outer", "leaf", "first", "error", "tick", "function"}
    found = {(page.names[number], *site) for number, site in page.sites.items()}
    assert {tuple(place[:4]) for place in profile.recording.sites} == found
    counters, marks = set(), set()
    for track in profile.tracks:
        for changing in track.counters:
            values = zip(changing.at_ns.tolist(), changing.value.tolist(), strict=True)
            counters |= {(track.name, changing.name, at, value) for at, value in values}
        if track.marks is not None:
            moments = zip(track.marks.name, track.marks.at_ns.tolist(), strict=True)
            marks |= {(track.name, name, at, 0.0) for name, at in moments}
    assert len(counters) == len(marks) == 120
    assert (counters, marks) == (page.points(4), page.points(8))


def test_the_clocks_are_tied(folder):
    """The log says, now and then, what time it is on the wall clock, consistently with its header."""
    (log,) = read_process_logs(folder)
    assert log.clocks == ByThePage(folder).clocks
    assert log.clocks
    for monotonic, wall in log.clocks:
        assert abs((wall - monotonic) - (log.wall_ns - log.start_ns)) < 10**9


@pytest.mark.parametrize("missing", ["nowhere", ""])
def test_no_recording(tmp_path, missing):
    """A folder that is not there, or holds none, is an InvalidInputError that names it."""
    with pytest.raises(InvalidInputError, match="holds no recording"):
        read_recording(tmp_path / missing)


def test_another_version_is_refused(folder, tmp_path):
    """A log of a version that this reader does not know is refused, not guessed at."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    log = min(tmp_path.glob("*.wblog"))
    data = bytearray(log.read_bytes())
    data[8] = 2
    log.write_bytes(data)
    with pytest.raises(InvalidInputError, match="version 2"):
        read_recording(tmp_path)


def test_what_is_no_log_is_left_out(folder, tmp_path):
    """Folders, pipes and text named as logs are damage, a segment that was begun is not; the rest is read."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "recording.json").write_text("not even JSON")
    (tmp_path / "0-0-t0000.wblog").write_bytes(b"")
    (tmp_path / "1-1-e0000.wblog").write_bytes(bytes(1 << 18))
    (tmp_path / "2-2-t0000.wblog").write_text("text" * 2000)
    (tmp_path / "3-3-0000.wblog").mkdir()
    os.mkfifo(tmp_path / "4-4-0000.wblog")
    (tmp_path / "strange.wblog").symlink_to("nowhere")
    profile = read_recording(tmp_path).check()
    assert profile.recording.damaged == 4
    assert len(profile.tracks) == len(read_recording(folder).tracks)
