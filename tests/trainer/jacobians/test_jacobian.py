"""The analytic Jacobian against the complex step, and the conventions of sign, order and shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.trainer_reference import (
    architecture,
    complex_forward,
    complex_step,
    draw,
    jacobian,
    layers_of,
)
from workbench.trainer import kernels
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.backprop import loss_gradient
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.network.forward import ForwardPass, predict

layers = layers_of("tanh", "sigmoid", "linear")


def relative_error(J, expected):
    return np.abs(J - expected).max() / max(np.abs(expected).max(), 1e-300)


@settings(max_examples=60, deadline=None)
@given(inputs=st.integers(1, 4), layers=layers, rows=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_backprop_is_the_derivative(inputs, layers, rows, seed):
    """For any shape and analytic activation, backprop is within 1e-12 of the complex step."""
    network = architecture(inputs, *layers)
    parameters, x = draw(network, rows, seed)
    J = jacobian(network, parameters, x)
    assert J.shape == (rows * network.outputs, network.parameters)
    assert J.flags.f_contiguous
    assert relative_error(J, complex_step(network, parameters, x)) < 1e-12


@pytest.mark.parametrize("strategy", ["columns", "columns-cached", "columns-rank-one"])
@settings(max_examples=25, deadline=None)
@given(inputs=st.integers(1, 4), layers=layers, rows=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_columns_approach_the_derivative(strategy, inputs, layers, rows, seed):
    """For any shape, forward differences of the exact kernel are within 1e-6, by each of their strategies."""
    network = architecture(inputs, *layers)
    parameters, x = draw(network, rows, seed)
    J = jacobian(network, parameters, x, strategy)
    expected = complex_step(network, parameters, x)
    assert J.shape == expected.shape
    assert J.flags.f_contiguous
    assert np.abs(J - expected).max() < 1e-6 * max(1.0, np.abs(expected).max())


def test_rows_are_sample_major_and_columns_weights_before_biases():
    """A linear layer of two outputs has a Jacobian that can be written down."""
    network = architecture(1, (2, "linear"))
    J = jacobian(network, np.zeros(4), np.array([[3.0, 5.0]]))
    assert J.tolist() == [[3, 0, 1, 0], [0, 3, 0, 1], [5, 0, 1, 0], [0, 5, 0, 1]]


def test_sign_and_order_match_the_residuals():
    """J is the change of the flattened residuals, prediction − target, along any direction."""
    network = architecture(2, (5, "tanh"), (3, "sigmoid"))
    parameters, x = draw(network, 6, 1)
    problem = TrainingProblem(network, x, np.zeros((3, 6)))
    direction = np.random.default_rng(2).normal(size=network.parameters)
    h = 1e-6
    ahead = flatten(problem.residuals(parameters + h * direction, "exact"))
    behind = flatten(problem.residuals(parameters - h * direction, "exact"))
    np.testing.assert_allclose(
        jacobian(network, parameters, x) @ direction, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("tanh", kernels.names())
def test_approximate_kernels_use_their_own_value_in_the_slope(tanh):
    """The slope at a tanh layer is 1 − t² with the kernel's own t, and relu's is 1 where it is positive."""
    network = architecture(1, (4, "tanh"), (3, "relu"), (1, "linear"))
    parameters, x = draw(network, 8, 5)
    (W1, b1, _), (W2, b2, _), (W3, _, _) = network.layer_views(parameters)
    t = kernels.kernel(tanh)(W1 @ x + b1)
    positive = (W2 @ t + b2 > 0).astype(float)
    delta2 = W3.T * positive
    delta1 = (W2.T @ delta2) * (1.0 - t**2)
    expected = np.vstack([
        delta1 * x, delta1, (delta2[:, None] * t).reshape(-1, 8), delta2, positive * (W2 @ t + b2), np.ones((1, 8)),
    ]).T  # fmt: skip
    np.testing.assert_allclose(jacobian(network, parameters, x, tanh=tanh), expected, rtol=1e-12, atol=1e-14)


def test_gradient_is_the_jacobian_transposed_times_the_residuals():
    """What the first-order optimisers descend is Jᵀr of the same network."""
    network = architecture(2, (5, "tanh"), (4, "relu"), (2, "sigmoid"))
    parameters, x = draw(network, 7, 9)
    residuals = np.random.default_rng(1).normal(size=(2, 7))
    forward = ForwardPass(network, 7, "exact")
    forward(network.layer_views(parameters), x)
    gradient = loss_gradient(forward, network, parameters, x, residuals)
    expected = jacobian(network, parameters, x).T @ flatten(residuals)
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)


def test_forward_pass_matches_its_definition():
    """Predictions agree with an independent forward pass."""
    network = architecture(3, (5, "tanh"), (4, "sigmoid"), (2, "linear"))
    parameters, x = draw(network, 7, 4)
    expected = complex_forward(network, parameters.astype(complex), x).real
    np.testing.assert_allclose(predict(network, parameters, x, "exact"), expected, rtol=1e-13)
