"""Passes for derivatives in C, for networks whose layers are too small for NumPy's calls; see `_passes.c`.

On 1000 rows of layers of 20 units and one output NumPy's versions are 1.4 to 2.5× slower, on 30 rows five to
twelve times, and between any two of their calls they want Python's lock. Products of wide layers are BLAS': these are
left to NumPy.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np

from workbench.trainer.arrays import Array, aligned
from workbench.trainer.network.activations import NAMES
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import ForwardPass


def _load_compiled() -> Any:
    """Return the extension's module, or None where the package was built without a compiler."""
    try:
        from workbench.trainer.network import _passes
    except ImportError:
        return None
    return _passes


_EXTENSION = _load_compiled()
_KEPT = threading.local()

MAX_UNITS = 96
"""Units of a layer: there J on 1000 rows, and a pass backward, take as long as NumPy's."""


def are_compiled() -> bool:
    """Return whether the extension was built."""
    return _EXTENSION is not None


class Passes:
    """The passes of one network. Each comes after a forward pass at the same parameters and rows x."""

    def __init__(self, architecture: Architecture) -> None:
        self._activations = bytes(NAMES.index(layer.activation) for layer in architecture.layers)
        self._widest = max(architecture.sizes)

    def jacobian(self, forward: ForwardPass, parameters: Array, x: Array, out: Array) -> None:
        """Write Jᵀ, shape (parameters, rows·outputs), the columns sample by sample."""
        _EXTENSION.jacobian(self._activations, _values(forward, x), _plain(parameters), out, self._buffers())

    def gradient(self, forward: ForwardPass, parameters: Array, x: Array, seed: Array) -> Array:
        """Return Jᵀ·seed, shape (parameters,), for a seed of shape (outputs, rows)."""
        product = np.empty(parameters.size)
        values = _values(forward, x)
        given = _plain(parameters), _plain(seed)
        _EXTENSION.gradient(self._activations, values, *given, product, self._buffers())
        return product

    def second_derivative(
        self, forward: ForwardPass, parameters: Array, velocity: Array, x: Array, out: Array
    ) -> None:
        """Write the outputs' second derivative along `velocity`, shape (outputs, rows)."""
        values = _values(forward, x)
        given = _plain(parameters), _plain(velocity)
        _EXTENSION.second_derivative(self._activations, values, *given, out, self._buffers())

    def _buffers(self) -> Array:
        """Return this thread's buffer."""
        size = self._widest * _EXTENSION.ROOM
        kept: Array | None = getattr(_KEPT, "room", None)
        if kept is None or kept.size < size:
            kept = _KEPT.room = aligned(size)
        return kept


@lru_cache(maxsize=32)
def compiled_passes(architecture: Architecture) -> Passes | None:
    """Return the passes for a network, or None where NumPy's versions are used."""
    if (
        _EXTENSION is None
        or len(architecture.layers) > _EXTENSION.MAX_LAYERS
        or max(architecture.sizes) > MAX_UNITS
    ):
        return None
    return Passes(architecture)


def _values(forward: ForwardPass, x: Array) -> tuple[Array, ...]:
    return (_plain(x), *forward.activations)


def _plain(values: Array) -> Array:
    """Return an array or vector itself, or a copy where its rows have gaps, it is not aligned, or of another type.

    Users may set parameters, and what dask unpickles may begin at any byte.
    """
    fits = values.dtype == np.float64 and values.strides[-1] == values.itemsize and values.flags.aligned
    return values if fits else values.astype(np.float64, order="C")
