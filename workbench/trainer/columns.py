"""The Jacobian by forward differences, one column per parameter: what the original does.

Column p is (prediction(w + h·e_p) − prediction(w)) / h, with a whole forward pass for each parameter: no
layer is cached, since the cost of these passes is what the workbench sets out to show.

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

A step of 1e-5 for all gives what the original did; for `fast` and `faster` that is mostly noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import joblib
import numpy as np
from numpy.typing import NDArray

from workbench.scopes import carry, scope
from workbench.trainer import _blas
from workbench.trainer.architecture import Architecture
from workbench.trainer.forward import ForwardPass

Array = NDArray[np.float64]

DEFAULT_STEPS = {"exact": 3e-8, "float32": 5e-4, "fast": 5e-3, "faster": 5e-4}
BATCHES_PER_WORKER = 4  # a few, so that an uneven worker does not leave the other idle for long


@dataclass(frozen=True)
class ColumnTask:
    """What every batch of columns needs, picklable: it travels to each worker process."""

    architecture: Architecture
    parameters: Array
    x: Array
    base: Array
    """The outputs at `parameters`, shape (outputs, rows)."""
    tanh: str
    step: float


def column_block(task: ColumnTask, start: int, stop: int, out: Array | None = None) -> Array:
    """Return the columns start..stop of J as rows: shape (stop − start, rows, outputs)."""
    outputs, rows = task.base.shape
    block = np.empty((stop - start, rows, outputs)) if out is None else out
    with scope("columns"):
        perturbed = np.array(task.parameters)
        layers = task.architecture.layer_views(perturbed)
        forward = ForwardPass(task.architecture, rows, task.tanh)
        for row, index in zip(block, range(start, stop), strict=True):
            kept = perturbed[index]
            perturbed[index] = kept + task.step * max(1.0, abs(kept))
            width = perturbed[index] - kept
            np.subtract(forward(layers, task.x), task.base, out=row.T)
            np.divide(row, width, out=row)
            perturbed[index] = kept
    return block


def column_block_in_process(task: ColumnTask, start: int, stop: int) -> Array:
    """Do `column_block` in a worker process, where BLAS' threads are this function's to limit."""
    with _blas.one_thread():
        return column_block(task, start, stop)


class Columns:
    """The finite-difference Jacobian at the rows of x, shape (inputs, rows); conventions in `jacobian`.

    Serial without `parallel`, else in batches through it. Each column is computed by the same operations on
    one BLAS thread wherever it runs, so all back ends give the same bits on one machine. With processes the
    task is pickled once per batch, some kilobytes; joblib hands arrays over 1 MB over as memory maps.
    """

    def __init__(
        self,
        architecture: Architecture,
        x: Array,
        tanh: str,
        step: float | None,
        parallel: joblib.Parallel | None,
        in_processes: bool,
    ) -> None:
        self._architecture = architecture
        self._x = x
        self._tanh = tanh
        self._step = DEFAULT_STEPS[tanh] if step is None else step
        self._parallel = parallel
        self._in_processes = in_processes
        self._transposed = np.empty((architecture.parameters, x.shape[1], architecture.outputs))
        self.forward_passes = architecture.parameters + 1

    def __call__(self, parameters: Array) -> Array:
        """Return J, shape (rows·outputs, parameters), Fortran order; the same buffer at every call."""
        # Limited here and not in each thread: the limit belongs to the process, and the thread that ends
        # first would lift it for the others.
        with _blas.one_thread():
            forward = ForwardPass(self._architecture, self._x.shape[1], self._tanh)
            base = forward(self._architecture.layer_views(parameters), self._x)
            # A copy, because joblib recognises an array it has mapped by identity, not by content.
            task = ColumnTask(self._architecture, parameters.copy(), self._x, base, self._tanh, self._step)
            if self._parallel is None:
                column_block(task, 0, self._architecture.parameters, self._transposed)
            else:
                self._in_batches(task, self._parallel)
        return self._transposed.reshape(self._architecture.parameters, -1).T

    def _in_batches(self, task: ColumnTask, parallel: joblib.Parallel) -> None:
        """Fill the buffer through `parallel`: threads write into it, processes send their blocks back."""
        ranges = batches(self._architecture.parameters, BATCHES_PER_WORKER * parallel.n_jobs)
        if not self._in_processes:
            in_thread: Callable[..., Array] = joblib.delayed(carry(column_block))
            parallel(in_thread(task, start, stop, self._transposed[start:stop]) for start, stop in ranges)
            return
        in_process: Callable[..., Array] = joblib.delayed(carry(column_block_in_process))
        blocks = parallel(in_process(task, start, stop) for start, stop in ranges)
        for (start, stop), block in zip(ranges, blocks, strict=True):
            self._transposed[start:stop] = block


def batches(columns: int, count: int) -> list[tuple[int, int]]:
    """Return at most `count` ranges (start, stop) of nearly equal length which cover 0..columns."""
    edges = np.linspace(0, columns, min(columns, count) + 1).astype(int).tolist()
    return list(pairwise(edges))
