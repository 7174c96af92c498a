"""The model file: an .npz of plain arrays, never pickles, with its kind and version in it.

| entry | holds |
|---|---|
| header | JSON text: format, version, inputs, layers as [units, activation], targets_to, tanh |
| parameters | the flat vector, float64 |
| input_low, input_high, output_low, output_high | the scaling's ranges, float64 |

`targets_to` is the range that targets are scaled to; version 1 had no such entry and always [−1, 1]. A checkpoint
describes its network in the same way, see `Network`.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

import msgspec

from workbench.errors import InvalidInputError
from workbench.records import Many, Number
from workbench.trainer import _archive, kernels
from workbench.trainer.arrays import Array
from workbench.trainer.network.architecture import Architecture, Dense
from workbench.trainer.network.scaling import Scaling

KIND = _archive.Kind(
    format="workbench-model",
    version=2,
    name="model",
    origin="fit a model and save it there",
    remedy="give a file that Sequential.save wrote, or save the model again",
)


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers of models and checkpoints have in common: an architecture, and the range of targets."""

    inputs: Many
    layers: tuple[tuple[Many, str], ...]
    targets_to: tuple[Number, Number] = (-1.0, 1.0)

    @property
    def architecture(self) -> Architecture:
        """The network's layers.

        Raises:
            InvalidInputError: there is no such network.
        """
        return Architecture(self.inputs, tuple(Dense(*layer) for layer in self.layers))

    def scalings(self, file: _archive.Entries) -> tuple[Scaling, Scaling]:
        """Return the scaling of inputs and of targets from the arrays of `described`.

        Raises:
            InvalidInputError: their ranges are empty.
        """
        start, stop = self.targets_to
        inputs = Scaling(*_ranges(file, "input", self.inputs))
        targets = Scaling(*_ranges(file, "output", self.architecture.outputs), self.targets_to)
        if targets.constant or not start < stop:
            raise InvalidInputError("the output ranges are empty")
        return inputs, targets


class _ModelHeader(Network, frozen=True, kw_only=True):
    tanh: str


def write(
    path: str | PathLike[str],
    architecture: Architecture,
    parameters: Array,
    input_scaling: Scaling,
    output_scaling: Scaling,
    tanh: str,
) -> None:
    """Write the model file; a file of that name is replaced whole or not at all.

    Raises:
        InvalidInputError: the directory does not exist, or may not be written to.
    """
    network, ranges = described(architecture, input_scaling, output_scaling)
    _archive.write(path, KIND, _ModelHeader(**network, tanh=tanh), {"parameters": parameters} | ranges)


def read(path: str | PathLike[str]) -> tuple[Architecture, Array, Scaling, Scaling, str]:
    """Return what `write` wrote, in the order of its arguments.

    Raises:
        InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
    """
    with _archive.reading(path, KIND, _ModelHeader) as (header, file):
        architecture = header.architecture
        kernels.kernel(header.tanh)
        parameters = _archive.array(file, "parameters", (architecture.parameters,))
        return architecture, parameters, *header.scalings(file), header.tanh


def described(
    architecture: Architecture, inputs: Scaling, outputs: Scaling
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the entries of a `Network`, and the arrays of its scalings."""
    layers = tuple((layer.units, layer.activation) for layer in architecture.layers)
    ranges = {f"input_{end}": getattr(inputs, end) for end in ("low", "high")}
    ranges |= {f"output_{end}": getattr(outputs, end) for end in ("low", "high")}
    return {"inputs": architecture.inputs, "layers": layers, "targets_to": outputs.to}, ranges


def _ranges(file: _archive.Entries, side: str, columns: int) -> tuple[Array, Array]:
    low, high = (_archive.array(file, f"{side}_{end}", (columns,)) for end in ("low", "high"))
    if not (low <= high).all():
        raise InvalidInputError(f"the {side} ranges are empty")
    return low, high
