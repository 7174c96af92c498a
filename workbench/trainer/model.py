"""`Sequential`: a network that users build, fit, ask for predictions, save and load."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError
from workbench.trainer import _checks, kernels, storage
from workbench.trainer.architecture import Architecture, Dense
from workbench.trainer.forward import predict
from workbench.trainer.history import History, Progress
from workbench.trainer.initial import initial_parameters
from workbench.trainer.options import SGD, Adam, LevenbergMarquardt, Optimizer
from workbench.trainer.scaling import Scaling, Split, split_rows
from workbench.trainer.training import Limits, Rows, Training

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """How well predictions match targets."""

    mse: float
    """Mean of squared errors, over rows and outputs, in the data's units (squared)."""
    scaled_mse: float
    """The same in scaled [−1, 1] units, comparable with `History.train_mse`."""
    max_abs_error: float
    """The largest error, in the data's units."""


@dataclass(frozen=True)
class SequentialBuilder:
    """Collects layers; each `dense` returns a new builder, so a common beginning may be shared."""

    inputs: int
    layers: tuple[Dense, ...] = ()

    def dense(self, units: int, activation: str) -> SequentialBuilder:
        """Add a fully connected layer with "linear", "tanh", "sigmoid" or "relu" activation."""
        return replace(self, layers=(*self.layers, Dense(units, activation)))

    def build(self, seed: int, initial: str = "nguyen-widrow") -> Sequential:
        """Return the network with initial weights, "nguyen-widrow" or "xavier", drawn from `seed`."""
        architecture = Architecture(self.inputs, self.layers)
        rng = np.random.default_rng(_checks.whole("seed", seed, at_least=0))
        return Sequential(architecture, initial_parameters(architecture, initial, rng))


