"""Workers that are killed, time out, or come by the dozen: nothing that was closed is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scopes.test_workers.conftest import BOTH
from workbench.eventlog import read_recording
from workbench.profile import scope_totals


def test_a_worker_that_is_killed(program, read, tmp_path):
    """SIGKILL in the middle of a task: what was closed is there, what was open is there and unfinished."""
    program(
        """
        import signal, joblib
        run = engine("executor spawn")
        run(plain, 4)
        with record("r"), scope("fit"):
            try:
                run(carry(doomed), 1)
            except concurrent.futures.process.BrokenProcessPool:
                print("broken")
        import threading  # the pool closes its pipes on a thread, which CPython does not wait for at exit
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(30)
        """,
        define="""
        def doomed(i):
            for k in range(500):
                with scope("closed"):
                    pass
            with scope("open"):
                if i == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(0.01)
        """,
    )
    found = read(tmp_path / "r").own
    assert Counter((row.path, row.unfinished) for row in found) == {
        ("fit", False): 1,
        ("fit/closed", False): 500,
        ("fit/open", True): 1,
    }


@pytest.mark.proof
def test_loky_workers_that_time_out(program, read, tmp_path):
    """When idle workers end and others take their place in mid-recording, both are in it whole."""
    out = program(
        """
        from joblib.externals.loky import get_reusable_executor
        pool = get_reusable_executor(max_workers=2, timeout=0.3)
        pids = set(pool.map(os.getpid.__call__, []))
        list(pool.map(plain, range(4)))
        with record("r"), scope("fit"):
            first = {pid for pid, _ in pool.map(carry(work), range(6))}
            until = time.monotonic() + 60
            while pool._processes and time.monotonic() < until:
                time.sleep(0.05)
            second = {pid for pid, _ in pool.map(carry(work), range(6))}
        print(len(first & second))
        """,
        err="(.*UserWarning: A worker stopped while some jobs.*)?",  # by loky, on a busy machine
    )
    assert int(out) == 0
    assert Counter(row.path for row in read(tmp_path / "r"))["fit/item"] == 12


@BOTH
@pytest.mark.parametrize("times", [3, pytest.param(60, marks=pytest.mark.proof)])
def test_workers_that_are_killed_at_random(program, read, tmp_path, times):
    """Workers are killed while they record: each scope that they reported as closed is in the log once."""
    out = program(
        f"""
        import random, signal
        chance = random.Random(5)
        context = multiprocessing.get_context("fork")
        with record("r"), scope("send"):
            for number in range({times}):
                receive, send = context.Pipe(False)
                process = multiprocessing.get_context("spawn").Process(
                    target=busy, args=(send, number, carry(call)))
                process.start()
                send.close()
                last = int.from_bytes(receive.recv_bytes(), "little")
                until = time.perf_counter() + chance.uniform(0.0, 0.05)
                while time.perf_counter() < until:
                    last = int.from_bytes(receive.recv_bytes(), "little")
                process.kill()
                process.join()
                try:
                    while True:
                        last = int.from_bytes(receive.recv_bytes(), "little")
                except (EOFError, OSError):
                    pass
                print(number, last)
        """,
        define="""
        def busy(connection, number, function):
            def count():
                k = 0
                while True:
                    with scope(f"life {number}"):
                        pass
                    k += 1
                    connection.send_bytes(k.to_bytes(4, "little"))
            function(count)
        def call(function):
            function()
        """,
        err=None,
    )
    said = dict(map(int, line.split()) for line in out.splitlines())
    found = read(tmp_path / "r")
    closed = Counter(row.path for row in found if not row.unfinished)
    for number, last in said.items():
        # One more may have been closed, and a message cut, before the kill.
        assert last <= closed[f"send/life {number}"] <= last + 2
    assert len(said) == times


@BOTH
@pytest.mark.parametrize(
    ("workers", "count"), [(3, 2000), pytest.param(16, 100_000, marks=pytest.mark.proof)]
)
def test_scopes_by_the_thousand(program, read, tmp_path, workers, count):
    """Many scopes of several loky workers: none is lost or doubled, and all are inside the sender's interval."""
    program(
        f"""
        import joblib
        run = joblib.Parallel(n_jobs={workers}, batch_size=1, pre_dispatch="all")
        run(joblib.delayed(plain)(i) for i in range(2 * {workers}))
        with record("r"), scope("send"):
            run(joblib.delayed(carry(busy))({count}) for _ in range({workers}))
        """,
        define="""
        def busy(count):
            for _ in range(count):
                with scope("busy"):
                    pass
        """,
    )
    profile = read_recording(tmp_path / "r")
    calls = {name: total.calls for name, total in scope_totals(profile).items()}
    assert calls == {"send": 1, "busy": workers * count}
    (sender,) = (
        t.spans for t in profile.tracks if t.spans.propagated is None or not t.spans.propagated.any()
    )
    for track in profile.tracks:
        # Clocks of two processors may differ by some microseconds.
        assert track.spans.start_ns.min() >= sender.start_ns[0] - 50_000
        assert track.spans.end_ns.max() <= sender.end_ns[0] + 50_000
