"""The approximate tanh of `_kernels.c`, composed from NumPy operations: for machines without a compiler.

Same formulas, same order of operations. So `fast`, `faster` and `tanh_1e4` have the same bits; `tanh_1e7` and
`tanh_1e12` have those of a processor without fused multiply-add. Several times slower than `np.tanh`, because
each operation is a pass over memory while NumPy's own tanh is one vectorised loop.
Source of `fast` and `faster`: P. Mineiro, fastapprox (`fasttanh`, `fastertanh`); of the others: docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.trainer.kernels import _tanh_coefficients as fitted

Doubles = NDArray[np.float64]

# Both formulas give exactly -1 and +1 from here on (in float32), so clamping changes no value.
_SATURATION = np.float32(10.0)
_MINUS_TWO_LOG2_E = np.float32(-2.885390080)
_TWO_TO_23 = np.float32(8388608.0)
# The bits of this minus those of q > 0 are those of 1/q, with an error of 5.1e-2 at most.
_RECIPROCAL_BITS = np.int64(0x7FDE623822FC16E6)


def _argument(z: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Return z in the type that a formula computes in.

    Raises:
        TypeError: float64 does not hold values of z's type; the ufuncs refuse it in the same way.
    """
    array = np.asarray(z)
    if not np.can_cast(array.dtype, np.float64):
        raise TypeError(f"tanh kernels take what float64 holds, not {array.dtype}")
    return array.astype(dtype)


def _powers_of_two(z: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return z as float32, and p with 2**p = exp(-2z), where NaN and out-of-range z are clamped."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        x = _argument(z, np.float32)
        bounded = np.where(x > -_SATURATION, x, -_SATURATION)
        bounded = np.where(bounded < _SATURATION, bounded, _SATURATION)
        return x, _MINUS_TWO_LOG2_E * bounded


def _tanh_from_exponent(x: NDArray[np.float32], exponent: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read 2**23 · exponent as the bits of exp(-2x), and return tanh; NaN where x is NaN."""
    exp_of_minus_2x = (_TWO_TO_23 * exponent).astype(np.int32).view(np.float32)
    t = np.float32(-1.0) + np.float32(2.0) / (np.float32(1.0) + exp_of_minus_2x)
    return np.where(np.isnan(x), x, t)


def _store(t: NDArray[Any], z: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """Write t to `out`, or return it in the type that the ufunc would choose."""
    if out is None:
        with np.errstate(under="ignore"):
            return t.astype(np.float32 if np.can_cast(np.asarray(z).dtype, np.float32) else np.float64)
    with np.errstate(under="ignore"):
        out[...] = t
    return out


def fast(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return an approximate tanh of z (any shape), absolute error below 3.1e-5."""
    x, p = _powers_of_two(z)
    remainder = p - np.trunc(p) + (p < 0).astype(np.float32)
    correction = np.float32(27.7280233) / (np.float32(4.84252568) - remainder)
    exponent = p + np.float32(121.2740575) + correction - np.float32(1.49012907) * remainder
    return _store(_tanh_from_exponent(x, exponent), z, out)


def faster(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return a coarse tanh of z (any shape), absolute error below 2.1e-2."""
    x, p = _powers_of_two(z)
    return _store(_tanh_from_exponent(x, p + np.float32(126.94269504)), z, out)


def _polynomial(coefficients: Sequence[float], u: NDArray[Any]) -> NDArray[Any]:
    """Return the polynomial's values by Horner's scheme, in u's type."""
    values = np.full_like(u, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        values *= u
        values += u.dtype.type(coefficient)
    return values


def _rough_reciprocal(q: Doubles) -> Doubles:
    """Return 1/q for q > 0, with a relative error of 1.3e-4."""
    r: Doubles = (_RECIPROCAL_BITS - q.view(np.int64)).view(np.float64)
    error = 1.0 - q * r
    return (error * error + error) * r + r


def tanh_1e4(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return tanh of z (any shape), absolute and relative error below 1e-4."""
    with np.errstate(all="ignore"):  # where u or q overflows, the quotient is not used
        x = _argument(z, np.float32)
        u = x * x
        t = x * _polynomial(fitted.TANH_1E4_P, u) / _polynomial(fitted.TANH_1E4_Q, u)
        t = np.where(u >= np.float32(fitted.TANH_1E4_BOUND), np.copysign(np.float32(1.0), x), t)
    return _store(t, z, out)


def tanh_1e7(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return tanh of z (any shape), absolute and relative error below 1e-7."""
    with np.errstate(all="ignore"):
        x = _argument(z, np.float64)
        u = np.asarray(x * x)
        q = _polynomial(fitted.TANH_1E7_Q, u)
        r = _rough_reciprocal(q)
        error = 1.0 - q * r
        r = (error * error + error) * r + r
        t = x * _polynomial(fitted.TANH_1E7_P, u) * r
        t = np.where(u >= fitted.TANH_1E7_BOUND, np.copysign(1.0, x), t)
    return _store(t, z, out)


def tanh_1e12(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return tanh of z (any shape), absolute and relative error below 1e-12."""
    with np.errstate(all="ignore"):
        x = _argument(z, np.float64)
        u = np.asarray(x * x)
        q = _polynomial(fitted.TANH_1E12_Q, u)
        r = _rough_reciprocal(q)
        r = r * (2.0 - q * r)
        t = x * _polynomial(fitted.TANH_1E12_P, u) * (r * (2.0 - q * r))
        t = np.where(u >= fitted.TANH_1E12_BOUND, np.copysign(1.0, x), t)
    return _store(t, z, out)
