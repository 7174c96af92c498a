"""The parts of a step by name: damping rules, scaling, geodesic acceleration, Bayesian regularisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.trainer_reference import (
    architecture,
    complex_forward,
    jacobian,
    reference_data,
    small_network,
    small_problem,
)
from workbench.trainer import LevenbergMarquardt, Sequential, problem
from workbench.trainer.damping import Damping, damping_rule
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.jacobians.second_derivative import SecondDerivative
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.steps.levenberg_marquardt import corrected
from workbench.trainer.steps.open_system import open_system


def test_damping_rules():
    """marquardt: ×10, ÷10; delayed: ×2, ÷5; nielsen: its cubic, and the growth doubles with each rejection."""
    marquardt, delayed, nielsen = map(damping_rule, ("marquardt", "delayed", "nielsen"))
    assert marquardt.rejected(Damping(1.0)).value == 10.0
    assert marquardt.accepted(Damping(1.0), 0.5).value == 0.1
    assert (delayed.rejected(Damping(1.0)).value, delayed.accepted(Damping(1.0), 0.5).value) == (2.0, 0.2)
    rejected = nielsen.rejected(nielsen.rejected(Damping(1.0)))
    assert (rejected.value, rejected.growth) == (8.0, 8.0)
    assert nielsen.accepted(rejected, 0.5) == Damping(8.0, 2.0)
    assert nielsen.accepted(Damping(3.0), 1e200).value == 1.0
    assert nielsen.accepted(Damping(1.0), 0.0).value == 2.0


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_gradient_is_that_of_the_regularised_objective(l2):
    """The gradient that is solved for is the derivative of ½‖r‖² + ½·l2·‖w‖²."""
    _, given_problem, parameters = small_problem()
    h = 1e-6
    with open_system(LevenbergMarquardt(l2=l2, jacobian="backprop"), given_problem) as system:

        def objective(w):
            return 0.5 * (system.evaluate(w) + l2 * w @ w)

        numeric = [
            (objective(parameters + h * e) - objective(parameters - h * e)) / (2 * h)
            for e in np.eye(parameters.size)
        ]
        system.form(parameters)
        np.testing.assert_allclose(system.gradient, numeric, rtol=1e-6, atol=1e-7)


shapes = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(["tanh", "sigmoid", "linear"])), min_size=1, max_size=4
)


@settings(max_examples=40, deadline=None)
@given(inputs=st.integers(1, 3), layers=shapes, seed=st.integers(0, 2**31))
def test_second_derivative_along_a_direction(inputs, layers, seed):
    """For any shape, r″ along v is the derivative by s of the complex step's first derivative at w + s·v."""
    network = architecture(inputs, *layers)
    rng = np.random.default_rng(seed)
    w, v = rng.normal(0.0, 0.7, (2, network.parameters))
    x = rng.uniform(-1.0, 1.0, (inputs, 5))
    forward = ForwardPass(network, 5, "exact")
    forward(network.layer_views(w), x)
    found = SecondDerivative(network, 5)(forward, w, v, x)

    def first(s):
        return complex_forward(network, w + s * v + 1e-20j * v, x.astype(complex)).imag / 1e-20

    h = 1e-5
    numeric = (first(h) - first(-h)) / (2 * h)
    np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(numeric).max()))


def test_relu_bends_nowhere():
    """A network of relu is linear along short ways: its second derivative there is that of its layers' products."""
    network = architecture(1, (3, "relu"), (1, "linear"))
    rng = np.random.default_rng(4)
    w, v = rng.normal(size=(2, network.parameters))
    x = rng.uniform(-1.0, 1.0, (1, 6))
    forward = ForwardPass(network, 6, "exact")

    def outputs(s):
        return forward(network.layer_views(w + s * v), x).copy()

    numeric = (outputs(1e-4) - 2 * outputs(0.0) + outputs(-1e-4)) / 1e-8
    outputs(0.0)
    found = SecondDerivative(network, 6)(forward, w, v, x)
    np.testing.assert_allclose(found, numeric, atol=1e-5)


