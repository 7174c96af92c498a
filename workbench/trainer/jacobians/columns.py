"""The Jacobian by forward differences, one column per parameter: what the original does.

Column p is (prediction(w + h·e_p) − prediction(w)) / h, by `columns` with a whole forward pass for each parameter: no
layer is cached, since the cost of these passes is what the workbench sets out to show. `columns-cached` shows what
that saves.

The step h is step · max(1, |w_p|), as the parameter really changed in floating point. A larger step errs by
the curvature, a smaller one by the kernel's rounding divided by the step. `DEFAULT_STEPS` holds the best of a
scan on the reference network, initial and fitted, against the slope of each kernel's own formula without its
float32 rounding. The relative error of J (Frobenius norm) is then, on the fitted network:

| kernel | step | error | because |
|---|---|---|---|
| exact | 3e-8 | 2e-8 | float64 rounds at 1e-16: about the square root of it |
| float32 | 5e-4 | 4e-4 | `np.tanh` rounds at 6e-8: about the square root of that |
| fast | 5e-3 | 3e-3 | 2²³·exponent in float32 resolves exp to 2⁻¹⁶: stairs of 1e-5, to be strided over |
| faster | 5e-4 | 2e-2 | the same stairs, but its slope jumps at each power of two, so no longer strides |
| 1e-4 | 1e-3 | 6e-4 | float32 rounds at 6e-8, as for float32 |
| 1e-7 | 5e-8 | 4e-8 | as exact, with a few roundings more |
| 1e-12 | 5e-8 | 4e-8 | the same |

A step of 1e-5 for all gives what the original did; for `fast` and `faster` that is mostly noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from workbench.scopes import scope
from workbench.trainer.arrays import Array, aligned, unbuffered
from workbench.trainer.jacobians.cost_model import passes
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.workers import blas

DEFAULT_STEPS = {
    "exact": 3e-8,
    "float32": 5e-4,
    "fast": 5e-3,
    "faster": 5e-4,
    "1e-4": 1e-3,
    "1e-7": 5e-8,
    "1e-12": 5e-8,
}


@dataclass(frozen=True)
class ColumnTask:
    """What every column needs besides the rows."""

    architecture: Architecture
    parameters: Array
    base: Array
    """The outputs at `parameters`, shape (outputs, rows)."""
    tanh: str
    step: float


def column_block(task: ColumnTask, x: Array, start: int, stop: int, out: Array | None = None) -> Array:
    """Return the columns start..stop of J as rows: shape (stop − start, rows, outputs)."""
    outputs, rows = task.base.shape
    block = np.empty((stop - start, rows, outputs)) if out is None else out
    with scope("columns"):
        moved = np.array(task.parameters)
        layers = task.architecture.layer_views(moved)
        forward = ForwardPass(task.architecture, rows, task.tanh)
        _write(block, moved, range(start, stop), task.step, lambda: forward(layers, x), task.base)
    return block


def _write(
    out: Array, moved: Array, columns: range, step: float, outputs: Callable[[], Array], base: Array
) -> None:
    """Write differences of the outputs, a buffer that is written to, with each parameter moved by its step."""
    for row, column in zip(out, columns, strict=True):
        kept = moved[column]
        moved[column] = kept + step * max(1.0, abs(kept))
        width = moved[column] - kept
        difference = outputs()
        np.subtract(difference, base, out=difference)
        np.divide(difference, width, out=difference)
        row[...] = difference.T
        moved[column] = kept


class Columns:
    """The finite-difference Jacobian at the rows of x, shape (inputs, rows); conventions in `jacobian`.

    `fill` computes all columns of a task into a buffer of its own, shape (parameters, rows, outputs); without it
    they are computed here, one after the other. Each column is computed by the same operations on one BLAS thread
    wherever it runs, so all back ends give the same bits on one machine.
    """

    def __init__(
        self,
        architecture: Architecture,
        x: Array,
        tanh: str,
        step: float | None,
        fill: Callable[[ColumnTask, Array], Array] | None = None,
    ) -> None:
        self._architecture = architecture
        self._x = x
        self._tanh = tanh
        self._step = DEFAULT_STEPS[tanh] if step is None else step
        count = architecture.parameters
        self._fill = fill or partial(
            column_block, start=0, stop=count, out=np.empty((count, x.shape[1], architecture.outputs))
        )
        self.forward_passes = architecture.parameters + 1

    def __call__(self, parameters: Array) -> Array:
        """Return J, shape (rows·outputs, parameters), Fortran order; the same buffer at every call."""
        # Limited here and not in each thread: the limit belongs to the process, and the thread that ends
        # first would lift it for the others.
        with blas.one_thread():
            forward = ForwardPass(self._architecture, self._x.shape[1], self._tanh)
            base = forward(self._architecture.layer_views(parameters), self._x)
            # A copy, because joblib recognises an array it has mapped by identity, not by content.
            task = ColumnTask(self._architecture, parameters.copy(), base, self._tanh, self._step)
            transposed = self._fill(task, self._x)
        return transposed.reshape(self._architecture.parameters, -1).T


class ColumnsCached:
    """The same Jacobian, recomputed from the perturbed layer on.

    A parameter of layer l leaves the layers under l as they are, so their activations come from one pass and each
    column is a pass through layers l, l + 1, … alone. The products are those of `Columns` on the same numbers: the
    bits are the same too.
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
        with blas.one_thread(), unbuffered(), scope("columns"):
            moved = parameters.copy()
            layers = self._architecture.layer_views(moved)
            base = self._base(layers, self._x)
            below = [self._x, *self._base.activations]
            for index, (weights, bias) in enumerate(self._architecture.weight_slices):
                columns = range(weights.start, bias.stop)
                outputs = partial(self._from_layer[index], layers[index:], below[index])
                _write(
                    self._transposed[columns.start : columns.stop], moved, columns, self._step, outputs, base
                )
        return self._transposed.reshape(self._architecture.parameters, -1).T
