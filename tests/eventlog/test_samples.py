"""Samples in recordings: a writer made from the documentation alone, and damaged files."""

from __future__ import annotations

import json
import random
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.eventlog.sample_segments import (
    BOOT,
    KEY,
    MISSING,
    PID,
    List,
    Node,
    Recording,
    Sample,
    chunk,
    native,
    python,
    record,
    scope,
    text,
)
from workbench.eventlog import read_recording
from workbench.profile import Frame, FrameKind, ThreadState, between, scope_samples, thin

pytestmark = pytest.mark.timeout(60)

SCOPES = {1: "fit", 2: "step é\ud800"}
MODULE = "/lib/nowhere/libkernel.so.3"
CUT = Frame("(native frames cut)", kind=FrameKind.NATIVE)


def texts():
    return b"".join(text(1, number, name) for number, name in SCOPES.items())


def recording(folder, samples, *, tid=900, period_ns=1000, **more):
    """Write a recording of one thread."""
    made = List(tid, more.pop("name", ""), **more)
    made.start(BOOT)
    for each in samples:
        made.add(each)
    return Recording(folder, period_ns, texts(), {1: f"7f0000 - {MODULE}"}, [{1: made}])


def expected(sample: Sample) -> list[Frame]:
    """Return the frames that a sample's stack should have."""
    found = []
    for node in sample.stack:
        if node.code is not None:
            found.append(Frame(node.code.name, node.code.file))
        elif node.kind == MISSING:
            found.append(CUT)
        elif node.b or node.kind == 1:
            found.append(Frame("[libkernel.so.3]", MODULE, kind=FrameKind.NATIVE))
        else:
            found.append(Frame(SCOPES[node.a], kind=FrameKind.SCOPE))
    match ThreadState(sample.state):
        case ThreadState.WAITING_FOR_GIL:
            found.append(Frame("waiting for the GIL", kind=FrameKind.IDLE))
        case ThreadState.SLEEPING if found and found[-1].kind is not FrameKind.SCOPE:
            found[-1] = found[-1]._replace(kind=FrameKind.IDLE)
        case ThreadState.SLEEPING:
            found.append(Frame("(waiting)", kind=FrameKind.IDLE))
        case state if state is ThreadState.UNKNOWN or not found:
            found.append(Frame("(stack unknown)", kind=FrameKind.NATIVE))
    return found


def path(profile, stack):
    return [profile.frames[i] for i in profile.stacks.path(int(stack))]


def names(profile, stack):
    return [f"{{{f.name}}}" if f.kind is FrameKind.SCOPE else f.name for f in path(profile, stack)]


CODES = st.builds(
    python,
    st.sampled_from(["main", "Class.method", "<listcomp>", "naïve", "数", "🎲 \ud800"]),
    st.sampled_from(["/a.py", "/ü.py", "/数/b.py"]),
    st.integers(-1, 3),
)
STACKS = st.builds(
    lambda first, rest: (first, *rest) if first is not None else (),
    st.one_of(st.none(), CODES),
    st.lists(
        st.one_of(
            CODES,
            st.builds(scope, st.sampled_from([1, 2])),
            st.builds(native, st.just(1), st.integers(0, 2**63)),
            st.just(Node(MISSING, 1)),
        ),
        max_size=6,
    ),
).filter(lambda stack: not stack or stack[-1].kind != MISSING)
SAMPLES = st.lists(
    st.builds(
        Sample,
        STACKS,
        st.one_of(st.integers(0, 5000), st.just(2**33)),
        st.one_of(st.integers(1, 15), st.integers(16, 10_000)),
        st.integers(0, 5),
        st.one_of(st.integers(0, 1000), st.just(2**33)),
    ),
    max_size=30,
)


