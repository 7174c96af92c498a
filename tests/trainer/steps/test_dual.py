"""The dual system: the normal equations' answers from a matrix of residuals by residuals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.trainer_reference import architecture, jacobian
from workbench.errors import InvalidInputError
from workbench.trainer import LevenbergMarquardt, Sequential, kernels
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.steps.dual import DualSystem
from workbench.trainer.steps.open_system import open_system

WIDE = [("tanh", "linear"), ("sigmoid", "tanh"), ("relu", "linear"), ("tanh", "sigmoid")]


def both(network, rows, seed, l2=0.0, **options):
    """Give the dual and the normal system of one random problem, formed at one random point."""
    rng = np.random.default_rng(seed)
    x, target = rng.uniform(-1, 1, (network.inputs, rows)), rng.normal(size=(network.outputs, rows))
    problem = TrainingProblem(network, x, target)
    parameters = rng.normal(0.0, 0.7, network.parameters)
    systems = []
    for strategy in ("dual", "backprop"):
        with open_system(LevenbergMarquardt(jacobian=strategy, l2=l2, **options), problem) as system:
            system.squares = system.evaluate(parameters)
            system.form(parameters)
            systems.append(system)
    return systems


def close(value, expected, tolerance=1e-8):
    assert np.linalg.norm(value - expected) <= tolerance * np.linalg.norm(expected)


@settings(max_examples=40, deadline=None)
@given(
    outputs=st.integers(1, 3),
    rows=st.integers(1, 12),
    activations=st.sampled_from(WIDE),
    l2=st.sampled_from([0.0, 1e-3, 0.5]),
    seed=st.integers(0, 2**31),
)
def test_steps_are_those_of_the_normal_equations(outputs, rows, activations, l2, seed):
    """For any network with more parameters than residuals: error, gradient, step, its prediction, and its bend."""
    network = architecture(2, (12, activations[0]), (outputs, activations[1]))
    dual, normal = both(network, rows, seed, l2)
    assert dual.squares == pytest.approx(normal.squares, rel=1e-12)
    close(dual.gradient, normal.gradient)
    for damping in (1e-2, 10.0):
        step, expected = dual.solve(damping, None), normal.solve(damping, None)
        close(step.delta, expected.delta)
        assert step.predicted_reduction == pytest.approx(expected.predicted_reduction, rel=1e-8)
        close(dual.accelerate(step.delta), normal.accelerate(expected.delta))


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_deep_network_and_more_rows_than_a_panel(outputs):
    """Four layers, and a matrix that is made in several panels, give the same steps."""
    network = architecture(2, (15, "tanh"), (12, "sigmoid"), (9, "tanh"), (outputs, "linear"))
    dual, normal = both(network, 140 // outputs, 4, l2=0.1)
    close(dual.solve(0.1, None).delta, normal.solve(0.1, None).delta)
    assert dual.residuals > 2 * 64


@pytest.mark.parametrize("l2", [1e-4, 0.3])
def test_effective_parameters_are_the_same(l2):
    """γ of Bayesian regularisation agrees, also where the penalty is changed after forming."""
    network = architecture(1, (20, "tanh"), (2, "linear"))
    dual, normal = both(network, 8, 5, l2)
    assert dual.effective_parameters() == pytest.approx(normal.effective_parameters(), rel=1e-6)
    assert dual.effective_parameters() < 16
    for system in (dual, normal):
        system.weigh(2.0)
    assert dual.effective_parameters() == pytest.approx(normal.effective_parameters(), rel=1e-8)
    close(dual.solve(1.0, None).delta, normal.solve(1.0, None).delta)


def test_steps_with_more_residuals_than_parameters():
    """Asked for where it does not pay, the dual is right all the same."""
    dual, normal = both(architecture(1, (3, "tanh"), (1, "linear")), 30, 6, l2=0.01)
    close(dual.solve(0.1, None).delta, normal.solve(0.1, None).delta)
    assert dual.effective_parameters() == pytest.approx(normal.effective_parameters(), rel=1e-8)


@pytest.mark.parametrize("tanh", ["faster", "1e-4"])
def test_another_kernel_for_the_jacobian(tanh):
    """With an approximate kernel in the Jacobian alone, residuals stay exact and steps those of backprop."""
    network = architecture(1, (12, "tanh"), (1, "linear"))
    dual, normal = both(network, 9, 7, jacobian_tanh=tanh)
    exact, _ = both(network, 9, 7)
    assert dual.squares == exact.squares
    close(dual.solve(0.1, None).delta, normal.solve(0.1, None).delta)
    assert not np.allclose(dual.solve(0.1, None).delta, exact.solve(0.1, None).delta, rtol=1e-6)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("tanh", kernels.names())
def test_its_matrix_is_the_jacobian_times_its_transpose(outputs, tanh):
    """K = JJᵀ, formed without J, gives the step δ = −Jᵀ(K + μI)⁻¹r for every kernel."""
    network = architecture(2, (6, "tanh"), (5, "relu"), (outputs, "tanh"))
    rng = np.random.default_rng(8)
    x, parameters = rng.uniform(-1, 1, (2, 7)), rng.normal(size=network.parameters)
    problem = TrainingProblem(network, x, np.zeros((outputs, 7)))
    system = DualSystem(problem, tanh, tanh, 0.0)
    system.form(parameters)
    J, r = jacobian(network, parameters, x, tanh=tanh), flatten(problem.residuals(parameters, tanh))
    close(system.gradient, J.T @ r, 1e-12)
    for damping in (0.1, 10.0):
        expected = -J.T @ np.linalg.solve(J @ J.T + damping * np.eye(len(J)), r)
        close(system.solve(damping, None).delta, expected, 1e-9)


def test_a_matrix_that_cannot_be_factorised_is_a_rejected_trial():
    """Equal rows and damping under its rounding make the matrix singular: no step, and none of its remains."""
    network = architecture(1, (8, "tanh"), (1, "linear"))
    problem = TrainingProblem(network, np.ones((1, 6)), np.zeros((1, 6)))
    system = DualSystem(problem, "exact", "exact", 0.0)
    parameters = np.random.default_rng(1).normal(size=network.parameters)
    system.form(parameters)
    assert system.solve(1e-300, None) is None
    assert system.solve(1e-3, None) is not None


def test_values_that_are_not_finite_are_seen():
    """An infinite weight makes the system say so."""
    network = architecture(1, (3, "tanh"), (1, "linear"))
    problem = TrainingProblem(network, np.ones((1, 2)), np.zeros((1, 2)))
    system = DualSystem(problem, "exact", "exact", 0.0)
    parameters = np.ones(network.parameters)
    system.form(parameters)
    assert system.finite
    with np.errstate(invalid="ignore"):
        system.form(np.full(network.parameters, np.inf))
    assert not system.finite


@pytest.mark.parametrize(
    "options", [{}, {"geodesic": False, "rule": "marquardt"}, {"l2": 1e-4}, {"bayesian": True}]
)
def test_a_fit_of_few_rows_ends_where_the_normal_equations_do(options):
    """On 10 rows and 137 parameters `auto` takes the dual, and the fit has the same errors epoch by epoch."""
    x = np.linspace(-1.0, 1.0, 10)
    y = np.sin(3.0 * x)
    builder = Sequential.builder(inputs=1).dense(12, "tanh").dense(8, "tanh").dense(1, "linear")
    series = []
    for strategy in ("auto", "backprop"):
        model = builder.build(seed=3)
        optimizer = LevenbergMarquardt(jacobian=strategy, **options)
        history = model.fit(x, y, optimizer=optimizer, epochs=15, validation=0, test=0)
        series.append(history.train_mse)
        assert history.jacobian["strategy"] == {"auto": "dual"}.get(strategy, strategy)
    both = min(map(len, series))  # one may see an epoch earlier than the other that it is at the end
    np.testing.assert_allclose(series[0][:both], series[1][:both], rtol=1e-4, atol=1e-13)
    assert series[0][-1] == pytest.approx(series[1][-1], rel=1e-4, abs=1e-13)
    assert series[0][-1] < series[0][0]


def test_what_the_dual_cannot_do_is_said():
    """Moré's scaling, and more residuals than a matrix can be made for, are refused with the remedy."""
    with pytest.raises(
        InvalidInputError, match=r"scaling='more' with jacobian='dual'.*choose scaling='identity'"
    ):
        LevenbergMarquardt(jacobian="dual", scaling="more")
    network = architecture(1, (2, "tanh"), (1, "linear"))
    problem = TrainingProblem(network, np.zeros((1, 20_000)), np.zeros((1, 20_000)))
    with pytest.raises(InvalidInputError, match=r"20000 residuals.*choose jacobian='auto'"):
        DualSystem(problem, "exact", "exact", 0.0)
    dual, _ = both(network, 3, 1)
    with pytest.raises(InvalidInputError, match="scaling='more'"):
        dual.solve(0.1, np.ones(network.parameters))
    with pytest.raises(InvalidInputError, match="scaling='more'"):
        _ = dual.curvature
