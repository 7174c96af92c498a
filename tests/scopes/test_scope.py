"""Scopes as context managers and as decorators of functions."""

from __future__ import annotations

import functools
import threading

import pytest

from workbench import carry, counter, mark, record, scope
from workbench.eventlog import read_recording
from workbench.report.profile.facts import diagnostics
from workbench.report.profile.run import ProfileRun


def test_scopes_nest(recorded):
    """A scope inside another is its child and lies within it; siblings are ordered by start."""

    def body():
        with scope("fit"):
            with scope("predict"):
                pass
            with scope("solve"), scope("factor"):
                pass

    found = recorded(body)
    assert found.paths == ["fit", "fit/predict", "fit/solve", "fit/solve/factor"]
    fit, predict, solve, factor = found
    assert fit.start <= predict.start <= predict.end <= solve.start <= factor.start
    assert factor.end <= solve.end <= fit.end


def test_an_exception_closes_scopes(recorded):
    """A body that raises closes its scopes, the exception goes on unchanged, and what follows nests right."""

    def body():
        with pytest.raises(KeyError, match="lost"), scope("outer"), scope("inner"):
            raise KeyError("lost")
        with scope("after"):
            pass

    found = recorded(body)
    assert found.paths == ["outer", "outer/inner", "after"]
    assert not any(interval.unfinished for interval in found)


