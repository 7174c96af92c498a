"""The compiled tanh ufuncs: what every one of them keeps, for any numbers in any layout, on any instruction set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

_kernels = pytest.importorskip("workbench.trainer.kernels._kernels", reason="no compiled extension")

KERNELS = ("fast", "faster", "tanh_1e4", "tanh_1e7", "tanh_1e12")
RATIONAL = {"tanh_1e4": 1e-4, "tanh_1e7": 1e-7, "tanh_1e12": 1e-12}
BEST = list(_kernels.levels)[-1]
EVERYWHERE = pytest.mark.parametrize("level", _kernels.levels)
EACH = pytest.mark.parametrize("name", KERNELS)
FEW = settings(max_examples=25)

lengths = st.one_of(st.integers(0, 70), st.integers(250, 600))


def vectors(elements=None):
    """Return vectors of either type: all numbers there are, with infinities, NaN, zeros and subnormal ones."""
    types = st.sampled_from([np.dtype(np.float32), np.dtype(np.float64)])
    return types.flatmap(
        lambda dtype: arrays.arrays(
            dtype, lengths, elements=arrays.from_dtype(dtype) if elements is None else elements
        )
    )


def same_bits(left, right):
    """Assert that two arrays hold the same numbers, with the same signs of zero; any NaN is like another."""
    np.testing.assert_array_equal(left, right)
    known = ~np.isnan(left)
    np.testing.assert_array_equal(np.signbit(left[known]), np.signbit(right[known]))


@EVERYWHERE
@EACH
@FEW
@given(x=vectors())
def test_every_number_has_a_place(name, level, x):
    """Any number gives one in [-1, 1] without a warning, infinities ±1, and NaN NaN."""
    with np.errstate(all="raise"):
        t = _kernels.levels[level][name](x)
    assert t.dtype == x.dtype
    np.testing.assert_array_equal(np.isnan(t), np.isnan(x))
    numbers = ~np.isnan(x)
    assert (np.abs(t[numbers]) <= 1.0).all()
    assert (t[np.isinf(x)] == np.sign(x[np.isinf(x)])).all()


@EVERYWHERE
@pytest.mark.parametrize("name", RATIONAL)
@FEW
@given(x=vectors())
def test_rational_kernels_are_odd(name, level, x):
    """The value at −x is the negative of the one at x, to the bit; so −0 gives −0."""
    ufunc = _kernels.levels[level][name]
    same_bits(ufunc(-x), -ufunc(x))


@EVERYWHERE
@pytest.mark.parametrize("name", RATIONAL)
@FEW
@given(x=vectors(st.floats(-20.0, 20.0, width=32)))
def test_relative_error(name, level, x):
    """At any number the value is tanh to the error in the kernel's name, relative; and to the roundings of float32."""
    single = x.dtype == np.float32 or name == "tanh_1e4"
    exact = np.tanh(x.astype(np.float64))
    away = np.abs(_kernels.levels[level][name](x) - exact)
    smallest = 2.0**-149 if single else 0.0
    assert (away <= (RATIONAL[name] + 2.0**-23 * single) * np.abs(exact) + smallest).all()


@EVERYWHERE
@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_numbers_are_themselves(name, level, dtype):
    """The tiniest numbers are kept by rational kernels (float32 inside has none below its own); others are near 0."""
    info = np.finfo(dtype)
    x = np.array([info.smallest_subnormal, -info.smallest_subnormal, 3 * info.smallest_subnormal, 0.0, -0.0])
    t = _kernels.levels[level][name](x.astype(dtype))
    if name not in RATIONAL:
        assert np.abs(t).max() < 2.1e-2
    elif name == "tanh_1e4" and dtype is np.float64:
        same_bits(t, np.array([0.0, -0.0, 0.0, 0.0, -0.0]))
    else:
        same_bits(t, x.astype(dtype))


@EVERYWHERE
@EACH
@FEW
@given(x=vectors(), data=st.data())
def test_a_value_depends_on_its_number_alone(name, level, x, data):
    """A number has the same value at any position and beside any other numbers."""
    ufunc = _kernels.levels[level][name]
    whole = ufunc(x)
    start = data.draw(st.integers(0, len(x)))
    stop = data.draw(st.integers(start, len(x)))
    same_bits(ufunc(x[start:stop]), whole[start:stop])
    for index in range(start, min(stop, start + 3)):
        same_bits(np.atleast_1d(ufunc(x[index])), whole[index : index + 1])


