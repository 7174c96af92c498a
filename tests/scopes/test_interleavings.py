"""Any interleaving of scopes over threads and tasks, recorded and read back, equals the model's intervals."""

from __future__ import annotations

import asyncio
import queue
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import counter, mark, record, scope
from workbench.eventlog import read_recording

THREADS, TASKS = 2, 2
PLACES = ["main", *(f"thread {i}" for i in range(THREADS)), *(f"task {i}" for i in range(TASKS))]
NAMES = ["fit", "predict", "a;b", "\ud800"]

STEPS = st.tuples(
    st.sampled_from(PLACES),
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(NAMES), st.sampled_from([None, 1.5, -0.0])),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("close"), st.integers(1, 2)),
        st.tuples(st.just("count"), st.sampled_from(NAMES), st.floats(allow_nan=False)),
        st.tuples(st.just("mark"), st.sampled_from(NAMES)),
    ),
)


@dataclass
class Scope:
    name: str
    work: float | None
    path: tuple[str, ...]
    start: int
    end: int | None = None


@dataclass
class Model:
    """What one track should hold; instants are numbers of steps."""

    scopes: list[Scope] = field(default_factory=list)
    open: list[Scope] = field(default_factory=list)
    counters: list[tuple[str, float]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    nests: bool = True

    def apply(self, step: int, action) -> None:
        match action:
            case ("open", name, work):
                made = Scope(name, work, (*(s.name for s in self.open), name), step)
                self.scopes.append(made)
                self.open.append(made)
            case ("close", above) if above < len(self.open):
                self.nests &= above == 0
                self.open.pop(-1 - above).end = step
            case ("count", name, value):
                self.counters.append((name, value))
            case ("mark", name):
                self.marks.append(name)


class Place:
    """What a thread or task does at each step: the scopes that it has open."""

    def __init__(self) -> None:
        self.open = []

    def apply(self, action) -> None:
        match action:
            case ("open", name, work):
                instance = scope(name) if work is None else scope(name, flops=work)
                self.open.append(instance.__enter__())
            case ("close", above) if above < len(self.open):
                self.open.pop(-1 - above).__exit__(None, None, None)
            case ("count", name, value):
                counter(name, value)
            case ("mark", name):
                mark(name)


def run(steps) -> None:
    """Run the steps one after the other, each on its thread or task, while others wait."""
    places = {name: Place() for name in PLACES}
    todo = {name: queue.Queue() for name in PLACES if name.startswith("thread")}
    done = queue.Queue()

    def thread(name):
        for action in iter(todo[name].get, None):
            places[name].apply(action)
            done.put(None)

    async def task(name, turn, finished):
        while True:
            await turn.acquire()
            action = current[0]
            if action is None:
                return
            places[name].apply(action)
            finished.release()

    current = [None]

    async def main():
        turns = {name: asyncio.Semaphore(0) for name in PLACES if name.startswith("task")}
        finished = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(task(name, turn, finished), name=name) for name, turn in turns.items()]
        loop = asyncio.get_running_loop()
        for name, action in steps:
            if name == "main":  # outside of tasks: on the thread's own track
                future = loop.create_future()
                loop.call_soon(
                    lambda action=action, future=future: future.set_result(places["main"].apply(action))
                )
                await future
            elif name in todo:
                todo[name].put(action)
                done.get()
            else:
                current[0] = action
                turns[name].release()
                await finished.acquire()
        current[0] = None
        for turn in turns.values():
            turn.release()
        await asyncio.gather(*tasks)

    threads = [threading.Thread(target=thread, args=(name,), name=name) for name in todo]
    for each in threads:
        each.start()
    asyncio.run(main())
    for name, each in zip(todo, threads, strict=True):
        todo[name].put(None)
        each.join()


def expected(steps) -> dict[str, Model]:
    models = {name: Model() for name in PLACES}
    for number, (name, action) in enumerate(steps):
        models[name].apply(number, action)
    return models


def label(track: str) -> str:
    name = track.removesuffix(" (out of order)")
    return "main" if name == "MainThread" else name.rpartition(" › ")[2]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, max_size=40))
def test_any_interleaving(steps):
    """Names, nesting, order in time, what is unfinished, numbers, counters and marks are those of the model."""
    folder = Path(tempfile.mkdtemp())
    try:
        with record(folder / "r"):
            run(steps)
        profile = read_recording(folder / "r").check()
    finally:
        shutil.rmtree(folder)
    assert profile.recording.damaged == 0
    models = expected(steps)
    instants = []
    for name, model in models.items():
        tracks = [track for track in profile.tracks if label(track.name) == name]
        instants += compare(profile, tracks, model)
        counters = sorted(
            (int(at), c.name, value)
            for t in tracks
            for c in t.counters
            for at, value in zip(c.at_ns, c.value, strict=True)
        )
        assert [(n, v) for _, n, v in counters] == model.counters
        assert [n for t in tracks if t.marks is not None for n in t.marks.name] == model.marks
    # Steps ran one after the other, so that what happened on different tracks is in order, too.
    in_order = sorted(instants)
    assert [step for step, _ in in_order] == [step for _, step in sorted((at, step) for step, at in instants)]


def compare(profile, tracks, model: Model) -> list[tuple[int, int]]:
    """Compare a track's scopes with the model's; return (step, nanoseconds) of every instant."""
    rows = []
    for track in tracks:
        if track.spans is None:
            continue
        spans = track.spans
        flops = spans.work.get("flops", np.full(len(spans), np.nan))
        for i in range(len(spans)):
            path = tuple(profile.frames[f].name for f in profile.stacks.path(int(spans.stack[i])))
            work = None if np.isnan(flops[i]) else float(flops[i])
            rows.append((int(spans.start_ns[i]), int(spans.end_ns[i]), path, bool(spans.unfinished[i]), work))
    rows.sort()
    assert len(rows) == len(model.scopes)
    instants = []
    for (start, end, path, unfinished, work), made in zip(rows, model.scopes, strict=True):
        assert path[-1] == made.name
        assert unfinished == (made.end is None)
        if made.end is not None:  # the numbers are written when it closes
            assert work == made.work
            instants.append((made.end, end))
        if model.nests:
            assert path == made.path
        instants.append((made.start, start))
    return instants
