"""The checkpoint: a file from which a fit resumes, to the same bits as if it had never stopped.

An .npz of plain arrays, never pickles, replaced whole or not at all. It holds no rows, only their fingerprint.

| entry | holds |
|---|---|
| header | JSON text: format, version, the network, the optimiser's options, limits, seed, and the numbers below |
| parameters, best_parameters | the accepted ones, and those with the least validation error, float64 |
| records, records_missing | a row for each epoch, a column for each of the header's `record_fields` |
| run_... | the optimiser's arrays: moments, or the largest curvature so far |
| input_low, input_high, output_low, output_high | the scaling's ranges, float64 |
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.records import Count, convert
from workbench.trainer import _archive, checks, storage
from workbench.trainer.fits import Best, Checkpoint, Counts, FitSettings, Snapshot, StopLimits
from workbench.trainer.history import EpochRecord, StopReason
from workbench.trainer.options import SGD, Adam, LevenbergMarquardt, Optimizer
from workbench.trainer.splits import Shares
from workbench.trainer.steps import first_order
from workbench.trainer.steps.first_order import FirstOrderState
from workbench.trainer.steps.levenberg_marquardt import LevenbergMarquardtState

KIND = _archive.Kind(
    format="workbench-checkpoint",
    version=2,
    name="checkpoint",
    origin="begin a fit with checkpoint=PATH",
    remedy="give a file that a fit with checkpoint=PATH wrote",
)
RunState = LevenbergMarquardtState | FirstOrderState
_OPTIMIZERS: dict[str, type[Any]] = {kind.__name__: kind for kind in (LevenbergMarquardt, SGD, Adam)}
_RECORD = fields(EpochRecord)
_RECORD_FIELDS = tuple(field.name for field in _RECORD)


class _Options(msgspec.Struct, frozen=True):
    name: str
    options: dict[str, Any]


class _CheckpointHeader(storage.Network, frozen=True, kw_only=True):
    optimizer: _Options
    limits: StopLimits
    shares: Shares | None = None
    validation: float = 0.0
    """This and `test` are version 1's shares."""
    test: float = 0.0
    seed: Count
    fingerprint: str
    note: str
    epoch: Count
    stop_reason: StopReason | None
    initial_train_mse: float
    best_validation: tuple[float, Count]
    counts: Counts
    generator: dict[str, Any]
    run: dict[str, int | float]
    record_fields: tuple[str, ...]
    elapsed: float


class CheckpointWriter:
    """Writes the checkpoints of one fit: when it begins, at most one every `seconds`, and when it ends."""

    def __init__(
        self,
        path: str | PathLike[str],
        fit: FitSettings,
        seconds: float,
        clock: Callable[[], float],
        resumed: Checkpoint | None = None,
    ) -> None:
        self._path = Path(path)
        self._fit = fit
        self._seconds = checks.real("checkpoint_seconds", seconds, at_least=0.0)
        self._clock = clock
        self._began = clock() - (0.0 if resumed is None else resumed.elapsed)
        self._written = -math.inf if resumed is None else clock()
        self._works = resumed is not None
        self._failed = False
        _archive.sweep(self._path)

    def __call__(self, snapshot: Snapshot, records: Sequence[EpochRecord], ended: bool) -> None:
        """Write a checkpoint if one is due.

        Raises:
            InvalidInputError: the first one cannot be written. A running fit continues without, and warns.
        """
        now = self._clock()
        if self._failed or (not ended and now - self._written < self._seconds):
            return
        self._written = now
        try:
            if self._path.exists():  # a foreign file that was put there meanwhile is not replaced
                with _archive.reading(self._path, KIND, _CheckpointHeader):
                    pass
            write(self._path, Checkpoint(self._fit, snapshot, tuple(records), now - self._began))
            self._works = True
        except InvalidInputError as error:
            if not self._works:
                self._failed = True  # the fit ends now with this error, so nothing more is written
                raise
            warnings.warn(f"the checkpoint is not up to date: {error}", UserWarning, stacklevel=2)


def refuse_unfinished(path: str | PathLike[str]) -> None:
    """Raise InvalidInputError where a new fit would overwrite another's checkpoint, or what is none."""
    if not Path(path).exists():
        return
    found = read(path)
    done, epochs = found.snapshot.epoch, found.fit.limits.epochs
    if found.snapshot.stop is None and done < epochs:
        raise InvalidInputError(
            f"{path} holds a fit that is not finished ({done} of {epochs} epochs): resume it, or remove the "
            "file to begin anew"
        )