@EVERYWHERE
@EACH
@FEW
@given(x=vectors(), step=st.sampled_from([-7, -2, -1, 2, 3]), out_step=st.sampled_from([-3, -1, 1, 2]))
def test_strides(name, level, x, step, out_step):
    """Any stride of input and output gives what arrays without gaps give, and elements between stay as they were."""
    ufunc = _kernels.levels[level][name]
    taken = x[::step]
    expected = ufunc(taken.copy())
    same_bits(ufunc(taken), expected)
    room = np.full(len(taken) * abs(out_step), 7, x.dtype)
    value = room[::out_step]
    ufunc(taken, out=value)
    same_bits(value, expected)
    value[...] = 7
    assert (room == 7).all()


@EACH
@FEW
@given(x=vectors(), data=st.data())
def test_out_and_where(name, x, data):
    """`out=` is what is returned; `where=` leaves the other elements as they were."""
    ufunc = getattr(_kernels, name)
    mask = data.draw(arrays.arrays(bool, len(x)))
    out = np.full_like(x, 7)
    assert ufunc(x, out=out, where=mask) is out
    same_bits(out, np.where(mask, ufunc(x), x.dtype.type(7)))


@EACH
@FEW
@given(x=vectors(), shift=st.integers(-40, 40))
def test_overlapping_views(name, x, shift):
    """In place, or where input and output share a part of their memory, the values are those of a copy."""
    room = np.concatenate([x, np.zeros(abs(shift), x.dtype)])
    source, target = (room[: len(x)], room[len(room) - len(x) :])[:: 1 if shift >= 0 else -1]
    source[...] = x
    expected = getattr(_kernels, name)(x)
    same_bits(getattr(_kernels, name)(source, out=target), expected)


@EACH
def test_types(name):
    """What float32 holds is computed in it, other numbers in float64; what that does not hold is refused."""
    ufunc = getattr(_kernels, name)
    for dtype in (np.float16, np.int8, np.uint8, np.int16, np.uint16, bool, np.float32, ">f4"):
        assert ufunc(np.array([0, 1], dtype)).dtype == np.float32
    for dtype in (np.int32, np.uint32, np.int64, np.float64, ">f8"):
        assert ufunc(np.array([0, 1], dtype)).dtype == np.float64
    for dtype in (np.longdouble, np.complex64, np.complex128, "U1", "M8[s]"):
        with pytest.raises(TypeError):
            ufunc(np.zeros(2, dtype))


@EACH
def test_shapes(name):
    """Empty arrays, single numbers and many dimensions are as for NumPy's own functions."""
    ufunc = getattr(_kernels, name)
    assert ufunc(np.empty((0, 3))).shape == (0, 3)
    assert isinstance(ufunc(0.5), np.float64)
    x = np.random.default_rng(0).normal(size=(5, 7, 3, 11))
    for order in ((3, 1, 0, 2), (2, 3, 1, 0)):
        same_bits(ufunc(x.transpose(order)), ufunc(x).transpose(order))
    same_bits(ufunc(np.broadcast_to(x[0, 0, 0], (4, 11))), np.broadcast_to(ufunc(x[0, 0, 0]), (4, 11)))


def test_unaligned_and_foreign_memory():
    """Records, where numbers are not at multiples of their size, and the other byte order are read as any other."""
    x = np.linspace(-3.0, 3.0, 1001)
    packed = np.zeros(1001, [("flag", "u1"), ("value", "f8")])
    packed["value"] = x
    for name in KERNELS:
        expected = getattr(_kernels, name)(x)
        same_bits(getattr(_kernels, name)(packed["value"]), expected)
        same_bits(getattr(_kernels, name)(x.astype(">f8")), expected)
        getattr(_kernels, name)(x, out=packed["value"])
        same_bits(packed["value"].copy(), expected)
        packed["value"] = x


@pytest.mark.parametrize("name", ["tanh_1e7", "tanh_1e12"])
def test_the_value_rises_around_the_bound(name):
    """Where the quotient hands over to ±1 the value does not fall, and is never above 1."""
    from workbench.trainer.kernels import _tanh_coefficients as fitted

    bound = np.sqrt(getattr(fitted, f"{name.upper()}_BOUND"))
    x = bound + np.arange(-2000, 2000) * np.spacing(bound)
    for ufuncs in _kernels.levels.values():
        t = ufuncs[name](x)
        assert (t[:1900] < 1.0).all()
        assert (t[2100:] == 1.0).all()
        assert (np.diff(ufuncs[name](x.astype(np.float32))) >= 0.0).all()


def test_the_best_level_is_used():
    """The module's ufuncs are those of the last level, and there is always a first."""
    assert _kernels.levels
    for name, ufunc in _kernels.levels[BEST].items():
        assert getattr(_kernels, name) is ufunc
    assert {len(ufuncs) for ufuncs in _kernels.levels.values()} == {len(KERNELS)}