class Sequential:
    """A chain of dense layers, with the scaling that its fit found.

    `parameters` is the flat vector in the order that `architecture` states. Before a fit the scaling is the
    identity. A second fit goes on from the fitted parameters, with a scaling of its own rows.
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Array,
        input_scaling: Scaling | None = None,
        output_scaling: Scaling | None = None,
        tanh: str = "exact",
    ) -> None:
        self.architecture = architecture
        self.parameters = parameters
        self.input_scaling = input_scaling or Scaling.identity(architecture.inputs)
        self.output_scaling = output_scaling or Scaling.identity(architecture.outputs)
        self.tanh = tanh

    @staticmethod
    def builder(inputs: int) -> SequentialBuilder:
        """Start a network with that many input columns."""
        return SequentialBuilder(_checks.whole("inputs", inputs))

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: Optimizer | None = None,
        epochs: int = 200,
        validation: float = 0.2,
        test: float = 0.1,
        target_mse: float = 0.0,
        patience: int | None = None,
        seed: int = 0,
        callback: Callable[[Progress], object] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> History:
        """Fit to rows of x, shape (rows, inputs) or (rows,), and targets y, shape (rows, outputs) or (rows,).

        `seed` shuffles the rows into parts and batches (see `split_of`). The fit ends at a training error of
        `target_mse` in scaled units, after `epochs`, or for another `StopReason`. Only with `patience`, a
        number of epochs, it looks for progress of the validation error, and then the parameters with the
        least validation error stay, whatever the reason to stop. Without it the last accepted ones stay; once
        the training error is no longer finite, those with the least training error. Ctrl-C ends the fit with
        "interrupted", and leaves model and history as after the last completed epoch. `callback` is called
        after every epoch; an exception from it leaves the model as it was.

        Raises:
            InvalidInputError: data or options cannot be used.
        """
        inputs, targets = self._tables(x, y)
        optimizer = LevenbergMarquardt() if optimizer is None else optimizer
        if not isinstance(optimizer, LevenbergMarquardt | SGD | Adam):
            raise InvalidInputError(
                f"optimizer is {optimizer!r}: give LevenbergMarquardt(...), SGD(...) or Adam(...)"
            )
        limits = _limits(epochs, target_mse, patience, validation)
        rng = np.random.default_rng(_checks.whole("seed", seed, at_least=0))
        split = split_rows(len(inputs), validation, test, rng)
        input_scaling = Scaling.from_rows("x", inputs[split.training])
        output_scaling = Scaling.from_rows("y", targets[split.training])
        scaled_x, scaled_y = input_scaling.scale(inputs), output_scaling.scale(targets)
        parts = {
            name: Rows(np.ascontiguousarray(scaled_x[rows].T), np.ascontiguousarray(scaled_y[rows].T))
            for name, rows in vars(split).items()
        }
        training = Training(
            self.architecture, self.parameters.copy(), parts, optimizer, limits, rng, clock, callback
        )
        history = training.run(seed)
        self.parameters = training.parameters
        self.input_scaling, self.output_scaling = input_scaling, output_scaling
        self.tanh = optimizer.tanh
        return history

    def predict(self, x: ArrayLike, *, tanh: str | None = None) -> Array:
        """Return predictions, shape (rows, outputs), in the data's units.

        The tanh kernel is the one that the residuals were fitted with, so that what was fitted is what is
        predicted; it is kept in the model file. `tanh` names another.

        Raises:
            InvalidInputError: x does not fit the network, or no kernel has that name.
        """
        rows = self._inputs(x)
        kernel = self.tanh if tanh is None else tanh
        kernels.kernel(kernel)
        scaled = np.ascontiguousarray(self.input_scaling.scale(rows).T)
        return self.output_scaling.unscale(predict(self.architecture, self.parameters, scaled, kernel).T)

    def evaluate(self, x: ArrayLike, y: ArrayLike, *, tanh: str | None = None) -> Evaluation:
        """Return the errors of `predict` against targets y; the kernel is chosen as there."""
        inputs, targets = self._tables(x, y)
        predictions = self.predict(inputs, tanh=tanh)
        errors = predictions - targets
        scaled = self.output_scaling.scale(predictions) - self.output_scaling.scale(targets)
        return Evaluation(
            mse=float(np.mean(errors**2)),
            scaled_mse=float(np.mean(scaled**2)),
            max_abs_error=float(np.max(np.abs(errors))),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write architecture, parameters, scaling and kernel to an .npz file (the path is kept as given)."""
        state = storage.State(
            self.architecture, self.parameters, self.input_scaling, self.output_scaling, self.tanh
        )
        storage.write(path, state)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Sequential:
        """Return the network that `save` wrote; its predictions have the same bits.

        Raises:
            InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
        """
        state = storage.read(path)
        return cls(
            state.architecture, state.parameters, state.input_scaling, state.output_scaling, state.tanh
        )

    def _inputs(self, x: ArrayLike) -> Array:
        rows = _checks.table("x", x)
        if rows.shape[1] != self.architecture.inputs:
            raise InvalidInputError(
                f"x has {rows.shape[1]} columns and the network {self.architecture.inputs} inputs: "
                "give one column per input"
            )
        return rows

    def _tables(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        inputs, targets = self._inputs(x), _checks.table("y", y)
        _checks.same_rows(inputs, targets)
        if targets.shape[1] != self.architecture.outputs:
            raise InvalidInputError(
                f"y has {targets.shape[1]} columns and the network {self.architecture.outputs} outputs: "
                "give one column per output"
            )
        return inputs, targets


def split_of(rows: int, *, validation: float = 0.2, test: float = 0.1, seed: int = 0) -> Split:
    """Return the row numbers that `Sequential.fit` uses for each part, given the same arguments."""
    rng = np.random.default_rng(_checks.whole("seed", seed, at_least=0))
    return split_rows(_checks.whole("rows", rows), validation, test, rng)


def _limits(epochs: int, target_mse: float, patience: int | None, validation: float) -> Limits:
    _checks.whole("epochs", epochs)
    _checks.real("target_mse", target_mse, at_least=0.0)
    if patience is not None:
        _checks.whole("patience", patience)
        if _checks.fraction("validation", validation) == 0.0:
            raise InvalidInputError(
                f"patience={patience} needs validation rows: give validation above 0, or leave patience out"
            )
    return Limits(epochs, target_mse, patience)
