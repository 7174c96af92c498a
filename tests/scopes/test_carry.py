"""What `carry` returns: the function, in every way but that its work is recorded under the scope that sent it."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import pytest

from workbench import carry, mark, record, scope
from workbench.eventlog import read_recording
from workbench.profile import aggregate, durations, scope_totals, time_inside


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "r"


@pytest.fixture
def elsewhere(folder, read):
    """Return a function that reads the paths of what was recorded on other tracks than the main thread's."""
    return lambda: [i.path for i in read(folder).own if i.track != "MainThread"]


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args, name="worker")
    thread.start()
    thread.join()


@scope("work")
def work(x: int = 0, *, y: int = 1) -> int:
    """Add."""
    return x + y


class Thing:
    def method(self) -> str:
        with scope("method"):
            return "method"

    @classmethod
    def of_class(cls) -> str:
        with scope("of class"):
            return cls.__name__

    def __call__(self) -> str:
        with scope("call"):
            return "call"


class AsyncThing:
    async def __call__(self) -> str:
        with scope("async call"):
            await asyncio.sleep(0)
            return "async call"


def test_when_nothing_records_it_is_the_function():
    """Without a recording `carry` adds nothing: it returns its argument."""
    assert carry(work) is work


def test_threads_are_under_the_scope_that_sent(folder, read):
    """Work in a thread or a pool of threads is under the sender's path, in spans marked as propagated."""
    with record(folder), scope("fit"), scope("map"):
        in_thread(carry(work))
        with ThreadPoolExecutor(2, "pool") as pool:
            assert list(pool.map(carry(work), range(40))) == list(range(1, 41))
    found = read(folder)
    main = {i.path: i for i in found if i.track == "MainThread"}
    assert list(main) == ["fit", "fit/map"]
    rows = [i for i in found if i.track != "MainThread"]
    assert sorted({(i.path, i.propagated) for i in rows}) == [
        ("fit", True),
        ("fit/map", True),
        ("fit/map/work", False),
    ]
    assert sum(not i.propagated for i in rows) == 41
    assert all(main["fit/map"].start <= s.start <= s.end <= main["fit/map"].end for s in rows)


def test_time_is_counted_once(folder):
    """Spans of a remote parent add no calls and no time: totals are those of the real scopes."""
    with record(folder), scope("fit"), scope("map"):
        for _ in range(5):
            in_thread(carry(work))
    profile = read_recording(folder)
    totals = scope_totals(profile)
    assert {name: total.calls for name, total in totals.items()} == {"fit": 1, "map": 1, "work": 5}
    (fit,), (sender,) = durations(profile, "fit").tolist(), durations(profile, "map").tolist()
    worked = int(durations(profile, "work").sum())
    assert totals["map"].self_ns == sender
    assert totals["fit"].self_ns == fit - sender
    assert totals["work"].total_ns == worked
    assert aggregate(profile, of="spans").all_ns == fit + worked
    assert time_inside(profile, "work", within=["map"]) == (worked, sender)


def test_the_sender_may_run_it_itself(folder, read):
    """On the sender's own track the work is where it is called, without a propagated span."""
    with record(folder), scope("fit"):
        assert carry(work)() == 1
    assert [(i.path, i.propagated) for i in read(folder)] == [("fit", False), ("fit/work", False)]


def test_without_an_open_scope_there_is_nothing_to_stand_under(folder, read):
    """What is sent from outside of all scopes is at the root of its track."""
    with record(folder):
        in_thread(carry(work))
    assert [(i.path, i.propagated) for i in read(folder)] == [("work", False)]


def test_asyncio_hands_work_over(folder, elsewhere):
    """`asyncio.to_thread` and `run_in_executor` run propagated functions under the task that sent them."""

    async def sender(name: str) -> None:
        with scope(name):
            await asyncio.sleep(0)
            await asyncio.to_thread(carry(work))
            await asyncio.get_running_loop().run_in_executor(None, carry(work))

    async def main() -> None:
        await asyncio.gather(sender("a"), sender("b"))

    with record(folder):
        asyncio.run(main())
    assert sorted(path for path in elsewhere() if "/" in path) == ["a/work", "a/work", "b/work", "b/work"]


