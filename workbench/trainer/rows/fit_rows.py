"""The rows of a fit in its parts and in scaled units: in memory, or streamed from a source by passes over its groups.

Of streamed rows nothing here is as large as the rows. The ranges of the scaling and the check for what is not finite
take one pass at the start; a step takes one to linearise, one for the acceleration and one for each trial, and the
held-out errors of an epoch one for both parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.errors import InvalidInputError
from workbench.scopes import scope
from workbench.trainer import checks
from workbench.trainer.arrays import Array
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.jacobian import WITH_CHUNKS
from workbench.trainer.network.activations import target_range
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import LevenbergMarquardt, Optimizer
from workbench.trainer.rows.chunked import ChunkedRows, ChunkTask
from workbench.trainer.rows.groups import MapGroups, RowGroup, View, open_groups
from workbench.trainer.rows.row_sources import ArrayRows, JoinedRows, RowSource, mapped
from workbench.trainer.splits import BLOCK, BlockSplit, Own, Shares, Validation, split_rows

MAX_COPIED_BYTES = 256 * 2**20
"""Bytes of arrays that `Sequential.fit` copies; larger ones are read in chunks."""
HELD_OUT = ("validation", "test")
SOURCE = "rows in chunks: "
"""The beginning of the fingerprint of a source's rows, which are split differently from rows in memory."""
_HASHED = 16 * BLOCK

Tables = tuple[Array, Array]
"""Inputs and targets in memory, (rows, columns) each."""


class _HeldOut:
    """The errors of both held-out parts, by one pass for each vector of parameters."""

    def __init__(self, sums: ChunkedRows, counts: dict[str, int]) -> None:
        self._sums = sums
        self._counts = counts
        self._last: tuple[Array, dict[str, float]] | None = None

    def error(self, part: str, parameters: Array) -> float:
        if not self._counts[part]:
            return float("nan")
        if self._last is None or self._last[0] is not parameters:
            parts = tuple(name for name in HELD_OUT if self._counts[name])
            with scope("held-out errors"):
                squares = dict(zip(parts, self._sums.squares(parameters, parts), strict=True))
            outputs = self._sums.architecture.outputs
            self._last = parameters, {name: squares[name] / (self._counts[name] * outputs) for name in parts}
        return self._last[1][part]


@dataclass(frozen=True)
class StreamedRows:
    """One part of a source's rows; the counterpart of `TrainingProblem`."""

    part: str
    count: int
    sums: ChunkedRows
    held_out: _HeldOut

    @property
    def architecture(self) -> Architecture:
        """The network that is fitted."""
        return self.sums.architecture

    def error(self, parameters: Array, tanh: str) -> float:
        """Return the mean squared residual, NaN for no rows; the kernel is the task's."""
        return self.held_out.error(self.part, parameters)


Part = TrainingProblem | StreamedRows
"""Training, validation or test rows, in memory or from a source."""


@dataclass(frozen=True)
class FitRows:
    """The rows of a fit, and the scaling by the ranges of its training rows."""

    parts: Mapping[str, Part]
    scalings: tuple[Scaling, Scaling]
    rng: np.random.Generator
    """Seeded, after the draws of the split; it shuffles batches."""
    fingerprint: Callable[[], str]
    """Return a text that is different for other rows."""


def rows_of(
    x: ArrayLike | RowSource, y: ArrayLike | None, own: Own, architecture: Architecture, *, chunked: bool
) -> Tables | RowSource:
    """Return the arguments of a fit as tables or as a source, followed by validation rows of one's own.

    Raises:
        InvalidInputError: the rows cannot be used.
    """
    is_source = callable(getattr(x, "chunks", None))
    if is_source and y is not None:
        raise InvalidInputError(
            f"x is {type(x).__name__}, a source, which has targets of its own: leave y out"
        )
    if y is None:
        if not is_source:
            raise InvalidInputError(
                f"x is {type(x).__name__}, without y: give targets y, or a source such as ArrayRows(x, y)"
            )
        if own is not None:
            raise InvalidInputError(
                "validation is a pair: give a fraction, and validation rows of your own as the last rows of the "
                "source, with split='ordered'"
            )
        return x  # type: ignore[return-value]  # it has what a source has
    if chunked:
        rows = ArrayRows(x, y)  # type: ignore[arg-type]  # a source comes without y
        return rows if own is None else JoinedRows(rows, ArrayRows(*own))
    inputs, targets = tables(x, y, architecture)
    if own is None:
        return inputs, targets
    return np.concatenate([inputs, own[0]]), np.concatenate([targets, own[1]])


