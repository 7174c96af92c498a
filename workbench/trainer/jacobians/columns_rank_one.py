"""The Jacobian by forward differences that recompute one unit, a rank-one change, and the layers after it.

A step h of the weight from input i to unit j changes that unit's z by h·a_i (of its bias: by h) and no other's.
So one activation is evaluated anew in its layer; the next layer's z changes by the rank-one W[:, j]·Δa_j; only
the layers after that are computed in full. The definition is that of `columns`, with its steps: both agree up
to rounding divided by the step.

All inputs of a unit are perturbed side by side, in groups and in blocks of rows, so that a ufunc call is long
enough to be worth its overhead and what it works on stays in the core's second-level cache.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from workbench.scopes import scope
from workbench.trainer import kernels
from workbench.trainer.arrays import Array, aligned, unbuffered
from workbench.trainer.jacobians.columns import DEFAULT_STEPS
from workbench.trainer.jacobians.cost_model import passes
from workbench.trainer.network.activations import activate
from workbench.trainer.network.architecture import Architecture, LayerView
from workbench.trainer.workers import blas

ROWS = 1024
"""Rows in a block, at most."""
ELEMENTS = 110_000
"""Elements of the largest array of a group, about: 0.9 MB; the least time of a scan from 10 000 to 210 000."""


class ColumnsRankOne:
    """The finite-difference Jacobian at the rows of x, shape (inputs, rows); conventions in `jacobian`.

    Steps are those of `columns`; a `step` of None is the kernel's.
    """

    def __init__(self, architecture: Architecture, x: Array, tanh: str, step: float | None) -> None:
        self._architecture = architecture
        self._x = x
        self._step = DEFAULT_STEPS[tanh] if step is None else step
        size = max(1, min(ROWS, ELEMENTS // max(architecture.sizes[1:])))
        starts = range(0, x.shape[1], size)
        self._blocks = [slice(start, min(start + size, x.shape[1])) for start in starts]
        lengths = {block.stop - block.start for block in self._blocks}  # the last may be shorter
        self._differences = {rows: _Differences(architecture, rows, tanh) for rows in lengths}
        self._transposed = aligned(architecture.parameters, x.shape[1], architecture.outputs)
        self.forward_passes = passes(architecture, "columns-rank-one")

    def __call__(self, parameters: Array) -> Array:
        """Return J, shape (rows·outputs, parameters), Fortran order; the same buffer at every call."""
        widths = parameters + self._step * np.maximum(1.0, np.abs(parameters))
        widths -= parameters  # as the parameter really changed in floating point
        with blas.one_thread(), unbuffered(), scope("columns"):
            for block in self._blocks:
                differences = self._differences[block.stop - block.start]
                differences(parameters, widths, self._x[:, block], self._transposed[:, block])
        return self._transposed.reshape(self._architecture.parameters, -1).T


class _Differences:
    """The columns of J for a fixed number of rows, with the buffers that they need."""

    def __init__(self, architecture: Architecture, rows: int, tanh: str) -> None:
        self._architecture = architecture
        self._tanh = kernels.kernel(tanh)
        # One row more than inputs, of ones: the bias is the weight of that.
        self._inputs = [aligned(inputs + 1, rows) for inputs in architecture.sizes[:-1]]
        for values in self._inputs:
            values[-1] = 1.0
        self._z = [aligned(layer.units, rows) for layer in architecture.layers]
        self._values = [*(values[:-1] for values in self._inputs[1:]), aligned(architecture.outputs, rows)]
        self._groups = _groups(architecture, rows)
        most = max(self._groups)
        self._unit = aligned(most, 1, rows)
        self._moved = [aligned(most, layer.units, rows) for layer in architecture.layers]

    def __call__(self, parameters: Array, widths: Array, x: Array, out: Array) -> None:
        """Write the columns to `out`, shape (parameters, rows, outputs), each divided by its width."""
        layers = self._architecture.layer_views(parameters)
        self._base(layers, x)
        for index, wide in enumerate(self._architecture.layer_views(widths)):
            weights, bias = self._architecture.weight_slices[index]
            of_weights = out[weights].reshape(*wide.weights.shape, *out.shape[1:])
            steps = np.hstack([wide.weights, wide.bias])[:, :, np.newaxis, np.newaxis]
            inputs, size = wide.weights.shape[1], self._groups[index]
            for unit in range(len(steps)):
                for start in range(0, inputs + 1, size):
                    stop = min(start + size, inputs + 1)
                    step = steps[unit, start:stop]
                    moved = self._outputs(layers, index, unit, self._inputs[index][start:stop], step)
                    moved -= self._values[-1]
                    of_group = of_weights[unit, start:stop]  # short of the bias, where that is in the group
                    count = len(of_group)
                    _store(moved[:count], step[:count], of_group)
                    if stop > inputs:
                        _store(moved[-1:], step[-1:], out[bias][unit : unit + 1])

    def _base(self, layers: list[LayerView], x: Array) -> None:
        """Run the unperturbed pass, and keep both z and the values of each layer."""
        self._inputs[0][:-1] = x
        below = self._inputs[0][:-1]
        for layer, z, values in zip(layers, self._z, self._values, strict=True):
            np.dot(layer.weights, below, out=z)
            np.add(z, layer.bias, out=z)
            values[...] = z
            self._activate(layer, values)
            below = values

    def _outputs(self, layers: list[LayerView], index: int, unit: int, inputs: Array, step: Array) -> Array:
        """Return the outputs, shape (members, outputs, rows), with each weight of a unit moved by its step.

        `inputs` has shape (members, rows), `step` (members, 1, 1); the result is a buffer.
        """
        members = len(inputs)
        change = self._unit[:members]
        np.multiply(inputs[:, np.newaxis], step, out=change)
        change += self._z[index][unit]
        self._activate(layers[index], change)
        moved = self._moved[index][:members]
        if index + 1 == len(layers):
            moved[...] = self._values[index]
            moved[:, unit] = change[:, 0]
            return moved
        change -= self._values[index][unit]
        moved = self._moved[index + 1][:members]
        np.multiply(layers[index + 1].weights[:, unit, np.newaxis], change, out=moved)
        moved += self._z[index + 1]
        self._activate(layers[index + 1], moved)
        for above in range(index + 2, len(layers)):
            below, moved = moved, self._moved[above][:members]
            np.matmul(layers[above].weights, below, out=moved)
            moved += layers[above].bias
            self._activate(layers[above], moved)
        return moved

    def _activate(self, layer: LayerView, z: Array) -> None:
        with scope("activation"):
            activate(layer.activation, z, self._tanh)


def _groups(architecture: Architecture, rows: int) -> list[int]:
    """Return for each layer how many parameters of a unit are perturbed side by side: equal parts of them all."""
    sizes = []
    for index, inputs in enumerate(architecture.sizes[:-1]):
        largest = max(architecture.sizes[index + 2 :], default=architecture.outputs)
        most = max(1, ELEMENTS // (largest * rows))
        sizes.append(ceil((inputs + 1) / ceil((inputs + 1) / most)))
    return sizes


def _store(difference: Array, step: Array, out: Array) -> None:
    """Divide, shape (members, outputs, rows), by the steps into `out`, shape (members, rows, outputs)."""
    if difference.shape[1] == 1:
        np.divide(difference.transpose(0, 2, 1), step, out=out)
    else:  # a copy goes across the order quickly, a ufunc does not
        difference /= step
        out[...] = difference.transpose(0, 2, 1)
