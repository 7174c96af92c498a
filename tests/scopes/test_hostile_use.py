"""Scopes used in ways that nobody would choose: the program must not notice, and the log must stay right."""

from __future__ import annotations

import contextlib
import copy
import errno
import gc
import pickle
import pydoc
import sys
import threading

import pytest

from workbench import scope
from workbench.errors import InvalidInputError
from workbench.eventlog import read_process_logs, read_recording
from workbench.scopes import _log, engine


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies_of_scopes(recorded, how):
    """A scope can be copied and pickled with its numbers; the copy works independently."""
    instance = how(scope("original", flops=3.0))
    assert (instance.name, instance.work, repr(instance)) == (
        "original",
        {"flops": 3.0},
        "scope('original', flops=3.0)",
    )

    def body():
        with instance, scope("inside"):
            pass

    assert recorded(body).paths == ["original", "original/inside"]


def test_what_a_scope_is():
    """`scope` is a class: `isinstance` works, its scopes are callable and it has help."""
    assert isinstance(scope("x"), scope)
    assert callable(scope("x"))
    assert "Name the time that a block or function takes" in pydoc.render_doc(scope)


def test_enter_and_exit_by_the_type(recorded):
    """`type(scope).__enter__(scope)` and `ExitStack`, which calls it so, open and close scopes."""

    def body():
        instance = scope("by the type")
        assert type(instance).__enter__(instance) is instance
        with contextlib.ExitStack() as stack:
            assert stack.enter_context(scope("on the stack")).name == "on the stack"
            stack.enter_context(scope("above"))
        assert type(instance).__exit__(instance, None, None, None) is None

    assert recorded(body).paths == [
        "by the type",
        "by the type/on the stack",
        "by the type/on the stack/above",
    ]


def test_numbers_that_scopes_carry_by_keyword_only():
    """`scope(name="x")` works, and a subclass is refused or works."""
    assert scope(name="x", flops=2).work == {"flops": 2.0}
    with contextlib.suppress(TypeError):

        class Sub(scope):
            pass

        with Sub("x") as instance:
            assert isinstance(instance, Sub)


def test_names_of_subclasses_of_str(recorded):
    """A name may be of a subclass of `str`, even one that cannot be hashed."""

    class Name(str):
        __slots__ = ()

        def __hash__(self):
            raise RuntimeError

    def body():
        for name in (Name("a"), Name("b")):
            with contextlib.suppress(RuntimeError), scope(name):
                pass

    assert set(recorded(body).paths) <= {"a", "b"}


def test_a_handler_that_raises(run, tmp_path, read):
    """An exception from a signal handler reaches the program, and recording continues."""
    done = run(
        """
        import signal
        from workbench import record, scope
        class Alarm(Exception): pass
        class Timeout(TimeoutError): pass  # an OSError, as the log's own
        kinds, raised = [Alarm, KeyboardInterrupt, Timeout], 0
        def handler(*_):
            raise kinds[raised % 3]
        signal.signal(signal.SIGALRM, handler)
        with record("r"):
            while raised < 300:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0005)
                    i = 0
                    while True:
                        with scope("a"), scope(f"b {raised} {i}"), scope("c", flops=i):
                            i += 1
                except (Alarm, KeyboardInterrupt, Timeout):
                    raised += 1
                with scope("after"):
                    pass
        print("done")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    found = read(tmp_path / "r")
    assert [i.path.rpartition("/")[2] for i in found].count("after") == 300
    # CPython 3.14 skips `__exit__` behind a native `__enter__`: what it skipped last is closed by no later turn.
    skips = sys.version_info[:2] == (3, 14) and engine.name == "native"
    assert sum(i.unfinished for i in found) <= (3 if skips else 0)


@pytest.mark.parametrize("kind", ["Exception", "TimeoutError"])
def test_an_exception_behind_any_call(kind, run, tmp_path, read):
    """Whichever call of the recorder's own an exception follows, it arrives, and what is recorded afterwards is whole.

    A signal handler runs behind a call; a profile function that raises there comes to every such place in turn.
    """
    done = run(
        """
        import sys
        from workbench import counter, mark, record, scope
        class Alarm(KIND): pass  # a TimeoutError is an OSError, as the log's own are
        MODULES = "_log", "_journal", "_python"
        ours = {"workbench.scopes." + module for module in MODULES}
        def raiser(k):
            def seen(frame, event, argument):
                nonlocal k
                global fired
                if event in ("return", "c_return") and frame.f_globals.get("__name__") in ours:
                    k -= 1
                    if k == 0:
                        fired += 1
                        raise Alarm
            return seen
        def body(name):
            with scope(name + "x" * 2000), scope(name + "inner", flops=1.0):
                counter(name + "count", 2.0)
                mark(name + "mark")
        raised = fired = 0
        with record("r"):
            for k in range(1, 400):
                sys.setprofile(raiser(k))
                try:
                    body(f"{k} ")
                except Alarm:
                    raised += 1
                finally:
                    sys.setprofile(None)
                with scope(f"after {k}"):
                    pass
        print(raised > 30, raised == fired)
        """.replace("KIND", kind)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")
    found = {i.path.rpartition("/")[2] for i in read(tmp_path / "r")}
    assert found >= {f"after {k}" for k in range(1, 400)}


def test_at_the_recursion_limit(run, tmp_path, read):
    """A program that runs into the recursion limit gets its RecursionError, and recording goes on."""
    done = run(
        """
        import sys
        from workbench import record, scope
        def down(n):
            with scope("down"), scope(f"level {n}"):
                down(n + 1)
        with record("r"):
            for _ in range(3):
                try:
                    down(0)
                except RecursionError:
                    print("reached")
            with scope("after"):
                pass
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "reached\n" * 3, "")
    found = read(tmp_path / "r")
    assert "after" in found.paths
    assert not any(i.unfinished for i in found)


