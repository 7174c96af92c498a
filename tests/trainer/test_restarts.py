"""Multi-start: every start kept, the best one named, the same bits wherever they run."""

from __future__ import annotations

import math
import os
import signal
import threading

import joblib
import numpy as np
import pytest

from tests.trainer.large_rows import PATIENCE, die_with
from tests.trainer.trainer_reference import paths, reference_data, small_network
from workbench import record, scope
from workbench.errors import InvalidInputError
from workbench.trainer import SGD, LevenbergMarquardt, Sequential, StopReason, fit_restarts

BUILDER = Sequential.builder(inputs=1).dense(5, "tanh").dense(1, "linear")
X, Y = reference_data()
X, Y = X[::5], Y[::5]


def bits(starts):
    """Return all that must not depend on where the starts ran."""
    received = [
        {name: value for name, value in history.to_dict().items() if name != "seconds"}
        for history in starts.histories
    ]
    return starts.seeds, [model.parameters.tobytes() for model in starts.models], received


@pytest.fixture(scope="module")
def serial():
    return fit_restarts(BUILDER, X, Y, restarts=4, seed=3, epochs=4)


def test_each_start_is_the_fit_that_its_seed_gives(serial):
    """Models are built with the seeds in turn, and all are fitted with the first one's split."""
    assert serial.seeds == (3, 4, 5, 6)
    for seed, model, history in zip(serial.seeds, serial.models, serial.histories, strict=True):
        alone = BUILDER.build(seed)
        received = alone.fit(X, Y, seed=3, epochs=4)
        assert np.allclose(model.parameters, alone.parameters, rtol=1e-6)
        assert received.epochs == history.epochs == 4
        assert history.seed == 3


def test_the_best_has_the_least_training_error(serial):
    """Without patience the last training errors are compared, and the best seed names the best model."""
    errors = [history.train_mse[-1] for history in serial.histories]
    assert serial.errors == errors
    assert serial.best is serial.models[int(np.argmin(errors))]
    assert serial.best_seed == serial.seeds[int(np.argmin(errors))]
    assert not serial.interrupted


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_any_number_of_workers_gives_the_same_bits(serial, backend):
    """Two workers, processes or threads, return what one start after the other does; each takes one BLAS thread."""
    parallel = fit_restarts(BUILDER, X, Y, restarts=4, seed=3, epochs=4, n_jobs=2, backend=backend)
    assert bits(parallel) == bits(serial)
    assert parallel.best_seed == serial.best_seed
    assert {history.threads["blas"] for history in parallel.histories} == {1}


def test_a_cluster_gives_the_same_bits(serial):
    """Under joblib's configuration for dask the starts run on the cluster."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0"),
        joblib.parallel_config(backend="dask"),
    ):
        starts = fit_restarts(BUILDER, X, Y, restarts=4, seed=3, epochs=4, n_jobs=2)
    assert starts.threads["backend"] == "dask"
    assert bits(starts) == bits(serial)


@pytest.mark.proof
def test_a_cluster_that_loses_all_its_workers_is_sent_the_rows_again(serial, tmp_path):
    """Every worker is killed in the midst of the starts: those not yet done are done anew, with the same bits."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(
            timeout=PATIENCE, n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as client,
        joblib.parallel_config(backend="dask"),
    ):
        everyone = list(client.run(os.getpid).values())
        marker = tmp_path / "killed"

        def build(seed):
            if seed == 5 and not marker.exists():
                marker.touch()
                die_with(everyone)
            return Sequential.builder(inputs=1).dense(5, "tanh").dense(1, "linear").build(seed)

        starts = fit_restarts(build, X, Y, restarts=4, seed=3, epochs=4, n_jobs=2)
    assert marker.exists()
    assert bits(starts) == bits(serial)


def test_with_patience_the_best_has_the_least_validation_error():
    """Then the fits keep the parameters with the least validation error, and that is what is compared."""
    starts = fit_restarts(BUILDER, X, Y, restarts=3, epochs=8, patience=2, validation=0.3)
    assert starts.errors == [min(history.validation_mse) for history in starts.histories]
    assert starts.errors[starts.best_index] == min(starts.errors)


