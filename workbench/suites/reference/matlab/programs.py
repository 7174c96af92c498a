"""MATLAB and GNU Octave: they get a MAT-file with the start, run `train_reference.m`, and leave one with the fit."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, savemat
from scipy.io.matlab import MatReadError

from workbench.bench.run.process import failure
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.suites.reference.matlab.fits import DAMPING, Array, Fit, FitLimits, Start
from workbench.trainer import Architecture
from workbench.trainer.workers import blas

FOLDER = Path(__file__).parent
STEPS = ("seconds", "mse", "damping", "trials")
"""Variables of a result that have a number for each step."""


@dataclass(frozen=True)
class Program:
    """A program that runs MATLAB code."""

    name: str
    commands: Sequence[str]
    """Its names on PATH; the first that is there is taken."""
    options: Sequence[str]
    """They come before the statement that it is to run."""
    install: str

    def missing(self) -> str | None:
        """Return why it cannot run here; None: it can."""
        if any(shutil.which(command) for command in self.commands):
            return None
        return f"no command {self.commands[0]} on PATH: {self.install}"

    def run(self, statement: str) -> str:
        """Run a statement; return what it printed.

        Raises:
            WorkbenchError: The program is not there or ended with an error, of which this has the message.
        """
        found = next(filter(None, map(shutil.which, self.commands)), None)
        if found is None:
            raise WorkbenchError(f"{self.name} cannot run here: {self.missing()}")
        caught = (
            f"try, {statement}, catch e, fprintf(2, '%s\\n', regexprep(e.message, '\\s+', ' ')), exit(1), end"
        )
        done = subprocess.run(
            [found, *self.options, caught],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode:
            raise WorkbenchError(f"{self.name} failed: {failure(done.returncode, done.stderr)}")
        return done.stdout

    def fit(self, start: Start, limits: FitLimits, method: str = "plain", refinements: int = 0) -> Fit:
        """Fit from a start by "plain", each of its steps refined so many times, or by "trainlm" of MATLAB's toolbox.

        Raises:
            WorkbenchError: The program failed, or its result cannot be used.
        """
        with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
            given, result = Path(scratch, "start.mat"), Path(scratch, "result.mat")
            write_start(given, start, limits, refinements)
            words = ", ".join(map(_quoted, (str(given), str(result), method)))
            self.run(f"addpath({_quoted(str(FOLDER))}), train_reference({words})")
            return read_result(result, start.model.architecture)


MATLAB = Program("MATLAB", ("matlab",), ("-batch",), "install MATLAB R2019b or later")
OCTAVE = Program(
    "Octave",
    ("octave-cli", "octave"),
    ("--no-gui", "--norc", "--no-history", "--quiet", "--eval"),
    "install GNU Octave 7 or later",
)


def trainlm_missing() -> str | None:
    """Return why MATLAB's trainlm cannot run here; None: it can."""
    command = shutil.which("matlab")
    if command is None:
        return MATLAB.missing()
    toolbox = Path(command).resolve().parents[1] / "toolbox" / "nnet"
    return None if toolbox.is_dir() else f"no Deep Learning Toolbox in {toolbox}: install it"


def write_start(path: Path, start: Start, limits: FitLimits, refinements: int = 0) -> None:
    """Write what `train_reference.m` reads."""
    model = start.model
    layers = model.architecture.layer_views(model.parameters)
    savemat(
        path,
        {
            "W": _cells([layer.weights for layer in layers]),
            "b": _cells([layer.bias for layer in layers]),
            "rows": start.rows + 1.0,
            "damping": DAMPING,
            "refinements": float(refinements),
            "threads": float(blas.threads()),
        }
        | {name: float(value) for name, value in asdict(limits).items()},
        oned_as="column",
    )


def read_result(path: Path, architecture: Architecture) -> Fit:
    """Return what `train_reference.m` wrote.

    Raises:
        WorkbenchError: There is no such file, or it is damaged, or its weights are another network's.
    """
    try:
        found = loadmat(path)
        columns = {name: np.asarray(found[name], np.float64).reshape(-1) for name in STEPS}
        parameters = np.concatenate(
            [
                np.ravel(_checked(found, name, number, shape))
                for number, layer in enumerate(architecture.layer_views(np.zeros(architecture.parameters)))
                for name, shape in (("W", layer.weights.shape), ("b", layer.bias.shape))
            ]
        )
    except (OSError, ValueError, KeyError, TypeError, MatReadError, NotImplementedError) as error:
        raise WorkbenchError(f"{path.name} has no result of train_reference: {error}") from None
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise WorkbenchError(f"{path.name} has {sorted(lengths)} numbers of steps: run train_reference again")
    return Fit(parameters=parameters, **{name: tuple(column.tolist()) for name, column in columns.items()})


def _checked(found: Mapping[str, Any], name: str, number: int, shape: tuple[int, ...]) -> Array:
    cells = found[name].reshape(-1)
    values = np.asarray(cells[number] if number < len(cells) else (), np.float64)
    if values.shape != shape:
        raise InvalidInputError(
            f"{name}{{{number + 1}}} has shape {values.shape}, not {shape}: it is of another network"
        )
    return values


def _cells(arrays: Sequence[Array]) -> Any:
    cells = np.empty((1, len(arrays)), object)
    for place, array in enumerate(arrays):
        cells[0, place] = array
    return cells


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