def amounts(samples):
    """Return ticks and CPU times; of a thread that was seen asleep late, those of its run are of the sample before."""
    ticks, cpu_ns = [each.ticks for each in samples], [each.cpu_ns for each in samples]
    periods = [at // 1000 for at in np.cumsum([each.at_ns for each in samples]).tolist()]
    for i, each in enumerate(samples[1:], 1):
        if each.state == 4 and samples[i - 1].state in (1, 2):
            moved = min(periods[i] - periods[i - 1] - 1, each.ticks - 1, each.cpu_ns // 1000)
            for amount, unit in ((ticks, 1), (cpu_ns, 1000)):
                amount[i - 1] += max(0, moved) * unit
                amount[i] -= max(0, moved) * unit
    return ticks, cpu_ns


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SAMPLES, st.integers(64, 5000), st.integers(1, 40), st.integers(1, 3))
def test_what_is_written_is_read(samples, chunk_size, anew_after, segments):
    """Stacks, ticks, CPU time and states are read back, over chunks and segments; a thread's weights are its ticks."""
    with tempfile.TemporaryDirectory() as folder:
        made = Recording(Path(folder) / "r", 1000, texts(), {1: f"7f0000 - {MODULE}"})
        now = BOOT
        size = -(-len(samples) // segments) or 1
        for begin in range(0, len(samples), size):
            part = List(900, "pool-1", chunk_size=chunk_size, anew_after=anew_after)
            part.start(now)
            for each in samples[begin : begin + size]:
                part.add(each)
            now = part.now
            made.segments.append({5: part})
        profile = read_recording(made.write()).check()
        assert profile.recording.damaged == 0
        if not samples:
            assert profile.tracks == ()
            return
        (track,) = profile.tracks
        found = track.samples
        assert (track.name, track.tid, track.pid) == ("pool-1", 900, PID)
        assert [path(profile, stack) for stack in found.stack] == [expected(each) for each in samples]
        ticks, cpu_ns = amounts(samples)
        assert found.ticks.tolist() == ticks
        assert found.state.tolist() == [each.state for each in samples]
        assert found.cpu_ns.tolist()[1:] == cpu_ns[1:]
        assert found.weight_ns.sum() == 1000 * sum(each.ticks for each in samples)
        taken = BOOT + np.cumsum([each.at_ns for each in samples])
        assert np.all(found.at_ns <= taken)
        assert np.all((found.at_ns - BOOT) % 1000 == 0)


def test_a_sample_stands_for_its_period(tmp_path):
    """A row begins with the period of its tick, or earlier if it covers late ticks."""
    main = python("main")
    samples = [
        Sample((main,), 300),
        Sample((main,), 1500),
        Sample((main,), 3000, ticks=2),
        Sample((main,), 400),
    ]
    found = read_recording(recording(tmp_path / "r", samples).write()).check().tracks[0].samples
    # Taken at 300, 1800, 4800 and 5200: the third stands for the periods from 3000 on, or 2000 if it was late.
    assert (found.at_ns - BOOT).tolist() == [0, 1000, 3000, 5000]
    assert found.weight_ns.tolist() == [1000, 1000, 2000, 1000]


def test_a_thread_that_was_seen_asleep_late(tmp_path):
    """It has run in as many of the periods that passed as its CPU time says, and they are of the sample before."""
    busy, rest = python("busy"), python("rest")
    samples = [
        Sample((busy,), 300, cpu_ns=200),
        Sample((rest,), 5200, ticks=8, state=4, cpu_ns=3400),  # five periods on, and asleep for three more
        Sample((busy,), 3000, cpu_ns=700),
        Sample((rest,), 1000, ticks=2, state=4, cpu_ns=1900),  # in time
    ]
    found = read_recording(recording(tmp_path / "r", samples).write()).check().tracks[0].samples
    assert found.ticks.tolist() == [4, 5, 1, 2]
    assert found.cpu_ns.tolist() == [3200, 400, 700, 1900]


def test_parts_of_a_profile_have_all_ticks(tmp_path):
    """Ranges side by side, and what is thinned, have all ticks and all CPU time of the whole."""
    samples = [Sample((python("main"),), 700, ticks=1 + i % 5, cpu_ns=900 + i, state=4) for i in range(50)]
    profile = read_recording(recording(tmp_path / "r", samples).write()).check()
    whole = profile.tracks[0].samples
    edges = [profile.start_ns, profile.start_ns + 3456, profile.start_ns + 9000, profile.end_ns]
    parts = [between(profile, *both).check().tracks[0].samples for both in pairwise(edges)]
    for column in ("ticks", "cpu_ns", "weight_ns"):
        assert sum(int(getattr(part, column).sum()) for part in parts) == getattr(whole, column).sum()
    small = thin(profile, 5).check().tracks[0].samples
    assert small.ticks.sum() == whole.ticks.sum()
    assert small.cpu_ns.sum() == whole.cpu_ns.sum()


def test_lines(tmp_path):
    """The lines of the program's own code are a column beside the stack of functions."""
    here = test_lines.__code__
    more = {"first_line": here.co_firstlineno, "table": here.co_linetable}
    last = len(here.co_code) // 2 - 1
    stacks = [(python("test_lines", instruction=i, **more), native(1, 5)) for i in (-1, last)]
    profile = read_recording(recording(tmp_path / "r", [Sample(each, 10) for each in stacks]).write())
    found = profile.tracks[0].samples
    assert len(set(found.stack.tolist())) == 1
    lines = [line for _, _, line in here.co_lines()]
    assert profile.lines.numbers(found.line).tolist() == [here.co_firstlineno, lines[-1]]


def test_threads_and_tasks(tmp_path):
    """Samples are on the track whose scopes were open; others on their thread's, or on a new one."""
    made = recording(tmp_path / "r", [], tid=PID)
    facts = {"name": "worker", "ident": 12345, "native_id": 901, "task": None}
    made.texts += text(2, 3, json.dumps(facts))
    made.texts += text(2, 4, json.dumps(facts | {"task": "Task-7"}))
    made.segments[0][1].add(Sample((python("main"),), 10))
    worker, other = List(901, "python"), List(902, "blas")
    worker.start(BOOT)
    for track in (0, 3, 4, 4, 0):
        worker.add(Sample((python("work"),), 1000, track=track))
    other.start(BOOT)
    other.add(Sample((native(1, 9),), 10))
    made.segments[0] |= {2: worker, 3: other}
    profile = read_recording(made.write()).check()
    tracks = {(track.name, track.tid): len(track.samples) for track in profile.tracks}
    assert tracks == {
        ("worker", 12345): 3,
        ("worker › Task-7", 12345): 2,
        ("MainThread", PID): 1,
        ("blas", 902): 1,
    }
    assert profile.recording.threads == ((901, None), (901, "Task-7"), (PID, None), (902, None))


def test_carried_work_begins_with_its_sender(tmp_path):
    """A stack with a sender's scopes begins with their path; the worker's own frames follow, without our wrappers."""
    carry, decorate = (f"/site-packages/workbench/scopes/_{each}.py" for each in ("carry", "decorate"))
    made = recording(tmp_path / "r", [])
    sent = {"process": KEY, "track": 1, "path": ["fit", "epoch"], "start_ns": 1}
    made.texts += text(1, 3, "epoch") + text(6, 3, json.dumps(sent))
    stack = (
        native(1, 1),
        python("Thread.run"),
        python("Carried.__call__", carry),
        scope(3),
        python("wrapper", decorate),
        scope(2),
        python("job"),
    )
    for each in (stack, stack[:3], stack[:5]):
        made.segments[0][1].add(Sample(each, 1000))
    profile = read_recording(made.write()).check()
    step = f"{{{SCOPES[2]}}}"
    assert [names(profile, each) for each in profile.tracks[0].samples.stack] == [
        ["{fit}", "{epoch}", "Thread.run", step, "job"],
        ["Thread.run", "Carried.__call__"],
        ["{fit}", "{epoch}", "Thread.run", "wrapper"],
    ]
    assert {name: each.of_all.samples for name, each in scope_samples(profile).items()}["fit"] == 2


def test_the_shim_of_an_inlined_call_is_left_out(tmp_path):
    """CPython 3.13 puts a shim frame around an inlined `__init__`."""
    shim = python("__init__", "__init__", first_line=0)
    samples = [Sample((python("main"), shim, python("Class.__init__")), 10)]
    profile = read_recording(recording(tmp_path / "r", samples).write())
    assert names(profile, profile.tracks[0].samples.stack[0]) == ["main", "Class.__init__"]


def test_the_sampler_states_itself(tmp_path):
    """What the sampler of a process took and missed is a fact of the profile."""
    (run,) = read_recording(recording(tmp_path / "r", []).write()).recording.samplers
    assert (run.pid, run.period_ns, run.ticks, run.samples, run.unknown, run.cut) == (PID, 1000, 99, 12, 1, 2)
    assert (run.signals, run.interrupted, run.cpu_ns, run.incomplete, run.no_room) == (9, 3, 1500, 4, 5)
    assert (run.signal, run.native, run.ended_ns) == (23, True, 0)


def test_what_is_not_known_is_passed_over(tmp_path):
    """Kinds of chunks, records, nodes and settings that are to come are no damage."""
    samples = [Sample((python("main"), Node(9, 1, 1), python("work")), 10)]
    made = recording(tmp_path / "r", samples)
    made.before = chunk(77, 1, b"x" * 40)
    made.segments[0][1].put(record(7, 1, 1, 1, 1) + record(5, 15, 0, 1, 1))
    profile = read_recording(made.write()).check()
    assert profile.recording.damaged == 0
    assert names(profile, profile.tracks[0].samples.stack[0]) == ["main", "work"]


def test_a_killed_process(tmp_path):
    """Wherever the log ends, all samples that are complete there are read."""
    stack = (python("main"), python("work"))
    samples = [Sample((*stack, native(1, i)), 1000) for i in range(50)]
    folder = recording(tmp_path / "r", samples, chunk_size=400).write()
    file = next(folder.glob("*-s0000.wblog"))
    whole = file.read_bytes()
    used = len(whole.rstrip(b"\0"))
    counts = []
    for size in [*range(4096, used, 48), len(whole)]:
        file.write_bytes(whole[:size] + bytes(len(whole) - size))
        profile = read_recording(folder).check()
        counts.append(sum(len(track.samples) for track in profile.tracks))
    assert counts == sorted(counts)
    assert counts[-1] == 50


def test_damaged_samples(tmp_path):
    """Reading any bytes ends soon, with a consistent profile."""
    generator = random.Random(1)
    stack = (python("main"), scope(1), python("数"), native(1, 7))
    samples = [Sample(stack[: 1 + i % 4], 1000, ticks=1 + i % 20, state=i % 6) for i in range(100)]
    folder = recording(tmp_path / "r", samples, chunk_size=700, anew_after=3).write()
    file = next(folder.glob("*-s0000.wblog"))
    whole = file.read_bytes()
    used = len(whole.rstrip(b"\0"))
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(generator.choice([1, 3, 30])):
            at = generator.randrange(4096, used)
            size = generator.choice([1, 4, 8])
            at -= at % size
            data[at : at + size] = (
                generator.choice([b"\xff", b"\x00", b"\x7f", b"\x80", b"\x02", b"\x05"]) * size
            )
        file.write_bytes(data[: generator.choice([len(data), used, generator.randrange(4096, used)])])
        profile = read_recording(folder).check()
        for samples in (track.samples for track in profile.tracks):
            served = samples.ticks > 0
            period = samples.weight_ns[served] // samples.ticks[served]
            assert np.all(period == period[:1])
            assert not samples.weight_ns[~served].any()


def test_hostile_lists(tmp_path):
    """Chains of any depth, huge numbers and times take no more time and memory than others."""
    deep = b"".join(record(1, 1, i, 1, i) for i in range(100_000))
    codes = b"".join(record(2, 0, 0, 1, i) for i in range(20_000))
    times = b"".join(
        record(5, 2, 0, 0, 2**62 - i) + record(9, 1, 1, 2**32 - 1, 2**64 - 1) for i in range(5000)
    )
    ticks = b"".join(record(5, 1, 0, 2**32 - 1, 0) + record(9, 0, 3, 0, 0) for _ in range(5000))
    for content in (deep + record(9, 1, 100_000, 1, 1), codes, deep[:16] + times, deep[:64] + ticks):
        made = recording(tmp_path / "r", [])
        made.segments[0][1].chunk_size = 1 << 30
        made.segments[0][1].put(content)
        read_recording(made.write()).check()
