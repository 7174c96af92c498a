"""The strategies that give a whole Jacobian: what they share, and what each promises beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.trainer_reference import (
    architecture,
    draw,
    jacobian,
    layers_of,
    reference_data,
    reference_network,
    small_network,
)
from workbench.errors import InvalidInputError
from workbench.trainer import LevenbergMarquardt, kernels
from workbench.trainer.arrays import aligned, unbuffered
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.backprop import Backprop
from workbench.trainer.jacobians.columns import DEFAULT_STEPS
from workbench.trainer.jacobians.jacobian import STRATEGIES, WHOLE, open_jacobian
from workbench.trainer.steps.system import AcceptedPoint

ANALYTIC = ["tanh", "sigmoid", "linear"]


@settings(max_examples=40, deadline=None)
@given(
    inputs=st.integers(1, 4),
    layers=layers_of("relu", *ANALYTIC),
    rows=st.integers(1, 9),
    tanh=st.sampled_from(kernels.names()),
    seed=st.integers(0, 2**31),
)
def test_cached_columns_have_the_bits_of_columns(inputs, layers, rows, tanh, seed):
    """What is not computed again would have been the same: for any network and kernel."""
    network = architecture(inputs, *layers)
    parameters, x = draw(network, rows, seed)
    plain, cached = (
        jacobian(network, parameters, x, name, tanh=tanh) for name in ("columns", "columns-cached")
    )
    assert cached.tobytes() == plain.tobytes()


def misaligned(values):
    """Return a copy that begins one byte after where a float64 should."""
    raw = np.empty(values.nbytes + 1, np.uint8)
    copy = np.ndarray(values.shape, values.dtype, buffer=raw, offset=1)
    copy[...] = values
    assert not copy.flags.aligned
    return copy


@pytest.mark.parametrize("strategy", WHOLE)
@pytest.mark.parametrize("layers", [[(6, "tanh"), (2, "linear")], [(100, "tanh"), (1, "sigmoid")]])
def test_misaligned_arrays_give_the_same_bits(strategy, layers):
    """Parameters and rows that arrived in a message may begin at any byte: no strategy minds, small or wide."""
    network = architecture(2, *layers)
    parameters, x = draw(network, 9, 1)
    J = jacobian(network, misaligned(parameters), misaligned(x), strategy)
    assert J.tobytes() == jacobian(network, parameters, x, strategy).tobytes()


@pytest.mark.parametrize("tanh", kernels.names())
@settings(max_examples=15, deadline=None)
@given(
    inputs=st.integers(1, 4),
    layers=layers_of("relu", *ANALYTIC),
    rows=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
def test_rank_one_columns_are_those_of_columns(tanh, inputs, layers, rows, seed):
    """For any network, kernel and activation both differ by the kernel's rounding divided by the step."""
    network = architecture(inputs, *layers)
    parameters, x = draw(network, rows, seed)
    plain, quick = (
        jacobian(network, parameters, x, name, tanh=tanh) for name in ("columns", "columns-rank-one")
    )
    assert np.abs(quick - plain).max() < ROUNDING[tanh] / DEFAULT_STEPS[tanh] * max(1.0, np.abs(plain).max())


ROUNDING = {
    "exact": 1e-14,
    "1e-12": 1e-14,
    "1e-7": 1e-14,
    "1e-4": 1e-6,
    "float32": 1e-6,
    "fast": 1e-4,  # its stairs
    "faster": 1e-4,
}
"""How far a value may jump when its argument changes in the last bit, times ten for the layers that follow."""


def test_rank_one_columns_in_blocks_and_groups(monkeypatch):
    """However rows are divided into blocks and a unit's weights into groups, the Jacobian is the same."""
    network = architecture(5, (4, "tanh"), (3, "sigmoid"), (2, "linear"))
    parameters, x = draw(network, 50, 3)
    whole = jacobian(network, parameters, x, "columns-rank-one")
    for rows, elements in [(50, 400), (50, 800), (7, 10_000), (16, 1), (50, 1_200)]:
        monkeypatch.setattr("workbench.trainer.jacobians.columns_rank_one.ROWS", rows)
        monkeypatch.setattr("workbench.trainer.jacobians.columns_rank_one.ELEMENTS", elements)
        divided = jacobian(network, parameters, x, "columns-rank-one")
        np.testing.assert_allclose(divided, whole, rtol=0, atol=1e-7)


@pytest.mark.parametrize("strategy", ["columns-cached", "columns-rank-one"])
def test_cheaper_columns_take_the_step_given(strategy):
    """The original's step of 1e-5 gives what `columns` gives with it."""
    model = reference_network()
    x = np.linspace(-1.0, 1.0, 20)[np.newaxis]
    plain, cheaper = (
        jacobian(model.architecture, model.parameters, x, name, step=1e-5) for name in ("columns", strategy)
    )
    np.testing.assert_allclose(cheaper, plain, rtol=0, atol=1e-9)
    assert np.abs(cheaper - jacobian(model.architecture, model.parameters, x, strategy)).max() > 1e-6


