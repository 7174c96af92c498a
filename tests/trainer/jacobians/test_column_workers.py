"""Parallel columns when something is in the way: no shared memory, lost workers, a cluster, the end of it all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import psutil
import pytest

from tests.trainer.large_rows import PATIENCE, die_with
from tests.trainer.trainer_reference import architecture, jacobian, paths, reference_data, small_network
from workbench import record
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.trainer import LevenbergMarquardt
from workbench.trainer.jacobians import column_batches
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.workers import executor
from workbench.trainer.workers.cluster import cluster_backend

NETWORK = architecture(2, (8, "tanh"), (5, "tanh"), (2, "linear"))
PARAMETERS = np.random.default_rng(0).normal(size=NETWORK.parameters)
X = np.random.default_rng(1).uniform(-1, 1, (2, 50))
LOKY = {"n_jobs": 2, "backend": "loky"}


@pytest.fixture(scope="module")
def serial():
    """Return the bits of J computed here."""
    return jacobian(NETWORK, PARAMETERS, X, "columns").tobytes()


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """Return the folder that replaces shared memory."""
    monkeypatch.setattr(column_batches, "SHARED_MEMORY", str(tmp_path))
    return tmp_path


def no_room(*arguments):
    raise OSError("no space left")


@pytest.mark.parametrize("missing", ["folder", "path", "room"])
def test_without_shared_memory_columns_go_by_value(serial, shared, monkeypatch, missing):
    """A system that has none, a folder that is gone, or too little room: J has the same bits, nothing is left."""
    if missing == "folder":
        monkeypatch.setattr(column_batches, "SHARED_MEMORY", None)
    elif missing == "path":
        monkeypatch.setattr(column_batches, "SHARED_MEMORY", str(shared / "missing"))
    else:
        monkeypatch.setattr(os, "posix_fallocate", no_room)
    assert jacobian(NETWORK, PARAMETERS, X, "columns", **LOKY).tobytes() == serial
    assert not list(shared.iterdir())


def test_files_are_removed_with_the_jacobian(shared):
    """Neither an end nor an exception leaves a file; a J that is still held here can be read on."""
    with open_jacobian(NETWORK, X, "columns", **LOKY) as compute:
        held = compute(PARAMETERS)
        assert list(shared.iterdir())
    assert not list(shared.iterdir())
    assert np.isfinite(held).all()
    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert not list(shared.iterdir())


def broken_off():
    with open_jacobian(NETWORK, X, "columns", **LOKY) as compute:
        compute(PARAMETERS)
        raise ZeroDivisionError


def dying(whole, marker, times, company=()):
    """Return a block's work whose process is killed in the midst of it, and its company, so many times in all."""

    def block(*arguments):
        whole(*arguments)
        for turn in range(times):
            try:
                os.close(os.open(f"{marker}{turn}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            die_with(company)
        return whole(*arguments)

    return block


def test_a_step_that_loses_a_worker_is_computed_again(serial, tmp_path, monkeypatch):
    """A worker is killed in the midst of its batch: J has the same bits, and so has the next one."""
    work = dying(column_batches.block, tmp_path / "killed", 1)
    monkeypatch.setattr(column_batches, "block", work)
    with open_jacobian(NETWORK, X, "columns", **LOKY) as compute:
        assert compute(PARAMETERS).tobytes() == serial
        assert (tmp_path / "killed0").exists()
        pids = joblib.Parallel(2)(joblib.delayed(os.getpid)() for _ in range(4))
        os.kill(pids[0], signal.SIGKILL)  # and one that idles
        assert compute(PARAMETERS).tobytes() == serial


def test_workers_that_are_lost_every_time_are_one_clear_error(tmp_path, monkeypatch):
    """The attempts are bounded, and the error says what to do."""
    monkeypatch.setattr(executor, "MAX_ATTEMPTS", 2)
    work = dying(column_batches.block, tmp_path / "killed", 100)
    monkeypatch.setattr(column_batches, "block", work)
    with (
        open_jacobian(NETWORK, X, "columns", **LOKY) as compute,
        pytest.raises(WorkbenchError, match=r"lost again and again.*n_jobs=1"),
    ):
        compute(PARAMETERS)


def test_an_error_in_a_batch_is_the_callers(monkeypatch):
    """What a batch raises arrives as it is, and is not taken for a lost worker; the next J is whole."""

    def failing(*arguments):
        raise ZeroDivisionError("in a batch")

    with open_jacobian(NETWORK, X, "columns", n_jobs=2, backend="threading") as compute:
        with monkeypatch.context() as patched:
            patched.setattr(column_batches, "column_block", failing)
            with pytest.raises(ZeroDivisionError, match="in a batch"):
                compute(PARAMETERS)
        assert np.isfinite(compute(PARAMETERS)).all()


ENDLESS = """
import sys
import numpy as np
from workbench.trainer.jacobians import column_batches
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.network.architecture import Architecture, Dense
column_batches.SHARED_MEMORY = sys.argv[1]
network = Architecture(1, (Dense(20, "tanh"), Dense(1, "linear")))
with open_jacobian(network, np.ones((1, 1000)), "columns", n_jobs=2) as compute:
    compute(np.ones(network.parameters))
    print("computed", flush=True)
    while True:
        compute(np.ones(network.parameters))
"""


def test_nothing_is_left_when_the_program_is_killed(tmp_path):
    """The program is killed in mid-step: once its workers have ended, its file is removed."""
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "computed\n"
        assert list(tmp_path.iterdir())
        workers = [
            child for child in psutil.Process(program.pid).children() if "popen_loky" in str(child.cmdline())
        ]
        assert workers
        program.kill()
    for worker in workers:  # idle ones end by themselves, after minutes
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    deadline = time.monotonic() + 60
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(tmp_path.iterdir())


@pytest.mark.proof
def test_a_cluster_gives_the_same_bits_by_value(serial):
    """With backend="dask", and under joblib's own configuration, batches run on the cluster's workers."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(n_workers=1, threads_per_worker=2, dashboard_address=":0") as client:
        named = jacobian(NETWORK, PARAMETERS, X, "columns", backend="dask")
        with joblib.parallel_config(backend="dask"):
            configured = jacobian(NETWORK, PARAMETERS, X, "columns", n_jobs=2)
        ran = client.run(lambda dask_worker: len(dask_worker.state.tasks) + dask_worker.state.executed_count)
    assert named.tobytes() == configured.tobytes() == serial
    assert sum(ran.values()) >= 2 * len(column_batches.batches(NETWORK.parameters, 2))


@pytest.mark.proof
def test_a_cluster_that_loses_all_its_workers_is_sent_the_rows_again(serial, tmp_path, monkeypatch):
    """All that holds x is killed in the midst of the second J: it has the same bits, and so has the third."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(
            timeout=PATIENCE, n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as client,
        open_jacobian(NETWORK, X, "columns", backend="dask") as compute,
    ):
        assert compute(PARAMETERS).tobytes() == serial
        everyone = list(client.run(os.getpid).values())
        work = dying(column_batches.block, tmp_path / "killed", 1, everyone)
        monkeypatch.setattr(column_batches, "block", work)
        assert compute(PARAMETERS).tobytes() == serial
        assert (tmp_path / "killed0").exists()
        assert compute(PARAMETERS).tobytes() == serial


def test_a_cluster_without_workers_is_one_clear_error():
    """Whether they were never there or went in the midst of a fit; the user's timeout is kept."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=":0") as client,
        joblib.parallel_config(backend="dask", wait_for_workers_timeout=0.5, priority=3),
    ):
        backend = cluster_backend(joblib.parallel.get_active_backend()[0])
        assert (backend.wait_for_workers_timeout, backend.submit_kwargs) == (0.5, {"priority": 3})
        with open_jacobian(NETWORK, X, "columns", n_jobs=2) as compute:
            compute(PARAMETERS)
            client.cluster.scale(0)
            while client.ncores():
                time.sleep(0.05)
            with pytest.raises(WorkbenchError, match="the dask cluster has no workers: start some"):
                compute(PARAMETERS)
        with pytest.raises(WorkbenchError, match="the dask cluster has no workers: start some"):
            executor.resolve_backend(2, "loky")


def test_dask_without_a_client_or_a_package_is_one_clear_error(monkeypatch):
    """The error names what is missing: the package where the options are made, the client where it runs."""
    pytest.importorskip("distributed")
    with (
        pytest.raises(InvalidInputError, match="Client"),
        open_jacobian(NETWORK, X, "columns", backend="dask"),
    ):
        pass
    monkeypatch.setattr(executor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInputError, match=r"pip install 'scopebench\[cluster\]'"):
        LevenbergMarquardt(jacobian="columns", backend="dask")


def test_another_back_end_of_joblibs_takes_the_place_of_loky(serial):
    """Under `parallel_config(backend="threading")` the default is threads; one named otherwise stays."""
    with joblib.parallel_config(backend="threading"):
        assert executor.resolve_backend(2, "loky").name == "threading"
    with joblib.parallel_config(backend="multiprocessing"):
        assert executor.resolve_backend(2, "loky").name == "multiprocessing"
        assert executor.resolve_backend(2, "threading").name == "threading"
        assert jacobian(NETWORK, PARAMETERS, X, "columns", **LOKY).tobytes() == serial


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_columns_are_recorded_under_the_jacobian_that_sent_them(tmp_path, backend):
    """Workers that are older than the recording put each batch under the sender's scope; the bits do not change."""
    joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(abs)(i) for i in range(4))
    x, y = reference_data()
    errors = []
    for recording in (contextlib.nullcontext(), record(tmp_path / "r")):
        optimizer = LevenbergMarquardt(jacobian="columns", n_jobs=2, backend=backend)
        with recording:
            errors.append(small_network().fit(x, y, optimizer=optimizer, epochs=2).train_mse)
    assert errors[0] == errors[1]
    found = paths(tmp_path / "r")
    assert found.count("fit/epoch/compute jacobian/columns") == 2 * len(column_batches.batches(19, 2))
    assert {path for path in found if path.endswith("/columns")} == {"fit/epoch/compute jacobian/columns"}
