"""A training run from a problem or a table to its files: history, model and plot.

It may be resumed from a checkpoint, or run from several initial weights.
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

MAX_PLOTTED = 5000
"""Rows in a plot of large data: more would not be seen, and the file would grow."""
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
    """Restarts from different initial weights, seeds `seed`, `seed` + 1, …; the best is kept."""
    start_jobs: int = 1
    """Restarts that run at a time."""
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
        """The name of the problem or file."""
        return self.source.name

    @property
    def shares(self) -> Shares:
        """How the rows are split."""
        return Shares(self.validation, self.test, self.split)


@dataclass(frozen=True)
class ResumeOptions:
    """The training run to resume; all other options are in its checkpoint."""

    checkpoint_file: Path
    epochs: int | None = None
    """Epochs in all, instead of those of the checkpoint."""
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
    _write(options, options.source, rows, model, history.to_dict(), options.shares)
    return history


def train_starts(
    options: TrainingOptions, *, progress: Callable[[int, int], object] = lambda done, starts: None
) -> Restarts:
    """Fit from `options.starts` initial weights; write the best model and all histories.

    `progress` is called with the number of finished restarts and of all. Ctrl-C keeps the finished ones.

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
    document = {
        "schema": 1,
        "best_seed": starts.best_seed,
        "interrupted": starts.interrupted,
        "threads": dict(starts.threads),
        "seeds": list(starts.seeds),
        "histories": [history.to_dict() for history in starts.histories],
    }
    _write(options, options.source, rows, starts.best, document, options.shares)
    return starts


def resume(
    options: ResumeOptions, *, progress: Callable[[Progress], object] = lambda progress: None
) -> tuple[str, History]:
    """Resume the training run of a checkpoint, and write what the options name; return its name and history.

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
            f"{file} was not written by workbench train and names no data: resume it by Sequential.resume(path, x, y)"
        ) from None
    rows = source.read()
    _check_outputs(_outputs(options), source.data, file)
    with _enough_memory(rows):
        model, history = Sequential.resume(file, rows.x, rows.y, epochs=options.epochs, callback=progress)
    _write(options, source, rows, model, history.to_dict(), fit.shares)
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
    """Builds the network of a seed, here or in another process."""

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
        if what != CHECKPOINT:  # the trainer checks that itself
            check_export(file)


def _check_writable(file: Path) -> None:
    """Refuse a file that cannot be written, by trying: permissions are not enough to know."""
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


def _write(
    options: TrainingOptions | ResumeOptions,
    source: TrainingSource,
    rows: TrainingRows,
    model: Sequential,
    document: dict[str, Any],
    shares: Shares,
) -> None:
    if (file := options.history_file) is not None:
        text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
        with _writing(file):
            export(file, lambda path: path.write_text(text + "\n", encoding="utf-8"))
    if (file := options.model_file) is not None:
        with _writing(file):
            export(file, model.save)
    if (file := options.plot_file) is not None:
        from workbench.render.plots.fits import fit_plot

        some = slice(None, None, -(-len(rows.x) // MAX_PLOTTED) if rows.large else 1)
        x, y = np.array(rows.x[some]), np.array(rows.y[some])
        trained = None
        if not rows.large:
            trained = np.zeros(len(x), dtype=np.bool_)
            trained[split_rows(shares, len(x), np.random.default_rng(source.seed)).training] = True
        title, predicted = f"Fit of {source.name}", model.predict(x)
        with _writing(file):
            export(file, lambda path: fit_plot(path, x, y, predicted, rows.truth, title=title, split=trained))


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(f"cannot write {file}: {error.strerror}; make room or choose another") from None
