"""The derivatives' passes in C give what NumPy's versions give, at every level, and refuse what they cannot take."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.trainer_reference import architecture, reference_data, reference_network, small_network
from workbench.trainer import Adam, LevenbergMarquardt
from workbench.trainer.jacobians.backprop import Backprop, loss_gradient
from workbench.trainer.jacobians.second_derivative import SecondDerivative
from workbench.trainer.network import passes
from workbench.trainer.network.forward import ForwardPass


def test_the_extension_is_tested():
    """Where CI=true it is there: no test passes because the compiler was missing."""
    if os.environ.get("CI") == "true":
        assert passes._EXTENSION is not None


_passes = pytest.importorskip("workbench.trainer.network._passes", reason="no compiled extension")


@pytest.fixture(params=_passes.levels)
def level(request):
    """Take one instruction set's loops."""
    _passes.use_level(request.param)
    yield request.param
    _passes.use_level(_passes.levels[-1])


def both_ways(work):
    """Return what `work` returns with the extension, and without it."""
    compiled = work()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passes, "_EXTENSION", None)
        passes.compiled_passes.cache_clear()
        composed = work()
    passes.compiled_passes.cache_clear()
    return compiled, composed


def derivatives(network, x, parameters, direction, seed):
    """Return J, Jᵀ·seed by both of its ways, and r″."""
    forward = ForwardPass(network, x.shape[1], "exact")
    forward(network.layer_views(parameters), x)
    strategy = Backprop(network, x, "exact", spare=1)
    strategy.columns[...] = 7.0
    J = strategy.after(forward, parameters).copy()
    assert (strategy.columns[:, -1] == 7.0).all()  # what is not J's is left alone
    products = strategy.times_transposed(seed), loss_gradient(forward, network, parameters, x, seed)
    second = SecondDerivative(network, x.shape[1])(forward, parameters, direction, x)
    return J, *products, second.copy()


ACTIVATIONS = st.sampled_from(["tanh", "sigmoid", "relu", "linear"])
NETWORKS = st.builds(
    lambda inputs, layers: architecture(inputs, *layers),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(1, 21), ACTIVATIONS), min_size=1, max_size=5),
)


@pytest.mark.usefixtures("level")
@settings(max_examples=25, deadline=None)
@given(NETWORKS, st.integers(1, 300), st.integers(0, 9), st.booleans())
def test_the_same_as_numpy_s(network, rows, seed, gaps):
    """J, its products and r″ of any network agree to rounding, for any rows, with gaps in x or without."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, network.inputs)).T if gaps else rng.uniform(-1, 1, (network.inputs, rows))
    given_ = (rng.normal(size=network.parameters), rng.normal(size=network.parameters))
    seeds = rng.normal(size=(network.outputs, rows))
    compiled, composed = both_ways(lambda: derivatives(network, x, *given_, seeds))
    for found, expected in zip(compiled, composed, strict=True):
        assert found.shape == expected.shape
        scale = np.abs(expected).max(initial=1e-300)
        # What is left of terms of the order of one where they cancel is rounding, however small the sum is.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale + 1e-14)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1000])
def test_edges_of_blocks(rows):
    """Whole blocks, and one column more or less, at one output and at three: where blocks end no value is lost."""
    for outputs in (1, 3):
        network = architecture(2, (5, "tanh"), (outputs, "sigmoid"))
        rng = np.random.default_rng(rows)
        arguments = rng.uniform(-1, 1, (2, rows)), *rng.normal(size=(2, network.parameters))
        seeds = rng.normal(size=(outputs, rows))
        compiled, composed = both_ways(lambda given=(network, *arguments, seeds): derivatives(*given))
        for found, expected in zip(compiled, composed, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("last", [[(3, "tanh")], []])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(bad, last):
    """A parameter that is not a number is seen in J, the product and r″ where NumPy's versions show it."""
    network = architecture(2, (4, "relu"), *last, (2, "linear"))
    rng = np.random.default_rng(0)
    parameters, direction = rng.normal(size=(2, network.parameters))
    parameters[3] = bad
    x, seeds = rng.uniform(0.1, 1, (2, 9)), rng.normal(size=(2, 9))
    with np.errstate(all="ignore"):
        compiled, composed = both_ways(lambda: derivatives(network, x, parameters, direction, seeds))
    for found, expected in zip(compiled, composed, strict=True):
        np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))


def test_threads_do_not_meet():
    """Threads that work at once give the bits that one gives: each has its own room."""
    network = architecture(1, (20, "tanh"), (20, "tanh"), (1, "linear"))
    rng = np.random.default_rng(0)
    tasks = [
        (rng.uniform(-1, 1, (1, 700)), *rng.normal(size=(2, network.parameters)), rng.normal(size=(1, 700)))
        for _ in range(4)
    ]

    def bits(task):
        return [b"".join(part.tobytes() for part in derivatives(network, *task)) for _ in range(20)]

    expected = [bits(task)[:1] * 20 for task in tasks]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(bits, tasks)) == expected


