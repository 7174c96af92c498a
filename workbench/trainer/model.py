"""`Sequential`: a network that users build, fit, ask for predictions, save and load."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.errors import InvalidInputError
from workbench.trainer import checks, kernels, storage
from workbench.trainer.arrays import Array
from workbench.trainer.checkpoint import CheckpointWriter, read, refuse_unfinished
from workbench.trainer.fits import FitSettings, StopLimits
from workbench.trainer.history import History, Progress
from workbench.trainer.network.architecture import Architecture, Dense
from workbench.trainer.network.forward import predict
from workbench.trainer.network.initial import initial_parameters
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import SGD, Adam, LevenbergMarquardt, Optimizer
from workbench.trainer.rows.fit_rows import SOURCE, in_chunks, open_rows, rows_of, shares_of, tables
from workbench.trainer.rows.row_sources import RowSource
from workbench.trainer.splits import Shares, Validation
from workbench.trainer.training import TrainingLoop

RESTARTS_WARN: ContextVar[bool] = ContextVar("restarts_warn", default=False)
"""Whether `fit_restarts` warns of constant columns, once for all its fits."""


@dataclass(frozen=True)
class Evaluation:
    """How well predictions match targets."""

    mse: float
    """Mean of squared errors, over rows and outputs, in the data's units (squared)."""
    scaled_mse: float
    """The same in scaled units, comparable with `History.train_mse`."""
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
        rng = np.random.default_rng(checks.whole("seed", seed, at_least=0))
        return Sequential(architecture, initial_parameters(architecture, initial, rng))


