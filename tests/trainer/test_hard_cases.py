"""Problems that are badly posed, and data that are unkind: the fit converges, or ends by name."""

import numpy as np
import pytest

from tests.trainer.trainer_reference import reference_network
from workbench.trainer import LevenbergMarquardt, Sequential, StopReason

STRATEGIES = ["backprop", "dual"]


def network(seed=1, inputs=1, units=12, outputs=1):
    return Sequential.builder(inputs).dense(units, "tanh").dense(outputs, "linear").build(seed=seed)


def fit(model, x, y, epochs=150, **options):
    return model.fit(x, y, optimizer=LevenbergMarquardt(**options), epochs=epochs, validation=0, test=0)


@pytest.mark.parametrize("jacobian", STRATEGIES)
def test_more_parameters_than_rows(jacobian):
    """681 parameters go through 25 points, by the normal equations (whose matrix is singular) and by their dual."""
    x = np.linspace(0.0, 1.0, 25)
    history = fit(reference_network(), x, np.sin(9 * x), epochs=40, jacobian=jacobian)
    assert history.train_mse[-1] < 1e-12


def test_duplicate_rows():
    """A repeated row counts as often as it is there, and does no harm."""
    x = np.repeat(np.linspace(-1.0, 1.0, 8), 30)
    history = fit(network(), x, np.sin(3 * x))
    assert history.train_mse[-1] < 1e-10


def test_contradicting_duplicates():
    """Of rows that contradict each other the mean is fitted: what remains is their spread."""
    x = np.repeat(np.linspace(-1.0, 1.0, 8), 2)
    y = np.sin(3 * x) + np.tile([0.1, -0.1], 8)
    model = network()
    fit(model, x, y)
    assert np.abs(model.predict(x)[:, 0] - np.sin(3 * x)).max() < 1e-3


@pytest.mark.parametrize("scaling", ["identity", "more"])
@pytest.mark.parametrize("damping", [1e-3, 1e-12])
def test_dead_and_saturated_units(scaling, damping):
    """Columns of the Jacobian that are zero, and equal ones, make JᵀJ singular: the fit continues without them."""
    model = network()
    (weights, bias, _), (out, _, _) = model.architecture.layer_views(model.parameters)
    weights[0], bias[0] = 0.0, 1e6  # saturated: its slope is zero for every row
    weights[1], bias[1], out[0, 1] = weights[2], bias[2], out[0, 2]  # twins: equal columns
    out[0, 3] = 0.0  # dead: no row of its weights matters
    x = np.linspace(-1.0, 1.0, 100)
    history = fit(model, x, np.sin(4 * x), scaling=scaling, damping=damping)
    assert history.train_mse[-1] < 1e-5
    assert np.isfinite(model.parameters).all()


def test_dead_relu_network_ends_by_name():
    """Where no unit is active the gradient is small, and that is what the fit says."""
    model = Sequential.builder(1).dense(4, "relu").dense(1, "linear").build(seed=0)
    (weights, bias, _), (_, out_bias, _) = model.architecture.layer_views(model.parameters)
    weights[...], bias[...], out_bias[...] = 0.0, -1.0, 0.0
    x = np.linspace(-1.0, 1.0, 50)
    history = fit(model, x, x**3)  # its mean is zero, so the output's bias is where it should be
    assert history.stop_reason is StopReason.GRADIENT_SMALL


def test_targets_of_wildly_different_scale():
    """A target of 1e12 and one of 1e-12 beside it are fitted to the same relative error."""
    x = np.linspace(-1.0, 1.0, 150)
    y = np.column_stack([1e12 * np.sin(3 * x), 1e-12 * np.cos(2 * x), 5.0 + 1e-6 * x**2])
    model = network(outputs=3)
    fit(model, x, y)
    relative = np.abs(model.predict(x) - y).max(axis=0) / np.ptp(y, axis=0)
    assert (relative < 0.01).all()


@pytest.mark.parametrize("jacobian", STRATEGIES)
def test_targets_already_fitted(jacobian):
    """A network that is asked for its own predictions ends at once with a small gradient."""
    model = network()
    x = np.linspace(-1.0, 1.0, 30)
    fit(model, x, np.sin(3 * x), epochs=5)
    again = Sequential(model.architecture, model.parameters.copy())
    target = again.predict(2.0 * (x - x.min()) / np.ptp(x) - 1.0)[:, 0]
    low, high = target.min(), target.max()
    out_weights, out_bias, _ = again.architecture.layer_views(again.parameters)[-1]
    out_weights *= 2.0 / (high - low)  # now it predicts its own targets in the units of the fit
    out_bias[...] = 2.0 * (out_bias - low) / (high - low) - 1.0
    before = again.parameters.copy()
    history = fit(again, x, target, jacobian=jacobian)
    assert history.stop_reason is StopReason.GRADIENT_SMALL
    assert history.train_mse[-1] < 1e-28
    np.testing.assert_array_equal(again.parameters, before)


def test_a_single_pair_of_rows():
    """Two rows are the least that can be scaled, and they are fitted."""
    history = fit(network(), [0.0, 1.0], [3.0, -2.0], epochs=50)
    assert history.train_mse[-1] < 1e-14
