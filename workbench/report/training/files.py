"""One training, from a problem or a table to its files: history, model and plot.

It may be gone on with where it was stopped, or begun from several initial weights.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import check_export, export
from workbench.report.training.rows import TrainingRows, TrainingSource
from workbench.trainer import (
    History,
    LevenbergMarquardt,
    Progress,
    Restarts,
    Sequential,
    checkpoint,
    fit_restarts,
)
from workbench.trainer.splits import Shares, split_rows

PLOTTED = 5000
"""Rows at most in a plot of large data."""
CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class TrainingOptions:
    """What to fit, with what, when to stop, and what to write."""

    problem: str | None = None
    """A problem that ships; by default the reference problem, unless there is `data`."""
    data: Path | None = None
    """A file to fit instead: a CSV file with the columns `inputs` and `targets`, or an array (.npy) with
    columns of these numbers."""
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    layers: tuple[int, ...] = (20, 20, 10)
    """Units of the hidden layers."""
    activation: str = "tanh"
    initial: str = "nguyen-widrow"
    """How initial weights are drawn."""
    optimizer: LevenbergMarquardt = field(default_factory=LevenbergMarquardt)
    epochs: int = 200
    target_mse: float = 1e-8
    validation: float = 0.2
    test: float = 0.1
    split: str = "random"
    """How rows are held out: drawn, or "ordered", the last ones."""
    patience: int | None = None
    seed: int = 7
    starts: int = 1
    """How many initial weights to begin with, of which the best is kept: seeds `seed`, `seed` + 1, …"""
    start_jobs: int = 1
    """How many of these fits run at a time."""
    checkpoint_file: Path | None = None
    history_file: Path | None = None
    model_file: Path | None = None
    plot_file: Path | None = None

    @property
    def source(self) -> TrainingSource:
        """Where the rows come from."""
        return TrainingSource(self.problem, self.data, self.inputs, self.targets, self.seed)

    @property
    def name(self) -> str:
        """What is fitted, in a word."""
        return self.source.name


@dataclass(frozen=True)
class ResumeOptions:
    """Which training to go on with; all else is in its checkpoint."""

    checkpoint_file: Path
    epochs: int | None = None
    """How many in all, instead of as many as it was begun with."""
    history_file: Path | None = None
    model_file: Path | None = None
    plot_file: Path | None = None


def train(
    options: TrainingOptions, *, progress: Callable[[Progress], object] = lambda progress: None
) -> History:
    """Fit, and write what the options name. Ctrl-C ends the fit, and the files are written nonetheless.

    What could not be written afterwards is refused before the fit begins.

    Raises:
        InvalidInputError: The options contradict themselves, or data or a file name cannot be used.
        WorkbenchError: A file could not be written, or the memory does not suffice.
    """
    _check(options)
    if options.starts != 1:
        raise InvalidInputError(f"starts is {options.starts}: call train_starts for several")
    rows = options.source.read()
    _check_outputs(_outputs(options, (CHECKPOINT, options.checkpoint_file)), options.data)
    with _enough_memory(rows):
        model = _Build(options, rows.x.shape[1], rows.y.shape[1])(options.seed)
        history = model.fit(
            rows.x,
            rows.y,
            optimizer=options.optimizer,
            **_fit_options(options),
            seed=options.seed,
            callback=progress,
            checkpoint=options.checkpoint_file,
            checkpoint_note=options.source.note(),
        )
    _write(options, history.to_dict(), model)
    _plot(options.plot_file, options.source, rows, model, _split(options))
    return history


def train_starts(
    options: TrainingOptions, *, progress: Callable[[int, int], object] = lambda done, starts: None
) -> Restarts:
    """Fit from `options.starts` initial weights; write the best model and all histories.

    `progress` is told how many starts are finished, of how many. Ctrl-C keeps those that are.

    Raises:
        InvalidInputError: The options contradict themselves, or data or a file name cannot be used.
        WorkbenchError: A file could not be written, or the memory does not suffice.
    """
    _check(options)
    rows = options.source.read()
    _check_outputs(_outputs(options), options.data)
    with _enough_memory(rows):
        starts = fit_restarts(
            _Build(options, rows.x.shape[1], rows.y.shape[1]),
            rows.x,
            rows.y,
            restarts=options.starts,
            seed=options.seed,
            n_jobs=options.start_jobs,
            backend=options.optimizer.backend,
            optimizer=options.optimizer,
            progress=progress,
            **_fit_options(options),
        )
    told = {
        "schema": 1,
        "best_seed": starts.best_seed,
        "interrupted": starts.interrupted,
        "threads": dict(starts.threads),
        "seeds": list(starts.seeds),
        "histories": [history.to_dict() for history in starts.histories],
    }
    _write(options, told, starts.best)
    _plot(options.plot_file, options.source, rows, starts.best, _split(options))
    return starts


def resume(
    options: ResumeOptions, *, progress: Callable[[Progress], object] = lambda progress: None
) -> tuple[str, History]:
    """Go on with the training of a checkpoint, and write what the options name; return its name and history.

    Raises:
        InvalidInputError: The checkpoint, its data or a file name cannot be used.
        WorkbenchError: A file could not be written, or the memory does not suffice.
    """
    file = options.checkpoint_file
    fit = checkpoint.read(file).fit
    try:
        source = TrainingSource.from_note(fit.note, fit.seed)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{file} was not begun by workbench train and names no data: go on with Sequential.resume(path, x, y)"
        ) from None
    rows = source.read()
    _check_outputs(_outputs(options), source.data, file)
    with _enough_memory(rows):
        model, history = Sequential.resume(file, rows.x, rows.y, epochs=options.epochs, callback=progress)
    _write(options, history.to_dict(), model)
    _plot(options.plot_file, source, rows, model, _Split(fit.shares, fit.seed))
    return source.name, history


def _check(options: TrainingOptions) -> None:
    if options.seed < 0:
        raise InvalidInputError(f"seed is {options.seed}: choose 0 or more")
    if options.starts < 1:
        raise InvalidInputError(f"starts is {options.starts}: choose 1 or more")
    if options.start_jobs != 1 and options.starts == 1:
        raise InvalidInputError(
            f"start_jobs is {options.start_jobs}, for several starts, and starts is 1: choose more starts"
        )
    if options.starts > 1 and options.checkpoint_file is not None:
        raise InvalidInputError(
            f"a checkpoint is of one fit, and starts is {options.starts}: choose one start, or leave "
            f"{options.checkpoint_file} out"
        )


@dataclass(frozen=True)
class _Build:
    """Makes the network for a seed; it travels to other processes."""

    options: TrainingOptions
    inputs: int
    outputs: int

    def __call__(self, seed: int) -> Sequential:
        builder = Sequential.builder(inputs=self.inputs)
        for units in self.options.layers:
            builder = builder.dense(units, self.options.activation)
        return builder.dense(self.outputs, "linear").build(seed=seed, initial=self.options.initial)


def _fit_options(options: TrainingOptions) -> dict[str, Any]:
    names = ("epochs", "validation", "test", "split", "target_mse", "patience")
    return {name: getattr(options, name) for name in names}


@contextlib.contextmanager
def _enough_memory(rows: TrainingRows) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise WorkbenchError(
            f"there is not enough memory for these layers and {len(rows.x)} rows ({error}): choose smaller ones"
        ) from None


def _outputs(
    options: TrainingOptions | ResumeOptions, *more: tuple[str, Path | None]
) -> list[tuple[str, Path]]:
    """Return the files to write, by what is in them."""
    plot = options.plot_file
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise InvalidInputError(f"plot {plot}: choose a name that ends with .png or .svg")
    files = (("history", options.history_file), ("model", options.model_file), ("plot", plot), *more)
    return [(what, file) for what, file in files if file is not None]


def _check_outputs(files: Iterable[tuple[str, Path]], data: Path | None, resumed: Path | None = None) -> None:
    read = (("data", data), (CHECKPOINT, resumed))
    taken = {file.resolve(): what for what, file in read if file is not None}
    for what, file in files:
        if file.is_file() or not file.exists():
            if file.resolve() in taken:
                raise InvalidInputError(
                    f"the {taken[file.resolve()]} and the {what} are both {file}: choose another file for the {what}"
                )
            taken[file.resolve()] = what
        _check_writable(file)
        if what != CHECKPOINT:  # of which the trainer knows whether it is one of its own
            check_export(file)


def _check_writable(file: Path) -> None:
    """Refuse what cannot be written, by trying: permissions alone do not tell."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise InvalidInputError(f"cannot write {file}: there is no folder {folder}; make it first")
    if file.is_dir():
        raise InvalidInputError(f"cannot write {file}: it is a folder; name a file")
    try:
        if file.exists():
            if file.is_file():
                file.open("ab").close()
            return
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".workbench-"):
            pass
    except OSError as error:
        raise InvalidInputError(f"cannot write {file}: {error.strerror}; choose another file") from None


