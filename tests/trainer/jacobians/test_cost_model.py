"""The cost model: its counts are what happens, and its choice follows from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.trainer_reference import architecture, jacobian, reference_network, small_network
from workbench.trainer import SGD, LevenbergMarquardt, kernels
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.cost_model import choose, cost, passes
from workbench.trainer.jacobians.jacobian import WHOLE
from workbench.trainer.steps.dual import DualSystem
from workbench.trainer.steps.open_system import choose_strategy

REFERENCE = architecture(1, (20, "tanh"), (20, "tanh"), (10, "tanh"), (1, "linear"))
SHAPES = [
    REFERENCE,
    architecture(3, (4, "tanh"), (2, "tanh")),
    architecture(2, (3, "tanh")),
    architecture(2, (5, "tanh"), (4, "linear"), (3, "tanh"), (2, "linear")),
]


@pytest.fixture
def evaluated(monkeypatch):
    """A list of the number of values in each call of the exact kernel."""
    sizes = []
    original = kernels.kernel("exact")

    def counting(z, out=None):
        sizes.append(z.size)
        return original(z, out=out)

    monkeypatch.setitem(kernels._KERNELS, "exact", counting)
    return sizes


@pytest.mark.parametrize("network", SHAPES, ids=lambda network: str(network.sizes))
@pytest.mark.parametrize("strategy", WHOLE)
def test_activations_are_counted_right(evaluated, strategy, network):
    """Each strategy evaluates tanh exactly as often as the model says."""
    x = np.random.default_rng(0).uniform(-1, 1, (network.inputs, 7))
    jacobian(network, np.ones(network.parameters) / 3, x, strategy)
    assert sum(evaluated) == cost(network, 7, strategy).activations


def test_the_duals_activations_are_counted_right(evaluated):
    """Linearising makes one forward pass, which the trial has made already."""
    problem = TrainingProblem(REFERENCE, np.linspace(-1, 1, 9)[np.newaxis], np.zeros((1, 9)))
    system = DualSystem(problem, "exact", "exact", 0.0)
    parameters = reference_network().parameters
    system.evaluate(parameters)
    system.form(parameters)
    assert sum(evaluated) == cost(REFERENCE, 9, "dual").activations


@pytest.mark.parametrize(
    ("strategy", "gigaflops", "million_tanh", "passes_of"),
    [
        ("columns", 0.895, 34.10, 682),
        ("columns-cached", 0.671, 16.75, 342),
        ("columns-rank-one", 0.041, 6.12, 134),
        ("backprop", 0.0034, 0.05, 1),
    ],
)
def test_the_reference_network(strategy, gigaflops, million_tanh, passes_of):
    """The counts of 1000 rows and 681 parameters, worked out by hand."""
    counted = cost(REFERENCE, 1000, strategy)
    assert counted.jacobian_flops / 1e9 == pytest.approx(gigaflops, rel=0.02)
    assert counted.activations / 1e6 == pytest.approx(million_tanh)
    assert counted.matrix_flops / 1e9 == pytest.approx(0.465, rel=1e-3)
    assert counted.factor_flops / 1e9 == pytest.approx(0.105, rel=1e-2)
    assert counted.flops == counted.jacobian_flops + counted.matrix_flops + counted.factor_flops
    assert passes(REFERENCE, strategy) == passes_of


def test_bytes_are_those_of_the_arrays():
    """What is moved at least is each array once: rows and J, J and a triangle of JᵀJ; the dual has K, and no J."""
    counted = cost(REFERENCE, 1000, "backprop")
    assert counted.jacobian_bytes == 8 * (1000 * 1 + 1000 * 681)
    assert counted.matrix_bytes == 8 * 1000 * 681 + 8 * 681**2 / 2
    counted = cost(REFERENCE, 100, "dual")
    units, inputs = 20 + 20 + 10 + 1, 1 + 20 + 20 + 10
    assert counted.jacobian_bytes == 8 * 100 * (1 + units)
    assert counted.matrix_bytes == 8 * 100 * (units + inputs) + 8 * 100**2 / 2


def test_histories_count_partial_passes():
    """A Jacobian of rank-one columns counts as the passes that it is worth."""
    model = small_network()
    x = np.linspace(-1, 1, 10)
    optimizer = LevenbergMarquardt(jacobian="columns-rank-one")
    history = model.fit(x, x**2, optimizer=optimizer, epochs=1, validation=0, test=0)
    assert history.forward_passes[0] == 1 + passes(model.architecture, "columns-rank-one") + history.trials[0]


def test_few_residuals_take_the_dual():
    """The reason is one sentence with its numbers."""
    chosen = choose(REFERENCE, 40)
    assert chosen.strategy == "dual"
    assert chosen.reason == "40 residuals are fewer than 681 parameters, 0.00062 instead of 0.12 Gflop a step"
    assert set(chosen.costs) == {"backprop", "dual"}


def test_many_residuals_take_backprop_and_too_many_chunks():
    """A Jacobian over the memory allowed is made in chunks; both reasons say the sizes."""
    chosen = choose(REFERENCE, 1000)
    assert chosen.strategy == "backprop"
    assert chosen.reason == (
        "1000 residuals are not fewer than 681 parameters, and the Jacobian's 5.45 MB fit into memory: "
        "0.57 Gflop a step"
    )
    assert choose(REFERENCE, 1000, memory_bytes=5_448_000).strategy == "backprop"
    chunked = choose(REFERENCE, 1000, memory_bytes=5_447_999)
    assert chunked.strategy == "backprop-chunked"
    assert "1000 residuals by 681 parameters would take 5 MB, more than 5 MB" in chunked.reason
    assert choose(REFERENCE, 1_000_000).strategy == "backprop-chunked"


def test_scaling_rules_the_dual_out():
    """Moré's scaling takes the normal equations, and the reason says so."""
    chosen = choose(REFERENCE, 40, scaled=True)
    assert chosen.strategy == "backprop"
    assert "the dual cannot scale" in chosen.reason
    options = LevenbergMarquardt(scaling="more")
    assert choose_strategy(options, REFERENCE, 40).strategy == "backprop"


