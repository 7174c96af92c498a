"""The in-process sampler: every thread, every tick, every sample under the scope that was open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from workbench import record, scope
from workbench.eventlog import read_recording
from workbench.profile import ROOT, Frame, FrameKind, Profile, Track
from workbench.scopes import sampler

pytestmark = pytest.mark.skipif(
    sampler.why_not() is not None, reason=f"no in-process sampler here: {sampler.why_not()}"
)
BUSY = """
import os, sys, threading, time, types
from workbench import scope

def busy_in(name, seconds):
    # In a function that is named as the scope is.
    code = busy.__code__.replace(co_name=name, co_qualname="in " + name)
    types.FunctionType(code, globals())(seconds)

def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(100))
"""


@pytest.fixture
def sampled(tmp_path):
    """Return a function that runs a program which is sampled 500 times a second, and returns its profile."""

    def run(program: str, *, code: int = 0, rate: int = 500, prefix: tuple[str, ...] = ()) -> Profile:
        (tmp_path / "program.py").write_text(BUSY + textwrap.dedent(program))
        folder = tmp_path / "recording"
        variables = {"WORKBENCH_RECORD": str(folder), "WORKBENCH_SAMPLE": f"{rate},native"}
        done = subprocess.run(
            [*prefix, sys.executable, "program.py"],
            cwd=tmp_path,
            env=os.environ | variables,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (code, "")
        return read_recording(folder).check()

    return run


def stacks(profile: Profile, track: Track) -> list[tuple[list[str], int]]:
    """Return the names on each sample's stack, root first, and the ticks that it stands for."""
    assert track.samples is not None
    assert track.samples.ticks is not None
    return [
        ([profile.frames[f].name for f in profile.stacks.path(stack)], ticks)
        for stack, ticks in zip(track.samples.stack.tolist(), track.samples.ticks.tolist(), strict=True)
    ]


def scopes_of(profile: Profile, stack: int) -> list[str]:
    """Return the names of the scopes on a stack, outermost first."""
    frames = [profile.frames[f] for f in profile.stacks.path(stack)]
    return [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]


def check_scopes(profile: Profile, track: Track) -> int:
    """Assert that each sample in a function that is named as a scope is under that scope; return how many there are."""
    checked = 0
    for stack, (names, ticks) in zip(track.samples.stack.tolist(), stacks(profile, track), strict=True):
        inside = [name[3:] for name in names if name.startswith("in ")]
        if inside:
            assert scopes_of(profile, stack)[-1:] == inside[-1:]
            checked += ticks
    return checked


def track_named(profile: Profile, name: str) -> Track:
    """Return the one track of a name."""
    (found,) = [track for track in profile.tracks if track.name == name]
    return found


def test_samples_are_under_the_open_scope(sampled):
    """Names made at run time, a `with` on one line, recursion and a decorated function."""
    profile = sampled(
        """
        def down(n):
            with scope(f"level {n}"):
                busy_in(f"level {n}", 0.01)
                if n:
                    down(n - 1)

        for i in range(5):
            down(3)
            with scope("one line"): busy_in("one line", 0.02)
            scope("decorated")(busy_in)("decorated", 0.02)
            busy(0.01)
        """
    )
    assert check_scopes(profile, track_named(profile, "MainThread")) > 50


UNDER = {"sleeper": "asleep", "worker": "works"}
"""By thread: the scope that it is under all the time."""


