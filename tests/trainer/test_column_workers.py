"""Parallel columns when something is in the way: no shared memory, lost workers, a cluster, the end of it all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

from tests.trainer.large_rows import die_with
from tests.trainer.trainer_reference import architecture, jacobian
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.trainer import LevenbergMarquardt
from workbench.trainer.jacobians import column_batches
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.workers import memory_file, places
from workbench.trainer.workers.cluster import cluster_backend
from workbench.trainer.workers.memory_file import MemoryFile, Reference, attach

NETWORK = architecture(2, (8, "tanh"), (5, "tanh"), (2, "linear"))
PARAMETERS = np.random.default_rng(0).normal(size=NETWORK.parameters)
X = np.random.default_rng(1).uniform(-1, 1, (2, 50))
LOKY = {"n_jobs": 2, "backend": "loky"}


@pytest.fixture(scope="module")
def serial():
    """Return the bits of J computed here."""
    return jacobian(NETWORK, PARAMETERS, X, "columns").tobytes()


def test_a_worker_that_does_not_see_the_file_sends_its_columns_back(serial, monkeypatch):
    """Where the file's path leads nowhere, J has the same bits, and the file is not tried again."""
    asked = []

    class Elsewhere(MemoryFile):
        def __init__(self, shapes):
            super().__init__(shapes)
            asked.append(shapes)
            self.reference = Reference(
                os.getpid(), "/proc/0/fd/0", self.reference.secret, self.reference.shapes
            )

    monkeypatch.setattr(column_batches, "MemoryFile", Elsewhere)
    with open_jacobian(NETWORK, X, "columns", **LOKY) as compute:
        for _ in range(2):
            assert compute(PARAMETERS).tobytes() == serial
    assert len(asked) == 1


def test_without_files_in_memory_columns_go_by_value(serial, monkeypatch):
    """A system that has no such files, or no memory for one, gives the same bits."""
    monkeypatch.delattr(os, "memfd_create")
    assert jacobian(NETWORK, PARAMETERS, X, "columns", **LOKY).tobytes() == serial


def test_a_file_is_told_by_its_secret():
    """A path that leads to another file, of the same size, is not taken for this one."""
    file, other = MemoryFile([(3, 2)]), MemoryFile([(3, 2)])
    file.arrays[0][:] = 7.0
    seen = attach(file.reference)
    assert seen is not None
    assert (seen[0] == 7.0).all()
    mistaken = Reference(
        os.getpid(), other.reference.path, file.reference.secret[::-1], file.reference.shapes
    )
    assert attach(mistaken) is None
    file.close()
    other.close()


def test_a_closed_file_frees_its_memory_though_a_worker_has_it_mapped():
    """The file is cut to nothing at its end; a J that is still held here can be read on."""
    file = MemoryFile([(1000,)])
    number = os.dup(file._number)
    file.close()
    assert os.fstat(number).st_size == 0
    os.close(number)
    held = MemoryFile([(1000,)])
    values = held.arrays[0]
    values[:] = 3.0
    held.close()
    assert values.sum() == 3000.0


def test_files_are_closed_with_the_jacobian():
    """Neither an end nor an exception leaves a file open."""

    def files():
        return sum("workbench-columns" in str(path.resolve()) for path in Path("/proc/self/fd").iterdir())

    before = files()
    with open_jacobian(NETWORK, X, "columns", **LOKY) as compute:
        compute(PARAMETERS)
        assert files() > before
    assert files() == before
    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert files() == before


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
    work = dying(column_batches.block_through_file, tmp_path / "killed", 1)
    monkeypatch.setattr(column_batches, "block_through_file", work)
    with open_jacobian(NETWORK, X, "columns", **LOKY) as compute:
        assert compute(PARAMETERS).tobytes() == serial
        assert (tmp_path / "killed0").exists()
        pids = joblib.Parallel(2)(joblib.delayed(os.getpid)() for _ in range(4))
        os.kill(pids[0], signal.SIGKILL)  # and one that idles
        assert compute(PARAMETERS).tobytes() == serial