def test_acceleration_solves_with_the_step_s_own_matrix():
    """A = −(H + μI)⁻¹ Jᵀr″."""
    network, given_problem, parameters = small_problem()
    J = jacobian(network, parameters, given_problem.x)
    with open_system(LevenbergMarquardt(jacobian="backprop"), given_problem) as system:
        system.form(parameters)
        delta = system.solve(0.3, None).delta
        found = system.accelerate(delta)
    forward = ForwardPass(network, given_problem.x.shape[1], "exact")
    forward(network.layer_views(parameters), given_problem.x)
    second = SecondDerivative(network, given_problem.x.shape[1])(forward, parameters, delta, given_problem.x)
    right = J.T @ flatten(second)
    np.testing.assert_allclose((J.T @ J + 0.3 * np.eye(delta.size)) @ found, -right, rtol=1e-8, atol=1e-10)


def test_a_step_is_bent_only_while_the_acceleration_is_small():
    """V + ½a up to ‖a‖ = 0.75·‖v‖, and v alone beyond, or where a is not finite."""
    v = np.array([3.0, 4.0])
    np.testing.assert_array_equal(corrected(v, np.array([2.0, 0.0])), [4.0, 4.0])
    assert corrected(v, np.array([3.76, 0.0])) is v
    assert corrected(v, np.array([np.nan, 0.0])) is v


def test_geodesic_acceleration_needs_fewer_epochs():
    """From the same start the reference problem's narrow valleys are gone through in fewer epochs."""
    x, y = reference_data()
    epochs = [
        small_network(seed=1)
        .fit(
            x, y, optimizer=LevenbergMarquardt(geodesic=on), epochs=300, target_mse=2e-3, validation=0, test=0
        )
        .epochs
        for on in (False, True)
    ]
    assert epochs[1] < epochs[0] < 300


def test_more_s_scaling_makes_steps_independent_of_units():
    """With scaling="more" a parameter whose effect is thousandfold is damped thousandfold, squared."""
    network, given_problem, parameters = small_problem()
    stretch = np.linspace(1.0, 50.0, parameters.size)
    J = jacobian(network, parameters, given_problem.x)
    with open_system(LevenbergMarquardt(jacobian="backprop"), given_problem) as system:
        system.form(parameters)
        D, g = system.curvature.copy(), system.gradient.copy()
        plain = system.solve(0.5, D).delta
    # The same problem in other units: J·S⁻¹, so H → S⁻¹HS⁻¹ and D → S⁻²D; the step must be S·δ.
    H = J.T @ J / np.outer(stretch, stretch)
    other = np.linalg.solve(H + np.diag(0.5 * D / stretch**2), -g / stretch)
    np.testing.assert_allclose(other, stretch * plain, rtol=1e-7)


def noisy_fit(seed, **options):
    data = problem("noisy_sine", seed)
    model = Sequential.builder(1).dense(30, "tanh").dense(1, "linear").build(seed=seed)
    history = model.fit(
        data.x[:60], data.y[:60], optimizer=LevenbergMarquardt(**options), epochs=200, validation=0, test=0
    )
    grid = np.linspace(0.02, 0.98, 300).reshape(-1, 1)
    return model, history, float(np.mean((model.predict(grid) - data.truth(grid)) ** 2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bayesian_regularisation_does_not_follow_the_noise(seed):
    """91 parameters on 60 noisy rows: without it the fit goes through the noise, and with it not."""
    _, plain, plain_error = noisy_fit(seed)
    model, history, error = noisy_fit(seed, bayesian=True)
    noise = 0.05**2
    assert plain.train_mse[-1] < 0.1 * history.train_mse[-1]
    assert error < 0.5 * noise < plain_error
    effective = history.records[-1].effective_parameters
    assert 4 < effective < 25
    assert plain.records[-1].effective_parameters is None
    assert len(model.parameters) == 91
