"""The tanh kernels: how far off they are, what they do at the edges, and that C and NumPy agree."""

import numpy as np
import pytest

from workbench.errors import InvalidInputError
from workbench.trainer import kernels
from workbench.trainer.kernels import _numpy_kernels

MAX_ERROR = {
    "exact": 1e-15,
    "fast": 3.1e-5,
    "faster": 2.0e-2,
    "float32": 8e-8,
    "1e-4": 6.8e-5,
    "1e-7": 2.5e-8,
    "1e-12": 1.8e-13,
}
UFUNC = {"fast": "fast", "faster": "faster", "1e-4": "tanh_1e4", "1e-7": "tanh_1e7", "1e-12": "tanh_1e12"}
COMPOSED = {name: getattr(_numpy_kernels, function) for name, function in UFUNC.items()}
compiled = pytest.mark.skipif(kernels.implementation("fast") != "compiled", reason="no compiled extension")


@pytest.mark.parametrize("name", kernels.names())
def test_error_is_as_documented(name):
    """On [-10, 10] each kernel's largest error is what the table says, and not far below either."""
    x = np.linspace(-10.0, 10.0, 400_001)
    error = np.abs(kernels.kernel(name)(x) - np.tanh(x)).max()
    assert error <= MAX_ERROR[name]
    assert name == "exact" or error > 0.8 * MAX_ERROR[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", kernels.names())
def test_edges(name, dtype):
    """NaN stays NaN; huge values give exactly -1 and +1, without a warning; zeros nearly zero."""
    with np.errstate(all="raise"):
        edges = kernels.kernel(name)(
            np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 44.5, -44.5, 0.0, -0.0], dtype)
        )
    assert edges.dtype == dtype
    assert np.isnan(edges[0])
    assert edges[1:7].tolist() == [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
    assert np.abs(edges[7:]).max() <= MAX_ERROR[name]


@pytest.mark.parametrize("name", ["fast", "faster", "float32", "1e-4"])
def test_doubles_beyond_float32(name):
    """A double that float32 cannot hold is no accident: -1, +1 or nearly 0, without a warning."""
    with np.errstate(all="raise"):
        values = kernels.kernel(name)(np.array([1e300, -1e300, 1e-300]))
    assert values[:2].tolist() == [1.0, -1.0]
    assert abs(values[2]) <= MAX_ERROR[name]


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["fast", "faster", "1e-4"])
def test_compiled_and_numpy_versions_have_the_same_bits(name, dtype):
    """With or without a compiler a fit takes the same course."""
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, 9.99999, 10.0, 10.00001]
    x = np.concatenate([np.linspace(-12.0, 12.0, 200_001), edges]).astype(dtype)
    np.testing.assert_array_equal(kernels.kernel(name)(x), COMPOSED[name](x))


@pytest.mark.parametrize("given", [3, True, [0.5, -2.0], np.float64(0.3), np.float32(0.3)])
@pytest.mark.parametrize("name", UFUNC)
def test_versions_agree_on_types(name, given):
    """Numbers and lists, of any type, give the same type of result with and without a compiler."""
    mine, other = kernels.kernel(name)(given), COMPOSED[name](given)
    assert np.asarray(mine).dtype == np.asarray(other).dtype
    np.testing.assert_allclose(mine, other, rtol=2e-15)
    for source in (kernels.kernel(name), COMPOSED[name]):
        for wrong in (np.array([1j]), np.array([1.0], np.longdouble), np.array(["1"])):
            with pytest.raises(TypeError):
                source(wrong)


@pytest.mark.parametrize("source", ["in use", "numpy"])
@pytest.mark.parametrize("name", kernels.names())
def test_memory_layout_does_not_matter(name, source):
    """In place, strided, reversed, two-dimensional, empty: the values are those of a contiguous array."""
    kernel = kernels.kernel(name) if source == "in use" else COMPOSED.get(name, kernels.kernel(name))
    x = np.linspace(-5.0, 5.0, 1002)
    expected = kernel(x.copy())
    in_place = x.copy()
    assert kernel(in_place, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, expected)
    np.testing.assert_array_equal(kernel(x[::3]), expected[::3])
    np.testing.assert_array_equal(kernel(x[::-1]), expected[::-1])
    np.testing.assert_array_equal(kernel(x.reshape(2, 501).T), expected.reshape(2, 501).T)
    assert kernel(x[:0]).shape == (0,)


def test_implementation_is_known():
    """A user can ask whether the slow version runs, and a wrong name is answered with the nearest."""
    assert kernels.implementation("fast") in ("compiled", "numpy (slower: no compiled extension)")
    assert kernels.implementation("exact") == "numpy"
    assert kernels.implementation("1e-7") == kernels.implementation("fast")
    with pytest.raises(InvalidInputError, match="did you mean 'faster'"):
        kernels.implementation("fastr")
    with pytest.raises(InvalidInputError, match="did you mean '1e-12'"):
        kernels.kernel("1e-13")


@pytest.mark.parametrize("name", kernels.names())
def test_whole_numbers_are_numbers(name):
    """Integers are taken for what they are, and give floats."""
    found = kernels.kernel(name)(np.array([-3, 0, 1, 40]))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.tanh([-3.0, 0.0, 1.0, 40.0]), atol=MAX_ERROR[name])