def test_workers_that_are_lost_every_time_are_one_clear_error(tmp_path, monkeypatch):
    """The attempts are bounded, and the error says what to do."""
    monkeypatch.setattr(places, "ATTEMPTS", 2)
    work = dying(column_batches.block_through_file, tmp_path / "killed", 100)
    monkeypatch.setattr(column_batches, "block_through_file", work)
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
import os, sys
sys.path.insert(0, {folder!r})
import joblib
from tests_of_columns import NETWORK, PARAMETERS, X
from workbench.trainer.jacobians.jacobian import open_jacobian
with open_jacobian(NETWORK, X, "columns", n_jobs=2) as compute:
    compute(PARAMETERS)
    print(*set(joblib.Parallel(2)(joblib.delayed(os.getpid)() for _ in range(8))), flush=True)
    while True:
        compute(PARAMETERS)
"""


def test_nothing_is_left_when_the_program_is_killed(tmp_path):
    """The program is killed in mid-step: its workers let go of the file, so that its memory is free."""
    (tmp_path / "tests_of_columns.py").write_text(
        "import numpy as np\n"
        "from workbench.trainer.network.architecture import Architecture, Dense\n"
        "NETWORK = Architecture(1, (Dense(20, 'tanh'), Dense(1, 'linear')))\n"
        "PARAMETERS = np.ones(NETWORK.parameters)\n"
        "X = np.ones((1, 1000))\n"
    )
    command = [sys.executable, "-c", ENDLESS.format(folder=str(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        pids = [int(word) for word in program.stdout.readline().split()]
        assert any(maps_the_file(pid) for pid in pids)
        program.kill()
    deadline = time.monotonic() + 60
    while any(maps_the_file(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(maps_the_file(pid) for pid in pids)


def maps_the_file(pid):
    try:
        return "workbench-columns" in Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


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


def test_a_cluster_that_loses_all_its_workers_is_sent_the_rows_again(serial, tmp_path, monkeypatch):
    """All that holds x is killed in the midst of the second J: it has the same bits, and so has the third."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=":0") as client,
        open_jacobian(NETWORK, X, "columns", backend="dask") as compute,
    ):
        assert compute(PARAMETERS).tobytes() == serial
        everyone = list(client.run(os.getpid).values())
        work = dying(column_batches.block_by_value, tmp_path / "killed", 1, everyone)
        monkeypatch.setattr(column_batches, "block_by_value", work)
        assert compute(PARAMETERS).tobytes() == serial
        assert (tmp_path / "killed0").exists()
        assert compute(PARAMETERS).tobytes() == serial


def test_a_cluster_without_workers_is_one_clear_error():
    """Whether they were never there or went in the midst of a fit; the user's own time to wait is kept."""
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
            places.place_of(2, "loky")


def test_dask_without_a_client_or_a_package_is_one_clear_error(monkeypatch):
    """The error names what is missing: the package where the options are made, the client where it runs."""
    pytest.importorskip("distributed")
    with (
        pytest.raises(InvalidInputError, match="Client"),
        open_jacobian(NETWORK, X, "columns", backend="dask"),
    ):
        pass
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInputError, match=r"pip install 'workbench\[cluster\]'"):
        LevenbergMarquardt(jacobian="columns", backend="dask")


def test_another_back_end_of_joblibs_takes_the_place_of_loky(serial):
    """Under `parallel_config(backend="threading")` the default is threads; one named otherwise stays."""
    with joblib.parallel_config(backend="threading"):
        assert places.place_of(2, "loky").backend == "threading"
    with joblib.parallel_config(backend="multiprocessing"):
        assert places.place_of(2, "loky").backend == "multiprocessing"
        assert places.place_of(2, "threading").backend == "threading"
        assert jacobian(NETWORK, PARAMETERS, X, "columns", **LOKY).tobytes() == serial
    assert memory_file.SECRET_BYTES >= 16
