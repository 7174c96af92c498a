"""The Jacobian of the residuals by named strategies, and the conventions that all of them keep.

Conventions, here and nowhere else:

* Sign: r = prediction − target, so J = ∂r/∂w is the derivative of the prediction.
* Rows: sample-major, then output: row = sample · outputs + output. `residuals` flattens r the same way.
* Columns: the order of the flat parameter vector, see `architecture`.
* Shape (rows·outputs, parameters), float64, in Fortran order: each column is contiguous, and BLAS forms
  JᵀJ without a copy.
* Units: scaled, as the network sees the data; x has shape (inputs, rows), targets (outputs, rows).

| strategy | is |
|---|---|
| columns | forward differences, a whole forward pass for each parameter |
| columns-cached | the same, from the perturbed layer on |
| columns-rank-one | the same, by the one unit that changes and what follows from it |
| backprop | analytic, per sample |

These give a whole J, see `open_jacobian`. `backprop-chunked` sums JᵀJ over chunks of rows and `dual` forms JJᵀ,
both without a whole J, see `open_system`. What each costs is in `cost_model`, which also chooses for `auto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer import checks, kernels
from workbench.trainer.arrays import Array
from workbench.trainer.jacobians.backprop import Backprop
from workbench.trainer.jacobians.column_batches import open_columns
from workbench.trainer.jacobians.columns import ColumnsCached
from workbench.trainer.jacobians.columns_rank_one import ColumnsRankOne
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.workers.executor import check_backend

STRATEGIES = (
    "auto",
    "columns",
    "columns-cached",
    "columns-rank-one",
    "backprop",
    "backprop-chunked",
    "dual",
)
WHOLE = ("columns", "columns-cached", "columns-rank-one", "backprop")
"""The strategies that give a whole J."""
WITH_WORKERS = ("columns", "backprop-chunked")
"""The strategies that know workers."""
WITH_CHUNKS = ("backprop-chunked", "auto")
"""Those that may take rows in chunks."""
_WITH_STEP = ("columns", "columns-cached", "columns-rank-one")


class Jacobian(Protocol):
    """Computes J at given parameters into a buffer of its own."""

    forward_passes: int
    """Forward passes over all rows that one call makes; partial ones count by the units that they evaluate."""

    def __call__(self, parameters: Array) -> Array:
        """Return J at `parameters`; valid until the next call."""
        ...


def flatten(outputs: Array) -> Array:
    """Return values of shape (outputs, rows) in the order of J's rows, shape (rows·outputs,)."""
    return outputs.T.reshape(-1)


def check_jacobian_options(
    strategy: str, tanh: str, n_jobs: Any, backend: str, step: float | None, chunk_rows: int | None = None
) -> None:
    """Raise InvalidInputError if no Jacobian can be made of these options."""
    if strategy not in STRATEGIES:
        raise unknown_name("jacobian strategy", str(strategy), STRATEGIES)
    check_backend(backend)
    kernels.kernel(tanh)
    checks.jobs(n_jobs)
    if step is not None:
        checks.real("step", step, above=0.0)
    if chunk_rows is not None:
        checks.whole("chunk_rows", chunk_rows)
    for name, value, unset, meaningful in (
        ("n_jobs", n_jobs, 1, WITH_WORKERS),
        ("step", step, None, _WITH_STEP),
        ("chunk_rows", chunk_rows, None, WITH_CHUNKS),
    ):
        if value != unset and strategy not in meaningful:
            listed = f"{', '.join(map(repr, meaningful[:-1]))} or {meaningful[-1]!r}"
            raise InvalidInputError(
                f"{name}={value!r} means nothing to jacobian={strategy!r}: choose jacobian={listed}, or leave "
                f"{name} out"
            )


def unscaled() -> InvalidInputError:
    """Return the error of Moré's scaling with the dual."""
    return InvalidInputError(
        "scaling='more' with jacobian='dual': the dual can damp all parameters alike only; choose "
        "scaling='identity', or jacobian='auto'"
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
    """Yield a Jacobian at the rows of x, shape (inputs, rows); its workers live as long as the context.

    `n_jobs` and `backend` matter to `columns` only, `step` to all that take differences; a step of None is the
    kernel's, see `columns`.

    Raises:
        InvalidInputError: an unknown name, a strategy without a whole J, an option that means nothing to the
            strategy, or one out of its range.
    """
    check_jacobian_options(strategy, tanh, n_jobs, backend, step)
    if strategy not in WHOLE:
        raise InvalidInputError(
            f"jacobian strategy {strategy!r} gives no whole Jacobian: choose one of {', '.join(WHOLE)}"
        )
    if strategy == "backprop":
        yield Backprop(architecture, x, tanh)
    elif strategy == "columns-cached":
        yield ColumnsCached(architecture, x, tanh, step)
    elif strategy == "columns-rank-one":
        yield ColumnsRankOne(architecture, x, tanh, step)
    else:
        with open_columns(architecture, x, tanh, step, n_jobs, backend) as columns:
            yield columns