def _write(options: TrainingOptions | ResumeOptions, told: dict[str, Any], model: Sequential) -> None:
    if (file := options.history_file) is not None:
        text = json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False)
        with _writing(file):
            export(file, lambda path: path.write_text(text + "\n", encoding="utf-8"))
    if (file := options.model_file) is not None:
        with _writing(file):
            export(file, model.save)


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(f"cannot write {file}: {error.strerror}; make room or choose another") from None


@dataclass(frozen=True)
class _Split:
    shares: Shares
    seed: int

    def trained(self, rows: int) -> np.ndarray:
        """Return for each row whether it was trained on."""
        trained = np.zeros(rows, dtype=np.bool_)
        trained[split_rows(self.shares, rows, np.random.default_rng(self.seed)).training] = True
        return trained


def _split(options: TrainingOptions) -> _Split:
    return _Split(Shares(options.validation, options.test, options.split), options.seed)


def _plot(
    path: Path | None, source: TrainingSource, rows: TrainingRows, model: Sequential, split: _Split
) -> None:
    if path is None:
        return
    from workbench.render.plots import fit_plot

    some = slice(None, None, -(-len(rows.x) // PLOTTED) if rows.large else 1)
    x, y = np.array(rows.x[some]), np.array(rows.y[some])
    trained = None if rows.large else split.trained(len(x))
    title, predicted = f"Fit of {source.name}", model.predict(x)
    with _writing(path):
        export(path, lambda file: fit_plot(file, x, y, predicted, rows.truth, title=title, split=trained))
