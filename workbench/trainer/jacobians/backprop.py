"""The Jacobian and the gradient by backpropagation, per sample and analytic.

For every sample and output k let Δ_l, shape (units, rows·outputs), be ∂prediction_k/∂z_l: Δ_last is the slope
of unit k and zero elsewhere, and Δ_{l−1} = (W_lᵀ Δ_l) ∘ slope_{l−1}, for all outputs in one product. The block
of J for the weights of layer l is then, sample by sample, the outer product of Δ_l and the layer's inputs (a
row-wise Khatri-Rao product), and the block for its biases is Δ_l. Slopes come from values, see `activations`.
For small layers all of it is done in C, see `passes`; what follows is that in NumPy, for wide ones and without it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.scopes import scope
from workbench.trainer.arrays import Array, aligned, unbuffered
from workbench.trainer.network.activations import multiply_by_slope, write_slope
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.network.passes import compiled_passes
from workbench.trainer.workers import blas


class Sensitivities:
    """Δ of every layer, and the layers' inputs beside it, for a fixed number of rows; both in kept buffers.

    After a call `deltas[l]` has shape (units, rows·outputs) and `inputs[l]` (inputs, rows·outputs), columns in
    the order of J's rows. A layer's inputs are repeated for each output.
    """

    def __init__(self, architecture: Architecture, rows: int) -> None:
        self._outputs = architecture.outputs
        columns = rows * architecture.outputs
        self.deltas = [aligned(layer.units, columns) for layer in architecture.layers]
        self._slopes = [aligned(layer.units, columns) for layer in architecture.layers[:-1]]
        self._last_slope = aligned(architecture.outputs, rows)
        self._repeated = [aligned(size, columns) for size in architecture.sizes[:-1]]
        self.inputs: list[Array] = []
        self.deltas[-1][...] = 0.0  # but for each output's own unit, which every call writes
        last = self.deltas[-1].reshape(self._outputs, rows, self._outputs)
        self._own_unit = np.einsum("krk->kr", last)

    def __call__(self, architecture: Architecture, parameters: Array, forward: ForwardPass, x: Array) -> None:
        """Compute them after `forward` has run at these parameters and rows."""
        layers = architecture.layer_views(parameters)
        values = forward.activations
        write_slope(layers[-1].activation, values[-1], self._last_slope)
        self._own_unit[...] = self._last_slope
        self.inputs = [self._repeat(index, below) for index, below in enumerate([x, *values[:-1]])]
        for index in reversed(range(1, len(layers))):
            delta, slope = self.deltas[index - 1], self._slopes[index - 1]
            np.dot(layers[index].weights.T, self.deltas[index], out=delta)
            if layers[index - 1].activation != "linear":
                write_slope(layers[index - 1].activation, self.inputs[index], slope)
                delta *= slope

    def _repeat(self, index: int, values: Array) -> Array:
        if self._outputs == 1:
            return values
        repeated = self._repeated[index]
        repeated.reshape(*values.shape, self._outputs)[...] = values[:, :, np.newaxis]
        return repeated


class Backprop:
    """The analytic Jacobian at the rows of x, shape (inputs, rows); conventions in `jacobian`.

    `columns` has J in its first columns, and after them `spare` columns for the caller.
    """

    forward_passes = 1

    def __init__(self, architecture: Architecture, x: Array, tanh: str, spare: int = 0) -> None:
        self.tanh = tanh
        self._architecture = architecture
        self._x = x
        self._forward = ForwardPass(architecture, x.shape[1], tanh)
        self._at: tuple[ForwardPass, Array]
        self._passes = compiled_passes(architecture)
        residuals = x.shape[1] * architecture.outputs
        if self._passes is None:
            self._sensitivities = Sensitivities(architecture, x.shape[1])
            self._weighted = aligned(max(layer.units for layer in architecture.layers), residuals)
        # One buffer for a whole fit: 5 MB of fresh pages at every epoch cost more than filling them.
        transposed = aligned(architecture.parameters + spare, residuals)
        self.columns = transposed.T
        self._transposed = transposed[: architecture.parameters]

    def __call__(self, parameters: Array) -> Array:
        """Return J, shape (rows·outputs, parameters), Fortran order; the same buffer at every call."""
        with blas.one_thread():
            with unbuffered():
                self._forward(self._architecture.layer_views(parameters), self._x)
            return self.after(self._forward, parameters)

    def after(self, forward: ForwardPass, parameters: Array) -> Array:
        """Return what a call returns, where `forward` has just run with this kernel at these parameters."""
        self._at = forward, parameters
        with scope("backward"):
            if self._passes is not None:
                self._passes.jacobian(forward, parameters, self._x, self._transposed)
            else:
                self._compose(forward, parameters)
        return self._transposed.T

    def _compose(self, forward: ForwardPass, parameters: Array) -> None:
        with blas.one_thread(), unbuffered():
            self._sensitivities(self._architecture, parameters, forward, self._x)
            for (weights, bias), delta, below in self._blocks():
                outer = self._transposed[weights].reshape(len(delta), len(below), -1)
                np.multiply(delta[:, np.newaxis], below, out=outer)
                self._transposed[bias] = delta

    def times_transposed(self, values: Array) -> Array:
        """Return Jᵀ·values, shape (parameters,), without reading J; values have shape (outputs, rows).

        At the point of the last call: the parameters and the forward pass that it was given must not have changed.
        """
        if self._passes is not None:
            return self._passes.gradient(*self._at, self._x, values)
        product = np.empty(self._architecture.parameters)
        flat = values.T.reshape(-1)
        with unbuffered():
            for (weights, bias), delta, below in self._blocks():
                weighted = self._weighted[: len(delta)]
                np.multiply(delta, flat, out=weighted)
                np.dot(weighted, below.T, out=product[weights].reshape(len(delta), len(below)))
                np.sum(weighted, axis=1, out=product[bias])
        return product

    def _blocks(self) -> Iterator[tuple[tuple[slice, slice], Array, Array]]:
        """Yield each layer's columns of J, its sensitivities and its inputs."""
        sensitivities = self._sensitivities
        return zip(self._architecture.weight_slices, sensitivities.deltas, sensitivities.inputs, strict=True)