def build_or_fail(seed):
    """Return a network whose weights are out of all bounds for one seed."""
    model = small_network(seed=seed)
    if seed == 1:
        model.parameters = np.full_like(model.parameters, 1e200)
    return model


def test_a_start_that_fails_is_kept_and_loses():
    """A start that is not finite has its stop reason in its history, and an infinite error."""
    starts = fit_restarts(build_or_fail, X, Y, restarts=3, epochs=2, optimizer=SGD())
    assert [history.stop_reason is StopReason.NOT_FINITE for history in starts.histories] == [
        False,
        True,
        False,
    ]
    assert math.isinf(starts.errors[1])
    assert starts.best_seed != 1


def test_every_option_of_a_fit_is_passed_on():
    """Targets, parts and the optimiser are the fit's; progress counts the starts that are done."""
    received = []
    starts = fit_restarts(
        BUILDER,
        X,
        Y,
        restarts=2,
        optimizer=LevenbergMarquardt(rule="delayed"),
        epochs=50,
        target_mse=0.3,
        validation=0.0,
        test=0.0,
        progress=lambda done, all_of_them: received.append((done, all_of_them)),
    )
    for history in starts.histories:
        assert history.optimizer["rule"] == "delayed"
        assert history.stop_reason is StopReason.TARGET_REACHED
        assert history.rows["training"] == len(X)
    assert received == [(1, 2), (2, 2)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_keeps_the_starts_that_are_finished(n_jobs):
    """An interrupt after the first is done returns what is finished, marked as interrupted."""

    def interrupt(done, all_of_them):
        if done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    starts = fit_restarts(BUILDER, X, Y, restarts=40, epochs=60, n_jobs=n_jobs, progress=interrupt)
    assert starts.interrupted
    assert 1 <= len(starts.seeds) < 40
    assert len(starts.seeds) == len(starts.models) == len(starts.histories)
    assert all(history.stop_reason is not StopReason.INTERRUPTED for history in starts.histories)
    assert starts.best_seed in starts.seeds


def test_ctrl_c_before_any_is_finished_goes_on_to_the_caller():
    """With nothing to return, the interrupt is not swallowed."""

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_restarts(BUILDER, X, Y, restarts=2, callback=interrupt)


def test_starts_stand_under_the_scope_that_sent_them(tmp_path):
    """In a recording each fit in a worker hangs under the sender's scope."""
    with record(tmp_path / "r"), scope("search"):
        fit_restarts(BUILDER, X, Y, restarts=3, epochs=1, n_jobs=2)
    assert paths(tmp_path / "r").count("search/fit") == 3


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"restarts": 0}, "restarts is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"backend": "gpu"}, "unknown backend 'gpu'"),
        ({"epoch": 3}, "epoch is no option"),
        ({"checkpoint": "x"}, "checkpoint is for one fit"),
        ({"epochs": 0}, "epochs is 0"),
        ({"progress": 3}, "progress is 3"),
        ({"n_jobs": 2, "optimizer": LevenbergMarquardt(jacobian="columns", n_jobs=2)}, "no cores for both"),
    ],
)
def test_bad_input_is_one_clear_error(options, names):
    """The error names the value that cannot be used."""
    with pytest.raises(InvalidInputError, match=names):
        fit_restarts(BUILDER, X, Y, **options)


@pytest.mark.parametrize("build", [None, 3, lambda seed: seed])
def test_what_builds_no_network_is_refused(build):
    """`build` is a builder, or returns a Sequential."""
    with pytest.raises(InvalidInputError, match="Sequential"):
        fit_restarts(build, X, Y)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_constant_columns_are_said_once_for_all_starts(backend, capfd):
    """One warning here, and nothing from the workers."""
    x = np.column_stack([X.ravel(), np.ones(X.size)])
    builder = Sequential.builder(2).dense(3, "tanh").dense(1, "linear")
    with pytest.warns(UserWarning, match=r"x column 1 \(1\)") as said:
        fit_restarts(builder, x, Y, restarts=4, epochs=2, n_jobs=2, backend=backend)
    assert len([one for one in said if "constant" in str(one.message)]) == 1
    assert "constant" not in capfd.readouterr().err