def test_coroutine_functions_stay_coroutine_functions(folder, elsewhere):
    """A propagated coroutine function is one to `inspect`, and is in the sender's scope from first step to result."""

    async def step() -> str:
        with scope("step"):
            await asyncio.sleep(0)
        with scope("step"):
            return "done"

    async def main(sent: Any) -> list[str]:
        return await asyncio.gather(*(asyncio.create_task(one()) for one in sent))

    with record(folder), scope("send"):
        sent = [carry(step), carry(functools.partial(step)), carry(AsyncThing())]
        assert asyncio.iscoroutinefunction(sent[0])
        assert inspect.iscoroutinefunction(sent[0])
        answers: list[list[str]] = []
        in_thread(lambda: answers.append(asyncio.run(main(sent))))
    assert answers == [["done", "done", "async call"]]
    assert sorted(elsewhere()) == ["send/async call", *["send/step"] * 4]


def test_generator_functions_run_their_steps_under_the_sender(folder, elsewhere):
    """Each step of a propagated generator is under the sender; suspended time is not."""

    def counting(n: int):
        for i in range(n):
            with scope("step"):
                pass
            got = yield i
            assert got is None
        return "end"

    async def acounting(n: int):
        for i in range(n):
            with scope("astep"):
                await asyncio.sleep(0)
            yield i

    async def collect(generator) -> list[int]:
        return [i async for i in generator]

    def consume(generators) -> None:
        plain, asynchronous = generators
        assert inspect.isgeneratorfunction(plain)
        assert inspect.isasyncgenfunction(asynchronous)
        with scope("consume"):
            assert list(plain(3)) == [0, 1, 2]
        assert asyncio.run(collect(asynchronous(2))) == [0, 1]

    with record(folder), scope("send"):
        in_thread(consume, (carry(counting), carry(acounting)))
    assert sorted(elsewhere()) == [*["consume"], *["consume/send/step"] * 3, *["send/astep"] * 2]


def test_arguments_results_and_exceptions_pass_through(folder):
    """The very objects that go in and come out are the function's, an exception with its traceback included."""
    error = KeyError("x")

    def same(*args: object, **kwargs: object) -> object:
        return args, kwargs

    def fail() -> None:
        raise error

    def leave() -> None:
        raise SystemExit(3)

    thing = object()
    with record(folder), scope("send"), ThreadPoolExecutor(1) as pool:
        (argument,), keywords = pool.submit(carry(same), thing, key=thing).result()
        assert argument is thing
        assert keywords["key"] is thing
        caught = pool.submit(carry(fail)).exception()
        assert caught is error
        assert caught.__traceback__ is not None
        assert caught.__cause__ is None
        assert caught.__context__ is None
        assert isinstance(pool.submit(carry(leave)).exception(), SystemExit)
        assert pool.submit(carry(work)).result() == 1


def test_it_looks_like_the_function(folder):
    """Name, documentation, module and signature are the function's; what it has not, this has not either."""
    nameless = functools.partial(work, 1)
    with record(folder):
        carried = carry(work)
        assert (carried.__name__, carried.__qualname__) == ("work", "work")
        assert carried.__doc__ == "Add."
        assert carried.__module__ == __name__
        assert inspect.signature(carried) == inspect.signature(work)
        assert inspect.unwrap(carried) is inspect.unwrap(work)
        assert functools.wraps(carried)(lambda: 0).__name__ == "work"
        assert not inspect.iscoroutinefunction(carried)
        assert not hasattr(carry(nameless), "__name__")
        assert carry(nameless)() == 2
        assert "work" in repr(carried)
        with pytest.raises(AttributeError, match="missing"):
            _ = carried.missing  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", ["method", "of class", "call", "lambda", "partial", "class", "builtin"])
def test_whatever_can_be_called_can_be_carried(folder, elsewhere, way):
    """Methods, class methods, objects with `__call__`, lambdas, partials, classes and built-in functions."""

    class Made:
        def __init__(self) -> None:
            with scope("made"):
                pass

    def of_lambda(x: int) -> int:
        with scope("lambda"):
            return x

    functions: dict[str, tuple[Any, str | None]] = {
        "method": (Thing().method, "method"),
        "of class": (Thing.of_class, "of class"),
        "call": (Thing(), "call"),
        "lambda": (lambda: of_lambda(1), "lambda"),
        "partial": (functools.partial(of_lambda, 1), "lambda"),
        "class": (Made, "made"),
        "builtin": (dict, None),
    }
    function, name = functions[way]
    with record(folder), scope("send"):
        in_thread(carry(function))
    assert elsewhere() == ([f"send/{name}"] if name else [])


