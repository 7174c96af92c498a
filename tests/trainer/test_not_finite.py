"""Numbers that overflow: a fit ends by name, with finite weights and a history that is strict JSON."""

import json
import warnings

import numpy as np
import pytest

from tests.trainer.trainer_reference import small_network
from workbench.trainer import SGD, Adam, LevenbergMarquardt, Sequential, StopReason
from workbench.trainer.steps.first_order import FirstOrderRun
from workbench.trainer.steps.normal import WholeRows

OPTIMIZERS = [
    LevenbergMarquardt(),
    LevenbergMarquardt(jacobian="columns"),
    LevenbergMarquardt(bayesian=True),
    LevenbergMarquardt(scaling="more", rule="marquardt"),
    Adam(),
    Adam(batch_size=7),
    SGD(),
]
X = np.linspace(0.0, 1.0, 60)


@pytest.fixture(autouse=True)
def every_warning_is_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def network(activation, weights=1.0, layers=(5,)):
    builder = Sequential.builder(1)
    for units in layers:
        builder = builder.dense(units, activation)
    model = builder.dense(1, "linear").build(seed=0)
    model.parameters = model.parameters * weights
    return model


def by_name(optimizer):
    return repr(optimizer).partition("(")[0] + str(OPTIMIZERS.index(optimizer))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=by_name)
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_weights_whose_squares_overflow(optimizer, activation):
    """A fit that begins with an error that is no number ends "not finite" in its first epoch."""
    for layers in [(5,), (5, 5)]:
        model = network(activation, 1e200, layers)
        before = model.parameters.copy()
        history = model.fit(X, X, optimizer=optimizer, epochs=20)
        assert (history.stop_reason, history.epochs) == (StopReason.NOT_FINITE, 1)
        np.testing.assert_array_equal(model.parameters, before)
        json.dumps(history.to_dict(), allow_nan=False)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=by_name)
def test_data_of_any_size(optimizer):
    """Inputs and targets up to 1e150 are fitted as if they were small: only their range matters."""
    small, large = network("tanh"), network("tanh")
    small.fit(X, X**2, optimizer=optimizer, epochs=8)
    large.fit(1e150 * X, 1e150 * X**2, optimizer=optimizer, epochs=8)
    np.testing.assert_allclose(1e150 * small.predict(X), large.predict(1e150 * X), rtol=1e-5, atol=1e145)
    assert np.isfinite(large.evaluate(1e150 * X, 1e150 * X**2).scaled_mse)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=by_name)
@pytest.mark.parametrize("seed", range(3))
def test_an_outlier_is_held_out_or_not(optimizer, seed):
    """One input of 1e150 among small ones leaves finite weights, in whichever part it is."""
    x = X.copy()
    x[7] = 1e150
    model = network("relu")
    history = model.fit(x, X, optimizer=optimizer, epochs=10, seed=seed)
    assert np.isfinite(model.parameters).all()
    assert np.isfinite(model.predict(X)).all()
    json.dumps(history.to_dict(), allow_nan=False)


def test_a_jacobian_that_overflows():
    """Errors may be finite where their derivatives are not: the fit ends with the weights that it has."""
    model = Sequential.builder(1).dense(1, "relu").dense(1, "linear").build(seed=0)
    model.parameters = before = np.array([1e-170, 1e-170, 1e200, 0.0])
    history = model.fit(X, X, epochs=5)
    assert np.isfinite(history.initial_train_mse)
    assert (history.stop_reason, history.epochs) == (StopReason.NOT_FINITE, 1)
    assert history.train_mse == [history.initial_train_mse]
    np.testing.assert_array_equal(model.parameters, before)


