"""Levenberg-Marquardt: it converges on the reference problem, its step is right, and every stop is named."""

import itertools
import os
import signal
import threading

import numpy as np
import pytest

from tests.trainer.trainer_reference import (
    jacobian,
    reference_data,
    reference_network,
    small_network,
    small_problem,
)
from workbench.trainer import LevenbergMarquardt, StopReason
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.steps.levenberg_marquardt import LevenbergMarquardtRun
from workbench.trainer.steps.open_system import open_system


def fit(model=None, x=None, y=None, **options):
    reference = reference_data()
    model = small_network() if model is None else model
    return model, model.fit(reference[0] if x is None else x, reference[1] if y is None else y, **options)


@pytest.mark.proof
def test_converges_on_the_reference_problem():
    """With default options, every one of 5 starts from either kind of initial weights reaches 1e-8 in 100 epochs."""
    x, y = reference_data()
    for initial, seed in itertools.product(["nguyen-widrow", "xavier"], range(5)):
        history = reference_network(seed, initial).fit(x, y, epochs=100, target_mse=1e-8, seed=seed)
        assert history.stop_reason is StopReason.TARGET_REACHED


@pytest.mark.parametrize("geodesic", [False, True])
@pytest.mark.parametrize("scaling", ["identity", "more"])
@pytest.mark.parametrize("rule", ["marquardt", "nielsen", "delayed"])
def test_training_error_never_rises(rule, scaling, geodesic):
    """Only steps that lower the training objective are accepted, and validation has no say."""
    options = LevenbergMarquardt(rule=rule, scaling=scaling, geodesic=geodesic)
    _, history = fit(optimizer=options, epochs=25)
    series = [history.initial_train_mse, *history.train_mse]
    assert all(after < before for before, after in itertools.pairwise(series))
    assert all(ratio > 0 for ratio in history.gain_ratio)


def test_held_out_rows_do_not_steer():
    """Other targets in validation and test rows leave every step as it was."""
    from workbench.trainer import split_of

    x, y = reference_data()
    split = split_of(len(x), seed=5)
    spoiled = y.copy()
    spoiled[split.validation] = 7.0
    spoiled[split.test] = -7.0
    first, history = fit(x=x, y=y, epochs=5, seed=5)
    second, spoiled_history = fit(x=x, y=spoiled, epochs=5, seed=5)
    assert first.parameters.tobytes() == second.parameters.tobytes()
    assert history.train_mse == spoiled_history.train_mse
    assert history.validation_mse != spoiled_history.validation_mse


