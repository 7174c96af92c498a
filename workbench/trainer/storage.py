"""The model file: an .npz of plain arrays, never pickles, with its kind and version in it.

| entry | holds |
|---|---|
| header | JSON text: format, version, inputs, layers as [units, activation], tanh |
| parameters | the flat vector, float64 |
| input_low, input_high, output_low, output_high | the scaling's ranges, float64 |
"""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.trainer import kernels
from workbench.trainer.architecture import Architecture, Dense
from workbench.trainer.scaling import Scaling

Array = NDArray[np.float64]

FORMAT = "workbench-model"
VERSION = 1


@dataclass(frozen=True)
class State:
    """All of a model."""

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
    header = {
        "format": FORMAT,
        "version": VERSION,
        "inputs": state.architecture.inputs,
        "layers": [[layer.units, layer.activation] for layer in state.architecture.layers],
        "tanh": state.tanh,
    }
    arrays: dict[str, Any] = {
        "header": np.array(json.dumps(header)),
        "parameters": state.parameters,
        "input_low": state.input_scaling.low,
        "input_high": state.input_scaling.high,
        "output_low": state.output_scaling.low,
        "output_high": state.output_scaling.high,
    }
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as directory:
            draft = Path(directory) / "model"
            with draft.open("wb") as file:
                np.savez(file, **arrays)
            draft.replace(target)
    except OSError as error:
        raise InvalidInputError(
            f"cannot write {target} ({error.strerror or error}): give a path in a directory "
            "that exists and may be written to"
        ) from error


def read(path: str | PathLike[str]) -> State:
    """Return the model that `write` wrote.

    Raises:
        InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise InvalidInputError("it holds a single array")
        with loaded as file:
            header = json.loads(str(file["header"][()]))
            _check_kind(header)
            return _state(header, file)
    except FileNotFoundError:
        raise InvalidInputError(
            f"no model file {path}: check the path, or fit a model and save it there"
        ) from None
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {path} ({error.strerror or error}): check that it is a readable file"
        ) from error
    except _NewerVersionError as error:
        raise InvalidInputError(f"{path} {error}: upgrade workbench to read it") from None
    except (
        AttributeError, EOFError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidInputError(
            f"{path} is not a whole workbench model file ({reason}): give a file that Sequential.save wrote, "
            "or save the model again"
        ) from error


class _NewerVersionError(Exception):
    pass


def _check_kind(header: dict[str, Any]) -> None:
    if header["format"] != FORMAT:
        raise InvalidInputError(f"its format is {header['format']!r}")
    if header["version"] > VERSION:
        raise _NewerVersionError(
            f"has model format {header['version']}, and this workbench reads up to {VERSION}"
        )


def _state(header: dict[str, Any], file: Any) -> State:
    architecture = Architecture(header["inputs"], tuple(Dense(*layer) for layer in header["layers"]))
    kernels.kernel(header["tanh"])
    return State(
        architecture=architecture,
        parameters=_vector(file, "parameters", architecture.parameters),
        input_scaling=_scaling(file, "input", architecture.inputs),
        output_scaling=_scaling(file, "output", architecture.outputs),
        tanh=header["tanh"],
    )


def _vector(file: Any, name: str, length: int) -> Array:
    array: NDArray[Any] = file[name]
    if array.shape != (length,) or array.dtype != np.float64:
        raise InvalidInputError(
            f"{name} are {array.dtype}, shape {array.shape}, not float64, shape ({length},)"
        )
    if not np.isfinite(array).all():
        raise InvalidInputError(f"{name} hold values that are not finite")
    return array


def _scaling(file: Any, side: str, columns: int) -> Scaling:
    low, high = _vector(file, f"{side}_low", columns), _vector(file, f"{side}_high", columns)
    if not (low < high).all():
        raise InvalidInputError(f"the {side} ranges are empty")
    return Scaling(low, high)
