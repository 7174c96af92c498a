"""The forward pass. Inside the trainer arrays are feature-major: shape (features, rows).

So each unit's values are contiguous, a bias is added along long rows, and a column of the Jacobian is
written without strides; users see the usual (rows, features).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.scopes import scope
from workbench.trainer import kernels
from workbench.trainer.arrays import Array
from workbench.trainer.network.activations import activate
from workbench.trainer.network.architecture import Architecture, LayerView
from workbench.trainer.workers import blas


class ForwardPass:
    """A forward pass over a fixed number of rows, which keeps its buffers between calls.

    After a call `activations[l]` holds layer l's values, shape (units, rows), until the next call.
    """

    def __init__(self, architecture: Architecture, rows: int, tanh: str) -> None:
        self.activations = [np.empty((layer.units, rows)) for layer in architecture.layers]
        self._tanh = kernels.kernel(tanh)

    def __call__(self, layers: Sequence[LayerView], x: Array) -> Array:
        """Return the outputs, shape (outputs, rows), for x of shape (inputs, rows); a buffer, not a copy."""
        with scope("predict"):
            values = x
            for layer, z in zip(layers, self.activations, strict=True):
                np.dot(layer.weights, values, out=z)
                np.add(z, layer.bias, out=z)
                with scope("activation"):
                    activate(layer.activation, z, self._tanh)
                values = z
        return values


def predict(architecture: Architecture, parameters: Array, x: Array, tanh: str) -> Array:
    """Return the outputs, shape (outputs, rows), for x of shape (inputs, rows), both in scaled units."""
    with blas.one_thread():
        return ForwardPass(architecture, x.shape[1], tanh)(architecture.layer_views(parameters), x)
