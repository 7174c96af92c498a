"""Workers that are killed, time out, or come by the dozen: nothing that was closed is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scopes.test_workers.conftest import BOTH
from workbench.eventlog import read_recording
from workbench.profile import durations, scope_totals


def test_a_worker_that_is_killed(program, rows, tmp_path):
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
    found = [row for row in rows(tmp_path / "r") if not row.carried]
    assert Counter((row.path, row.unfinished) for row in found) == {
        ("fit", False): 1,
        ("fit/closed", False): 500,
        ("fit/open", True): 1,
    }


def test_loky_workers_that_time_out(program, rows, tmp_path):
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
    assert Counter(row.path for row in rows(tmp_path / "r"))["fit/item"] == 12


@BOTH
def test_workers_that_are_killed_at_random(program, rows, tmp_path):
    """Workers killed while they record: each scope that was said to be closed is there, once."""
    _killed(program, rows, tmp_path, rounds=3)


@BOTH
@pytest.mark.proof
def test_workers_that_are_killed_at_random_often(program, rows, tmp_path):
    """The same, 60 times."""
    _killed(program, rows, tmp_path, rounds=60)


def _killed(program, rows, tmp_path, rounds: int) -> None:
    """Kill busy workers that say over a pipe which scopes they have closed; compare with what is in the log."""
    out = program(
        f"""
        import random, signal
        chance = random.Random(5)
        context = multiprocessing.get_context("fork")
        with record("r"), scope("send"):
            for number in range({rounds}):
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
    found = rows(tmp_path / "r")
    closed = Counter(row.path for row in found if not row.unfinished)
    for number, last in said.items():
        # One more may have been closed, and a message cut, before the kill.
        assert last <= closed[f"send/life {number}"] <= last + 2
    assert len(said) == rounds


def test_loky_workers_that_are_killed_at_random(program, rows, tmp_path):
    """A loky worker killed while it records takes its pool with it: each scope that was counted is there, once."""
    _loky_killed(program, rows, tmp_path, rounds=2)


@BOTH
@pytest.mark.proof
@pytest.mark.timeout(600)
def test_loky_workers_that_are_killed_at_random_often(program, rows, tmp_path):
    """The same, 100 times."""
    _loky_killed(program, rows, tmp_path, rounds=100)


def _loky_killed(program, rows, tmp_path, rounds: int) -> None:
    """Kill one of two busy loky workers, which count what they have closed in a file; compare with the log.

    The pool is made before the recording begins, in every second round.
    """
    out = program(
        f"""
        import random, signal
        from joblib.externals.loky import get_reusable_executor
        chance = random.Random(7)
        open("counts", "wb").write(bytes({rounds} * 16))
        counts = np.memmap("counts", "<u8", "r").reshape({rounds}, 2)
        with record("earlier"):
            pass
        def pool():
            return get_reusable_executor(max_workers=2, reuse=True)
        for number in range({rounds}):
            if number % 2:
                list(pool().map(plain, range(2)))
            with record(f"r{{number}}"), scope("send"):
                tasks = [pool().submit(carry(busy), number, i, {rounds}) for i in range(2)]
                while not counts[number].all():
                    time.sleep(0.001)
                time.sleep(chance.uniform(0, 0.03))
                workers = list(pool()._processes.values())
                os.kill(chance.choice(workers).pid, signal.SIGKILL)
                for task in tasks:
                    assert task.exception() is not None
                for worker in workers:  # the pool kills the others
                    worker.join()
        for pair in counts.tolist():
            print(*pair)
        """,
        define="""
        import numpy as np
        def busy(number, i, rounds):
            counts = np.memmap("counts", "<u8", "r+").reshape(rounds, 2)
            k = 0
            while True:
                with scope(f"life {i}"):
                    with scope("inner"):
                        pass
                k += 1
                counts[number, i] = k
        """,
        err=None,
    )
    said = [tuple(map(int, line.split())) for line in out.splitlines()]
    assert len(said) == rounds
    for number, pair in enumerate(said):
        closed = Counter(row.path for row in rows(tmp_path / f"r{number}") if not row.unfinished)
        for i, last in enumerate(pair):
            # One more may have been closed, and not counted, before the kill.
            assert 0 < last <= closed[f"send/life {i}"] <= last + 1


@BOTH
@pytest.mark.proof
def test_sixteen_loky_workers(program, tmp_path):
    """16 loky workers by 100,000 scopes: none lost, none doubled, all inside the sender's interval within 50 µs."""
    program(
        """
        import joblib
        run = joblib.Parallel(n_jobs=16, batch_size=1, pre_dispatch="all")
        assert len(set(run(joblib.delayed(wait)(i) for i in range(16)))) > 8
        with record("r"), scope("send"):
            run(joblib.delayed(carry(busy))(i) for i in range(16))
        """,
        define="""
        def busy(worker):
            for k in range(100_000):
                with scope("busy"):
                    pass
            return os.getpid()
        def wait(i):
            time.sleep(1)
            return os.getpid()
        """,
    )
    profile = read_recording(tmp_path / "r")
    (sender,) = (
        (int(t.spans.start_ns[0]), int(t.spans.end_ns[0]))
        for t in profile.tracks
        if t.spans is not None and (t.spans.propagated is None or not t.spans.propagated.any())
    )
    assert len(durations(profile, "busy")) == 1_600_000
    assert scope_totals(profile)["busy"].calls == 1_600_000
    for track in profile.tracks:
        if track.spans is not None:
            assert track.spans.start_ns.min() >= sender[0] - 50_000
            assert track.spans.end_ns.max() <= sender[1] + 50_000