def loss_gradient(
    forward: ForwardPass, architecture: Architecture, parameters: Array, x: Array, seed: Array
) -> Array:
    """Return Jᵀ·seed, shape (parameters,), without forming J, after `forward` has run at these parameters.

    `seed`, shape (outputs, rows), is the loss' derivative by each prediction.
    """
    passes = compiled_passes(architecture)
    if passes is not None:
        with scope("backward"):
            return passes.gradient(forward, parameters, x, seed)
    layers = architecture.layer_views(parameters)
    gradient = np.empty(architecture.parameters)
    parts = architecture.layer_views(gradient)
    delta = seed.copy()
    with scope("backward"):
        for index in reversed(range(len(layers))):
            multiply_by_slope(layers[index].activation, delta, forward.activations[index])
            below = forward.activations[index - 1] if index else x
            np.dot(delta, below.T, out=parts[index].weights)
            parts[index].bias[:, 0] = delta.sum(axis=1)
            if index:
                delta = layers[index].weights.T @ delta
    return gradient


def derivative_along(
    forward: ForwardPass, architecture: Architecture, parameters: Array, direction: Array, x: Array
) -> Array:
    """Return J·direction, shape (outputs, rows), without forming J, after `forward` has run there.

    Forward mode: a layer's input changes by z′ = V·a + c + W·a′, for V and c the layer's part of `direction`.
    """
    change: Array | None = None
    below = x
    layers, moving = architecture.layer_views(parameters), architecture.layer_views(direction)
    for layer, part, value in zip(layers, moving, forward.activations, strict=True):
        along = part.weights @ below + part.bias
        if change is not None:
            along += layer.weights @ change
        multiply_by_slope(layer.activation, along, value)
        change, below = along, value
    if change is None:
        raise AssertionError("an architecture has at least one layer")
    return change
