"""The history of a fit: a record of each epoch, and why it ended."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import Any, Generic, TypeVar

SCHEMA = 1
T = TypeVar("T")


class StopReason(StrEnum):
    """Why a fit ended."""

    TARGET_REACHED = "target reached"
    GRADIENT_SMALL = "gradient small"
    DAMPING_EXHAUSTED = "damping exhausted"
    NO_VALIDATION_PROGRESS = "no validation progress"
    EPOCHS_USED_UP = "epochs used up"
    INTERRUPTED = "interrupted"
    NOT_FINITE = "not finite"


@dataclass(frozen=True)
class EpochRecord:
    """One epoch. Errors are means of squares in scaled units, see `Scaling`; NaN where there are no such rows."""

    epoch: int
    """Counted from 1."""
    seconds: float
    """Wall time of the optimiser's step; measuring held-out errors, and the callback, are not in it."""
    train_mse: float
    validation_mse: float
    test_mse: float
    damping: float | None
    """μ of the last trial; None for first-order optimisers."""
    gain_ratio: float | None
    """Actual by predicted reduction of the accepted trial; None without one."""
    trials: int
    gradient_norm: float | None
    """Euclidean norm of the objective's gradient where the step started."""
    forward_passes: int
    """Over the training rows, since the start of the fit; a mini-batch counts as one."""
    jacobians: int
    """Since the start of the fit; for first-order optimisers 0."""
    factorisations: int
    """Since the start of the fit."""
    effective_parameters: float | None = None
    """γ of Bayesian regularisation where the step started; None without it."""


@dataclass(frozen=True)
class Progress:
    """What a callback receives after each epoch."""

    epoch: int
    epochs: int
    train_mse: float
    validation_mse: float
    damping: float | None


SERIES = tuple(field.name for field in fields(EpochRecord) if field.name != "epoch")


class _Series(Generic[T]):
    """A list of one field of all records, as an attribute of the history."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, history: History, owner: type) -> list[T]:
        return [getattr(record, self._name) for record in history.records]


@dataclass(frozen=True)
class History:
    """A finished fit. Each series of `EpochRecord` is also a list attribute, such as `history.train_mse`."""

    records: tuple[EpochRecord, ...]
    stop_reason: StopReason
    parameters: int
    """The number of fitted parameters."""
    seed: int
    optimizer: Mapping[str, Any]
    """The optimiser's name, under "name", and its options."""
    kernels: Mapping[str, Mapping[str, str]]
    """For "tanh" and "jacobian_tanh" the kernel's "name" and "implementation"."""
    rows: Mapping[str, int]
    """How many rows were for "training", "validation" and "test"."""
    initial_train_mse: float
    """Training error before the first epoch, NaN if the fit was interrupted before it was known."""
    jacobian: Mapping[str, str] = field(default_factory=dict)
    """The "strategy" that made the Jacobian and the "reason" for it; empty for first-order optimisers."""
    threads: Mapping[str, int | str] = field(default_factory=dict)
    """Threads of the linear algebra ("blas"), "workers", their "backend", and BLAS threads in each worker
    ("blas_in_worker"); without workers the backend is "serial"."""

    @property
    def epochs(self) -> int:
        """The number of epochs that were run, the last one included even if it accepted no step."""
        return len(self.records)

    seconds = _Series[float]()
    """Wall time of each epoch, in seconds."""
    train_mse = _Series[float]()
    validation_mse = _Series[float]()
    test_mse = _Series[float]()
    damping = _Series[float | None]()
    gain_ratio = _Series[float | None]()
    trials = _Series[int]()
    gradient_norm = _Series[float | None]()
    forward_passes = _Series[int]()
    jacobians = _Series[int]()
    factorisations = _Series[int]()
    effective_parameters = _Series[float | None]()

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings; None for what is not finite: strict JSON has no NaN."""
        head = {
            "schema": SCHEMA,
            "epochs": self.epochs,
            "stop_reason": str(self.stop_reason),
            "parameters": self.parameters,
            "seed": self.seed,
            "optimizer": dict(self.optimizer),
            "kernels": {role: dict(kernel) for role, kernel in self.kernels.items()},
            "rows": dict(self.rows),
            "initial_train_mse": _finite(self.initial_train_mse),
            "jacobian": dict(self.jacobian),
            "threads": dict(self.threads),
        }
        rows = [asdict(record) for record in self.records]
        return head | {name: [_finite(row[name]) for row in rows] for name in SERIES}

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write `to_dict` as strict JSON."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write one line per epoch, with a header; what is missing or not finite is an empty cell."""
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *SERIES])
            for record in self.records:
                row = asdict(record)
                writer.writerow([record.epoch, *(_finite(row[name]) for name in SERIES)])


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