@pytest.mark.parametrize("options", [{}, {"bayesian": True}, {"scaling": "more"}])
def test_levenberg_marquardt_in_the_middle(monkeypatch, tmp_path, options):
    """Where the linear system is no longer finite, the last accepted weights stay, also in the checkpoint."""
    accumulate, calls = WholeRows.accumulate, []

    def overflows(source, parameters, matrix, gradient):
        accumulate(source, parameters, matrix, gradient)
        calls.append(parameters)
        if len(calls) == 4:
            matrix[3, 3] = np.inf

    optimizer = LevenbergMarquardt(jacobian="backprop", **options)
    whole = small_network()
    three = whole.fit(X, np.sin(9.0 * X), optimizer=optimizer, epochs=3)
    monkeypatch.setattr(WholeRows, "accumulate", overflows)
    model = small_network()
    path = tmp_path / "fit.npz"
    history = model.fit(X, np.sin(9.0 * X), optimizer=optimizer, epochs=50, checkpoint=path)
    assert (history.stop_reason, history.epochs) == (StopReason.NOT_FINITE, 4)
    assert history.train_mse == [*three.train_mse, three.train_mse[-1]]
    assert model.parameters.tobytes() == whole.parameters.tobytes()
    again, resumed = Sequential.resume(path, X, np.sin(9.0 * X), epochs=90)
    assert resumed.to_dict() == history.to_dict()
    assert again.parameters.tobytes() == model.parameters.tobytes()


@pytest.mark.parametrize("patience", [None, 50])
@pytest.mark.parametrize("optimizer", [Adam(), SGD(batch_size=20)], ids=["Adam", "SGD"])
def test_first_order_in_the_middle(monkeypatch, tmp_path, optimizer, patience):
    """A gradient that is no number ends the fit, with the weights of the least error that there was."""
    gradient, calls = FirstOrderRun.gradient, []

    def overflows(run, parameters, rows):
        calls.append(rows)
        return gradient(run, parameters, rows) * (np.nan if len(calls) == 20 else 1.0)

    monkeypatch.setattr(FirstOrderRun, "gradient", overflows)
    model, path = small_network(), tmp_path / "fit.npz"
    options = {"optimizer": optimizer, "patience": patience, "validation": 0.3, "checkpoint": path}
    history = model.fit(X, X**2, epochs=500, **options)
    assert history.stop_reason is StopReason.NOT_FINITE
    assert 2 < history.epochs <= 20
    finite = history.train_mse[:-1]
    assert np.isfinite(finite).all()
    assert not np.isfinite(history.train_mse[-1])
    best = int(np.argmin(finite if patience is None else history.validation_mse[:-1])) + 1
    monkeypatch.undo()
    reference = small_network()
    reference.fit(X, X**2, epochs=best, optimizer=optimizer, validation=0.3)
    assert model.parameters.tobytes() == reference.parameters.tobytes()
    again, resumed = Sequential.resume(path, X, X**2, epochs=900)
    assert resumed.to_dict() == history.to_dict()
    assert again.parameters.tobytes() == model.parameters.tobytes()


def test_moments_that_overflow():
    """Adam whose squares are infinite would stand still for good: the fit ends with its best weights."""
    model = network("relu", 0.1, (5, 5))
    before = model.parameters.copy()
    history = model.fit(X, X**2, optimizer=Adam(learning_rate=1e50), epochs=500)
    assert (history.stop_reason, history.epochs) == (StopReason.NOT_FINITE, 2)
    assert np.isfinite(history.train_mse).all()
    np.testing.assert_array_equal(model.parameters, before)


def test_a_beginning_that_is_not_finite_can_be_left(monkeypatch):
    """First-order steps that lead from an infinite error to finite ones are kept when those end."""
    x = np.array([-1.0, 1.0] * 4)
    model = network("linear", 1.0, ())
    model.parameters = np.array([1e160, 0.0])
    # The first step is Newton's: it takes away the error up to its rounding.
    optimizer = SGD(learning_rate=1.0, momentum=0.0)
    gradient, calls = FirstOrderRun.gradient, []

    def overflows(run, parameters, rows):
        calls.append(rows)
        return gradient(run, parameters, rows) * (np.nan if len(calls) == 2 else 1.0)

    monkeypatch.setattr(FirstOrderRun, "gradient", overflows)
    history = model.fit(x, x, optimizer=optimizer, epochs=30, validation=0, test=0)
    assert (history.stop_reason, history.epochs) == (StopReason.NOT_FINITE, 2)
    assert history.initial_train_mse == np.inf
    assert model.evaluate(x, x).scaled_mse == pytest.approx(history.train_mse[0], rel=1e-9)
    assert np.isfinite(history.train_mse[0])