def test_each_tick_of_a_thread_is_kept(sampled):
    """Busy, asleep and waiting threads: the ticks of each are its life."""
    profile = sampled(
        """
        def sleeper():
            with scope("asleep"):
                time.sleep(1.0)

        def worker():
            with scope("works"):
                busy(1.0)

        threads = [threading.Thread(target=f, name=f.__name__) for f in (sleeper, worker)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    for name, inside in UNDER.items():
        track = track_named(profile, name)
        assert track.samples is not None
        assert track.spans is not None
        (life,) = (track.spans.end_ns - track.spans.start_ns).tolist()
        assert track.samples.weight_ns.sum() == pytest.approx(life, abs=0.1e9)
        under = [ticks for names, ticks in stacks(profile, track) if inside in names]
        assert sum(under) > 0.9 * sum(track.samples.ticks)


def test_each_period_has_one_tick(sampled):
    """The first one, too, however long it is."""
    profile = sampled("busy(1.2)", rate=4)
    (run,) = profile.recording.samplers
    assert 0 < run.ticks <= (run.last_ns - run.started_ns) // run.period_ns + 1


def test_python_and_native_frames_stand_as_they_called_each_other(sampled):
    """Python calls C, which calls Python, which calls C."""
    profile = sampled(
        """
        import functools

        def compare(a, b):
            busy(0.001)
            return a - b

        def outer():
            sorted(range(400), key=functools.cmp_to_key(compare))

        outer()
        """
    )
    track = track_named(profile, "MainThread")
    seen = [names for names, _ in stacks(profile, track) if "compare" in names]
    assert len(seen) > 50
    for names in seen:
        assert names.index("outer") < names.index("compare") < len(names)


def test_asyncio_tasks(sampled):
    """Scopes of tasks, with names made at run time: each sample is under its own task's."""
    profile = sampled(
        """
        import asyncio

        async def job(n):
            with scope(f"task {n}"):
                for _ in range(20):
                    busy(0.004)
                    await asyncio.sleep(0)

        async def main():
            await asyncio.gather(*(job(n) for n in range(3)))

        asyncio.run(main())
        """
    )
    counts = {f"task {n}": 0 for n in range(3)}
    for track in profile.tracks:
        for stack in track.samples.stack.tolist() if track.samples is not None else ():
            names = [name for name in scopes_of(profile, stack) if name in counts]
            assert len(names) <= 1
            for name in names:
                counts[name] += 1
    assert min(counts.values()) > 10


def test_tasks_without_scopes(sampled):
    """They are on their thread's track, each below its own coroutine, and under no other task's scope."""
    profile = sampled(
        """
        import asyncio, contextvars

        async def plain():
            for _ in range(20):
                busy_in("plain", 0.004)
                await asyncio.sleep(0)

        async def also_plain():
            for _ in range(20):
                busy_in("also plain", 0.004)
                await asyncio.sleep(0)

        async def scoped():
            with scope("outer"):
                for _ in range(20):
                    # A context of its own is no task of its own.
                    contextvars.copy_context().run(busy_in, "outer", 0.004)
                    await asyncio.sleep(0)

        async def main():
            await asyncio.gather(plain(), also_plain(), scoped())

        asyncio.run(main())
        """
    )
    places = {"in plain": 0, "in also plain": 0, "in outer": 0}
    around = {
        "in plain": ("plain", []),
        "in also plain": ("also_plain", []),
        "in outer": ("scoped", ["outer"]),
    }
    for track in (track for track in profile.tracks if track.samples is not None):
        for stack, (names, ticks) in zip(track.samples.stack.tolist(), stacks(profile, track), strict=True):
            for place in places.keys() & set(names):
                coroutine, scopes = around[place]
                assert names.index(coroutine) < names.index(place)
                assert scopes_of(profile, stack) == scopes
                assert (" › " in track.name) == bool(scopes)
                places[place] += ticks
    assert min(places.values()) > 10


def test_a_suspended_generator_has_no_samples(sampled):
    """What runs while a generator is suspended is not under its scope."""
    profile = sampled(
        """
        def numbers():
            with scope("generator"):
                for i in range(20):
                    busy(0.005)
                    yield i

        for _ in numbers():
            with scope("consumer"):
                busy(0.005)
        """
    )
    track = track_named(profile, "MainThread")
    seen = [scopes_of(profile, stack) for stack in track.samples.stack.tolist()]
    assert sum("consumer" in names for names in seen) > 10
    assert sum(names == ["generator"] for names in seen) > 10
    assert not any("generator" in names and "consumer" in names for names in seen)


def test_a_context_manager_made_of_a_generator(sampled):
    """Its block is under its scopes, in functions and in coroutines, however many helpers are around it."""
    profile = sampled(
        """
        import asyncio, contextlib

        @contextlib.contextmanager
        def phase(name):
            with scope(name):
                yield

        @contextlib.asynccontextmanager
        async def step(name):
            with scope(name):
                yield

        def work():
            with scope("before"), phase("block"):
                busy_in("block", 0.2)
            with contextlib.ExitStack() as stack:
                stack.enter_context(phase("stacked"))
                busy_in("stacked", 0.2)
                with scope("inside"):
                    busy_in("inside", 0.2)

        @phase("decorated")
        def decorated():
            busy_in("decorated", 0.2)

        async def task():
            async with step("asynchronous"):
                busy_in("asynchronous", 0.2)

        work()
        decorated()
        asyncio.run(task())
        """
    )
    tracks = [track for track in profile.tracks if track.samples is not None]
    assert sum(check_scopes(profile, track) for track in tracks) > 100


def test_forked_children_are_sampled(sampled):
    """A child has its own samples, and its parent is sampled further."""
    profile = sampled(
        """
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                with scope("child"):
                    busy(0.1)
                os._exit(0)
            os.waitpid(pid, 0)
        with scope("parent"):
            busy(0.1)
        """
    )
    ticks: dict[str, int] = {}
    for track in profile.tracks:
        for stack, count in (
            zip(track.samples.stack.tolist(), track.samples.ticks.tolist(), strict=True)
            if track.samples is not None
            else ()
        ):
            for name in scopes_of(profile, stack):
                ticks[name] = ticks.get(name, 0) + count
    assert ticks["child"] > 60
    assert ticks["parent"] > 20


def test_children_of_milliseconds_have_named_native_frames(sampled):
    """Native functions of a child that ends at once have their names, too: it knows its parent's libraries."""
    profile = sampled(
        """
        import zlib
        data = b"x" * 100_000
        zlib.crc32(data)
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                end = time.perf_counter() + 0.01
                while time.perf_counter() < end:
                    zlib.crc32(data)
                os._exit(0)
            os.waitpid(pid, 0)
        """
    )
    ticks = Counter[str]()
    for track in profile.tracks[1:]:
        for names, count in stacks(profile, track) if track.samples is not None else ():
            ticks[names[-1] if names else ""] += count
    assert ticks.total() > 20
    assert ticks["[unknown]"] < 0.1 * ticks.total()


def test_a_killed_process_has_its_samples(tmp_path):
    """SIGKILL loses none of the samples that the sampler has counted, but the one that was being written."""
    (tmp_path / "program.py").write_text(f'{BUSY}\nprint("go", flush=True)\nwith scope("killed"): busy(60)\n')
    for i in range(10):
        folder = tmp_path / f"recording{i}"
        variables = {"WORKBENCH_RECORD": str(folder), "WORKBENCH_SAMPLE": "500"}
        program = subprocess.Popen(
            [sys.executable, tmp_path / "program.py"], env=os.environ | variables, stdout=subprocess.PIPE
        )
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(0.2)
        program.send_signal(signal.SIGKILL)
        program.wait()
        program.stdout.close()
        profile = read_recording(folder).check()
        (run,) = profile.recording.samplers
        track = track_named(profile, "MainThread")
        assert track.samples is not None
        assert track.samples.ticks.sum() >= run.samples - run.no_room - 1 > 0
        assert (track.samples.stack != ROOT).all()


def test_a_recording_with_samples_is_replaced_whole(sampled, tmp_path):
    """Segments of samples are a recording's own files: `replace=True` deletes them with it."""
    sampled("busy(0.1)")
    folder = tmp_path / "recording"
    before = set(folder.glob("*.wblog"))
    assert any("-s" in path.stem for path in before)
    with record(folder, replace=True), scope("new"):
        pass
    after = read_recording(folder).check()
    assert not before & set(folder.glob("*.wblog"))
    assert all(track.samples is None for track in after.tracks)


def test_signals_of_the_program(sampled):
    """A program that handles the sampler's signals receives them alone, and its other signals work as before."""
    profile = sampled(
        """
        import signal
        got = []
        signal.signal(signal.SIGALRM, lambda *_: got.append("alarm"))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        busy(0.2)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(got) > 3
        for number in (signal.SIGURG, signal.SIGWINCH):
            assert signal.getsignal(number) in (signal.SIG_DFL, None)
            signal.signal(number, lambda n, _: got.append(n))
        with scope("taken"):
            busy(0.3)
        os.kill(os.getpid(), signal.SIGURG)
        assert got[-1] == signal.SIGURG
        """
    )
    track = track_named(profile, "MainThread")
    taken = sum(t for n, t in stacks(profile, track) if "taken" in n)
    assert taken > 50


def test_a_blocked_signal(sampled):
    """A thread that blocks every signal is read from outside, its Python frames and its scope."""
    profile = sampled(
        """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        with scope("blocked"):
            busy(0.5)
        """
    )
    track = track_named(profile, "MainThread")
    assert sum(t for n, t in stacks(profile, track) if "blocked" in n) > 100


@pytest.mark.parametrize("depth", [1100, 6000])
def test_deep_recursion(sampled, depth):
    """The innermost 1,000 frames are kept within the scopes, below a frame that marks the cut."""
    profile = sampled(
        f"""
        sys.setrecursionlimit(10_000)

        def deep(n):
            return deep(n - 1) if n else busy(0.3)

        with scope("outer"):
            deep({depth})
        """
    )
    track = track_named(profile, "MainThread")
    seen = [(names, ticks) for names, ticks in stacks(profile, track) if names.count("deep") > 900]
    assert sum(ticks for _, ticks in seen) > 80
    assert all(len(names) < 1300 for names, _ in seen)
    assert {tuple(names[:3]) for names, _ in seen} == {("outer", "(frames beyond 1,000 cut)", "deep")}
    assert not any("_start" in name or "main" in name for names, _ in seen for name in names)


def test_a_fork_warns_of_nothing(sampled):
    """From Python 3.12 on `os.fork` warns of a second thread, but does not see the sampler's helper."""
    sampled(
        """
        import warnings
        warnings.simplefilter("error")
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            busy(0.005)
        """
    )


def test_a_process_ends_with_its_last_thread(sampled):
    """A forked child of a thread ends when that thread does, sampled or not, and what it wrote is flushed."""
    profile = sampled(
        """
        import ctypes, warnings
        warnings.simplefilter("ignore")  # from 3.12 on os.fork warns of other threads
        libc = ctypes.CDLL(None)
        def forks():
            for i in range(12):
                read, write = os.pipe()
                child = os.fork()
                if child == 0:
                    os.dup2(write, 1)
                    libc.printf(b"buffered")  # flushed when the process ends
                    return busy((i % 3) * 0.01)
                os.close(write)
                assert os.waitpid(child, 0)[1] == 0
                assert os.read(read, 100) == b"buffered"
                os.close(read)
            with scope("all ended"):
                busy(0.05)
        thread = threading.Thread(target=forks)
        thread.start()
        thread.join()
        """
    )
    assert any(frame == Frame("all ended", kind=FrameKind.SCOPE) for frame in profile.frames)


@pytest.mark.parametrize("seconds", [0, 0.2])
def test_a_process_without_its_first_thread(sampled, seconds):
    """A process whose first thread has ended continues in its others, and ends with the last of them."""
    sampled(
        f"""
        import ctypes
        def work():
            busy({seconds})
            os.write(1, b"done")
        threading.Thread(target=work).start()
        ctypes.CDLL(None).pthread_exit(None)
        """
    )


def test_a_large_write_to_a_pipe_is_whole(tmp_path):
    """A signal in the middle of a write does not cut it short: unbuffered text streams would lose the rest."""
    program = "import sys\nfor _ in range(4): sys.stdout.write('x' * 2_000_000)"
    variables = {"WORKBENCH_RECORD": str(tmp_path / "recording"), "WORKBENCH_SAMPLE": "2000,native"}
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], env=os.environ | variables, stdout=subprocess.PIPE
    ) as process:
        seen = 0
        while part := process.stdout.read1(1 << 14):
            seen += len(part)
            time.sleep(0.0002)  # so that the pipe is full most of the time
    assert (process.returncode, seen) == (0, 8_000_000)


