"""`Sequential`: a network that users build, fit, ask for predictions, save and load."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError
from workbench.trainer import _checks, kernels, storage
from workbench.trainer._asked import (
    Asked,
    check_fingerprint,
    joined,
    limits_of,
    optimizer_of,
    parts_of,
    warn_of_constant,
)
from workbench.trainer.checkpoint import Checkpoint, Fit, Keeper, fingerprint, read
from workbench.trainer.history import History, Progress
from workbench.trainer.network.activations import target_range
from workbench.trainer.network.architecture import Architecture, Dense
from workbench.trainer.network.forward import predict
from workbench.trainer.network.initial import initial_parameters
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import Optimizer
from workbench.trainer.rows.block_split import BlockSplit
from workbench.trainer.rows.row_sources import ArrayRows, RowSource
from workbench.trainer.rows.splits import Own, Shares, Validation, own_rows, shares_of, split_rows
from workbench.trainer.rows.streaming import (
    SOURCE,
    chunked_options,
    fingerprint_of_source,
    in_chunks,
    open_rows,
)
from workbench.trainer.training import Limits, Part, Training

Array = NDArray[np.float64]


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

        Memory-mapped arrays, and arrays of more than 256 MiB, are read in chunks where the Jacobian allows it:
        see `fit_rows`, whose split into parts is another.

        With `checkpoint`, a path, where the fit stands is written there: when it begins, at most every
        `checkpoint_seconds` after an epoch, and when it ends for any reason. `resume` goes on from there.
        `checkpoint_note` is kept with it. A checkpoint of a fit that is finished is replaced, any other file
        is not.

        Raises:
            InvalidInputError: data or options cannot be used, or the checkpoint cannot be written.
        """
        shares, own = shares_of(validation, test, split, self.architecture)
        asked = Asked(
            optimizer_of(optimizer),
            limits_of(epochs, target_mse, patience, shares),
            shares,
            _checks.whole("seed", seed, at_least=0),
            clock,
            callback,
            checkpoint,
            checkpoint_seconds,
            checkpoint_note,
        )
        if in_chunks(x, y, asked.optimizer):
            return self._fit_source(joined(ArrayRows(x, y), own), asked)
        to = target_range(self.architecture.layers[-1].activation)
        inputs, targets = self._tables(x, y, own)
        asked.check_place()
        rng = np.random.default_rng(asked.seed)
        parts = split_rows(shares, len(inputs), rng)
        scalings = Scaling.of_inputs(inputs[parts.training]), Scaling.of_targets(targets[parts.training], to)
        warn_of_constant(scalings[0])
        return self._fit(
            parts_of(inputs, targets, parts, *scalings),
            asked,
            scalings,
            rng,
            lambda: fingerprint(inputs, targets),
        )

    def fit_rows(
        self,
        source: RowSource,
        *,
        optimizer: Optimizer | None = None,
        epochs: int = 200,
        validation: float = 0.2,
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
        """Fit to the rows of a source, `ArrayRows` or `IteratorRows`, in memory that does not grow with them.

        The arguments are those of `fit`. The optimiser is LevenbergMarquardt with jacobian="auto" or
        "backprop-chunked". `seed` draws the parts block by block, see `block_split`. Validation rows of one's own
        are given as the last of the source's rows, with split="ordered".

        Raises:
            InvalidInputError: rows or options cannot be used, or the checkpoint cannot be written.
            WorkbenchError: workers were lost again and again, or the rows changed during the fit.
        """
        if isinstance(validation, tuple | list):
            raise InvalidInputError(
                "validation is a pair: give a fraction, and validation rows of your own as the last rows of the "
                "source, with split='ordered'"
            )
        shares = Shares(validation, test, split)
        asked = Asked(
            optimizer_of(optimizer),
            limits_of(epochs, target_mse, patience, shares),
            shares,
            _checks.whole("seed", seed, at_least=0),
            clock,
            callback,
            checkpoint,
            checkpoint_seconds,
            checkpoint_note,
        )
        return self._fit_source(source, asked)

    def _fit_source(self, source: RowSource, asked: Asked) -> History:
        options = chunked_options(asked.optimizer)
        asked.check_place()
        if not hasattr(source, "chunks"):
            raise InvalidInputError(
                f"fit_rows was given {type(source).__name__}: give a source, such as ArrayRows(x, y)"
            )
        split = BlockSplit(source.rows, asked.shares, asked.seed)
        with open_rows(source, self.architecture, options, split) as rows:
            warn_of_constant(rows.scalings[0])
            rng = np.random.default_rng(asked.seed)
            return self._fit(rows.parts, asked, rows.scalings, rng, lambda: fingerprint_of_source(source))

    def _fit(
        self,
        parts: Mapping[str, Part],
        asked: Asked,
        scalings: tuple[Scaling, Scaling],
        rng: np.random.Generator,
        fingerprint_of_rows: Callable[[], str],
    ) -> History:
        training = Training(
            self.architecture,
            self.parameters.copy(),
            parts,
            asked.optimizer,
            asked.limits,
            rng,
            asked.clock,
            asked.callback,
        )
        if asked.checkpoint is not None:
            fit = Fit(
                self.architecture,
                asked.optimizer,
                asked.limits,
                asked.shares,
                asked.seed,
                *scalings,
                fingerprint_of_rows(),
                asked.checkpoint_note,
            )
            training.keep = Keeper(asked.checkpoint, fit, asked.checkpoint_seconds, asked.clock)
        history = training.run(asked.seed)
        self.parameters = training.parameters
        self.input_scaling, self.output_scaling = scalings
        self.tanh = asked.optimizer.tanh
        return history

    @classmethod
    def resume(
        cls,
        path: str | PathLike[str],
        x: ArrayLike,
        y: ArrayLike,
        *,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        epochs: int | None = None,
        callback: Callable[[Progress], object] | None = None,
        checkpoint_seconds: float = 5.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> tuple[Sequential, History]:
        """Go on with the fit whose checkpoint is at `path`; return its model and its whole history.

        x and y are the rows that it was begun with, and so is `validation`, where it had rows of its own. Model
        and history have the bits that they would have if the fit had never stopped; only `seconds` are
        measured. It ends as `fit` does, and its checkpoint is written on. `epochs` changes how many it has in
        all: so one whose epochs were used up goes on. One that ended for a reason that stands, such as "target
        reached", is returned as it is.

        Raises:
            InvalidInputError: the file is missing, damaged, of another kind or of a newer version; x or y
                are not the rows of this fit; or more than `epochs` are done.
        """
        kept = read(path)
        own = None if validation is None else own_rows(validation, kept.fit.architecture)
        if (0 if own is None else len(own[0])) != kept.fit.shares.own:
            raise InvalidInputError(
                f"the fit of {path} had {kept.fit.shares.own} validation rows of its own and "
                f"{0 if own is None else len(own[0])} are given: give the same as validation=(x, y)"
            )
        if kept.fit.fingerprint.startswith(SOURCE):
            return cls.resume_rows(
                path,
                joined(ArrayRows(x, y), own),
                epochs=epochs,
                callback=callback,
                checkpoint_seconds=checkpoint_seconds,
                clock=clock,
            )
        model, limits = cls._kept(path, kept, epochs)
        inputs, targets = model._tables(x, y, own)
        check_fingerprint(path, fingerprint(inputs, targets), kept)
        rng = np.random.default_rng(kept.fit.seed)
        split = split_rows(kept.fit.shares, len(inputs), rng)
        parts = parts_of(inputs, targets, split, model.input_scaling, model.output_scaling)
        keep = Keeper(path, replace(kept.fit, limits=limits), checkpoint_seconds, clock, kept)
        return model, model._go_on(kept, parts, limits, rng, clock, callback, keep)

    @classmethod
    def resume_rows(
        cls,
        path: str | PathLike[str],
        source: RowSource,
        *,
        epochs: int | None = None,
        callback: Callable[[Progress], object] | None = None,
        checkpoint_seconds: float = 5.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> tuple[Sequential, History]:
        """Go on with a fit of `fit_rows`, as `resume` does with one of `fit`.

        Raises:
            InvalidInputError: as `resume`.
        """
        kept = read(path)
        model, limits = cls._kept(path, kept, epochs)
        check_fingerprint(path, fingerprint_of_source(source), kept)
        fit = kept.fit
        split = BlockSplit(source.rows, fit.shares, fit.seed)
        scalings = model.input_scaling, model.output_scaling
        options = chunked_options(fit.optimizer)
        with open_rows(source, fit.architecture, options, split, scalings) as rows:
            rng = np.random.default_rng(fit.seed)
            keep = Keeper(path, replace(fit, limits=limits), checkpoint_seconds, clock, kept)
            return model, model._go_on(kept, rows.parts, limits, rng, clock, callback, keep)

    @classmethod
    def _kept(
        cls, path: str | PathLike[str], kept: Checkpoint, epochs: int | None
    ) -> tuple[Sequential, Limits]:
        """Return the model as it was, and the limits with that many epochs in all."""
        fit, standing = kept.fit, kept.standing
        limits = fit.limits
        if epochs is not None:
            limits = replace(limits, epochs=_checks.whole("epochs", epochs))
            if limits.epochs < standing.epoch:
                raise InvalidInputError(
                    f"epochs is {epochs} and {standing.epoch} are done in {path}: give at least as many"
                )
        scalings = fit.input_scaling, fit.output_scaling
        return cls(fit.architecture, standing.parameters, *scalings, fit.optimizer.tanh), limits

    def _go_on(
        self,
        kept: Checkpoint,
        parts: Mapping[str, Part],
        limits: Limits,
        rng: np.random.Generator,
        clock: Callable[[], float],
        callback: Callable[[Progress], object] | None,
        keep: Keeper,
    ) -> History:
        training = Training(
            self.architecture,
            kept.standing.parameters,
            parts,
            kept.fit.optimizer,
            limits,
            rng,
            clock,
            callback,
            resumed=kept.standing,
            records=kept.records,
        )
        training.keep = keep
        history = training.run(kept.fit.seed)
        self.parameters = training.parameters
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
        self.architecture.check_columns("x", rows.shape[1], "inputs")
        return rows

    def _tables(self, x: ArrayLike, y: ArrayLike, own: Own = None) -> tuple[Array, Array]:
        """Return inputs and targets, and behind them validation rows of one's own."""
        inputs, targets = self._inputs(x), _checks.table("y", y)
        _checks.same_rows(inputs, targets)
        self.architecture.check_columns("y", targets.shape[1], "outputs")
        if own is None:
            return inputs, targets
        return np.concatenate([inputs, own[0]]), np.concatenate([targets, own[1]])
