"""The linear system of the damped step: normal equations, scaling, and its penalty."""

import numpy as np
import pytest

from tests.trainer.trainer_reference import jacobian, small_problem
from workbench.trainer import LevenbergMarquardt
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.steps.factor import ShiftedCholesky
from workbench.trainer.steps.open_system import open_system


def formed(system, parameters):
    system.evaluate(parameters)
    system.form(parameters)
    return system


def parts(problem, parameters, l2):
    J = jacobian(problem.architecture, parameters, problem.x)
    r = flatten(problem.residuals(parameters, "exact"))
    return J, J.T @ J + l2 * np.eye(parameters.size), J.T @ r + l2 * parameters


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_step_solves_the_damped_normal_equations(l2, scaled):
    """(JᵀJ + l2·I + μD) δ = −(Jᵀr + l2·w), and the predicted reduction is that of the quadratic model."""
    _, problem, parameters = small_problem()
    _, H, g = parts(problem, parameters, l2)
    D = np.linspace(0.1, 3.0, g.size) if scaled else None
    damping = 0.07
    with open_system(LevenbergMarquardt(l2=l2, jacobian="backprop"), problem) as system:
        step = formed(system, parameters).solve(damping, D)
        np.testing.assert_allclose(system.gradient, g, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(system.curvature, np.diag(H) - l2, rtol=1e-12)
    damped = H + damping * np.diag(np.ones(g.size) if D is None else D)
    np.testing.assert_allclose(damped @ step.delta, -g, rtol=1e-9, atol=1e-10)
    model = -(g @ step.delta + 0.5 * step.delta @ H @ step.delta)
    assert step.predicted_reduction == pytest.approx(model, rel=1e-9)


def test_objective_is_the_sum_of_squares():
    """What a trial is judged by is ‖r‖² of all outputs and rows, wherever it is evaluated."""
    _, problem, parameters = small_problem()
    expected = float(np.sum(problem.residuals(parameters, "exact") ** 2))
    with open_system(LevenbergMarquardt(), problem) as system:
        assert system.evaluate(parameters) == pytest.approx(expected, rel=1e-14)
        assert system.residuals == problem.target.size


def test_a_point_that_was_not_the_last_tried_is_evaluated_again():
    """After a rejected trial the system linearises at the given point, not at the trial."""
    _, problem, parameters = small_problem()
    _, _, g = parts(problem, parameters, 0.0)
    with open_system(LevenbergMarquardt(jacobian="backprop"), problem) as system:
        system.evaluate(parameters)
        system.evaluate(parameters + 1.0)
        system.form(parameters)
        np.testing.assert_allclose(system.gradient, g, rtol=1e-12)


def test_the_penalty_may_change_at_a_point():
    """A new l2 changes gradient and step as if the system had been formed with it."""
    _, problem, parameters = small_problem()
    steps = []
    for first, second in ((0.5, 0.5), (0.0, 0.5)):
        with open_system(LevenbergMarquardt(l2=first, jacobian="backprop"), problem) as system:
            formed(system, parameters).weigh(second)
            steps.append(system.solve(0.1, None).delta)
    np.testing.assert_array_equal(*steps)


def test_effective_parameters_are_those_that_the_data_determine():
    """γ = Σ λ/(λ + l2) over the eigenvalues of JᵀJ; and the point can be solved at afterwards."""
    _, problem, parameters = small_problem()
    J, H, g = parts(problem, parameters, 0.2)
    eigenvalues = np.linalg.eigvalsh(J.T @ J)
    with open_system(LevenbergMarquardt(l2=0.2, jacobian="backprop"), problem) as system:
        gamma = formed(system, parameters).effective_parameters()
        step = system.solve(0.1, None)
    assert gamma == pytest.approx(np.sum(eigenvalues / (eigenvalues + 0.2)), rel=1e-9)
    np.testing.assert_allclose((H + 0.1 * np.eye(g.size)) @ step.delta, -g, rtol=1e-9, atol=1e-10)


def test_failed_cholesky_is_no_step():
    """A matrix that is not positive definite gives no factor, and no exception; the next shift may."""
    gram = ShiftedCholesky(2)
    gram.matrix[...] = [[1.0, 1.0], [1.0, 1.0]]
    assert not gram.factorise(-0.5)
    assert gram.factorise(1e-3)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 200])
def test_factor_serves_any_size_and_shift(size):
    """Only the lower triangle counts; a shift may be a number or a diagonal; the matrix stays as it was."""
    rng = np.random.default_rng(size)
    A = rng.normal(size=(size + 3, size))
    G = A.T @ A
    gram = ShiftedCholesky(size)
    gram.matrix[...] = np.tril(G) + np.triu(rng.normal(size=(size, size)), 1)
    right = rng.normal(size=size)
    for shift in (0.5, rng.uniform(0.1, 2.0, size)):
        assert gram.factorise(shift)
        shifted = G + np.diag(np.broadcast_to(shift, size))
        np.testing.assert_allclose(shifted @ gram.solve(right), right, rtol=1e-7, atol=1e-9)
        assert gram.trace_of_inverse() == pytest.approx(np.trace(np.linalg.inv(shifted)), rel=1e-8)
