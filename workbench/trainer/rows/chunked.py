"""JᵀJ and Jᵀr summed over chunks of rows: memory does not grow with the rows, as there is no whole Jacobian.

Each worker keeps the Jacobian of one chunk, some megabytes, and one matrix of sums. On one BLAS thread each, groups
of rows are summed in parallel (see `groups`): two cores then do twice the work, where with one `syrk` on two
threads the one would wait for the next Jacobian while the other computes it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dtpttr, dtrttp

from workbench.errors import WorkbenchError
from workbench.scopes import scope
from workbench.trainer.arrays import Array, unbuffered
from workbench.trainer.jacobians.backprop import Backprop, loss_gradient
from workbench.trainer.jacobians.cost_model import cost
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.jacobians.second_derivative import SecondDerivative
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.options import LevenbergMarquardt
from workbench.trainer.rows.groups import MapGroups, RowGroup, View
from workbench.trainer.workers.thread_pool import NO_POOL

MAX_CHUNK_BYTES = 24 << 20
"""Bytes of a chunk's Jacobian. From 1 MB on `syrk` is as fast on any; but every operation of NumPy takes Python's
lock again at its end, so forward passes want long ones: with 4,096 rows those of a trial took 0.7 of the time."""
MAX_CHUNK_ROWS = 4096


def default_chunk_rows(architecture: Architecture) -> int:
    """Return the most rows of a chunk: the network alone decides it, so all machines add up in one order."""
    fitting = MAX_CHUNK_BYTES // (8 * architecture.parameters * architecture.outputs)
    return min(max(fitting, 128), MAX_CHUNK_ROWS)


@dataclass(frozen=True)
class ChunkTask:
    """What a worker needs besides the parameters and the rows."""

    architecture: Architecture
    view: View
    tanh: str
    jacobian_tanh: str
    chunk_rows: int

    @property
    def buffers(self) -> tuple[object, ...]:
        """The values that its buffers depend on."""
        return self.architecture, self.tanh, self.jacobian_tanh, self.chunk_rows

    @classmethod
    def of(cls, architecture: Architecture, options: LevenbergMarquardt, view: View, rows: int) -> ChunkTask:
        """Return the task of a fit with these options to the rows of a source of so many rows."""
        most = options.chunk_rows or default_chunk_rows(architecture)
        in_group = view.max_training(rows)
        # Chunks of equal length: all rows of a buffer are computed, filled or not.
        chunk = -(-in_group // -(-in_group // most))
        return cls(architecture, view, options.tanh, options.kernel_of_jacobian, chunk)


@dataclass(frozen=True)
class Sums:
    """[J r]ᵀ[J r], its lower triangle by columns, over some rows: JᵀJ, Jᵀr and ‖r‖² by one product.

    ‖r‖² is also there by itself.
    """

    packed: Array
    squares: float


class _ChunkBuffers:
    """The buffers of one thread, which it keeps as long as the task stays the same."""

    def __init__(self, task: ChunkTask) -> None:
        architecture, rows = task.architecture, task.chunk_rows
        self.task = task
        # Zeros: the rows beyond a short chunk are computed as well, and must be numbers.
        self.x, self.target = np.zeros((architecture.inputs, rows)), np.zeros((architecture.outputs, rows))
        self.forward = ForwardPass(architecture, rows, task.tanh)

    @cached_property
    def backprop(self) -> Backprop:
        return Backprop(self.task.architecture, self.x, self.task.jacobian_tanh, spare=1)

    @cached_property
    def second_derivative(self) -> SecondDerivative:
        return SecondDerivative(self.task.architecture, self.task.chunk_rows)

    @cached_property
    def own(self) -> ForwardPass:
        """The forward pass with J's kernel, where it has another."""
        return ForwardPass(self.task.architecture, self.task.chunk_rows, self.task.jacobian_tanh)

    @cached_property
    def matrix(self) -> Array:
        size = self.task.architecture.parameters + 1
        return np.zeros((size, size), order="F")

    def residuals(self, parameters: Array, rows: int) -> Array:
        """Return prediction − target of the first `rows` rows, shape (outputs, rows)."""
        with unbuffered():
            outputs = self.forward(self.task.architecture.layer_views(parameters), self.x)
        return outputs[:, :rows] - self.target[:, :rows]

    def with_residuals(self, parameters: Array, residuals: Array) -> Array:
        """Return [J r], shape (residuals, parameters + 1), of rows at which `residuals` has just been called."""
        if self.task.jacobian_tanh == self.task.tanh:
            self.backprop.after(self.forward, parameters)
        else:
            self.backprop(parameters)
        both = self.backprop.columns[: residuals.size]
        both[:, -1] = flatten(residuals)
        return both


_KEPT = threading.local()


def _buffers(task: ChunkTask) -> _ChunkBuffers:
    kept: _ChunkBuffers | None = getattr(_KEPT, "room", None)
    if kept is None or kept.task.buffers != task.buffers:
        kept = _KEPT.room = _ChunkBuffers(task)
    return kept


