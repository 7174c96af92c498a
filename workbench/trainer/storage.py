"""The model file: an .npz of plain arrays, never pickles, with its kind and version in it.

| entry | holds |
|---|---|
| header | JSON text: format, version, inputs, layers as [units, activation], tanh, targets_to |
| parameters | the flat vector, float64 |
| input_low, input_high, output_low, output_high | the scaling's ranges, float64 |

`targets_to` is the range that targets are scaled to; version 1 had no such entry and always [−1, 1].
"""

from __future__ import annotations

from os import PathLike
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.records import Many, Number
from workbench.trainer import _archive, kernels
from workbench.trainer.network.architecture import Architecture, Dense
from workbench.trainer.network.scaling import Scaling

Array = NDArray[np.float64]

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


class _ModelHeader(Network, frozen=True, kw_only=True):
    tanh: str


class State(NamedTuple):
    """All of a model, in the order of what a `Sequential` is made of."""

    architecture: Architecture
    parameters: Array
    input_scaling: Scaling
    output_scaling: Scaling
    tanh: str


def write(path: str | PathLike[str], state: State) -> None:
    """Write the model file; a file of that name is replaced whole or not at all.

    Raises:
        InvalidInputError: the directory does not exist, or may not be written to.
    """
    header = _ModelHeader(**described(state.architecture, state.output_scaling), tanh=state.tanh)
    arrays = {"parameters": state.parameters} | ranges(state.input_scaling, state.output_scaling)
    _archive.write(path, KIND, header, arrays)


def read(path: str | PathLike[str]) -> State:
    """Return the model that `write` wrote.

    Raises:
        InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
    """
    with _archive.reading(path, KIND, _ModelHeader) as (header, file):
        architecture = header.architecture
        kernels.kernel(header.tanh)
        parameters = _archive.array(file, "parameters", (architecture.parameters,))
        return State(architecture, parameters, *scalings(header, file), header.tanh)


def described(architecture: Architecture, targets: Scaling) -> dict[str, Any]:
    """Return the entries of a `Network`."""
    layers = tuple((layer.units, layer.activation) for layer in architecture.layers)
    return {"inputs": architecture.inputs, "layers": layers, "targets_to": targets.to}


def ranges(inputs: Scaling, outputs: Scaling) -> dict[str, Array]:
    """Return two scalings as arrays of a file."""
    return {
        "input_low": inputs.low,
        "input_high": inputs.high,
        "output_low": outputs.low,
        "output_high": outputs.high,
    }


def scalings(header: Network, file: _archive.Entries) -> tuple[Scaling, Scaling]:
    """Return the two scalings that `described` and `ranges` put there."""
    start, stop = header.targets_to
    inputs = Scaling(*_ranges(file, "input", header.inputs))
    targets = Scaling(*_ranges(file, "output", header.architecture.outputs), header.targets_to)
    if targets.constant or not start < stop:
        raise InvalidInputError("the output ranges are empty")
    return inputs, targets


def _ranges(file: _archive.Entries, side: str, columns: int) -> tuple[Array, Array]:
    low, high = (_archive.array(file, f"{side}_{end}", (columns,)) for end in ("low", "high"))
    if not (low <= high).all():
        raise InvalidInputError(f"the {side} ranges are empty")
    return low, high
