"""Coroutines, tasks and asynchronous generators."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from workbench import scope


@scope("fetch")
async def fetch(turns, value):
    for _ in range(turns):
        with scope("turn"):
            await asyncio.sleep(0)
    return value


def test_tasks_have_tracks_of_their_own(recorded):
    """Each task on a thread nests on its own track, which has the task's name."""

    async def main():
        tasks = [asyncio.create_task(fetch(n, n), name=f"task {n}") for n in (2, 3)]
        assert await asyncio.gather(*tasks) == [2, 3]

    found = recorded(lambda: asyncio.run(main()))
    by_track = {track: [i for i in found if i.track == track] for track in found.tracks}
    assert {t: [i.path for i in spans] for t, spans in by_track.items()} == {
        "MainThread › task 2": ["fetch", *["fetch/turn"] * 2],
        "MainThread › task 3": ["fetch", *["fetch/turn"] * 3],
    }
    two, three = (by_track[f"MainThread › task {n}"][0] for n in (2, 3))
    assert three.start < two.end < three.end, "the tasks are open at the same time"


def test_a_coroutine_stays_one(recorded):
    """A decorated coroutine function is still one, and its interval lasts from the first step to the result."""
    assert inspect.iscoroutinefunction(fetch)

    async def main():
        with scope("main"):
            await fetch(1, None)

    assert recorded(lambda: asyncio.run(main())).paths == ["main", "main/fetch", "main/fetch/turn"]


def test_a_task_that_is_cancelled(recorded):
    """Cancelling a task closes its scopes."""

    async def main():
        task = asyncio.create_task(fetch(10**9, None))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    found = recorded(lambda: asyncio.run(main()))
    assert "fetch/turn" in found.paths
    assert not any(interval.unfinished for interval in found)


def test_the_thread_around_the_loop(recorded):
    """A scope around `asyncio.run` is on the thread's track, and callbacks without a task are too."""

    async def main():
        asyncio.get_running_loop().call_soon(lambda: scope("callback").__enter__().__exit__(None, None, None))
        await fetch(1, None)

    def body():
        with scope("program"):
            asyncio.run(main())

    found = recorded(body)
    assert [i.path for i in found if i.track == "MainThread"] == ["program", "program/callback"]


def test_asynchronous_generators(recorded):
    """Sending, throwing, closing and iterating work, with one interval for each resumption."""

    @scope("agen")
    async def echo():
        value = None
        while True:
            try:
                value = yield value
            except KeyError:
                value = "caught"
            await asyncio.sleep(0)
            if value == "stop":
                return

    async def main():
        generator = echo()
        assert await anext(generator) is None
        assert await generator.asend(1) == 1
        assert await generator.athrow(KeyError()) == "caught"
        with pytest.raises(StopAsyncIteration):
            await generator.asend("stop")
        other = echo()
        async for item in other:
            assert item is None
            break
        await other.aclose()

    assert inspect.isasyncgenfunction(echo)
    found = recorded(lambda: asyncio.run(main()))
    assert found.paths == ["agen"] * 6
    assert not any(interval.unfinished for interval in found)
