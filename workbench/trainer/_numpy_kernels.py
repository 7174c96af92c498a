"""The approximate tanh of `_kernels.c`, composed from NumPy operations: for machines without a compiler.

Same formulas, same order of float32 operations, same bits. Several times slower than `np.tanh`, because
each operation is a pass over memory while NumPy's own tanh is one vectorised loop.
Source of the formulas: P. Mineiro, fastapprox (`fasttanh`, `fastertanh`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Both formulas give exactly -1 and +1 from here on (in float32), so clamping changes no value.
_SATURATION = np.float32(10.0)
_MINUS_TWO_LOG2_E = np.float32(-2.885390080)
_TWO_TO_23 = np.float32(8388608.0)


def _powers_of_two(z: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return z as float32, and p with 2**p = exp(-2z), where NaN and out-of-range z are clamped."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        x = np.asarray(z).astype(np.float32)
        bounded = np.where(x > -_SATURATION, x, -_SATURATION)
        bounded = np.where(bounded < _SATURATION, bounded, _SATURATION)
    return x, _MINUS_TWO_LOG2_E * bounded


def _tanh_from_exponent(x: NDArray[np.float32], exponent: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read 2**23 · exponent as the bits of exp(-2x), and return tanh; NaN where x is NaN."""
    exp_of_minus_2x = (_TWO_TO_23 * exponent).astype(np.int32).view(np.float32)
    t = np.float32(-1.0) + np.float32(2.0) / (np.float32(1.0) + exp_of_minus_2x)
    return np.where(np.isnan(x), x, t)


def _store(t: NDArray[np.float32], z: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    if out is None:
        return t.astype(np.float32 if np.asarray(z).dtype == np.float32 else np.float64)
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