def test_the_logs_have_no_descriptors(tmp_path):
    """A program that is sampled has the descriptors that it has without, beside a high one for the recording's lock."""
    program = (
        "import os; from workbench import scope\n"
        "with scope('x'): print([fd for fd in map(int, os.listdir('/proc/self/fd')) if fd < 64])"
    )
    variables = {"WORKBENCH_RECORD": str(tmp_path / "recording"), "WORKBENCH_SAMPLE": "2000,native"}
    found = [
        subprocess.check_output([sys.executable, "-c", program], env=os.environ | more, text=True)
        for more in ({}, variables)
    ]
    assert found[0] == found[1]


def test_threads_that_end_as_the_program_does(tmp_path):
    """A program ends while its last thread does, each time."""
    (tmp_path / "p.py").write_text(
        "import _thread\n"
        "lock = _thread.allocate_lock()\n"
        "lock.acquire()\n"
        "_thread.start_new_thread(lambda: (__import__('json'), lock.release()), ())\n"
        "lock.acquire()\n"
    )
    for i in range(12):
        variables = {"WORKBENCH_RECORD": str(tmp_path / f"r{i}"), "WORKBENCH_SAMPLE": "2000,native"}
        done = subprocess.run([sys.executable, "p.py"], cwd=tmp_path, env=os.environ | variables, timeout=60)
        assert done.returncode == 0


