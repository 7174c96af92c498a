"""r″, the second derivative of the residuals along a direction v, exact and without differences.

The Taylor coefficients of the outputs along w + s·v are propagated through the layers. With z′, z″ the first and
second derivative of a layer's input, its value a has a′ = φ′·z′ and a″ = φ′·(z″ + κ·z′²), where κ = φ″/φ′ follows
from the value, see `activations`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.trainer.arrays import aligned, unbuffered
from workbench.trainer.network.activations import multiply_by_bend, write_slope
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.network.passes import Passes, compiled_passes

Array = NDArray[np.float64]


class SecondDerivative:
    """r″ along a direction at a fixed number of rows, in kept buffers."""

    def __init__(self, architecture: Architecture, rows: int) -> None:
        passes = compiled_passes(architecture)
        self._pass = (
            _Composed(architecture, rows)
            if passes is None
            else _Compiled(passes, aligned(architecture.outputs, rows))
        )

    def __call__(self, forward: ForwardPass, parameters: Array, velocity: Array, x: Array) -> Array:
        """Return r″ along `velocity`, shape (outputs, rows), after `forward` has run at these parameters.

        A buffer, not a copy.
        """
        return self._pass(forward, parameters, velocity, x)


@dataclass(frozen=True)
class _Compiled:
    """r″ in C."""

    passes: Passes
    second: Array

    def __call__(self, forward: ForwardPass, parameters: Array, velocity: Array, x: Array) -> Array:
        self.passes.second_derivative(forward, parameters, velocity, x, self.second)
        return self.second


class _Composed:
    """r″ by NumPy's and BLAS' functions."""

    def __init__(self, architecture: Architecture, rows: int) -> None:
        self._architecture = architecture
        # First and second derivative of a layer's value, one under the other: a product takes both at once.
        self._derivatives = [aligned(2 * layer.units, rows) for layer in architecture.layers]
        widest = max(layer.units for layer in architecture.layers)
        self._products = aligned(widest, rows)
        self._slopes = aligned(widest, rows)

    def __call__(self, forward: ForwardPass, parameters: Array, velocity: Array, x: Array) -> Array:
        layers = zip(
            self._architecture.layer_views(parameters),
            self._architecture.layer_views(velocity),
            forward.activations,
            self._derivatives,
            strict=True,
        )
        below, before = x, None
        with unbuffered():
            for layer, moving, value, derivatives in layers:
                units = len(value)
                first, second = derivatives[:units], derivatives[units:]
                products, slope = self._products[:units], self._slopes[:units]
                np.dot(moving.weights, below, out=first)
                first += moving.bias
                if before is None:
                    second[...] = 0.0
                else:
                    np.dot(layer.weights, before[: len(before) // 2], out=products)
                    first += products
                    np.dot(np.hstack([2.0 * moving.weights, layer.weights]), before, out=second)
                if layer.activation != "linear":
                    np.multiply(first, first, out=products)
                    multiply_by_bend(layer.activation, products, value)
                    second += products
                    write_slope(layer.activation, value, slope)
                    first *= slope
                    second *= slope
                below, before = value, derivatives
        return second
