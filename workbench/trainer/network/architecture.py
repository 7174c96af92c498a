"""The layers of a network, and the order of their parameters in one flat vector.

The parameters are one float64 vector. Layer after layer it holds the layer's weights, shape
(units, inputs) in C order, and then its biases, shape (units,). So the weight from input i to unit j is
before the one from input i + 1 to unit j. `layer_views` gives views into the vector, never copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer import checks
from workbench.trainer.arrays import Array
from workbench.trainer.network import activations


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: its number of units, and the name of its activation."""

    units: int
    activation: str

    def __post_init__(self) -> None:
        checks.whole("units of a dense layer", self.units)
        if self.activation not in activations.NAMES:
            raise unknown_name("activation", str(self.activation), activations.NAMES)


class LayerView(NamedTuple):
    """One layer's part of a flat parameter vector, as views of the vector, not copies."""

    weights: Array
    """Shape (units, inputs)."""
    bias: Array
    """Shape (units, 1): a column, to be added to activations of shape (units, rows)."""
    activation: str


@dataclass(frozen=True)
class Architecture:
    """A chain of dense layers after `inputs` input columns."""

    inputs: int
    layers: tuple[Dense, ...]

    def __post_init__(self) -> None:
        checks.whole("inputs", self.inputs)
        if not self.layers:
            raise InvalidInputError(
                "a network without layers: add at least one with .dense(units, activation)"
            )

    @property
    def outputs(self) -> int:
        """The number of output columns."""
        return self.layers[-1].units

    def check_columns(self, name: str, columns: int, side: str) -> None:
        """Raise InvalidInputError unless a table has as many columns as there are `side`, "inputs" or "outputs"."""
        wanted = getattr(self, side)
        if columns != wanted:
            raise InvalidInputError(
                f"{name} has {columns} columns and the network {wanted} {side}: give one column per {side[:-1]}"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """The widths from the input to the output, such as (1, 20, 20, 10, 1)."""
        return (self.inputs, *(layer.units for layer in self.layers))

    @cached_property
    def parameters(self) -> int:
        """The length of the flat parameter vector."""
        return sum((before + 1) * after for before, after in zip(self.sizes, self.sizes[1:], strict=False))

    @cached_property
    def weight_slices(self) -> tuple[tuple[slice, slice], ...]:
        """For each layer the slices of its weights and of its biases in the flat vector."""
        slices = []
        start = 0
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            middle = start + before * after
            slices.append((slice(start, middle), slice(middle, middle + after)))
            start = middle + after
        return tuple(slices)

    def layer_views(self, parameters: Array) -> list[LayerView]:
        """Return each layer's views into `parameters`, shape (self.parameters,)."""
        if parameters.shape != (self.parameters,):
            raise InvalidInputError(
                f"a parameter vector of shape {parameters.shape}: this network needs ({self.parameters},)"
            )
        widths = zip(self.layers, self.sizes, self.weight_slices, strict=False)
        return [
            LayerView(
                parameters[weights].reshape(layer.units, before),
                parameters[bias].reshape(layer.units, 1),
                layer.activation,
            )
            for layer, before, (weights, bias) in widths
        ]
