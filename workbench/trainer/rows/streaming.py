"""Fits of rows that need not be in memory: the parts, ranges and errors of a source, by passes over its groups.

Nothing here is as large as the rows. The ranges of the scaling and the check for what is not finite take one pass
at the start; a step takes one to linearise, one for the acceleration and one for each trial, and the held-out
errors of an epoch one for both parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.scopes import scope
from workbench.trainer import _checks
from workbench.trainer.network.activations import target_range
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import LevenbergMarquardt, Optimizer
from workbench.trainer.rows.block_split import BLOCK, BlockSplit
from workbench.trainer.rows.chunked import ChunkedRows, Plan
from workbench.trainer.rows.distributed import Crew, open_crew
from workbench.trainer.rows.row_groups import Group, View
from workbench.trainer.rows.row_sources import RowSource, mapped

Array = NDArray[np.float64]

LARGE_BYTES = 256 * 2**20
"""Arrays of more than that together are not copied by `Sequential.fit`, but read in chunks."""
STRATEGIES = ("auto", "backprop-chunked")
HELD_OUT = ("validation", "test")
SOURCE = "rows in chunks: "
"""How the fingerprint of a source's rows begins: they are split otherwise than rows in memory."""
_HASHED = 16 * BLOCK


@dataclass(frozen=True)
class StreamedProblem:
    """The training rows of a source; the counterpart of `_run.TrainingProblem`."""

    architecture: Architecture
    sums: ChunkedRows


class _HeldOut:
    """The errors of both held-out parts, by one pass for each parameters that are asked about."""

    def __init__(self, sums: ChunkedRows, counts: dict[str, int]) -> None:
        self._sums = sums
        self._counts = counts
        self._last: tuple[Array, dict[str, float]] | None = None

    def error(self, part: str, architecture: Architecture, parameters: Array) -> float:
        if not self._counts[part]:
            return float("nan")
        if self._last is None or self._last[0] is not parameters:
            parts = tuple(name for name in HELD_OUT if self._counts[name])
            with scope("held-out errors"):
                squares = dict(zip(parts, self._sums.squares(parameters, parts), strict=True))
            errors = {name: squares[name] / (self._counts[name] * architecture.outputs) for name in parts}
            self._last = parameters, errors
        return self._last[1][part]


@dataclass(frozen=True)
class StreamedRows:
    """One part of a source's rows; the counterpart of `training.Rows`."""

    part: str
    count: int
    sums: ChunkedRows
    held_out: _HeldOut
    streamed: bool = True

    def problem(self, architecture: Architecture) -> StreamedProblem:
        """Return what the optimiser is given of this part."""
        return StreamedProblem(architecture, self.sums)

    def error(self, architecture: Architecture, parameters: Array, tanh: str) -> float:
        """Return the mean squared residual, NaN for no rows; the kernel is the plan's."""
        return self.held_out.error(self.part, architecture, parameters)


@dataclass(frozen=True)
class Streamed:
    """A source's rows as a fit sees them, and the scaling by the ranges of the training rows."""

    parts: dict[str, StreamedRows]
    scalings: tuple[Scaling, Scaling]


@contextmanager
def open_rows(
    source: RowSource,
    architecture: Architecture,
    options: LevenbergMarquardt,
    split: BlockSplit,
    scalings: tuple[Scaling, Scaling] | None = None,
) -> Iterator[Streamed]:
    """Give a source's rows; workers live as long as the context. Known `scalings` save the pass for the ranges.

    Raises:
        InvalidInputError: the rows do not fit the network, are too few, are not finite, or cannot be read.
    """
    architecture.check_columns("x", source.inputs, "inputs")
    architecture.check_columns("y", source.outputs, "outputs")
    split.check()
    to = target_range(architecture.layers[-1].activation) if scalings is None else scalings[1].to
    with open_crew(source, options.n_jobs, options.backend) as crew:
        found = _scalings(crew, split, to) if scalings is None else scalings
        counts = split.counts
        plan = Plan.of(architecture, options, View(split, found), source.rows)
        sums = ChunkedRows(plan, crew, counts["training"])
        held_out = _HeldOut(sums, counts)
        yield Streamed(
            {part: StreamedRows(part, count, sums, held_out) for part, count in counts.items()}, found
        )


def chunked_options(optimizer: Optimizer) -> LevenbergMarquardt:
    """Return the options, which must be those of a fit in chunks.

    Raises:
        InvalidInputError: another optimiser, or a Jacobian that needs all rows at once.
    """
    if isinstance(optimizer, LevenbergMarquardt) and optimizer.jacobian in STRATEGIES:
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
    if not from_file and size <= LARGE_BYTES:
        return False
    if isinstance(optimizer, LevenbergMarquardt) and optimizer.jacobian in STRATEGIES:
        return True
    if from_file and size > LARGE_BYTES:
        raise InvalidInputError(
            f"{_named(optimizer)} needs all rows in memory, {size / 2**20:.0f} MiB: choose "
            "LevenbergMarquardt(jacobian='backprop-chunked'), or read them with numpy.array first"
        )
    return False


def _named(optimizer: Optimizer) -> str:
    if isinstance(optimizer, LevenbergMarquardt):
        return f"jacobian={optimizer.jacobian!r}"
    return type(optimizer).__name__


def ranges_of(group: Group, split: BlockSplit) -> tuple[list[Array], str | None]:
    """Return least and largest values of a group's training rows, first x's and then y's, and what is no number."""
    low = [np.full(columns, np.inf) for columns in (group.source.inputs, group.source.outputs)]
    high = [-values for values in low]
    for first, x, y in group.source.chunks(BLOCK, group.start, group.stop):
        try:
            for name, values in (("x", x), ("y", y)):
                _checks.finite(name, _checks.numbers_of(name, values, first), first)
        except InvalidInputError as error:  # not raised here: of several workers the first row's counts
            return [], str(error)
        for index, values in enumerate(View(split).of_part("training", x, y, first)):
            if len(values):
                np.minimum(low[index], values.min(axis=0), out=low[index])
                np.maximum(high[index], values.max(axis=0), out=high[index])
    return [np.stack([low[index], high[index]]) for index in (0, 1)], None


def _scalings(crew: Crew, split: BlockSplit, to: tuple[float, float]) -> tuple[Scaling, Scaling]:
    seen: list[list[Array]] = []
    with scope("ranges"):
        for ranges, bad in crew.map(ranges_of, split):
            if bad is not None:
                raise InvalidInputError(bad)
            seen.append(ranges)
    ranges_of_parts = (np.concatenate(part) for part in zip(*seen, strict=True))
    # A group without training rows has infinite ranges.
    x, y = (rows[np.isfinite(rows).all(axis=1)] for rows in ranges_of_parts)
    return Scaling.of_inputs(x), Scaling.of_targets(y, to)


def fingerprint_of_source(source: RowSource) -> str:
    """Return a text that other rows do not have: a hash of their number and values, in one pass."""
    state = hashlib.blake2b(repr((source.rows, source.inputs, source.outputs)).encode(), digest_size=16)
    for _, x, y in source.chunks(_HASHED, 0, source.rows):
        for values in (x, y):
            state.update(np.ascontiguousarray(values).data)
    return f"{SOURCE}{state.hexdigest()}"