def tables(x: Any, y: Any, architecture: Architecture, name: str = "") -> Tables:
    """Return inputs and targets as finite tables that fit the network; `name` comes before theirs in messages.

    Raises:
        InvalidInputError: they are no such tables.
    """
    inputs, targets = checks.table(f"{name}x", x), checks.table(f"{name}y", y)
    checks.same_rows(inputs, targets, name)
    architecture.check_columns(f"{name}x", inputs.shape[1], "inputs")
    architecture.check_columns(f"{name}y", targets.shape[1], "outputs")
    return inputs, targets


def shares_of(
    validation: Validation, test: float, split: str, architecture: Architecture
) -> tuple[Shares, Own]:
    """Return how rows are divided, and the validation rows of one's own, or None.

    Raises:
        InvalidInputError: these rows cannot be used, or the shares contradict themselves.
    """
    if not isinstance(validation, tuple | list):
        return Shares(validation, test, split), None
    if len(validation) != 2:
        raise InvalidInputError(
            f"validation has {len(validation)} parts: give a fraction of the rows, or rows (x, y)"
        )
    own = tables(*validation, architecture, "validation ")
    return Shares(0.0, test, split, len(own[0])), own


@contextmanager
def open_rows(
    rows: Tables | RowSource,
    architecture: Architecture,
    optimizer: Optimizer,
    shares: Shares,
    seed: int,
    scalings: tuple[Scaling, Scaling] | None = None,
) -> Iterator[FitRows]:
    """Yield the rows as a fit sees them; workers live as long as the context. Known `scalings` are not computed again.

    Raises:
        InvalidInputError: the rows do not fit the network, are too few, are not finite, or cannot be read.
    """
    to = target_range(architecture.layers[-1].activation) if scalings is None else scalings[1].to
    rng = np.random.default_rng(seed)
    if isinstance(rows, tuple):
        inputs, targets = rows
        parts = split_rows(shares, len(inputs), rng)
        found = scalings or (
            Scaling.of_inputs(inputs[parts.training]),
            Scaling.of_targets(targets[parts.training], to),
        )
        x, y = found[0].scale(inputs), found[1].scale(targets)
        problems = {
            name: TrainingProblem(
                architecture, np.ascontiguousarray(x[part].T), np.ascontiguousarray(y[part].T)
            )
            for name, part in vars(parts).items()
        }
        yield FitRows(problems, found, rng, lambda: fingerprint(inputs, targets))
        return
    options = chunked_options(optimizer)
    architecture.check_columns("x", rows.inputs, "inputs")
    architecture.check_columns("y", rows.outputs, "outputs")
    split = BlockSplit(rows.rows, shares, seed)
    split.check()
    with open_groups(rows, options.n_jobs, options.backend) as map_groups:
        found = _scalings(map_groups, split, to) if scalings is None else scalings
        counts = split.counts
        task = ChunkTask.of(architecture, options, View(split, found), rows.rows)
        sums = ChunkedRows(task, map_groups, counts["training"])
        held_out = _HeldOut(sums, counts)
        streamed = {part: StreamedRows(part, count, sums, held_out) for part, count in counts.items()}
        yield FitRows(streamed, found, rng, lambda: fingerprint_of_source(rows))