@pytest.mark.parametrize("way", ["with", "decorator"])
def test_fifty_thousand_deep(run, tmp_path, way):
    """Scopes may be as deep as the program's recursion, and are read in reasonable time."""
    body = {
        "with": "with scope('f'):\n        return down(n - 1) if n else 0",
        "decorator": "return down(n - 1) if n else 0",
    }
    decorator = "@scope('f')\n" if way == "decorator" else ""
    depth = 50_000 if way == "with" else 5_000
    (tmp_path / "program_text.py").write_text(
        f"from workbench import scope\n{decorator}def down(n):\n    {body[way]}\n"
    )
    done = run(
        f"""
        import sys, threading
        from workbench import record
        from program_text import down
        sys.setrecursionlimit(400_000)
        threading.stack_size(512 << 20)
        with record("r"):
            thread = threading.Thread(target=down, args=({depth} - 1,))
            thread.start()
            thread.join()
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    from workbench.eventlog import read_recording

    (track,) = read_recording(tmp_path / "r").check().tracks
    assert len(track.spans) == depth
    assert sorted(track.spans.stack.tolist()) == list(range(depth))


def test_threads_that_end_are_forgotten(run, tmp_path, read):
    """Hundreds of threads, started and ended, leave nothing in memory but their part of the log."""
    done = run(
        """
        import gc, threading
        from workbench import record, scope
        alive = 0
        class Name:
            def __init__(self):
                global alive; alive += 1
            def __repr__(self):
                return "name"
            def __del__(self):
                global alive; alive -= 1
                with scope("at the end"): pass  # a finalizer may open scopes, even as its thread ends
        local = threading.local()
        def work():
            local.late = Name()
            with scope("work"):
                scope(Name()).__enter__()  # the track holds what is open, for as long as there is a thread
        with record("r"):
            for _ in range(40):
                threads = [threading.Thread(target=work) for _ in range(20)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
            del threads, thread
            gc.collect()
            print(alive)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    found = read(tmp_path / "r")
    names = [i.path.rpartition("/")[2] for i in found]
    assert (names.count("work"), names.count("name")) == (800, 800)


def test_generators_finalised_on_other_threads(recorded):
    """A scope that a generator holds, closed by another thread's collection, harms neither thread's track."""

    def holding():
        with scope("held"):
            yield

    def body():
        generators = []
        thread = threading.Thread(
            target=lambda: generators.append(holding()) or next(generators[0]), name="first"
        )
        thread.start()
        thread.join()
        with scope("here"):
            generators.clear()
            gc.collect()
            with scope("inside"):
                pass

    found = recorded(body)
    assert [(i.path, i.unfinished) for i in found if i.track == "MainThread"] == [
        ("here", False),
        ("here/inside", False),
    ]
    assert [(i.path, i.unfinished) for i in found if i.track == "first"] == [("held", True)]


def test_code_that_is_loaded_again(recorded, tmp_path, monkeypatch):
    """Functions of a module that is loaded again keep recording, the old ones and the new ones."""
    import importlib

    monkeypatch.syspath_prepend(str(tmp_path))
    source = "from workbench import scope\n@scope('decorated')\ndef f():\n    with scope({name!r}): pass\n"
    (tmp_path / "reloaded.py").write_text(source.format(name="old"))
    module = importlib.import_module("reloaded")

    def body():
        old = module.f
        old()
        (tmp_path / "reloaded.py").write_text(source.format(name="newer"))
        importlib.invalidate_caches()
        importlib.reload(module).f()
        old()

    assert recorded(body).paths == [
        *("decorated", "decorated/old", "decorated", "decorated/newer", "decorated", "decorated/old")
    ]


def test_the_recorder_is_loaded_again(run, tmp_path, read):
    """A program that throws workbench out and imports it anew has scopes that work, the old ones and the new."""
    done = run(
        """
        import sys
        from workbench import record, scope
        old = scope("old")
        for name in [n for n in sys.modules if n.startswith("workbench")]:
            del sys.modules[name]
        from workbench import record, scope
        with record("r"):
            with old, scope("new"):
                pass
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "new" in {i.path.rpartition("/")[2] for i in read(tmp_path / "r")}


def test_other_interpreters(run):
    """In an interpreter inside the process the native recorder is refused, and the one in Python serves."""
    done = run(
        """
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        code = '''
        import sys
        sys.path[:0] = {path!r}
        from workbench import scope
        from workbench.scopes import engine
        with scope("x"): pass
        print(engine.name)
        '''
        import sys, textwrap
        from workbench.scopes import engine
        print(engine.name in ("native", "python"))
        # Before 3.12 every interpreter shares the lock, and no extension is refused by Python itself.
        made = interpreters.create()
        interpreters.run_string(made, textwrap.dedent(code).replace("{path!r}", repr(sys.path)))
        from workbench import scope
        with scope("still works"): pass
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "python"]


def test_recordings_of_one_process_leave_little(run):
    """A hundred recordings, one after the other, do not keep their files mapped."""
    done = run(
        """
        import shutil
        from workbench import record, scope
        def mapped():
            with open("/proc/self/maps") as maps:
                return sum(".wblog" in line for line in maps)
        for i in range(100):
            with record("r", replace=True):
                for _ in range(100):
                    with scope("work"): pass
        print(mapped() < 20)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_arguments_that_are_no_text(run, tmp_path):
    """Anything that a program puts into `sys.argv` and `sys.orig_argv` is recorded as text."""
    done = run(
        """
        import pathlib, sys
        from workbench import record, scope
        class Odd:
            def __str__(self): raise ValueError
        sys.argv = sys.orig_argv = [pathlib.Path("x"), 3, b"y", Odd()]
        with record("r"), scope("a"): print("ran")
        sys.argv = sys.orig_argv = 3
        with record("s"), scope("a"): print("ran")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\nran\n", "")
    (log,) = read_process_logs(tmp_path / "r")
    assert log.facts["command"] == ["x", "3", "b'y'", "<Odd>"]


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "x", "max_bytes": 1e400}',
        "[" * 100_000,
        '{"id": "x", "ranks": 3}',
        "\0",
        '{"id": "x", "id": "y"}',
        '{"id": "x"' + " " * (1 << 20) + "}",
    ],
    ids=["huge", "deep", "type", "zero", "twice", "long"],
)
def test_hostile_manifests(run, tmp_path, text):
    """A manifest that is none is one line, for the program that records there and for the reader; it stays."""
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "recording.json").write_text(text)
    done = run("from workbench import scope\nwith scope('a'): print('ran')", WORKBENCH_RECORD="r")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.startswith("workbench: not recording: ")
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(InvalidInputError, match="holds no recording"):
        read_recording(tmp_path / "r")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["recording.json"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.EINVAL, "an old kernel"), None),
        (OSError(errno.EFAULT, "no room"), errno.ENOSPC),
        (TimeoutError("a handler's own"), None),
    ],
)
def test_what_readying_pages_takes_for_its_own(error, raised):
    """An old kernel is accepted, a full disk is reported, and a handler's error propagates."""

    class Segment:
        def madvise(self, *arguments):
            raise error

    if error.errno == errno.EINVAL:
        _log._populate(Segment(), 0, 4096)
        return
    with pytest.raises(OSError, match=r"No space|a handler") as caught:
        _log._populate(Segment(), 0, 4096)
    assert caught.value.errno == raised
    assert (caught.value is error) == isinstance(error, TimeoutError)