@pytest.mark.parametrize("strategy", WHOLE)
def test_parameters_changed_in_place_are_seen(strategy):
    """A caller who writes to the parameters and calls again gets the Jacobian there; no call writes to them."""
    network = architecture(2, (4, "tanh"), (2, "sigmoid"))
    parameters, x = draw(network, 6, 1)
    with open_jacobian(network, x, strategy) as compute:
        compute(parameters)
        parameters *= 0.5
        before = parameters.copy()
        again = compute(parameters).copy(order="K")
    assert parameters.tobytes() == before.tobytes()
    assert again.tobytes() == jacobian(network, before, x, strategy).tobytes()


def test_backprop_after_a_pass_that_was_made_already():
    """The pass of the point that was accepted serves the Jacobian too, with the same bits."""
    network = architecture(2, (5, "tanh"), (4, "relu"), (2, "sigmoid"))
    parameters, x = draw(network, 7, 9)
    accepted = AcceptedPoint(TrainingProblem(network, x, np.zeros((2, 7))), "exact")
    accepted.accept(parameters)
    accepted.evaluate(parameters + 1.0)  # a trial that is rejected
    J = Backprop(network, x, "exact").after(accepted.forward, parameters)
    assert J.tobytes() == jacobian(network, parameters, x).tobytes()


def test_ways_to_run_quickly_change_no_bit():
    """Arrays begin at a cache line; without NumPy's buffer a broadcast gives the same, and the buffer comes back."""
    for shape in [(3,), (2, 5), (7, 1, 3)]:
        array = aligned(*shape)
        assert (array.shape, array.dtype, array.flags.c_contiguous) == (shape, np.float64, True)
        assert array.ctypes.data % 64 == 0
    rng = np.random.default_rng(0)
    column, rows = rng.normal(size=(9, 1)), rng.normal(size=(9, 700))
    before = np.getbufsize()
    with unbuffered():
        assert np.getbufsize() < before
        product = column * rows
    assert np.getbufsize() == before
    assert product.tobytes() == np.vstack([c * row for c, row in zip(column, rows, strict=True)]).tobytes()


def test_accepted_points_keep_their_residuals_and_passes():
    """Trials after an accepted point change neither its residuals nor its activations."""
    network = architecture(1, (5, "tanh"), (2, "linear"))
    parameters, x = draw(network, 7, 2)
    problem = TrainingProblem(network, x, np.ones((2, 7)))
    accepted = AcceptedPoint(problem, "exact")
    expected = problem.residuals(parameters, "exact")
    assert accepted.evaluate(parameters) == pytest.approx(float(np.sum(expected**2)), rel=1e-14)
    accepted.accept(parameters)
    accepted.evaluate(parameters + 1.0)
    accepted.evaluate(parameters - 1.0)
    assert accepted.residuals.tobytes() == expected.tobytes()
    np.testing.assert_allclose(accepted.forward.activations[-1], expected + 1.0, rtol=1e-15)
    accepted.accept(parameters + 2.0)  # was not a trial
    np.testing.assert_array_equal(accepted.residuals, problem.residuals(parameters + 2.0, "exact"))


@pytest.mark.parametrize("strategy", ["columns-cached", "columns-rank-one"])
def test_fits_take_the_course_of_backprop(strategy):
    """The first epochs of a small fit go the same way by every strategy, up to its differences."""
    x, y = reference_data()
    errors = []
    for name in ("backprop", strategy):
        model = small_network()
        history = model.fit(x[::50], y[::50], optimizer=LevenbergMarquardt(jacobian=name), epochs=4, seed=1)
        assert history.jacobian == {"strategy": name, "reason": "asked for"}
        errors.append(history.train_mse)
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_options_that_mean_nothing_to_a_strategy_are_refused(strategy):
    """`n_jobs` is for columns and chunks, `chunk_rows` for chunks, `step` for differences; the remedy is named."""
    if strategy not in ("auto", "backprop-chunked"):
        with pytest.raises(
            InvalidInputError, match=r"chunk_rows=64 means nothing.*choose jacobian='backprop-chunked'"
        ):
            LevenbergMarquardt(jacobian=strategy, chunk_rows=64)
    if strategy not in ("columns", "backprop-chunked"):
        with pytest.raises(
            InvalidInputError, match=rf"n_jobs=2 means nothing to jacobian='{strategy}'.*leave n_jobs out"
        ):
            LevenbergMarquardt(jacobian=strategy, n_jobs=2)
    if not strategy.startswith("columns"):
        with pytest.raises(
            InvalidInputError, match=rf"step=0.001 means nothing to jacobian='{strategy}'.*'columns-cached'"
        ):
            LevenbergMarquardt(jacobian=strategy, step=1e-3)
    else:
        assert LevenbergMarquardt(jacobian=strategy, step=1e-3).step == 1e-3


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - set(WHOLE)))
def test_strategies_without_a_whole_jacobian_say_so(strategy):
    """A Jacobian is not to be had of them; the message names those that give one."""
    network = architecture(1, (1, "linear"))
    with (
        pytest.raises(
            InvalidInputError, match=f"'{strategy}' gives no whole Jacobian: choose one of columns"
        ),
        open_jacobian(network, np.zeros((1, 2)), strategy),
    ):
        pass