class Sequential:
    """A chain of dense layers, with the scaling that its fit found.

    `parameters` is the flat vector in the order that `architecture` states. Before a fit the scaling is the
    identity. A second fit starts from the fitted parameters, with a scaling of its own rows.
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
        return SequentialBuilder(checks.whole("inputs", inputs))

    def fit(
        self,
        x: ArrayLike | RowSource,
        y: ArrayLike | None = None,
        *,
        optimizer: Optimizer | None = None,
        epochs: int = 200,
        validation: Validation = 0.2,
        test: float = 0.1,
        split: str = "random",
        target_mse: float = 0.0,
        patience: int | None = None,
        seed: int = 0,
        callback: Callable[[Progress], object] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_seconds: float = 5.0,
        checkpoint_note: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> History:
        """Fit to rows of x, shape (rows, inputs) or (rows,), and targets y, shape (rows, outputs) or (rows,).

        `validation` and `test` are fractions of the rows, which `seed` shuffles into parts and batches (see
        `split_of`). With split="ordered" the rows stay in their order: training first, then validation, and the
        last for test, as time series want it. `validation` may also be rows of one's own, a pair (x, y), to which
        nothing is fitted. The fit ends at a training error of
        `target_mse` in the units of `Scaling`, after `epochs`, or for another `StopReason`. Only with `patience`,
        a number of epochs, it looks for progress of the validation error, and then the parameters with the
        least validation error stay, whatever the reason to stop. Without it the last accepted ones stay; once
        the training error is no longer finite, those with the least training error. Ctrl-C ends the fit with
        "interrupted", and leaves model and history as after the last completed epoch. `callback` is called
        after every epoch; an exception from it leaves the model as it was.

        x may also be a source of rows, without y: see `fit_rows`. Memory-mapped arrays, and arrays of more than
        256 MiB, are read in chunks in the same way where the Jacobian allows it; their split into parts is another.

        With `checkpoint`, a path, the fit is saved there when it begins, after an epoch at most every
        `checkpoint_seconds`, and when it ends for any reason. `resume` continues from that file.
        `checkpoint_note` is kept in it. The checkpoint of a finished fit is replaced, any other file is not.

        Raises:
            InvalidInputError: data or options cannot be used, or the checkpoint cannot be written.
        """
        shares, own = shares_of(validation, test, split, self.architecture)
        given = optimizer_of(optimizer)
        limits = limits_of(epochs, target_mse, patience, shares)
        seed = checks.whole("seed", seed, at_least=0)
        rows = rows_of(x, y, own, self.architecture, chunked=in_chunks(x, y, given))
        if checkpoint is not None:
            refuse_unfinished(checkpoint)
        with open_rows(rows, self.architecture, given, shares, seed) as opened:
            warn_of_constant(opened.scalings[0])
            fit = FitSettings(self.architecture, given, limits, shares, seed, *opened.scalings)
            keep = None
            if checkpoint is not None:
                fit = replace(fit, fingerprint=opened.fingerprint(), note=checkpoint_note)
                keep = CheckpointWriter(checkpoint, fit, checkpoint_seconds, clock)
            training = TrainingLoop(
                fit, self.parameters.copy(), opened.parts, opened.rng, clock, callback, keep
            )
            history = training.run()
        self.parameters = training.parameters
        self.input_scaling, self.output_scaling = fit.input_scaling, fit.output_scaling
        self.tanh = given.tanh
        return history

    def fit_rows(self, source: RowSource, **options: Any) -> History:
        """Fit to the rows of a source, `ArrayRows` or `IteratorRows`, in memory that does not grow with them.

        The options are those of `fit`. The optimiser is LevenbergMarquardt with jacobian="auto" or
        "backprop-chunked". `seed` draws the parts block by block, see `splits`. Validation rows of one's own
        are given as the last of the source's rows, with split="ordered".

        Raises:
            InvalidInputError: rows or options cannot be used, or the checkpoint cannot be written.
            WorkbenchError: workers were lost again and again, or the rows changed during the fit.
        """
        return self.fit(source, **options)

    @classmethod
    def resume(
        cls,
        path: str | PathLike[str],
        x: ArrayLike | RowSource,
        y: ArrayLike | None = None,
        *,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        epochs: int | None = None,
        callback: Callable[[Progress], object] | None = None,
        checkpoint_seconds: float = 5.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> tuple[Sequential, History]:
        """Resume the fit whose checkpoint is at `path`; return its model and its whole history.

        x and y are the rows of that fit, and so is `validation`, where it had rows of its own. Model and history
        have the same bits as if the fit had never stopped, except for the measured `seconds`. The checkpoint is
        kept up to date. `epochs` changes their number in all, so a fit whose epochs were used up continues. A fit
        that ended for another reason, such as "target reached", is returned as it is.

        Raises:
            InvalidInputError: the file is missing, damaged, of another kind or of a newer version; x or y
                are not the rows of this fit; or more than `epochs` are done.
        """
        kept = read(path)
        fit, snapshot = kept.fit, kept.snapshot
        own = None if validation is None else shares_of(validation, 0.0, "random", fit.architecture)[1]
        if (0 if own is None else len(own[0])) != fit.shares.own:
            raise InvalidInputError(
                f"the fit of {path} had {fit.shares.own} validation rows of its own and "
                f"{0 if own is None else len(own[0])} are given: give the same as validation=(x, y)"
            )
        if epochs is not None:
            fit = replace(fit, limits=replace(fit.limits, epochs=checks.whole("epochs", epochs)))
            if epochs < snapshot.epoch:
                raise InvalidInputError(
                    f"epochs is {epochs} and {snapshot.epoch} are done in {path}: give at least as many"
                )
        rows = rows_of(x, y, own, fit.architecture, chunked=fit.fingerprint.startswith(SOURCE))
        scalings = fit.input_scaling, fit.output_scaling
        with open_rows(rows, fit.architecture, fit.optimizer, fit.shares, fit.seed, scalings) as opened:
            if opened.fingerprint() != fit.fingerprint:
                raise InvalidInputError(
                    f"x or y are not the rows that {path} was fitted to: give the same rows in the same order"
                )
            keep = CheckpointWriter(path, fit, checkpoint_seconds, clock, kept)
            training = TrainingLoop(
                fit, snapshot.parameters, opened.parts, opened.rng, clock, callback, keep, kept
            )
            history = training.run()
        return cls(fit.architecture, training.parameters, *scalings, fit.optimizer.tanh), history

    @classmethod
    def resume_rows(
        cls, path: str | PathLike[str], source: RowSource, **options: Any
    ) -> tuple[Sequential, History]:
        """Resume a fit of `fit_rows`, with the options and errors of `resume`."""
        return cls.resume(path, source, **options)

    def predict(self, x: ArrayLike, *, tanh: str | None = None) -> Array:
        """Return predictions, shape (rows, outputs), in the data's units.

        The tanh kernel is the one that the residuals were fitted with, so that what was fitted is what is
        predicted; it is kept in the model file. `tanh` names another.

        Raises:
            InvalidInputError: x does not fit the network, or no kernel has that name.
        """
        rows = checks.table("x", x)
        self.architecture.check_columns("x", rows.shape[1], "inputs")
        kernel = self.tanh if tanh is None else tanh
        kernels.kernel(kernel)
        scaled = np.ascontiguousarray(self.input_scaling.scale(rows).T)
        return self.output_scaling.unscale(predict(self.architecture, self.parameters, scaled, kernel).T)

    def evaluate(self, x: ArrayLike, y: ArrayLike, *, tanh: str | None = None) -> Evaluation:
        """Return the errors of `predict` against targets y; the kernel is chosen as there."""
        inputs, targets = tables(x, y, self.architecture)
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
        storage.write(
            path, self.architecture, self.parameters, self.input_scaling, self.output_scaling, self.tanh
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Sequential:
        """Return the network that `save` wrote; its predictions have the same bits.

        Raises:
            InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
        """
        return cls(*storage.read(path))


def warn_of_constant(scaling: Scaling) -> None:
    """Warn of constant input columns, in one line for all of them."""
    if scaling.constant and not RESTARTS_WARN.get():
        columns = ", ".join(f"{column} ({scaling.low[column]:g})" for column in scaling.constant)
        warnings.warn(
            f"constant in the training rows: x column {columns}; it is kept, scaled to 0, and has no effect",
            UserWarning,
            stacklevel=3,
        )


def optimizer_of(given: Optimizer | None) -> Optimizer:
    """Return the optimiser's options, or those of the default; InvalidInputError where they are something else."""
    optimizer = LevenbergMarquardt() if given is None else given
    if not isinstance(optimizer, LevenbergMarquardt | SGD | Adam):
        raise InvalidInputError(
            f"optimizer is {checks.shown(optimizer)}: give LevenbergMarquardt(...), SGD(...) or Adam(...)"
        )
    return optimizer


def limits_of(epochs: int, target_mse: float, patience: int | None, shares: Shares) -> StopLimits:
    """Return when to stop; InvalidInputError where that contradicts itself, or the shares."""
    checks.whole("epochs", epochs)
    checks.real("target_mse", target_mse, at_least=0.0)
    if patience is not None:
        checks.whole("patience", patience)
        if shares.validation == shares.own == 0:
            raise InvalidInputError(
                f"patience={patience} needs validation rows: give validation above 0, or leave patience out"
            )
    return StopLimits(epochs, target_mse, patience)