def test_wide_and_deep_networks_are_numpy_s():
    """Layers too wide for small products, and more of them than the passes take, go the other way."""
    assert passes.compiled_passes(architecture(1, (96, "tanh"), (1, "linear"))) is not None
    assert passes.compiled_passes(architecture(1, (97, "tanh"), (1, "linear"))) is None
    assert passes.compiled_passes(architecture(97, (2, "tanh"))) is None
    most = _passes.MAX_LAYERS
    assert passes.compiled_passes(architecture(1, *[(1, "linear")] * most)) is not None
    assert passes.compiled_passes(architecture(1, *[(1, "linear")] * (most + 1))) is None


def test_a_fit_without_the_extension_takes_the_same_course():
    """Without a compiler the errors of a fit's first epochs are the same to six digits."""
    x, y = reference_data()
    compiled, composed = both_ways(lambda: reference_network().fit(x, y, epochs=5, seed=0).train_mse)
    np.testing.assert_allclose(compiled, composed, rtol=1e-6)


def test_gradient_steps_without_the_extension_take_the_same_course():
    """So are those of a first-order fit in batches, whose rows have gaps."""
    x, y = reference_data()

    def errors():
        return small_network().fit(x, y, optimizer=Adam(batch_size=64), epochs=5, seed=0).train_mse

    compiled, composed = both_ways(errors)
    np.testing.assert_allclose(compiled, composed, rtol=1e-9)


@pytest.mark.parametrize("number", ["f4", ">f8"])
@pytest.mark.parametrize("optimizer", [LevenbergMarquardt(), LevenbergMarquardt(chunk_rows=100), Adam()])
def test_parameters_that_a_user_set_may_be_other_numbers(number, optimizer):
    """Single precision and the other byte order are taken as what they are worth, as NumPy's versions do."""
    x, y = reference_data()
    given_, same = small_network(), small_network()
    given_.parameters = given_.parameters.astype(number)
    same.parameters = given_.parameters.astype(np.float64)
    errors = [model.fit(x, y, optimizer=optimizer, epochs=3, seed=0).train_mse for model in (given_, same)]
    np.testing.assert_allclose(*errors, rtol=1e-9)


def arguments():
    """Return what `gradient` takes, by name."""
    return {
        "activations": b"\1\0",
        "values": (np.zeros((2, 8)), np.zeros((3, 8)), np.zeros((1, 8))),
        "parameters": np.zeros(13),
        "seed": np.zeros((1, 8)),
        "out": np.zeros(13),
        "room": np.zeros(3 * _passes.ROOM),
    }


READ_ONLY = np.zeros(13)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activations": b"\1\4"}, "activation 4"),
        ({"activations": b""}, "one array more than layers"),
        ({"values": (np.zeros((2, 8)), np.zeros((3, 8)))}, "one array more than layers"),
        ({"values": [np.zeros((2, 8)), np.zeros((3, 8)), np.zeros((1, 8))]}, "tuple"),
        ({"values": (np.zeros((2, 8)), np.zeros((3, 7)), np.zeros((1, 8)))}, r"values .* \(3, 8\)"),
        ({"values": (np.zeros((2, 8)), np.zeros((3, 8), int), np.zeros((1, 8)))}, r"values .* float64"),
        ({"values": (np.zeros((8, 2)).T, np.zeros((3, 8)), np.zeros((1, 8)))}, "without gaps"),
        ({"values": (np.zeros((2, 8)), np.zeros((0, 8)), np.zeros((1, 8)))}, r"\(units, rows\)"),
        ({"parameters": np.zeros(12)}, r"parameters .* \(13,\)"),
        ({"parameters": np.zeros(26)[::2]}, "without gaps"),
        ({"parameters": np.zeros(13, ">f8")}, "float64"),
        ({"seed": np.zeros((2, 8))}, r"seed .* \(1, 8\)"),
        ({"out": READ_ONLY}, "out"),
        ({"room": np.zeros(3 * _passes.ROOM - 1)}, "room"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    """Nothing is read or written beyond an array: shapes, types and gaps are looked at first."""
    given_ = arguments()
    _passes.gradient(*given_.values())
    with pytest.raises(ValueError, match=message):
        _passes.gradient(*(given_ | change).values())


def test_an_unknown_level_is_refused():
    """`levels` lists the levels that can be used."""
    with pytest.raises(ValueError, match="no level 'avx9' here"):
        _passes.use_level("avx9")
