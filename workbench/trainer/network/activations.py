"""Activations of a dense layer: linear, tanh, sigmoid and relu; their values, and slopes from values.

Every slope is computed from the activation's *value* a, which the forward pass has already paid for:

| name | value | slope φ′ | bend κ = φ″/φ′ |
|---|---|---|---|
| linear | z | 1 | 0 |
| tanh | t(z), t being the chosen kernel | 1 − t² | −2t |
| sigmoid | 1 / (1 + exp(−z)) | a (1 − a) | 1 − 2a |
| relu | max(z, 0) | 1 where a > 0, else 0 | 0 |

For an approximate tanh kernel the slope is 1 − t² with that same kernel's t. The consequence: it errs by up
to twice t's error, yet stays smooth in t, while the true slope of the approximation may err far more
(`faster`: 0.40). A finite-difference Jacobian sees the latter, a backprop Jacobian the former.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from workbench.errors import InvalidInputError
from workbench.trainer.arrays import Array
from workbench.trainer.kernels import Kernel

NAMES = ("linear", "tanh", "sigmoid", "relu")
_TARGETS = {"linear": (-1.0, 1.0), "tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}


def target_range(name: str) -> tuple[float, float]:
    """Return the range that targets of an output with this activation are scaled to: values that it can take.

    Raises:
        InvalidInputError: it is relu. One step may take such an output below 0 at all rows, where it has no slope:
            no further step can change it.
    """
    if name not in _TARGETS:
        raise InvalidInputError(
            f"a network whose output is {name!r} cannot be fitted, since one step may leave it without a slope: "
            "end it with a 'linear' layer, or with 'sigmoid'"
        )
    return _TARGETS[name]


def activate(name: str, z: Array, tanh: Kernel) -> None:
    """Replace z (any shape) by the activation's value, in place; `tanh` is the kernel for tanh layers."""
    if name == "tanh":
        tanh(z, out=z)
    elif name == "sigmoid":
        expit(z, out=z)
    elif name == "relu":
        np.maximum(z, 0.0, out=z)


def multiply_by_slope(name: str, delta: Array, value: Array) -> None:
    """Multiply delta in place by the slope at an activation whose value is `value` (same shape)."""
    if name == "tanh":
        delta *= 1.0 - value * value
    elif name == "sigmoid":
        delta *= value * (1.0 - value)
    elif name == "relu":
        delta *= np.sign(value)  # 1 where positive, else 0, and NaN where it is that


def write_slope(name: str, value: Array, out: Array) -> None:
    """Write the slope at an activation whose value is `value` into `out` (same shape), without temporaries."""
    if name == "tanh":
        np.multiply(value, value, out=out)
        np.subtract(1.0, out, out=out)
    elif name == "sigmoid":
        np.subtract(1.0, value, out=out)
        out *= value
    elif name == "relu":
        np.sign(value, out=out)
    else:
        out[...] = 1.0


def multiply_by_bend(name: str, array: Array, value: Array) -> None:
    """Multiply in place by κ = φ″/φ′ at an activation whose value is `value` (same shape)."""
    if name == "tanh":
        array *= value
        array *= -2.0
    elif name == "sigmoid":
        array *= 1.0 - 2.0 * value
    else:
        array[...] = 0.0