def test_it_binds_where_it_stands_in_a_class(folder):
    """A propagated function that is put into a class is a method there, as the function would be."""
    with record(folder):

        class Holder:
            def plain(self) -> object:
                return self

            carried = carry(plain)

        holder = Holder()
        assert holder.carried() is holder


def test_it_pickles_small(folder):
    """A propagated function is a few hundred bytes more than the function, which comes back whole."""
    with record(folder), scope("fit"), scope("map"):
        plain = len(pickle.dumps(work))
        carried = carry(work)
        again = pickle.loads(pickle.dumps(carried))
        assert len(pickle.dumps(carried)) - plain < 500 + len(str(folder))
        assert (again.function, again.parent, again.recording) == (
            carried.function,
            carried.parent,
            carried.recording,
        )
        assert cloudpickle.loads(cloudpickle.dumps(carry(lambda: 3)))() == 3
        for copied in (copy.copy(carried), copy.deepcopy(carried)):
            assert copied.parent == carried.parent
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pickle.dumps(carry(lambda: 3))  # as the lambda alone would


def test_the_last_sender_counts(folder, elsewhere):
    """A function that was carried before is sent anew, from where it is carried last; without recording, as it is."""
    with record(folder):
        with scope("first"):
            carried = carry(work)
        with scope("second"):
            again = carry(carried)
        assert again.function is work
        in_thread(again)
    assert carry(again) is again
    assert elsewhere() == ["second/work"]


def test_calls_after_the_end_are_not_recorded(folder, elsewhere):
    """In a propagated call that begins when its recording has ended scopes do nothing, and no log is begun."""
    with record(folder), scope("send"):
        carried = carry(work)
    files = sorted(folder.iterdir())
    in_thread(carried)
    in_thread(pickle.loads(pickle.dumps(carried)))
    assert sorted(folder.iterdir()) == files
    assert elsewhere() == []


def test_an_inner_recording_has_its_scopes_to_itself(folder, tmp_path, elsewhere):
    """Work of the outer recording that runs during an inner one's block is the inner one's, as all scopes are."""
    with record(folder):
        with scope("send"):
            carried = carry(work)
        with record(tmp_path / "inner"):
            in_thread(carried)
        in_thread(carried)
    assert elsewhere() == ["send/work"]
    assert scope_totals(read_recording(tmp_path / "inner"))["work"].calls == 1


def test_deep_and_long_paths_are_cut(folder, elsewhere):
    """Of a path that is too deep or too long for the log the two ends are kept, and it says what is not there."""

    def deep(levels: int) -> None:
        if not levels:
            in_thread(carry(work))
            return
        with scope(f"level {levels}"):
            deep(levels - 1)

    def long(levels: int) -> None:
        if not levels:
            in_thread(carry(work))
            return
        with scope("é" * 900):
            long(levels - 1)

    with record(folder):
        deep(400)
        long(20)
    half = 64
    first, second = elsewhere()
    path = first.split("/")
    assert path == [
        *(f"level {400 - i}" for i in range(half)),
        f"({400 - 2 * half} scopes left out)",
        *(f"level {half - i}" for i in range(half)),
        "work",
    ]
    assert len(second.split("/")) < 22
    assert second.split("/")[0] == "é" * 900


def test_names_that_are_no_text(folder, elsewhere):
    """Names of any kind travel as the log has them."""

    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    with record(folder):
        for name in (5, ("a", 1), None, Hostile(), "\ud800", 'quote " \\ \n', ""):
            with scope(name):  # type: ignore[arg-type]
                in_thread(carry(work))
    assert elsewhere() == [
        "5/work",
        "('a', 1)/work",
        "None/work",
        "<Hostile>/work",
        "\ud800/work",
        'quote " \\ \n/work',
        "/work",
    ]


def test_counters_and_marks_are_on_the_workers_track(folder):
    """Marks that propagated work makes are on the track where they were made."""
    with record(folder), scope("send"):
        in_thread(carry(lambda: mark("here")))
    marks = {track.name: track.marks for track in read_recording(folder).tracks}
    assert marks["MainThread"] is None
    assert marks["worker"] is not None
    assert marks["worker"].name == ("here",)
