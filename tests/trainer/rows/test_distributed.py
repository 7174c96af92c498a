"""Groups of rows on workers: the same bits from any number of them, and from those that took a lost one's place."""

from __future__ import annotations

import os

import joblib
import numpy as np
import pytest
import threadpoolctl

from tests.trainer.large_rows import PATIENCE, Mortal, chunked, fitted, pairs, saved, small, wavy
from tests.trainer.trainer_reference import paths
from workbench import record
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.trainer import ArrayRows, IteratorRows
from workbench.trainer.rows.groups import open_groups

SOURCE = ArrayRows(*wavy())


@pytest.fixture(scope="module")
def cluster():
    """Give a client of a dask cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=None
        ) as local,
        distributed.Client(local, timeout=PATIENCE) as client,
    ):
        yield client


def fit_on(source, **options):
    return fitted(lambda model, rest: model.fit_rows(source, optimizer=chunked(**options), **rest))


@pytest.fixture(scope="module")
def serial():
    """Return what the fit gives in this process."""
    return fit_on(SOURCE)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_gives_the_bits_of_none(backend, workers, serial, monkeypatch):
    """Processes and threads, two or four, give what this process gives alone: parameters, ranges, all errors."""
    monkeypatch.setattr(joblib, "cpu_count", lambda *_, **__: 4)  # on any machine
    assert fit_on(SOURCE, n_jobs=workers, backend=backend) == serial


@pytest.mark.parametrize("threads", ["1", "3"])
def test_any_number_of_threads_of_this_process_gives_the_same_bits(threads, serial, monkeypatch):
    """Groups run on as many threads as BLAS has: their number is no matter of bits."""
    monkeypatch.setattr("workbench.trainer.workers.blas.threads", lambda: int(threads))
    monkeypatch.setattr("workbench.trainer.rows.groups.usable_cores", lambda: 4)
    assert fit_on(SOURCE) == serial


@pytest.mark.parametrize("backend", ["loky", pytest.param("dask", marks=pytest.mark.proof)])
def test_files_and_iterators_give_the_same_bits_on_workers(backend, serial, tmp_path, cluster):
    """Workers open the file themselves; of an iterator, which this process reads, they are sent each group."""
    x, y = wavy()
    mapped = ArrayRows(*saved(tmp_path / "rows.npy", x, y))
    assert fit_on(mapped, n_jobs=2, backend=backend) == serial
    assert fit_on(IteratorRows(pairs(x, y, 777), len(x)), n_jobs=2, backend=backend) == serial


@pytest.mark.proof
def test_a_cluster_gives_the_same_bits(serial, cluster):
    """On dask, asked for by name or through joblib's configuration, rows in memory are sent once for a fit."""
    assert fit_on(SOURCE, backend="dask", n_jobs=-1) == serial
    with joblib.parallel_config(backend="dask"):
        assert fit_on(SOURCE, n_jobs=2) == serial


@pytest.mark.parametrize("units", [5, *(pytest.param(units, marks=pytest.mark.proof) for units in (6, 7)), 8])
def test_a_cluster_takes_networks_of_any_size(units, cluster):
    """Parameters arrive at whatever byte the message has them, which changes with their number."""

    def parameters(**options):
        model = small(units)
        model.fit(*wavy(), optimizer=chunked(**options), epochs=2)
        return model.parameters.tobytes()

    assert parameters(backend="dask", n_jobs=-1) == parameters()


def facts(group):
    return os.getpid(), sorted(pool["num_threads"] for pool in threadpoolctl.threadpool_info())


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_workers_are_processes_with_one_blas_thread(backend, cluster):
    """Groups run in other processes, and no BLAS there has more than one thread for them."""
    with open_groups(SOURCE, 2, backend) as map_groups:
        found = list(map_groups(facts))
    assert len(found) == 3
    assert os.getpid() not in {process for process, _ in found}
    assert {count for _, counts in found for count in counts} == {1}


@pytest.mark.parametrize(
    "place", [{}, *({"n_jobs": 2, "backend": name} for name in ("loky", "threading", "dask"))]
)
def test_scopes_of_all_workers_are_in_one_recording(place, tmp_path, cluster):
    """A group's scopes are under the fit's, wherever it was computed."""
    with record(tmp_path / "r"):
        small().fit_rows(SOURCE, optimizer=chunked(**place), epochs=1)
    assert {
        "ranges/group of rows",
        "fit/epoch/held-out errors/group of rows",
        "fit/epoch/sum over rows/group of rows/compute jacobian",
        "fit/epoch/sum over rows/group of rows/forming normal equations",
        "fit/epoch/sum over rows/sum groups",
        "fit/epoch/acceleration/second order/group of rows",
        "fit/epoch/update weights/group of rows",
    } <= set(paths(tmp_path / "r"))


@pytest.mark.parametrize(
    ("backend", "place"),
    [("loky", "file"), pytest.param("dask", "file", marks=pytest.mark.proof), ("dask", "memory")],
)
def test_a_worker_that_is_killed_is_replaced_and_changes_no_bit(backend, place, serial, tmp_path, cluster):
    """A process that is killed in the middle of a step costs that step's time; its work is done again."""
    x, y = wavy()
    if place == "file":
        x, y = saved(tmp_path / "rows.npy", x, y)
    marker = tmp_path / "killed"
    assert fit_on(Mortal(x, y, marker), n_jobs=2, backend=backend) == serial
    assert marker.exists()


@pytest.mark.proof
def test_all_workers_killed_at_once_are_replaced_and_change_no_bit(serial, tmp_path, cluster):
    """A cluster that lost each of its workers, and the rows with them, is sent the rows again."""
    marker = tmp_path / "killed"
    source = Mortal(*wavy(), marker, company=cluster.run(os.getpid).values())
    assert fit_on(source, n_jobs=2, backend="dask") == serial
    assert marker.exists()


@pytest.mark.proof
def test_workers_that_are_killed_each_time_end_the_fit(tmp_path, monkeypatch):
    """After some attempts the fit ends with one line, which says what to do."""
    monkeypatch.setattr("workbench.trainer.workers.executor.MAX_ATTEMPTS", 2)
    source = Mortal(*wavy(), tmp_path / "killed", always=True)
    with pytest.raises(WorkbenchError, match=r"lost again and again.*take fewer workers") as caught:
        fit_on(source, n_jobs=2)
    assert "\n" not in str(caught.value)


def test_a_file_that_workers_cannot_read_is_named(tmp_path, cluster):
    """A worker that does not find the rows' file says which, and on what host."""
    source = ArrayRows(*saved(tmp_path / "rows.npy", *wavy()))
    (tmp_path / "rows.npy").unlink()
    with pytest.raises(
        InvalidInputError, match=r"rows.npy cannot be read on .* \(No such file or directory\): put it"
    ):
        fit_on(source, n_jobs=2, backend="dask")


@pytest.mark.parametrize("backend", ["threading", "dask"])
def test_bad_rows_are_named_from_workers_too(backend, cluster):
    """The first row that is not finite is named, whichever worker is the first to find one."""
    x, y = wavy()
    y[[9000, 17_000]] = np.nan
    with pytest.raises(InvalidInputError, match="y holds nan at row 9000, column 0"):
        fit_on(ArrayRows(x, y), n_jobs=2, backend=backend)
