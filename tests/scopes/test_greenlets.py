"""Greenlets and trio tasks: each has its own track."""

from __future__ import annotations

import asyncio
import itertools
import threading

import pytest

from workbench import scope
from workbench.eventlog import read_recording
from workbench.profile import FrameKind
from workbench.scopes import sampler


def test_greenlets_have_tracks_of_their_own(recorded):
    """Greenlets that take turns nest each on its own; the thread's first one is the thread."""
    greenlet = pytest.importorskip("greenlet")

    def worker(name):
        with scope(name), scope("inside"):
            main.switch()
            with scope("innermost"):
                main.switch()

    def body():
        nonlocal main
        main = greenlet.getcurrent()
        workers = [greenlet.greenlet(worker) for _ in range(3)]
        with scope("main"):
            for each, name in zip(workers, "abc", strict=True):
                each.switch(name)
            for each in workers * 2:
                each.switch()

    main = None
    found = recorded(body)
    by_track = {track: [i for i in found if i.track == track] for track in sorted(found.tracks)}
    ours = by_track.pop("MainThread")
    assert [i.path for i in ours] == ["main"]
    assert len(by_track) == 3
    assert sorted([i.path for i in own] for own in by_track.values()) == [
        [name, f"{name}/inside", f"{name}/inside/innermost"] for name in "abc"
    ]
    outer = sorted((own[0] for own in by_track.values()), key=lambda interval: interval.start)
    assert all(a.start < b.start < a.end < b.end for a, b in itertools.pairwise(outer)), "they overlap"
    assert not any(interval.unfinished for interval in found)


def test_a_greenlet_that_a_task_waits_for_is_the_task(recorded):
    """What a coroutine runs in a greenlet, as SQLAlchemy does, is under the coroutine's scopes."""
    greenlet = pytest.importorskip("greenlet")

    def synchronous():
        with scope("query"):
            main.switch("wait")

    async def fetch():
        nonlocal main
        main = greenlet.getcurrent()
        with scope("fetch"):
            work = greenlet.greenlet(synchronous)
            assert work.switch() == "wait"
            await asyncio.sleep(0)
            work.switch()

    async def both():
        await asyncio.gather(*(asyncio.create_task(fetch(), name=name) for name in "ab"))

    main = None
    found = recorded(lambda: asyncio.run(both()))
    assert [(i.track, i.path) for i in found] == [
        (f"MainThread › {name}", path) for name in "ab" for path in ("fetch", "fetch/query")
    ]


def test_gevent(run, tmp_path, read):
    """Under gevent, patched before anything else, greenlets and their threads have right times, names and parents."""
    pytest.importorskip("gevent")
    done = run(
        """
        from gevent import monkey; monkey.patch_all()
        import gevent, threading, time
        from workbench import scope
        def work(i):
            for _ in range(5):
                with scope(f"outer {i}"):
                    start = time.perf_counter_ns()
                    gevent.sleep(0.001 * (i % 3))
                    with scope("inner"): gevent.sleep(0.0005)
                    print(i, start, time.perf_counter_ns())
        with scope("main"):
            thread = threading.Thread(target=work, args=(3,), name="a thread")
            thread.start()
            gevent.joinall([gevent.spawn(work, i) for i in range(3)])
            thread.join()
        """,
        WORKBENCH_RECORD="r",
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = read(tmp_path / "r")
    assert {i.path for i in found if i.track == "MainThread"} == {"main"}
    assert len(found.tracks) == 5
    assert {i.path for i in found if i.track == "MainThread › a thread"} == {"outer 3", "outer 3/inner"}
    inside = {i: iter([o for o in found if o.path == f"outer {i}"]) for i in range(4)}
    for line in done.stdout.splitlines():
        i, start, end = map(int, line.split())
        outer = next(inside[i])
        # The recorder interpolates its clock.
        assert outer.start - 50_000 <= start <= end <= outer.end + 50_000
        assert not outer.unfinished
    assert all(next(rest, None) is None for rest in inside.values())
    assert [i.path for i in found].count("outer 1/inner") == 5


def test_greenlets_that_end_are_forgotten(recorded):
    """A thousand greenlets on two threads leave nothing in memory but their part of the log."""
    greenlet = pytest.importorskip("greenlet")
    ended = []

    class Name:
        def __repr__(self):
            return "held"

        def __del__(self):
            ended.append(1)

    def work():
        with scope("work"):
            scope(Name()).__enter__()  # the track holds what is open

    def many():
        for _ in range(500):
            greenlet.greenlet(work).switch()

    def body():
        thread = threading.Thread(target=many)
        thread.start()
        many()
        thread.join()
        scope("last").__enter__().__exit__(None, None, None)

    found = recorded(body)
    assert len(ended) >= 998
    assert sum(i.path == "work" for i in found) == 1000


def test_trio(recorded):
    """Tasks of trio, too, nest each on a track that has its name; what is around `trio.run` is the thread's."""
    trio = pytest.importorskip("trio")

    async def child(turns):
        with scope("child"):
            for _ in range(turns):
                with scope("turn"):
                    await trio.sleep(0)

    async def main():
        with scope("nursery"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child, 2, name="two")
                nursery.start_soon(child, 3, name="three")

    def body():
        with scope("program"):
            trio.run(main)

    found = recorded(body)
    by_track = {track: [i.path for i in found if i.track == track] for track in found.tracks}
    nursery = [track for track, paths in by_track.items() if paths == ["nursery"]]
    assert len(nursery) == 1
    del by_track[nursery[0]]
    assert by_track == {
        "MainThread": ["program"],
        "MainThread › two": ["child", *["child/turn"] * 2],
        "MainThread › three": ["child", *["child/turn"] * 3],
    }


SAMPLED = """
import time, greenlet
from workbench import scope

def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end: sum(range(100))

def outside(): busy(0.2)

def inside(): busy(0.2)

def worker():
    with scope("of the greenlet"):
        inside()
        main.switch()
    outside()

main = greenlet.getcurrent()
work = greenlet.greenlet(worker)
with scope("of the thread"):
    work.switch()
    work.switch()
"""


def test_samples_of_a_greenlet_are_under_its_own_scopes(run, tmp_path):
    """What is open on the thread's own stack, from which it was switched to, is not around it."""
    pytest.importorskip("greenlet")
    if sampler.why_not() is not None:
        pytest.skip(f"no in-process sampler here: {sampler.why_not()}")
    assert run(SAMPLED, WORKBENCH_RECORD="r", WORKBENCH_SAMPLE="500").returncode == 0
    profile = read_recording(tmp_path / "r")
    seen = {"inside": set(), "outside": set()}
    for stack in {i for track in profile.tracks if track.samples for i in track.samples.stack.tolist()}:
        path = [profile.frames[i] for i in profile.stacks.path(stack)]
        scopes = tuple(frame.name for frame in path if frame.kind is FrameKind.SCOPE)
        for name in seen.keys() & {frame.name for frame in path}:
            seen[name].add(scopes)
    assert seen == {"inside": {("of the greenlet",)}, "outside": {()}}
