"""Traces as py-spy writes them, faults included, from the file to samples under their scopes."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from workbench.capture.placement import Clock, merge, tie_clocks
from workbench.formats.pyspy import read_pyspy_chrometrace
from workbench.profile import FrameKind
from workbench.scopes import _pulses

GAP_NS = 5_000_000
FILE = "program.py"


class Trace:
    """Writes changes of stacks as py-spy does: what it knows of a thread goes by its ident alone."""

    def __init__(self):
        self.events, self.last = [], {}

    def look(self, at_us, stack, *, pid=1, tid=7, native=70):
        """Write what changed: a stack is (name, file, line), root first."""
        frames = [(f'process {pid}:"python"', "", 0), (f"thread ({native}): MainThread", "", 0), *stack]
        before = self.last.get(tid, [])
        same = next((i for i, (a, b) in enumerate(zip(before, frames, strict=False)) if a != b), None)
        same = min(len(before), len(frames)) if same is None else same
        for phase, part in (("E", reversed(before[same:])), ("B", frames[same:])):
            self.events += [self._event(phase, at_us, pid, tid, frame) for frame in part]
        self.last[tid] = frames

    def end(self, at_us):
        """Close what is open, as py-spy does when it writes."""
        for tid, frames in self.last.items():
            self.events += [self._event("E", at_us, 1, tid, frame) for frame in reversed(frames)]
        self.last = {}

    def _event(self, phase, at_us, pid, tid, frame):
        name, file, line = frame
        arguments = {"filename": file, "line": line}
        return {
            "args": arguments,
            "cat": "py-spy",
            "name": name,
            "ph": phase,
            "pid": pid,
            "tid": tid,
            "ts": at_us,
        }

    def read(self, folder, **options):
        path = folder / "trace.json"
        path.write_text(json.dumps(self.events))
        return read_pyspy_chrometrace(path, period_ns=GAP_NS, lines=True, **options).check()


def main(line, *more):
    return [("main", FILE, line), *more]


def scopes_of(profile, track=0):
    """Return (time in ms, names of the scopes, weight in ms) of each sample of a track."""
    samples = profile.tracks[track].samples
    return [
        (
            at / 1e6,
            [
                f.name
                for f in (profile.frames[i] for i in profile.stacks.path(s))
                if f.kind is FrameKind.SCOPE
            ],
            w / 1e6,
        )
        for s, at, w in zip(
            samples.stack.tolist(), samples.at_ns.tolist(), samples.weight_ns.tolist(), strict=True
        )
    ]


CLOCK = Clock(0, 300_000, 300_000, GAP_NS)


def test_a_thread_that_ended(program, tmp_path):
    """A thread that ends gets no event: its last stack lasts until its scope was left, not to the end."""
    program.place("job", "main", 2, 9)
    program.thread("worker", tid=8, native=71).spans.append((20, 60, "job", False))
    program.thread(native=70).spans.append((0, 500, "main", False))
    trace = Trace()
    trace.look(1000, main(20))
    trace.look(21_000, main(3), tid=8, native=71)
    trace.look(400_000, main(21))
    trace.end(500_000)
    merged = merge(trace.read(tmp_path), program.recording, CLOCK)
    worker = next(i for i, track in enumerate(merged.tracks) if track.tid == 8)
    found = scopes_of(merged, worker)
    assert {tuple(names) for _, names, _ in found} == {("job",)}
    assert sum(weight for *_, weight in found) == pytest.approx(39)


def test_a_sampler_that_ended_early(program, tmp_path):
    """No stack is taken to have lasted longer than the sampler, though its scope went on."""
    program.place("job", "main", 2, 9)
    program.thread(native=70).spans.append((20, 460, "job", False))
    trace = Trace()
    trace.look(21_000, main(3))
    trace.end(100_000)
    merged = merge(trace.read(tmp_path), program.recording, CLOCK, until_ns=100_000_000)
    assert sum(weight for *_, weight in scopes_of(merged, 0)) == pytest.approx(79)


def test_an_idle_stack_that_stretches(program, tmp_path):
    """A stack of which no change was written for long is seen under each scope that was open meanwhile, by time."""
    program.thread(native=70).spans.extend([(100, 200, "job 1", False), (300, 400, "job 2", False)])
    trace = Trace()
    trace.look(1000, main(20, ("wait", "threading.py", 320)))
    trace.look(501_000, main(21))
    trace.end(502_000)
    found = scopes_of(merge(trace.read(tmp_path), program.recording, CLOCK))
    assert sum(weight for *_, weight in found) == pytest.approx(505)
    for name, start, end in (("job 1", 100, 200), ("job 2", 300, 400)):
        under = [at for at, names, _ in found if names == [name]]
        assert len(under) == pytest.approx(20, abs=1)
        assert all(start <= at <= end for at in under)


def test_two_processes_of_one_ident(program, tmp_path):
    """A forked child has its parent's ident, by which py-spy keeps state: each batch belongs to its own process."""
    program.place("parent", "main", 2, 9)
    program.place("child", "main", 12, 19)
    program.thread(pid=1, native=1).spans.append((0, 100, "parent", False))
    program.thread(pid=2, native=2).spans.append((20, 80, "child", False))
    trace = Trace()
    for i in range(20):
        trace.look(5000 * i + 1000, main(3 + i % 2), pid=1, native=1)
        if 5 <= i < 15:
            trace.look(5000 * i + 1100, main(13 + i % 2), pid=2, native=2)
    trace.end(100_000)
    merged = merge(trace.read(tmp_path), program.recording, {1: CLOCK, 2: CLOCK})
    assert {
        (track.pid, tuple(names))
        for i, track in enumerate(merged.tracks)
        for _, names, _ in scopes_of(merged, i)
    } == {
        (1, ("parent",)),
        (2, ("child",)),
    }
    assert [len(track.samples) for track in merged.tracks] == [20, 10]
    assert merged.facts["placement"]["agreed"] == merged.facts["placement"]["checked"] == 30


