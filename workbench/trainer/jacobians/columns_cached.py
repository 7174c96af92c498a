"""The Jacobian by forward differences that recompute only from the perturbed layer on.

A parameter of layer l leaves the layers under l as they are, so their activations come from one pass and each
column is a pass through layers l, l + 1, … alone. The products are those of `columns` on the same numbers: the
bits are the same too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer._arrays import aligned, unbuffered
from workbench.trainer.jacobians.columns import DEFAULT_STEPS
from workbench.trainer.jacobians.cost_model import passes
from workbench.trainer.network.architecture import Architecture, LayerView
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.workers import _blas

Array = NDArray[np.float64]


class ColumnsCached:
    """The finite-difference Jacobian at the rows of x, shape (inputs, rows); conventions in `jacobian`.

    Steps are those of `columns`; a `step` of None is the kernel's.
    """

    def __init__(self, architecture: Architecture, x: Array, tanh: str, step: float | None) -> None:
        rows = x.shape[1]
        self._architecture = architecture
        self._x = x
        self._step = DEFAULT_STEPS[tanh] if step is None else step
        self._base = ForwardPass(architecture, rows, tanh)
        self._from_layer = [
            ForwardPass(Architecture(architecture.sizes[index], architecture.layers[index:]), rows, tanh)
            for index in range(len(architecture.layers))
        ]
        self._transposed = aligned(architecture.parameters, rows, architecture.outputs)
        self.forward_passes = passes(architecture, "columns-cached")

    def __call__(self, parameters: Array) -> Array:
        """Return J, shape (rows·outputs, parameters), Fortran order; the same buffer at every call."""
        with _blas.one_thread(), unbuffered(), scope("columns"):
            perturbed = parameters.copy()
            layers = self._architecture.layer_views(perturbed)
            self._base(layers, self._x)
            for index in range(len(layers)):
                self._columns_of_layer(index, perturbed, layers)
        return self._transposed.reshape(self._architecture.parameters, -1).T

    def _columns_of_layer(self, index: int, perturbed: Array, layers: list[LayerView]) -> None:
        weights, bias = self._architecture.weight_slices[index]
        below = self._base.activations[index - 1] if index else self._x
        base = self._base.activations[-1]
        for column in range(weights.start, bias.stop):
            kept = perturbed[column]
            perturbed[column] = kept + self._step * max(1.0, abs(kept))
            width = perturbed[column] - kept
            moved = self._from_layer[index](layers[index:], below)
            np.subtract(moved, base, out=moved)
            np.divide(moved, width, out=moved)
            self._transposed[column] = moved.T
            perturbed[column] = kept
