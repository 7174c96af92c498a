"""`workbench train`: fit a problem that ships, or the columns of a file."""

from __future__ import annotations

import csv
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli._groups import Grouped, option
from workbench.cli._progress import progress, say
from workbench.cli._settings import HELP

if TYPE_CHECKING:  # they bring NumPy and SciPy, which --help does not need
    from workbench.report.training.files import ResumeOptions, TrainingOptions
    from workbench.trainer import History, Progress, Restarts


class Names(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """Names with commas between them; a name that has one itself is in double quotes."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, or fail where there are none."""
        if not isinstance(value, str):
            return value  # type: ignore[return-value]  # click converts what is converted again
        lines = list(csv.reader([value], skipinitialspace=True))
        names = tuple(name.strip() for name in lines[0]) if lines else ("",)
        if not all(names):
            self.fail(f"{value!r} is no list of names: write A,B", param, ctx)
        return names


class Units(click.ParamType):  # type: ignore[type-arg]  # as above
    """Whole numbers with commas between them."""

    name = "units"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers, or fail with the form that can be used."""
        if not isinstance(value, str):
            return value  # type: ignore[return-value]  # as above
        words = [word.strip() for word in value.split(",")]
        wrong = [word for word in words if re.fullmatch("0*[1-9][0-9]{0,7}", word, re.ASCII) is None]
        if wrong:
            self.fail(f"{value!r}: {wrong[0]!r} is not a number of units; write 20,20,10", param, ctx)
        return tuple(int(word) for word in words)


_DEFAULTS = {
    "layers": (20, 20, 10), "activation": "tanh", "tanh": "exact", "initial": "nguyen-widrow", "seed": 7,
    "validation": 0.2, "test": 0.1, "split": "random",
    "damping": 1e-3, "rule": "nielsen", "scaling": "identity", "geodesic": True, "bayesian": False, "l2": 0.0,
    "damping_min": 1e-15, "damping_max": 1e10, "min_gradient": 1e-7,
    "jacobian": "auto", "n_jobs": 1, "backend": "loky",
    "epochs": 200, "target_mse": 1e-8, "starts": 1, "start_jobs": 1, "inputs": (), "targets": (),
}  # fmt: skip
"""Those of the library, which `--help` shows without loading it; others are None."""
_RESUMED = ("epochs", "history_file", "plot_file", "model_file")
"""What may change when a training run is resumed."""


def _setting(group: str, names: str, text: str, **more: Any) -> Callable[[Any], Any]:
    """Add an option whose default is the library's; `names` are parameter declarations with spaces between."""
    declared = names.split()
    name = next((word for word in declared if not word.startswith("-")), None)
    name = name or declared[0].partition("/")[0].lstrip("-").replace("-", "_")
    return option(group, *declared, default=_DEFAULTS.get(name), text=text, **more)


_DATA = partial(_setting, "What is fitted")
_NETWORK = partial(_setting, "The network")
_METHOD = partial(_setting, "Levenberg-Marquardt")
_JACOBIAN = partial(_setting, "The Jacobian")
_END = partial(_setting, "When it ends")
_RUN = partial(_setting, "Restarts, and stopping")
_OUTPUT = partial(_setting, "What is written")
_FILE = click.Path(path_type=Path)


@click.command(
    cls=Grouped,
    context_settings=HELP,
    epilog="""\b
Examples:
  workbench train                          the reference problem, until MSE 1e-8
  workbench train --problem ripple_2d --layers 30,30 --plot fit.png
  workbench train --data table.csv --inputs a,b --targets y --patience 6
  workbench train --data rows.npy --inputs 0,1 --targets 2 --chunk-rows 2048 \\
      --jacobian backprop-chunked
  workbench train --problem noisy_sine --bayesian --json run.json
  workbench train --starts 8 --start-jobs 2 --initial xavier --save best.npz
  workbench train --epochs 5000 --target-mse 0 --checkpoint run.npz
  workbench train --resume run.npz         after Ctrl-C, a crash, or for more --epochs

Ctrl-C ends the training and keeps the last accepted weights, the checkpoint, the JSON and the plot.
Existing files are replaced only if workbench wrote them: any other is refused with exit code 2.""",
)
@_DATA(
    "--problem",
    "A built-in problem: multimodal_1d, ripple_2d, spiral, noisy_sine, step_1d or friedman. [default: multimodal_1d]",
    metavar="NAME",
)
@_DATA("--data", "Fit a table instead: FILE.csv, or FILE.npy with an array.", type=_FILE, metavar="FILE")
@_DATA(
    "--inputs",
    "With --data: the input columns, by name; by number for .npy.",
    type=Names(),
    metavar="A,B",
)
@_DATA("--targets", "With --data: the target columns.", type=Names(), metavar="Y")
@_DATA("--validation", "Fraction of rows held out for validation.")
@_DATA("--test", "Fraction of rows held out for the test.")
@_DATA(
    "--split",
    "Which rows are held out: random or ordered (the last ones, for time series).",
    metavar="NAME",
)
@_NETWORK("--layers", "Numbers of units of the hidden layers.", type=Units(), metavar="N,N")
@_NETWORK("--activation", "Activation of the hidden layers.", metavar="NAME")
@_NETWORK(
    "--tanh",
    "tanh kernel of the residuals: exact, fast, faster, float32, 1e-4, 1e-7 or 1e-12.",
    metavar="NAME",
)
@_NETWORK("--initial", "How initial weights are drawn: nguyen-widrow or xavier.", metavar="NAME")
@_NETWORK("--seed", "Seed of the weights, the split and the data.")
@_METHOD("--damping", "Initial damping.")
@_METHOD("--rule", "Damping rule: marquardt, delayed or nielsen.", metavar="NAME")
@_METHOD("--scaling", "Matrix that the damping multiplies: identity or more.", metavar="NAME")
@_METHOD("--geodesic/--no-geodesic", "Add a second-order correction to each step.")
@_METHOD("--bayesian", "Derive the weight of the L2 penalty from the data.", is_flag=True)
@_METHOD("--l2", "Weight of the L2 penalty.")
@_METHOD("--damping-min", "Smallest damping.")
@_METHOD("--damping-max", "End the fit above this damping.")
@_METHOD("--min-gradient", "End the fit below this norm of the gradient.")
@_JACOBIAN(
    "--jacobian",
    "Strategy: auto, columns, columns-cached, columns-rank-one, backprop, backprop-chunked or dual.",
    metavar="NAME",
)
@_JACOBIAN("--jacobian-tanh", "tanh kernel of the Jacobian. [default: as --tanh]", metavar="NAME")
@_JACOBIAN(
    "--step",
    "Finite-difference step of the columns strategies. [default: by kernel]",
    type=float,
    metavar="X",
)
@_JACOBIAN("--chunk-rows", "Rows of a chunk, for backprop-chunked. [default: by size]", type=int, metavar="N")
@_JACOBIAN("--n-jobs", "Workers, for columns and backprop-chunked.")
@_JACOBIAN("--backend", "How workers and restarts run: loky, threading or dask.", metavar="NAME")
@_END("--epochs", "Maximum number of epochs; with --resume, in total.")
@_END("--target-mse", "Stop at this training error (scaled).")
@_END("--patience", "Stop after so many epochs without validation progress.", type=int, metavar="N")
@_RUN("--starts", "Number of fits from different weights, seeds --seed and up; the best is kept.")
@_RUN("--start-jobs", "Restarts that run at the same time.")
@_RUN(
    "--checkpoint checkpoint_file",
    "Save the state of the fit to a file, every 5 s.",
    type=_FILE,
    metavar="FILE",
)
@option(
    "Restarts, and stopping", "--resume", "resumed", type=_FILE, metavar="FILE",
    text="Resume a checkpoint; only --epochs and the outputs may change.",
)  # fmt: skip
@_OUTPUT("--json history_file", "Write the history to a file.", type=_FILE, metavar="FILE")
@_OUTPUT("--plot plot_file", "Draw the fit, as .png or .svg.", type=_FILE, metavar="FILE")
@_OUTPUT("--save model_file", "Save the model, as .npz.", type=_FILE, metavar="FILE")
@click.pass_context
def command(ctx: click.Context, /, resumed: Path | None, **given: Any) -> None:
    """Fit a function with a small network by Levenberg-Marquardt."""
    from workbench.report.training.files import ResumeOptions, TrainingOptions
    from workbench.trainer import LevenbergMarquardt

    with _log_warnings():
        if resumed is not None:
            _refuse_with_resume(ctx)
            _resume(
                ResumeOptions(resumed, **{name: given[name] for name in _RESUMED if _is_given(ctx, name)})
            )
            return
        optimizer = LevenbergMarquardt(
            **{field.name: given.pop(field.name) for field in fields(LevenbergMarquardt)}
        )
        options = TrainingOptions(**given, optimizer=optimizer)
        if options.starts == 1:
            _train(options)
        else:
            _train_starts(options)


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def _refuse_with_resume(ctx: click.Context) -> None:
    for parameter in ctx.command.params:
        name = str(parameter.name)
        if name not in (*_RESUMED, "resumed") and _is_given(ctx, name):
            raise click.UsageError(
                f"--resume keeps the options of its training run: leave {parameter.opts[0]} out; --epochs, --json, "
                "--plot and --save can be given",
                ctx,
            )


def _train(options: TrainingOptions) -> None:
    from workbench.report.training.files import train

    with progress(f"training on {options.name}") as advance:
        history = train(options, progress=_shown(advance))
    _finish(options.name, history, options.checkpoint_file)


def _resume(options: ResumeOptions) -> None:
    from workbench.report.training.files import resume

    with progress(f"resuming {options.checkpoint_file.name}") as advance:
        name, history = resume(options, progress=_shown(advance))
    _finish(name, history, options.checkpoint_file)


def _shown(advance: Any) -> Callable[[Progress], None]:
    return lambda now: advance(now.epoch, now.epochs, f"training MSE {now.train_mse:.2e}")


def _finish(name: str, history: History, checkpoint: Path | None) -> None:
    _summarise(name, history)
    if str(history.stop_reason) == "interrupted":
        kept = f"interrupted after {history.epochs} epochs; the last accepted weights are kept"
        if checkpoint is not None and checkpoint.is_file():
            kept += f"; resume with: workbench train --resume {checkpoint}"
        say(kept)
        sys.exit(130)


def _train_starts(options: TrainingOptions) -> None:
    from workbench.report.training.files import train_starts

    with progress(f"training on {options.name}") as advance:
        starts = train_starts(
            options, progress=lambda done, of: advance(done, of, f"{done} of {of} restarts")
        )
    _summarise_starts(options.name, starts)
    if starts.interrupted:
        say(f"interrupted; {len(starts.histories)} of {options.starts} restarts are kept")
        sys.exit(130)


@contextmanager
def _log_warnings() -> Iterator[None]:
    """Print each warning of the library as one line."""
    with warnings.catch_warnings():
        show = warnings.showwarning
        warnings.simplefilter("always", UserWarning)

        def log(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, UserWarning):
                say(str(message))
            else:
                show(message, category, *place, **more)

        warnings.showwarning = log
        yield


def _summarise(name: str, history: History) -> None:
    seconds = sum(history.seconds)
    each = f", {1e3 * seconds / history.epochs:.1f} ms each" if history.epochs else ""
    click.echo(f"{name}: {history.stop_reason} after {history.epochs} epochs in {seconds:.2f} s{each}")
    _summarise_fit(history, history.seed)


def _summarise_starts(name: str, starts: Restarts) -> None:
    for seed, history in zip(starts.seeds, starts.histories, strict=True):
        best = ": the best" if seed == starts.best_seed else ""
        click.echo(
            f"seed {seed}: training {_last(history, 'train_mse')}, validation {_last(history, 'validation_mse')}, "
            f"{history.stop_reason} after {history.epochs} epochs{best}"
        )
    by = "least validation error" if starts.by_validation else "training error"
    click.echo(f"{name}: seed {starts.best_seed} is the best of {len(starts.seeds)} restarts, by its {by}")
    _summarise_fit(starts.histories[starts.best_index], starts.best_seed)
    if starts.threads["workers"] != 1:
        click.echo(f"restarts: {starts.threads['workers']} at a time ({starts.threads['backend']})")


def _last(history: History, series: str) -> str:
    values = history.to_dict()[series]
    return "–" if not values or values[-1] is None else f"{values[-1]:.3e}"


def _summarise_fit(history: History, seed: int) -> None:
    errors = (f"{part} {_last(history, f'{key}_mse')}" for part, key in _PARTS)
    click.echo(f"MSE (scaled): {', '.join(errors)}")
    effective = history.records[-1].effective_parameters if history.records else None
    of_these = "" if effective is None else f", {effective:.1f} of them effective"
    click.echo(f"{history.parameters} parameters{of_these}, seed {seed}")
    if history.jacobian:
        click.echo(f"Jacobian: {history.jacobian['strategy']} ({history.jacobian['reason']})")
    click.echo(f"threads: {_threads(history.threads)}")


def _threads(used: Mapping[str, int | str]) -> str:
    if used["backend"] == "serial":
        return f"{used['blas']} for linear algebra"
    return f"{used['blas']} for linear algebra; {used['workers']} {used['backend']} workers of {used['blas_in_worker']}"


_PARTS = (("training", "train"), ("validation", "validation"), ("test", "test"))