def test_each_thread_has_a_track(recorded):
    """Threads nest on their own: two hundred of them, open at once, each with the right parent and name."""
    all_open = threading.Barrier(200)

    def work(i):
        with scope("outer"):
            all_open.wait(60)
            with scope(f"inner {i}"):
                pass

    def body():
        threads = [threading.Thread(target=work, args=(i,), name=f"worker {i}") for i in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found = recorded(body)
    assert sorted((i.track, i.path) for i in found) == sorted(
        pair for i in range(200) for pair in ((f"worker {i}", "outer"), (f"worker {i}", f"outer/inner {i}"))
    )


def test_one_scope_many_times(recorded):
    """One scope object may be used again, inside itself, and by several threads at once."""
    instance = scope("again")

    def nested(_=None):
        with instance, instance:
            pass

    def body():
        nested()
        thread = threading.Thread(target=nested, name="other")
        with instance:
            thread.start()
            thread.join()

    found = recorded(body)
    assert sorted((i.track, i.path) for i in found) == [
        ("MainThread", "again"),
        ("MainThread", "again"),
        ("MainThread", "again/again"),
        ("other", "again"),
        ("other", "again/again"),
    ]


def test_out_of_order_scopes_keep_their_intervals(recorded):
    """A scope that outlives the one it was opened in keeps its whole interval, on a second track."""

    def body():
        a, b, c = scope("a"), scope("b"), scope("c")
        a.__enter__()
        b.__enter__()
        c.__enter__()
        a.__exit__(None, None, None)
        c.__exit__(None, None, None)
        b.__exit__(None, None, None)
        with scope("after"):
            pass

    by_name = {interval.path.rpartition("/")[2]: interval for interval in recorded(body)}
    a, b, c, after = (by_name[name] for name in ("a", "b", "c", "after"))
    assert a.start < b.start < c.start < a.end < c.end < b.end < after.start
    assert c.path == "b/c"
    assert after.path == "after"
    assert {a.track, after.track} == {"MainThread"}
    assert b.track == c.track == "MainThread (out of order)"


def test_a_scope_closed_on_another_thread(recorded, tmp_path):
    """A scope closed by a thread that did not open it harms neither; it stays open on its own track, and is named."""
    instance = scope("opened here")

    def close():
        with scope("other"):
            instance.__exit__(None, None, None)

    def body():
        instance.__enter__()
        thread = threading.Thread(target=close, name="closer")
        thread.start()
        thread.join()

    found = {i.path: i.unfinished for i in recorded(body)}
    assert found == {"opened here": True, "other": False}
    (said,) = diagnostics(ProfileRun("", scopes=read_recording(tmp_path / "recording")))
    assert "1 scope opened on one thread or task and closed on another" in said


def test_only_a_scope_closed_elsewhere_is_called_that(recorded, tmp_path):
    """One that is closed twice, that is left open or that was opened before the recording is none."""
    before, twice = scope("before"), scope("twice")
    before.__enter__()

    def body():
        before.__exit__(None, None, None)
        with twice:
            pass
        twice.__exit__(None, None, None)
        scope("open").__enter__()

    recorded(body)
    assert diagnostics(ProfileRun("", scopes=read_recording(tmp_path / "recording"))) == [
        "1 scope had not ended when the record did: the time until then counts."
    ]


def test_open_before_and_after_the_recording(recorded):
    """A scope opened before a recording is not in it; one closed after it is unfinished in it."""
    before, after = scope("before"), scope("after")
    before.__enter__()

    def body():
        with scope("inside"):
            before.__exit__(None, None, None)
        after.__enter__()

    found = recorded(body)
    after.__exit__(None, None, None)
    assert [(i.path, i.unfinished) for i in found] == [("inside", False), ("after", True)]


def test_decorated_functions(recorded):
    """A decorated function keeps its name, documentation, arguments, result and exceptions."""

    @scope("predict")
    def predict(x, *, twice=False):
        """Predict."""
        if x is None:
            raise ValueError("no data")
        return 2 * x if twice else x

    class Model:
        @scope("method")
        def method(self):
            return self

        @staticmethod
        @scope("static")
        def static():
            return "static"

        @property
        @scope("property")
        def value(self):
            return "value"

    def body():
        assert predict(3, twice=True) == 6
        with pytest.raises(ValueError, match="no data"):
            predict(None)
        model = Model()
        assert (model.method(), Model.static(), model.value) == (model, "static", "value")

    assert (predict.__name__, predict.__doc__) == ("predict", "Predict.")
    assert recorded(body).paths == ["predict", "predict", "method", "static", "property"]


def test_a_decorator_without_a_name_says_so():
    """`@scope` without a name is a TypeError at the decorator, which shows what to write instead."""
    with pytest.raises(TypeError, match=r'write @scope\("predict"\), not @scope on <function'):

        @scope
        def function():
            pass


@pytest.mark.parametrize("thing", [3, functools.partial(print), int, None])
def test_what_cannot_be_decorated_says_so(thing):
    """Decorating something that is not a function is a TypeError that names it."""
    with pytest.raises(TypeError, match="takes a function"):
        scope("name")(thing)


def test_a_signal_handler_may_use_scopes(run, tmp_path, read):
    """Scopes in a signal handler neither deadlock nor lose an interval."""
    done = run(
        """
        import signal
        from workbench import record, scope
        handled = 0
        def handler(*_):
            global handled
            handled += 1
            with scope("handler"), scope(f"handler {handled}"):
                pass
            if handled < 400:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)  # again, but not inside itself
        signal.signal(signal.SIGALRM, handler)
        with record("recording"):
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            i = 0
            while handled < 400:
                with scope("loop"), scope(f"turn {i}"):
                    i += 1
        print(i)
        """
    )
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "recording")
    names = [interval.path.rpartition("/")[2] for interval in found]
    handled, turns = 400, int(done.stdout)
    assert names.count("handler") == handled
    assert sorted(n for n in names if n.startswith("handler ")) == sorted(
        f"handler {i}" for i in range(1, handled + 1)
    )
    assert names.count("loop") == turns
    assert len({name for name in names if name.startswith("turn ")}) == turns
    assert not any(interval.unfinished for interval in found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (scope, "one name|required"),
        (lambda: scope("a", "b"), "one name|positional"),
        (lambda: scope("a", name="b"), "name"),
        (lambda: scope("a", flops=None), "scope 'a': flops must be a number, not NoneType"),
        (lambda: scope("syrk", flops="3"), "scope 'syrk': flops must be a number, not str"),
        (lambda: scope("a", **{f"n{i}": i for i in range(40)}), "up to 32 numbers"),
        (lambda: scope("a").__exit__(1, 2), "__exit__|scope"),
        (lambda: counter("loss"), "counter"),
        (lambda: counter("loss", "3"), "counter 'loss' takes a number, not str"),
        (mark, "mark"),
        (lambda: record(3), "not 3"),
        (lambda: carry(3), "not 3"),
    ],
)
def test_wrong_arguments(recorded, call, message):
    """Arguments that make no sense are a TypeError that names them, recording or not."""

    def body():
        with pytest.raises(TypeError, match=message):
            call()

    body()
    assert recorded(body).paths == []


def test_forms_of_points(tmp_path):
    """Counters and marks take their arguments by position or keyword, and a scope shows its numbers."""
    with record(tmp_path / "r"):
        counter("a", 1.0)
        counter("a", value=2.0)
        counter(value=3.0, name="a")
        mark("m")
        mark(name="m")
    (track,) = read_recording(tmp_path / "r").tracks
    assert track.counters[0].value.tolist() == [1.0, 2.0, 3.0]
    assert track.marks.name == ("m", "m")
    assert repr(scope("a", flops=2)) == "scope('a', flops=2.0)"
