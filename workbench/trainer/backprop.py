"""The Jacobian and the gradient by backpropagation, per sample and analytic.

For one output k let Δ_l, shape (units, rows), be ∂r_k/∂z_l for every sample at once:
Δ_last is the slope of unit k and zero elsewhere, and Δ_{l−1} = (W_lᵀ Δ_l) ∘ slope_{l−1}. The block of J for
the weights of layer l is then, sample by sample, the outer product of Δ_l and the layer's inputs (a row-wise
Khatri-Rao product), and the block for its biases is Δ_l. Slopes come from values, see `activations`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer import _blas
from workbench.trainer.activations import multiply_by_slope
from workbench.trainer.architecture import Architecture
from workbench.trainer.forward import ForwardPass

Array = NDArray[np.float64]


class Backprop:
    """The analytic Jacobian at the rows of x, shape (inputs, rows); conventions in `jacobian`."""

    forward_passes = 1

    def __init__(self, architecture: Architecture, x: Array, tanh: str) -> None:
        self._architecture = architecture
        self._x = x
        self._forward = ForwardPass(architecture, x.shape[1], tanh)
        self._deltas = [np.empty((layer.units, x.shape[1])) for layer in architecture.layers]
        # One buffer for a whole fit: 3.8 MB of fresh pages at every epoch cost more than filling them.
        self._transposed = np.empty((architecture.parameters, x.shape[1], architecture.outputs))

    def __call__(self, parameters: Array) -> Array:
        """Return J, shape (rows·outputs, parameters), Fortran order; the same buffer at every call."""
        with _blas.one_thread():
            self._forward(self._architecture.layer_views(parameters), self._x)
            with scope("backward"):
                for output in range(self._architecture.outputs):
                    self._backward(parameters, output)
        return self._transposed.reshape(self._architecture.parameters, -1).T

    def _backward(self, parameters: Array, output: int) -> None:
        """Write the rows of J that belong to one output column."""
        layers = self._architecture.layer_views(parameters)
        values = self._forward.activations
        places = self._architecture.weight_slices
        self._deltas[-1][...] = 0.0
        self._deltas[-1][output] = 1.0
        for index in reversed(range(len(layers))):
            delta = self._deltas[index]
            multiply_by_slope(layers[index].activation, delta, values[index])
            below = values[index - 1] if index else self._x
            weights, bias = places[index]
            block = self._transposed[weights, :, output].reshape(*layers[index].weights.shape, -1)
            np.multiply(delta[:, np.newaxis, :], below[np.newaxis, :, :], out=block)
            self._transposed[bias, :, output] = delta
            if index:
                np.dot(layers[index].weights.T, delta, out=self._deltas[index - 1])


def loss_gradient(
    forward: ForwardPass, architecture: Architecture, parameters: Array, x: Array, seed: Array
) -> Array:
    """Return Jᵀ·seed, shape (parameters,), without forming J, after `forward` has run at these parameters.

    `seed`, shape (outputs, rows), is the loss' derivative by each prediction.
    """
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