def test_regularisation_shrinks_the_weights():
    """l2 is applied and not only remembered: more of it ends at a smaller norm."""
    norms = [
        np.linalg.norm(fit(optimizer=LevenbergMarquardt(l2=l2), epochs=60)[0].parameters)
        for l2 in (0.0, 0.1, 10.0)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_normal_equations_are_formed_once_per_accepted_point():
    """Rejected trials cost a factorisation and a forward pass, and no Jacobian; that has the accepted trial's pass."""
    _, history = fit(reference_network(initial="xavier"), epochs=30)
    assert sum(history.trials) > history.epochs
    assert history.jacobians[-1] == history.epochs
    assert history.factorisations[-1] == sum(history.trials)
    assert history.forward_passes[-1] == 1 + sum(history.trials)


def test_target_is_honoured():
    """The fit ends at the first epoch at or below target_mse, and at once if it starts there."""
    model, history = fit(target_mse=1e-2, epochs=100)
    assert history.stop_reason is StopReason.TARGET_REACHED
    assert history.train_mse[-1] <= 1e-2 < min([history.initial_train_mse, *history.train_mse[:-1]])
    assert fit(model=model, target_mse=1e-2)[1].epochs == 0


def test_gradient_small():
    """At a stationary point there is no step; the epoch that found out is recorded without trials."""
    _, history = fit(optimizer=LevenbergMarquardt(min_gradient=1e6))
    assert history.stop_reason is StopReason.GRADIENT_SMALL
    assert (history.epochs, history.trials, history.gain_ratio) == (1, [0], [None])


def test_damping_exhausted():
    """When no trial is accepted up to damping_max the fit ends, with the last accepted weights."""
    x = np.linspace(-1.0, 1.0, 40)
    model = small_network()
    options = LevenbergMarquardt(
        jacobian="columns", tanh="faster", step=1e-12, damping_max=1.0, min_gradient=0.0
    )
    _, history = fit(model, x, np.sin(3 * x), optimizer=options, epochs=500)
    assert history.stop_reason is StopReason.DAMPING_EXHAUSTED
    assert history.gain_ratio[-1] is None
    assert model.evaluate(x, np.sin(3 * x)).scaled_mse < history.initial_train_mse * 2


def test_no_validation_progress_restores_the_best_weights():
    """With patience the fit ends that many epochs after the best validation error, and goes back to it."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 60)
    y = np.sin(3 * x) + rng.normal(0, 0.3, 60)
    model, history = fit(reference_network(), x, y, patience=4, epochs=200, seed=2)
    best = int(np.argmin(history.validation_mse))
    assert history.stop_reason is StopReason.NO_VALIDATION_PROGRESS
    assert history.epochs == best + 1 + 4
    again, _ = fit(reference_network(), x, y, epochs=best + 1, seed=2)
    assert model.parameters.tobytes() == again.parameters.tobytes()


def test_without_patience_the_last_accepted_weights_stay():
    """Validation decides nothing unless asked to."""
    x, y = reference_data()
    model, history = fit(epochs=7, seed=3)
    from workbench.trainer import split_of

    rows = split_of(len(x), seed=3).training
    assert model.evaluate(x[rows], y[rows]).scaled_mse == pytest.approx(history.train_mse[-1], rel=1e-9)


def test_interrupt_keeps_weights_and_history():
    """Ctrl-C ends the fit as "interrupted": model and history are as after the last completed epoch."""

    def interrupt(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    model, history = fit(callback=interrupt)
    same, _ = fit(epochs=3)
    assert history.stop_reason is StopReason.INTERRUPTED
    assert history.epochs == 3
    assert model.parameters.tobytes() == same.parameters.tobytes()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_real_interrupt_in_parallel_columns(backend):
    """A signal in the midst of a parallel Jacobian ends the fit in the same way, and a later fit works."""
    options = LevenbergMarquardt(jacobian="columns", n_jobs=2, backend=backend)
    sent = []

    def send_soon(progress):
        if not sent:
            timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
            sent.append(timer)
            timer.start()

    model, history = fit(reference_network(), optimizer=options, callback=send_soon, epochs=400)
    assert history.stop_reason is StopReason.INTERRUPTED
    assert 1 <= history.epochs < 400
    assert np.isfinite(model.parameters).all()
    assert fit(optimizer=options, epochs=2)[1].epochs == 2


def test_jacobian_kernel_is_chosen_apart():
    """jacobian_tanh follows tanh unless given; "forward only" keeps the exact Jacobian."""
    assert LevenbergMarquardt(tanh="faster").kernel_of_jacobian == "faster"
    forward_only = LevenbergMarquardt(tanh="faster", jacobian_tanh="exact")
    _, history = fit(optimizer=forward_only, epochs=2)
    assert {role: kernel["name"] for role, kernel in history.kernels.items()} == {
        "tanh": "faster",
        "jacobian_tanh": "exact",
    }
    network, problem, parameters = small_problem()
    with open_system(forward_only, problem) as system:
        norm = LevenbergMarquardtRun(forward_only, system, parameters).step().gradient_norm
    expected = jacobian(network, parameters, problem.x).T @ flatten(problem.residuals(parameters, "faster"))
    assert norm == pytest.approx(np.linalg.norm(expected), rel=1e-12)