def test_an_ident_of_two_processes_in_turn(program, tmp_path):
    """A process that has the ident of one that ended has its own samples; the first one's do not go on."""
    program.thread(pid=1, native=1).spans.append((0, 50, "first", False))
    program.thread(pid=2, native=2).spans.append((100, 150, "second", False))
    trace = Trace()
    for at in range(2, 48, 5):
        trace.look(1000 * at, main(at), pid=1, native=1)
    for at in range(102, 148, 5):
        trace.look(1000 * at, main(at), pid=2, native=2)
    trace.end(148_000)
    merged = merge(trace.read(tmp_path), program.recording, CLOCK)
    assert [{tuple(names) for _, names, _ in scopes_of(merged, i)} for i in range(2)] == [
        {("first",)},
        {("second",)},
    ]
    last, _, weight = scopes_of(merged, 0)[-1]
    assert last + weight <= 50 + GAP_NS / 1e6


def sampled_run(program, folder, *, stalls):
    """Return (what was seen, recording, clocks, true times by stamp) of a run of blocks, stamped when written.

    Stamps are late by what reading another process takes; in a stall nothing is read and looks are made up for.
    """
    random = np.random.default_rng(6)
    program.place("a", "main", 10, 12)
    program.place("b", "main", 20, 22)
    edges = 100 + np.cumsum(random.integers(8, 60, 400)).astype(float)
    thread = program.thread(native=70)
    for i, (start, end) in enumerate(pairwise(edges)):
        if i % 3:
            thread.spans.append((start, end, "ab"[i % 3 - 1], False))
    pulses = [10.0 + 7 * i for i in range(8)]
    epoch_ms, trace, true = 1000.0, Trace(), {}
    now = late = 0.0
    while now < edges[-1]:
        wait = random.exponential(5)
        behind = max(0.0, late - wait)
        now += wait if not late else max(0.2, wait - late)
        late = behind
        if stalls and random.random() < 0.01:
            now += 40
            late = 40.0
        stamp = now + random.exponential(0.2)
        if now < 70:
            which = int(np.searchsorted(pulses, now, side="right")) - 1
            stack = [(f"pulse_{which}", _pulses.FILE, 40)] if which >= 0 else main(1)
        else:
            block = int(np.searchsorted(edges, now, side="right")) - 1
            line = (5, 11, 21)[block % 3] if block >= 0 else 5
            stack = main(line + len(true) % 2)
        at_us = max(round(1000 * (stamp + epoch_ms)), max(true, default=0) + 1)
        true[at_us] = now
        trace.look(at_us, stack)
    trace.end(max(true) + 1000)
    seen = trace.read(folder)
    recording = program.recording
    return seen, recording, tie_clocks(seen, recording, [round(1e6 * p) for p in pulses], GAP_NS), true


@pytest.mark.parametrize("stalls", [False, True])
def test_stamps_that_are_late(program, tmp_path, stalls):
    """Though stamps come when py-spy writes, and in bursts after a stall, times are right, and scopes by time too."""
    seen, recording, clocks, true = sampled_run(program, tmp_path, stalls=stalls)
    clock = clocks[1]
    off = clock.at(np.array(list(true), dtype=np.int64) * 1000) / 1e6 - np.array(list(true.values()))
    assert clock.is_known
    assert clock.error_ns < 1_500_000
    assert np.mean(np.abs(off) <= 1.5) >= 0.95
    by_line, by_time = (merge(seen, recording, clocks, by_line=each) for each in (True, False))
    facts, timed = by_line.facts["placement"], by_time.facts["placement"]
    assert facts["unplaced"] == 0
    assert facts["agreed"] / facts["checked"] >= 0.98
    assert timed["unplaced"] / timed["samples"] < 0.2
    # What time alone says is what lines say.
    rows = zip(scopes_of(by_line), scopes_of(by_time), strict=True)
    told = [(a, b) for (_, a, _), (_, b, _) in rows if "(which scope is unknown)" not in b]
    assert np.mean([a == b for a, b in told]) >= 0.98
