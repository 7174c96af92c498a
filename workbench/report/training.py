"""One training, from a problem or a table to its files: history, model and plot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.trainer import (
    History,
    LevenbergMarquardt,
    Progress,
    Sequential,
    problem,
    read_csv,
    split_of,
)

Array = NDArray[np.float64]
DEFAULT_PROBLEM = "multimodal_1d"


@dataclass(frozen=True)
class TrainingOptions:
    """What to fit, with what, when to stop, and what to write."""

    problem: str | None = None
    """A problem that ships; by default the reference problem, unless there is `data`."""
    data: Path | None = None
    """A CSV file to fit instead, with the columns `inputs` and `targets`."""
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    layers: tuple[int, ...] = (20, 20, 10)
    """Units of the hidden layers."""
    activation: str = "tanh"
    optimizer: LevenbergMarquardt = field(default_factory=LevenbergMarquardt)
    epochs: int = 200
    target_mse: float = 1e-8
    validation: float = 0.2
    test: float = 0.1
    patience: int | None = None
    seed: int = 7
    history_file: Path | None = None
    model_file: Path | None = None
    plot_file: Path | None = None

    @property
    def name(self) -> str:
        """What is fitted, in a word."""
        return self.data.name if self.data is not None else self.problem or DEFAULT_PROBLEM


@dataclass(frozen=True, eq=False)
class _Rows:
    x: Array
    y: Array
    truth: Array | None
    """The function without noise, where it is known."""


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
    rows = _read(options)
    _check_outputs(options)
    try:
        model = _network(options, rows)
        history = model.fit(
            rows.x,
            rows.y,
            optimizer=options.optimizer,
            epochs=options.epochs,
            validation=options.validation,
            test=options.test,
            target_mse=options.target_mse,
            patience=options.patience,
            seed=options.seed,
            callback=progress,
        )
    except MemoryError as error:
        raise WorkbenchError(
            f"there is not enough memory for these layers and {len(rows.x)} rows ({error}): choose smaller ones"
        ) from None
    _write(options, rows, model, history)
    return history


def _check(options: TrainingOptions) -> None:
    if options.seed < 0:
        raise InvalidInputError(f"seed is {options.seed}: choose 0 or more")


def _read(options: TrainingOptions) -> _Rows:
    if options.data is None:
        if options.inputs or options.targets:
            raise InvalidInputError(
                "--inputs and --targets name columns of a table: give --data FILE.csv too"
            )
        chosen = problem(options.name, options.seed)
        return _Rows(chosen.x, chosen.y, chosen.truth(chosen.x))
    if options.problem is not None:
        raise InvalidInputError(
            f"--problem {options.problem} and --data {options.data}: choose one of the two"
        )
    if not options.inputs or not options.targets:
        raise InvalidInputError(f"--data {options.data}: name its columns with --inputs A,B and --targets Y")
    table = read_csv(options.data, inputs=options.inputs, targets=options.targets)
    return _Rows(table.x, table.y, None)


def _network(options: TrainingOptions, rows: _Rows) -> Sequential:
    builder = Sequential.builder(inputs=rows.x.shape[1])
    for units in options.layers:
        builder = builder.dense(units, options.activation)
    return builder.dense(rows.y.shape[1], "linear").build(seed=options.seed)


def _check_outputs(options: TrainingOptions) -> None:
    plot = options.plot_file
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise InvalidInputError(f"--plot {plot}: choose a name that ends with .png or .svg")
    taken = {options.data.resolve(): "--data"} if options.data is not None else {}
    files = (("--json", options.history_file), ("--save", options.model_file), ("--plot", plot))
    for option, file in files:
        if file is None:
            continue
        if file.is_file() or not file.exists():
            if file.resolve() in taken:
                raise InvalidInputError(
                    f"{taken[file.resolve()]} and {option} are both {file}: choose another file for {option}"
                )
            taken[file.resolve()] = option
        _check_writable(file)


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
        file.open("xb").close()
        with contextlib.suppress(OSError):
            file.unlink()
    except OSError as error:
        raise InvalidInputError(f"cannot write {file}: {error.strerror}; choose another file") from None


def _write(options: TrainingOptions, rows: _Rows, model: Sequential, history: History) -> None:
    file = None
    try:
        if (file := options.history_file) is not None:
            history.to_json(file)
        if (file := options.model_file) is not None:
            model.save(file)
        if (file := options.plot_file) is not None:
            _plot(options, file, rows, model)
    except OSError as error:
        raise WorkbenchError(f"cannot write {file}: {error.strerror}; make room or choose another") from None


def _plot(options: TrainingOptions, path: Path, rows: _Rows, model: Sequential) -> None:
    from workbench.pictures.plots import fit_plot

    split = split_of(len(rows.x), validation=options.validation, test=options.test, seed=options.seed)
    trained = np.zeros(len(rows.x), dtype=np.bool_)
    trained[split.training] = True
    predicted = model.predict(rows.x)
    fit_plot(path, rows.x, rows.y, predicted, rows.truth, title=f"Fit of {options.name}", split=trained)