def write(path: str | PathLike[str], checkpoint: Checkpoint) -> None:
    """Write the file; one of that name is replaced whole or not at all.

    Raises:
        InvalidInputError: the directory does not exist, or may not be written to.
    """
    fit, snapshot = checkpoint.fit, checkpoint.snapshot
    network, ranges = storage.described(fit.architecture, fit.input_scaling, fit.output_scaling)
    state = vars(snapshot.run_state)
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    header = _CheckpointHeader(
        **network,
        optimizer=_Options(type(fit.optimizer).__name__, asdict(fit.optimizer)),
        limits=fit.limits,
        shares=fit.shares,
        seed=fit.seed,
        fingerprint=fit.fingerprint,
        note=fit.note,
        epoch=snapshot.epoch,
        stop_reason=snapshot.stop,
        initial_train_mse=snapshot.initial_train_mse,
        best_validation=(snapshot.best.mse, snapshot.best.epoch),
        counts=snapshot.counts,
        generator=dict(snapshot.generator),
        run={name: value for name, value in state.items() if name not in arrays},
        record_fields=_RECORD_FIELDS,
        elapsed=checkpoint.elapsed,
    )
    rows = [[getattr(record, field.name) for field in _RECORD] for record in checkpoint.records]
    missing = np.array([[value is None for value in row] for row in rows], dtype=np.bool_)
    values = np.array([[math.nan if value is None else value for value in row] for row in rows])
    _archive.write(
        path,
        KIND,
        header,
        {
            "parameters": snapshot.parameters,
            "best_parameters": snapshot.best.parameters,
            "records": values.reshape(len(rows), len(_RECORD)),
            "records_missing": missing.reshape(len(rows), len(_RECORD)),
        }
        | {f"run_{name}": value for name, value in arrays.items()}
        | ranges,
    )


def read(path: str | PathLike[str]) -> Checkpoint:
    """Return the checkpoint that `write` wrote.

    Raises:
        InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
    """
    with _archive.reading(path, KIND, _CheckpointHeader) as (header, file):
        architecture = header.architecture
        optimizer = _optimizer(header.optimizer)
        size = (architecture.parameters,)
        mse, best_epoch = header.best_validation
        snapshot = Snapshot(
            epoch=header.epoch,
            parameters=_archive.array(file, "parameters", size),
            best=Best(mse, best_epoch, _archive.array(file, "best_parameters", size)),
            run_state=_run_state(optimizer, header.run, file, *size),
            counts=header.counts,
            generator=_generator(header.generator),
            initial_train_mse=header.initial_train_mse,
            stop=header.stop_reason,
        )
        fit = FitSettings(
            architecture,
            optimizer,
            header.limits,
            header.shares or Shares(header.validation, header.test),
            header.seed,
            *header.scalings(file),
            fingerprint=header.fingerprint,
            note=header.note,
        )
        return Checkpoint(fit, snapshot, _records(header, file), header.elapsed)


def _optimizer(entry: _Options) -> Optimizer:
    kind = _OPTIMIZERS[entry.name]
    if set(entry.options) != {field.name for field in fields(kind)}:
        raise InvalidInputError(f"its options of {kind.__name__} are another version's")
    found: Optimizer = convert(entry.options, kind)
    return found


def _generator(state: dict[str, Any]) -> dict[str, Any]:
    np.random.default_rng().bit_generator.state = state  # a state that does not fit is refused here
    return state


def _records(header: _CheckpointHeader, file: _archive.Entries) -> tuple[EpochRecord, ...]:
    if header.record_fields != _RECORD_FIELDS:
        raise InvalidInputError("its records are another version's")
    shape = (header.epoch, len(_RECORD))
    values = _archive.array(file, "records", shape, finite=False).tolist()
    missing: NDArray[np.bool_] = file["records_missing"]
    if missing.shape != shape:
        raise InvalidInputError(f"records_missing are of shape {missing.shape}, not {shape}")
    kinds: list[Callable[[float], Any]] = [int if field.type == "int" else float for field in _RECORD]
    records = []
    for row, gaps in zip(values, missing.tolist(), strict=True):
        given = zip(kinds, row, gaps, strict=True)
        entries: list[Any] = [None if gap else kind(value) for kind, value, gap in given]
        records.append(EpochRecord(*entries))
    return tuple(records)


def _run_state(
    optimizer: Optimizer, numbers: dict[str, Any], file: _archive.Entries, parameters: int
) -> RunState:
    """Return the optimiser's state, from its numbers and its arrays."""
    if isinstance(optimizer, LevenbergMarquardt):
        curvature = _archive.array(file, "run_largest_curvature", (parameters,), finite=False)
        return LevenbergMarquardtState(largest_curvature=curvature, **numbers)
    moments = (first_order.moments_of(optimizer), parameters)
    return FirstOrderState(
        moments=_archive.array(file, "run_moments", moments, finite=False),
        best_parameters=_archive.array(file, "run_best_parameters", (parameters,)),
        **numbers,
    )
