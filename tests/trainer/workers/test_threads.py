"""Threads and workers: never more than the cores that can be used, and the history says which were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tests.trainer.trainer_reference import reference_data, small_network
from workbench.system import usable_cores
from workbench.trainer import Adam, LevenbergMarquardt, fit_restarts, training
from workbench.trainer.jacobians.columns import ColumnTask
from workbench.trainer.model import Sequential
from workbench.trainer.workers import blas, executor

CORES = usable_cores()


def blas_threads():
    """Return the threads of each BLAS that is loaded here."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


THREADS = blas_threads()


@pytest.fixture
def unlimited():
    """Wait for threads of fits that other tests interrupted: their last batch may still hold a limit."""
    deadline = time.monotonic() + 60
    while blas_threads() != THREADS and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.usefixtures("unlimited")
def test_the_strictest_limit_counts_and_the_last_to_leave_lifts_it():
    """Limits that overlap in any order are kept while any of their users is there."""
    before = blas_threads()
    many, one = blas.at_most(1000), blas.one_thread()
    many.__enter__()
    assert blas_threads() == before
    one.__enter__()
    many.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    one.__exit__(None, None, None)
    assert blas_threads() == before


@pytest.mark.usefixtures("unlimited")
def test_limits_of_several_threads_are_lifted_when_all_have_left():
    """Threads that come and go leave BLAS as it was."""
    before = blas_threads()
    most = []

    def come_and_go():
        for limit in [1, 2, 3] * 50:
            with blas.at_most(limit), blas.one_thread():
                most.append(blas.threads())

    users = [threading.Thread(target=come_and_go) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert set(most) == {1}
    assert blas_threads() == before


def test_a_batch_in_a_worker_has_one_blas_thread():
    """Processes compute their columns on one thread of each BLAS that they have loaded."""

    def counted_block(*arguments):
        from workbench.trainer.jacobians import column_batches

        inner, counts = column_batches.column_block, []

        def count(*arguments):
            counts.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
            return inner(*arguments)

        column_batches.column_block = count
        try:
            column_batches.block(*arguments)
        finally:
            column_batches.column_block = inner
        return counts

    network = small_network()
    task = ColumnTask(network.architecture, network.parameters, np.zeros((1, 9)), "exact", 1e-8)
    batches = [(task, np.ones((1, 9)), start, start + 2, None) for start in range(4)]
    with executor.open_executor(executor.Backend("loky", 2)) as running:
        seen = [counts for _, counts in running.results(counted_block, lambda _: enumerate(batches))]
    assert len(seen) == 4
    assert {number for counts in seen for number in counts} == {1}


def test_no_more_workers_than_cores():
    """A hundred workers are asked for, on this host: there are as many as cores."""
    for backend in ("loky", "threading"):
        assert executor.resolve_backend(100, backend).workers == CORES
    assert executor.resolve_backend(-1, "loky").workers == CORES


def test_inside_a_worker_there_are_no_workers():
    """A fit that runs in joblib's worker starts no more of them: the cores are taken."""
    found = joblib.Parallel(2)(joblib.delayed(executor.resolve_backend)(2, "loky") for _ in range(2))
    found += joblib.Parallel(2, backend="threading")(
        joblib.delayed(executor.resolve_backend)(2, name) for name in ("loky", "threading")
    )
    assert set(found) == {executor.SERIAL}


ON_ONE_CORE = """
import json, os
import numpy as np
from threadpoolctl import threadpool_info
before = [one["num_threads"] for one in threadpool_info()]
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # after BLAS counted
import scipy.linalg
from workbench.trainer import LevenbergMarquardt, Sequential, problem
seen = []
def look(progress):
    seen.append([one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"])
given = problem("multimodal_1d")
fits = []
for options in [{}, {"jacobian": "columns", "n_jobs": 2}]:
    model = Sequential.builder(inputs=1).dense(5, "tanh").dense(1, "linear").build(seed=0)
    optimizer = LevenbergMarquardt(**options)
    fits.append(dict(model.fit(given.x, given.y, optimizer=optimizer, epochs=2, callback=look).threads))
print(json.dumps([before, seen, fits]))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity to set")
def test_on_one_core_blas_takes_one_thread_and_there_are_no_workers():
    """A process that is held to one core after BLAS counted them computes on one thread, and starts no workers."""
    run = subprocess.run([sys.executable, "-c", ON_ONE_CORE], capture_output=True, text=True, check=True)
    _, seen, fits = json.loads(run.stdout)
    assert len(seen) == 4
    assert {number for one in seen for number in one} == {1}
    serial = {"blas": 1, "workers": 1, "backend": "serial", "blas_in_worker": 1}
    assert fits == [serial, serial]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (Adam(), {"workers": 1, "backend": "serial"}),
        (LevenbergMarquardt(), {"workers": 1, "backend": "serial"}),
        (LevenbergMarquardt(jacobian="columns"), {"blas": 1, "workers": 1, "backend": "serial"}),
        (
            LevenbergMarquardt(jacobian="columns", n_jobs=2, backend="threading"),
            {"blas": 1, "workers": min(2, CORES), "blas_in_worker": 1},
        ),
    ],
)
def test_the_history_says_what_was_used(optimizer, expected):
    """Threads, workers and back end are in the history, and in what it writes."""
    x, y = reference_data()
    history = small_network().fit(x, y, optimizer=optimizer, epochs=1)
    assert expected.items() <= history.threads.items()
    assert history.to_dict()["threads"] == dict(history.threads)
    assert 1 <= history.threads["blas"] <= CORES


def test_starts_take_one_thread_each_and_workers_within_the_cores():
    """Many starts on many jobs still fit the cores."""
    x, y = reference_data()
    builder = Sequential.builder(inputs=1).dense(3, "tanh").dense(1, "linear")
    starts = fit_restarts(builder, x, y, restarts=3, epochs=1, n_jobs=50, backend="threading")
    assert starts.threads["workers"] <= CORES
    assert starts.threads["blas"] == 1
    assert training.blas_threads("columns") == 1
