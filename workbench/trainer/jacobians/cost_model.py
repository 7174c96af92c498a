"""What each Jacobian strategy costs, counted in advance from shapes, and the choice that `auto` makes.

Counted are floating-point operations of additions, multiplications and divisions, evaluations of activation
functions (each worth some tens of such operations), and the bytes of the arrays that are kept. A multiply-add
is two operations. For P parameters, rows·outputs = n residuals and a layer with u units and i inputs:

* a forward pass takes Σ u·(2i + 1) operations and Σ u activations for each row;
* `columns` makes P + 1 of them, `columns-cached` one from layer l on for each parameter of layer l;
* `columns-rank-one` takes for each parameter 2 for its unit, 2u′ for the next layer's u′ units, and the layers
  after that in full; the activations are 1 + u′ and all those of the layers after;
* all three divide a difference: 2 for each entry of J;
* `backprop` adds to one forward pass, for each output, Σ 2·u·i for Δ below the last layer, slopes, and one
  product for each entry of J;
* the normal equations take P²·n for JᵀJ (`syrk`), 2·P·n for Jᵀr, and P³/3 for the Cholesky factor;
* the dual takes n²·Σ (u + i + 2) for K = JJᵀ by layers, n³/3 for its factor, and no J.

Bytes that are moved are the least there can be: every array that is read or written counts once, 8 bytes an entry and
of a symmetric matrix one triangle, as if all caches were large enough for what is used again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.trainer.network.architecture import Architecture

__all__ = ["MEMORY_BYTES", "Choice", "StepCost", "choose", "cost", "passes"]

MAX_RESIDUALS = 16384
"""Of a dual: its matrix and its factor then take 4 GiB."""
MEMORY_BYTES = 256 * 2**20
"""The largest Jacobian that `auto` keeps whole."""
SHORT_PRODUCTS = 4
"""An operation of the dual's matrix takes that many times one of `syrk`: its products have few terms, and what
they give is multiplied entry by entry (measured: 10 and 40 Gflop/s on one core)."""
CHUNK_ROWS = 1024
COLUMNS = ("columns", "columns-cached", "columns-rank-one")


@dataclass(frozen=True)
class StepCost:
    """One step: linearise, and solve once; for all rows."""

    jacobian_flops: float
    """Of J, or of what takes its place in the dual."""
    matrix_flops: float
    """Of JᵀJ and Jᵀr, or of K = JJᵀ."""
    factor_flops: float
    """Of one Cholesky factor; each further trial takes it again."""
    activations: float
    """Values of activation functions that are not linear."""
    memory_bytes: float
    """J (or its chunk), the matrix and its factor."""
    jacobian_bytes: float
    """Moved at least: the inputs read and J written, or what takes its place."""
    matrix_bytes: float
    """Moved at least: J read, or what takes its place, and a triangle of the matrix written."""

    @property
    def flops(self) -> float:
        """All of a step with one trial."""
        return self.jacobian_flops + self.matrix_flops + self.factor_flops


@dataclass(frozen=True)
class Choice:
    """A strategy, and why: one sentence with its numbers. `costs` are those of all that were compared."""

    strategy: str
    reason: str
    costs: Mapping[str, StepCost]


@dataclass(frozen=True)
class _Work:
    """Work for one row."""

    flops: int
    units: int
    """Units evaluated."""
    activations: int
    """Of these the ones that are not linear."""


def _forward(architecture: Architecture, first: int = 0) -> _Work:
    """Return the work of a forward pass through layer `first` and all after it."""
    layers = architecture.layers[first:]
    inputs = architecture.sizes[first:-1]
    return _Work(
        sum(layer.units * (2 * below + 1) for layer, below in zip(layers, inputs, strict=True)),
        sum(layer.units for layer in layers),
        sum(layer.units for layer in layers if layer.activation != "linear"),
    )


def _rank_one(architecture: Architecture, index: int) -> _Work:
    """Return the work of one column of layer `index`: its unit, the next layer, and those after that."""
    own = architecture.layers[index].activation != "linear"
    rest = _forward(architecture, index + 2)
    if index + 1 == len(architecture.layers):
        return _Work(2, 1, int(own))
    following = architecture.layers[index + 1]
    curved = following.units if following.activation != "linear" else 0
    return _Work(
        2 + 2 * following.units + rest.flops,
        1 + following.units + rest.units,
        own + curved + rest.activations,
    )


def _columns(architecture: Architecture, strategy: str) -> _Work:
    """Return the work of all columns by forward differences, the unperturbed pass included."""
    base = _forward(architecture)
    flops, units, activations = base.flops, base.units, base.activations
    for index, layer in enumerate(architecture.layers):
        parameters = layer.units * (architecture.sizes[index] + 1)
        if strategy == "columns":
            work = base
        elif strategy == "columns-cached":
            work = _forward(architecture, index)
        else:
            work = _rank_one(architecture, index)
        flops += parameters * work.flops
        units += parameters * work.units
        activations += parameters * work.activations
    return _Work(flops + 2 * architecture.outputs * architecture.parameters, units, activations)


def passes(architecture: Architecture, strategy: str) -> int:
    """Return how many forward passes a Jacobian is worth, by the units evaluated and rounded up."""
    if strategy not in COLUMNS:
        return 1
    return math.ceil(_columns(architecture, strategy).units / sum(architecture.sizes[1:]))


def _jacobian(architecture: Architecture, strategy: str) -> _Work:
    """Return the work of J for one row, all outputs."""
    if strategy in COLUMNS:
        return _columns(architecture, strategy)
    forward = _forward(architecture)
    sizes = architecture.sizes
    backward = sum(2 * units * inputs for units, inputs in zip(sizes[2:], sizes[1:-1], strict=True))
    each = backward + 3 * forward.units + architecture.parameters
    return _Work(forward.flops + architecture.outputs * each, forward.units, forward.activations)


def cost(architecture: Architecture, rows: int, strategy: str, *, chunk_rows: int = CHUNK_ROWS) -> StepCost:
    """Return what a step costs by a strategy; `chunk_rows` matter to `backprop-chunked` only."""
    size, residuals = architecture.parameters, rows * architecture.outputs
    work = _jacobian(architecture, strategy)
    if strategy == "dual":
        # No entry of J is made; Jᵀ is applied twice and J once, each for about two forward passes.
        flops = work.flops - size * architecture.outputs + 6 * _forward(architecture).flops
        matrix = residuals**2 * sum(
            layer.units + inputs + 2
            for layer, inputs in zip(architecture.layers, architecture.sizes[:-1], strict=True)
        )
        order, kept = residuals, 0.0
        sensitivities = residuals * sum(architecture.sizes[1:])
        written, read = sensitivities, sensitivities + rows * sum(architecture.sizes[:-1])
    else:
        flops = work.flops
        matrix = residuals * (size**2 + 2 * size)
        rows_kept = min(rows, chunk_rows) if strategy == "backprop-chunked" else rows
        order, kept = size, 8.0 * rows_kept * architecture.outputs * size
        written = read = residuals * size
    return StepCost(
        jacobian_flops=float(rows * flops),
        matrix_flops=float(matrix),
        factor_flops=order**3 / 3,
        activations=float(rows * work.activations),
        memory_bytes=kept + 16.0 * order**2,
        jacobian_bytes=8.0 * (rows * architecture.sizes[0] + written),
        matrix_bytes=8.0 * read + 4.0 * order**2,
    )


def choose(
    architecture: Architecture, rows: int, *, memory_bytes: int = MEMORY_BYTES, scaled: bool = False
) -> Choice:
    """Return the strategy for `rows` training rows, the least flops in the memory given.

    The columns strategies are never chosen: `backprop` gives the same J for a small part of their flops. `scaled`
    says that the damping weighs parameters by their curvature, which the dual cannot do. `memory_bytes` is the
    largest J to be kept whole.
    """
    size, residuals = architecture.parameters, rows * architecture.outputs
    whole, dual = cost(architecture, rows, "backprop"), cost(architecture, rows, "dual")
    costs = {"backprop": whole, "dual": dual}
    jacobian_bytes = 8 * residuals * size
    can_be_dual = residuals < size and residuals <= MAX_RESIDUALS and not scaled
    if can_be_dual and _dual_flops(dual) < whole.flops:
        return Choice(
            "dual",
            f"{residuals} residuals are fewer than {size} parameters, "
            f"{_giga(dual.flops)} instead of {_giga(whole.flops)} Gflop a step",
            costs,
        )
    if jacobian_bytes > memory_bytes:
        costs["backprop-chunked"] = cost(architecture, rows, "backprop-chunked")
        return Choice(
            "backprop-chunked",
            f"a whole Jacobian of {residuals} residuals by {size} parameters would take "
            f"{jacobian_bytes / 1e6:.0f} MB, more than {memory_bytes / 1e6:.0f} MB",
            costs,
        )
    if residuals >= size:
        why = f"{residuals} residuals are not fewer than {size} parameters"
    elif scaled:
        why = f"{residuals} residuals are fewer than {size} parameters, but the dual cannot scale them apart"
    elif residuals > MAX_RESIDUALS:
        why = f"a matrix of {residuals} residuals squared would be too large"
    else:
        why = (
            f"the dual of {residuals} residuals would take {_giga(dual.flops)} Gflop a step "
            "in short products, which run slower"
        )
    return Choice(
        "backprop",
        f"{why}, and the Jacobian's {jacobian_bytes / 1e6:.3g} MB fit into memory: "
        f"{_giga(whole.flops)} Gflop a step",
        costs,
    )


def _dual_flops(dual: StepCost) -> float:
    """Return the dual's flops, those of its short products at what they cost beside long ones."""
    return dual.flops + (SHORT_PRODUCTS - 1) * dual.matrix_flops


def _giga(flops: float) -> str:
    return f"{flops / 1e9:.2g}"
