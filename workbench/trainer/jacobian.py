"""The Jacobian of the residuals by named strategies, and the conventions that all of them keep.

Conventions, here and nowhere else:

* Sign: r = prediction − target, so J = ∂r/∂w is the derivative of the prediction.
* Rows: sample-major, then output: row = sample · outputs + output. `residuals` flattens r the same way.
* Columns: the order of the flat parameter vector, see `architecture`.
* Shape (rows·outputs, parameters), float64, in Fortran order: each column is contiguous, and BLAS forms
  JᵀJ without a copy.
* Units: scaled, as the network sees the data; x has shape (inputs, rows), targets (outputs, rows).

| strategy | is | forward passes |
|---|---|---|
| columns | forward differences, one column per parameter | parameters + 1 |
| backprop | analytic, per sample | 1 |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import joblib
import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer import _checks, kernels
from workbench.trainer.architecture import Architecture
from workbench.trainer.backprop import Backprop
from workbench.trainer.columns import Columns

Array = NDArray[np.float64]

STRATEGIES = ("auto", "backprop", "columns")
BACKENDS = ("loky", "threading")


class Jacobian(Protocol):
    """Computes J at given parameters into a buffer of its own."""

    forward_passes: int
    """Forward passes over all rows that one call makes."""

    def __call__(self, parameters: Array) -> Array:
        """Return J at `parameters`; valid until the next call."""
        ...


def flatten(outputs: Array) -> Array:
    """Return values of shape (outputs, rows) in the order of J's rows, shape (rows·outputs,)."""
    return outputs.T.reshape(-1)


def check_jacobian_options(strategy: str, tanh: str, n_jobs: Any, backend: str, step: float | None) -> None:
    """Raise InvalidInputError if no Jacobian can be made of these options."""
    if strategy not in STRATEGIES:
        raise unknown_name("jacobian strategy", str(strategy), STRATEGIES)
    if backend not in BACKENDS:
        raise unknown_name("backend", str(backend), BACKENDS)
    kernels.kernel(tanh)
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0:
        raise InvalidInputError(
            f"n_jobs is {n_jobs!r}: give 1 for serial, 2 or more workers, or -1 for all cores"
        )
    if step is not None:
        _checks.real("step", step, above=0.0)
    if strategy in ("auto", "backprop") and (n_jobs != 1 or step is not None):
        name, value = ("n_jobs", n_jobs) if n_jobs != 1 else ("step", step)
        raise InvalidInputError(
            f"{name}={value!r} is for jacobian='columns': choose that too, or leave it out"
        )


@contextmanager
def open_jacobian(
    architecture: Architecture,
    x: Array,
    strategy: str = "backprop",
    *,
    tanh: str = "exact",
    n_jobs: int = 1,
    backend: str = "loky",
    step: float | None = None,
) -> Iterator[Jacobian]:
    """Give a Jacobian at the rows of x, shape (inputs, rows); its workers live as long as the context.

    `n_jobs`, `backend` and `step` matter to `columns` only. A step of None is the kernel's, see `columns`.

    Raises:
        InvalidInputError: an unknown name, n_jobs of 0, or a step that is not positive.
    """
    check_jacobian_options(strategy, tanh, n_jobs, backend, step)
    if strategy == "backprop":
        yield Backprop(architecture, x, tanh)
    elif joblib.effective_n_jobs(n_jobs) == 1:
        yield Columns(architecture, x, tanh, step, None, in_processes=False)
    else:
        workers = joblib.effective_n_jobs(n_jobs)
        with joblib.Parallel(n_jobs=workers, backend=backend) as parallel:
            yield Columns(architecture, x, tanh, step, parallel, in_processes=backend == "loky")