def test_execs_leave_whole_records(sampled):
    """A program that execs while all its threads are sampled leaves no damaged records."""
    profile = sampled(
        """
        def work():
            while True:
                with scope("work"):
                    sum(range(300))

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.03)
        left = int(sys.argv[1]) if len(sys.argv) > 1 else 9
        if left:
            os.execv(sys.executable, [sys.executable, __file__, str(left - 1)])
        """,
        rate=10_000,
    )
    assert profile.recording.damaged == 0
    assert profile.recording.processes == 10


def test_denied_system_calls(sampled, tmp_path):
    """Where a filter denies reads by process_vm_readv, memory is read in another way."""
    (tmp_path / "deny.py").write_text(DENY)
    profile = sampled(
        'with scope("denied"): busy(0.3)', prefix=(sys.executable, "-S", str(tmp_path / "deny.py"))
    )
    track = track_named(profile, "MainThread")
    assert sum(t for n, t in stacks(profile, track) if "denied" in n and "busy" in n) > 80


DENY = """
# Runs a program under a filter (seccomp) that answers process_vm_readv with EPERM.
import ctypes, os, struct, sys

load, equal, answer = 0x20, 0x15, 0x06
steps = [(load, 0, 0, 0), (equal, 0, 1, 310), (answer, 0, 0, 0x00050001), (answer, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))

class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]

libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), ctypes.addressof(code))), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_stress(tmp_path):
    """Threads with small stacks, exceptions, imports, processes, forks: the same results."""
    program = Path(__file__).with_name("sampler_stress.py")
    variables = {"WORKBENCH_RECORD": str(tmp_path / "recording"), "WORKBENCH_SAMPLE": "2000,native"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program, "1", "2"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("ok ")
    read_recording(tmp_path / "recording").check()
