"""r″, the second derivative of the residuals along a direction v, exact and without differences.

The Taylor coefficients of the outputs along w + s·v are propagated through the layers. With z′, z″ the first and
second derivative of a layer's input, its value a has a′ = φ′·z′ and a″ = φ′·(z″ + κ·z′²), where κ = φ″/φ′ follows
from the value, see `activations`.
"""

from __future__ import annotations

import numpy as np

from workbench.trainer.arrays import Array, aligned, unbuffered
from workbench.trainer.network.activations import multiply_by_bend, write_slope
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.network.passes import compiled_passes


class SecondDerivative:
    """r″ along a direction at a fixed number of rows, in kept buffers: in C for small layers, else by NumPy."""

    def __init__(self, architecture: Architecture, rows: int) -> None:
        self._architecture = architecture
        self._passes = compiled_passes(architecture)
        if self._passes is not None:
            self._second = aligned(architecture.outputs, rows)
            return
        # First and second derivative of a layer's value, one under the other: one product computes both.
        self._derivatives = [aligned(2 * layer.units, rows) for layer in architecture.layers]
        widest = max(layer.units for layer in architecture.layers)
        self._products, self._slopes = aligned(widest, rows), aligned(widest, rows)

    def __call__(self, forward: ForwardPass, parameters: Array, velocity: Array, x: Array) -> Array:
        """Return r″ along `velocity`, shape (outputs, rows), after `forward` has run at these parameters.

        A buffer, not a copy.
        """
        if self._passes is not None:
            self._passes.second_derivative(forward, parameters, velocity, x, self._second)
            return self._second
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