def chunked_options(optimizer: Optimizer) -> LevenbergMarquardt:
    """Return the options of a fit in chunks.

    Raises:
        InvalidInputError: another optimiser, or a Jacobian that needs all rows at once.
    """
    if isinstance(optimizer, LevenbergMarquardt) and optimizer.jacobian in WITH_CHUNKS:
        return optimizer
    raise InvalidInputError(
        f"{_named(optimizer)} needs all rows in memory: rows in chunks are fitted by "
        "LevenbergMarquardt(jacobian='backprop-chunked')"
    )


def in_chunks(x: Any, y: Any, optimizer: Optimizer) -> bool:
    """Whether `Sequential.fit` reads these rows in chunks: from memory-mapped files, and large arrays.

    Raises:
        InvalidInputError: they are a file's, too large to be copied, and the optimiser needs them in memory.
    """
    from_file = mapped(x) or mapped(y)
    size = sum(np.size(values) * 8 for values in (x, y) if isinstance(values, np.ndarray))
    if not from_file and size <= MAX_COPIED_BYTES:
        return False
    if isinstance(optimizer, LevenbergMarquardt) and optimizer.jacobian in WITH_CHUNKS:
        return True
    if from_file and size > MAX_COPIED_BYTES:
        raise InvalidInputError(
            f"{_named(optimizer)} needs all rows in memory, {size / 2**20:.0f} MiB: choose "
            "LevenbergMarquardt(jacobian='backprop-chunked'), or read them with numpy.array first"
        )
    return False


def _named(optimizer: Optimizer) -> str:
    if isinstance(optimizer, LevenbergMarquardt):
        return f"jacobian={optimizer.jacobian!r}"
    return type(optimizer).__name__


def ranges_of(group: RowGroup, split: BlockSplit) -> tuple[list[Array], str | None]:
    """Return least and largest values of a group's training rows, first x's and then y's, and what is not a number."""
    low = [np.full(columns, np.inf) for columns in (group.source.inputs, group.source.outputs)]
    high = [-values for values in low]
    for first, x, y in group.source.chunks(BLOCK, group.start, group.stop):
        try:
            for name, values in (("x", x), ("y", y)):
                checks.finite(name, checks.numbers_of(name, values, first), first)
        except InvalidInputError as error:  # not raised here: of several workers the first row's counts
            return [], str(error)
        for index, values in enumerate(View(split).of_part("training", x, y, first)):
            if len(values):
                np.minimum(low[index], values.min(axis=0), out=low[index])
                np.maximum(high[index], values.max(axis=0), out=high[index])
    return [np.stack([low[index], high[index]]) for index in (0, 1)], None


def _scalings(map_groups: MapGroups, split: BlockSplit, to: tuple[float, float]) -> tuple[Scaling, Scaling]:
    seen: list[list[Array]] = []
    with scope("ranges"):
        for ranges, bad in map_groups(ranges_of, split):
            if bad is not None:
                raise InvalidInputError(bad)
            seen.append(ranges)
    ranges_of_parts = (np.concatenate(part) for part in zip(*seen, strict=True))
    # A group without training rows has infinite ranges.
    x, y = (rows[np.isfinite(rows).all(axis=1)] for rows in ranges_of_parts)
    return Scaling.of_inputs(x), Scaling.of_targets(y, to)


def fingerprint(*in_memory: Array) -> str:
    """Return a text that is different for other rows: a hash of shapes and values."""
    state = hashlib.blake2b(digest_size=16)
    for table in in_memory:
        state.update(repr(table.shape).encode())
        state.update(np.ascontiguousarray(table).data)
    return state.hexdigest()


def fingerprint_of_source(source: RowSource) -> str:
    """Return a text that is different for other rows: a hash of their number and values, in one pass."""
    state = hashlib.blake2b(repr((source.rows, source.inputs, source.outputs)).encode(), digest_size=16)
    for _, x, y in source.chunks(_HASHED, 0, source.rows):
        for values in (x, y):
            state.update(np.ascontiguousarray(values).data)
    return f"{SOURCE}{state.hexdigest()}"