def normal_sums(group: RowGroup, task: ChunkTask, parameters: Array) -> Sums:
    """Return JᵀJ, Jᵀr and ‖r‖² over a group's training rows."""
    room = _buffers(task)
    squares, anew = 0.0, True
    for rows in task.view.fill(group, "training", room.x, room.target):
        work = cost(task.architecture, rows, "backprop")
        with scope("compute jacobian", flops=work.jacobian_flops, bytes=work.jacobian_bytes):
            residuals = room.residuals(parameters, rows)
            both = room.with_residuals(parameters, residuals)
        with scope("forming normal equations", flops=work.matrix_flops, bytes=work.matrix_bytes):
            NO_POOL.gram(both, room.matrix, anew=anew)
        squares += float(np.vdot(residuals, residuals))
        anew = False
    if anew:
        return Sums(np.zeros((parameters.size + 1) * (parameters.size + 2) // 2), squares)
    packed, _ = dtrttp(room.matrix, uplo="L")
    return Sums(packed, squares)


def squares_of(group: RowGroup, task: ChunkTask, parameters: Array, parts: tuple[str, ...]) -> list[float]:
    """Return ‖r‖² over a group's rows of each part."""
    room, sums = _buffers(task), []
    for part in parts:
        total = 0.0
        for rows in task.view.fill(group, part, room.x, room.target):
            residuals = room.residuals(parameters, rows)
            total += float(np.vdot(residuals, residuals))
        sums.append(total)
    return sums


def second_order_sum(group: RowGroup, task: ChunkTask, parameters: Array, velocity: Array) -> Array:
    """Return Jᵀr″ over a group's training rows, shape (parameters,); see `second_derivative`."""
    room, total = _buffers(task), np.zeros(parameters.size)
    for rows in task.view.fill(group, "training", room.x, room.target):
        with unbuffered():
            room.forward(task.architecture.layer_views(parameters), room.x)
            second = room.second_derivative(room.forward, parameters, velocity, room.x)
            second[:, rows:] = 0.0
            forward = room.forward
            if task.jacobian_tanh != task.tanh:
                forward = room.own
                forward(task.architecture.layer_views(parameters), room.x)
        total += loss_gradient(forward, task.architecture, parameters, room.x, second)
    return total


class ChunkedRows:
    """A `normal.NormalSource` over groups of rows, which are added up in their order."""

    def __init__(self, task: ChunkTask, map_groups: MapGroups, rows: int) -> None:
        self.residuals = rows * task.architecture.outputs
        self.forward_passes = 1 if task.tanh == task.jacobian_tanh else 2
        self.architecture = task.architecture
        self._task = task
        self._map_groups = map_groups
        self._evaluated: tuple[Array, float] | None = None

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`."""
        (total,) = self.squares(parameters, ("training",))
        self._evaluated = parameters, total
        return total

    def squares(self, parameters: Array, parts: tuple[str, ...]) -> list[float]:
        """Return ‖r‖² of each part in one pass over the rows."""
        totals = [0.0] * len(parts)
        for sums in self._map_groups(squares_of, self._task, parameters, parts):
            totals = [total + part for total, part in zip(totals, sums, strict=True)]
        return totals

    def accumulate(self, parameters: Array, matrix: Array, gradient: Array) -> None:
        """Write JᵀJ and Jᵀr.

        Raises:
            WorkbenchError: the rows are not those that the parameters were evaluated with.
        """
        with scope("sum over rows"):
            both, squares = self._sums(parameters)
            matrix[...], gradient[...] = both[:-1, :-1], both[-1, :-1]
        self._check_same_rows(parameters, squares)

    def _sums(self, parameters: Array) -> tuple[Array, float]:
        """Return [J r]ᵀ[J r], its lower triangle, and ‖r‖²."""
        packed: Array | None = None
        squares = 0.0
        for sums in self._map_groups(normal_sums, self._task, parameters):
            with scope("sum groups"):
                packed = sums.packed if packed is None else np.add(packed, sums.packed, out=packed)
                squares += sums.squares
        assert packed is not None
        both: Array
        both, _ = dtpttr(parameters.size + 1, packed, uplo="L")
        return both, squares

    def _check_same_rows(self, parameters: Array, squares: float) -> None:
        if self._evaluated is None or self._evaluated[0] is not parameters:
            return
        before = self._evaluated[1]
        if np.isfinite(before) and not np.isclose(squares, before, rtol=1e-9):
            raise WorkbenchError(
                f"the rows have changed during the fit: their squared error was {before:.17g}, and now it is "
                f"{squares:.17g} with the same parameters; leave them as they are, and fit again"
            )

    def second_order(self, parameters: Array, velocity: Array) -> Array:
        """Return Jᵀr″."""
        total = np.zeros(parameters.size)
        for part in self._map_groups(second_order_sum, self._task, parameters, velocity):
            total += part
        return total