def test_a_dual_of_long_sums_is_not_chosen_where_it_costs_more():
    """A wide single layer has many units for its parameters: just under P residuals the dual does not pay."""
    wide = architecture(1, (1000, "tanh"), (1, "linear"))
    assert choose(wide, wide.parameters // 10).strategy == "dual"
    chosen = choose(wide, wide.parameters - 1)
    assert chosen.strategy == "backprop"
    assert "short products" in chosen.reason


@given(
    inputs=st.integers(1, 5),
    units=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    rows=st.integers(1, 3000),
)
def test_the_choice_takes_least(inputs, units, rows):
    """For any shape: never the dual with more residuals than parameters, never more flops than the other."""
    network = architecture(inputs, *((width, "tanh") for width in units))
    chosen = choose(network, rows)
    taken = chosen.costs[chosen.strategy]
    if chosen.strategy == "dual":
        assert rows * network.outputs < network.parameters
        assert taken.flops < chosen.costs["backprop"].flops
    elif chosen.strategy == "backprop":
        assert taken.memory_bytes <= 256 * 2**20 + 16 * network.parameters**2
    assert chosen == choose(network, rows)


@given(units=st.lists(st.integers(1, 30), min_size=1, max_size=4), outputs=st.integers(1, 5))
def test_each_strategy_takes_no_more_than_the_one_before(units, outputs):
    """Of the whole Jacobians, each in turn evaluates no more activations than the plainer one."""
    network = architecture(2, *((width, "tanh") for width in units), (outputs, "sigmoid"))
    counts = [cost(network, 10, strategy).activations for strategy in WHOLE]
    assert counts == sorted(counts, reverse=True)


def test_histories_say_what_was_chosen_and_why():
    """`auto`'s choice and reason are in the history and its JSON; first-order optimisers have none."""
    x = np.linspace(-1, 1, 10)
    history = reference_network().fit(x, x**2, epochs=1, validation=0, test=0)
    assert history.jacobian["strategy"] == "dual"
    assert history.jacobian["reason"].startswith("10 residuals are fewer than 681 parameters")
    assert history.to_dict()["jacobian"] == history.jacobian
    plain = small_network().fit(x, x**2, optimizer=SGD(), epochs=1, validation=0, test=0)
    assert plain.jacobian == {}
