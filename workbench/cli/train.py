"""`workbench train`: fit a problem that ships, or the columns of a CSV file."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli._progress import progress, say
from workbench.cli._settings import HELP

if TYPE_CHECKING:
    from workbench.trainer import History, Progress


class Names(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """Names with commas between them."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, or fail where there are none."""
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(names):
            self.fail(f"{value!r} is no list of names: write A,B", param, ctx)
        return names


class Units(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """Whole numbers with commas between them."""

    name = "units"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers, or fail with the form that can be used."""
        if not isinstance(value, str):
            return value  # type: ignore[return-value]  # click converts what is converted again
        words = [word.strip() for word in value.split(",")]
        wrong = [word for word in words if re.fullmatch("0*[1-9][0-9]{0,7}", word, re.ASCII) is None]
        if wrong:
            self.fail(f"{value!r}: {wrong[0]!r} is not a number of units; write 20,20,10", param, ctx)
        return tuple(int(word) for word in words)


@click.command(
    context_settings=HELP,
    epilog="""\b
Examples:
  workbench train                                          the reference problem, until MSE 1e-8
  workbench train --problem ripple_2d --layers 30,30 --plot fit.png
  workbench train --jacobian columns --tanh fast --n-jobs 2 --backend threading --json run.json
  workbench train --data table.csv --inputs a,b --targets y --patience 6

Ctrl-C ends the training and keeps the last accepted weights, the JSON and the plot.""",
)
@click.option("--problem", metavar="NAME", help="A problem that ships. [default: multimodal_1d]")
@click.option("--data", type=click.Path(path_type=Path), metavar="FILE.csv", help="Fit a table instead.")
@click.option("--inputs", type=Names(), metavar="A,B", help="With --data: the columns that go in.")
@click.option("--targets", type=Names(), metavar="Y", help="With --data: the columns that come out.")
@click.option(
    "--layers", type=Units(), default="20,20,10", show_default=True, help="Units of the hidden layers."
)
@click.option("--activation", default="tanh", show_default=True, help="Of the hidden layers.")
@click.option("--tanh", default="exact", show_default=True, help="Kernel of the residuals.")
@click.option("--jacobian-tanh", help="Kernel of what the Jacobian evaluates. [default: the same]")
@click.option("--jacobian", default="backprop", show_default=True, help="backprop or columns.")
@click.option("--step", type=float, help="Finite-difference step of columns. [default: by kernel]")
@click.option("--backend", default="loky", show_default=True, help="Of parallel columns: loky or threading.")
@click.option("--n-jobs", default=1, show_default=True, help="Workers for columns.")
@click.option("--damping", default=1e-3, show_default=True, help="Initial damping.")
@click.option("--rule", default="marquardt", show_default=True, help="Damping rule: marquardt or nielsen.")
@click.option("--l2", default=0.0, show_default=True, help="Weight of the L2 penalty.")
@click.option("--epochs", default=200, show_default=True, help="At most so many.")
@click.option("--target-mse", default=1e-8, show_default=True, help="Stop at this training error (scaled).")
@click.option("--validation", default=0.2, show_default=True, help="Fraction of rows held out to validate.")
@click.option("--test", default=0.1, show_default=True, help="Fraction of rows held out to test.")
@click.option("--patience", type=int, help="Stop after so many epochs without validation progress.")
@click.option("--seed", default=7, show_default=True, help="Weights, split and samples follow from it.")
@click.option("--json", "history_file", type=click.Path(path_type=Path), help="Write the history to a file.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Draw the fit, as .png or .svg.")
@click.option("--save", "model_file", type=click.Path(path_type=Path), help="Save the model, as .npz.")
def command(**given: Any) -> None:
    """Fit a function with a small network by Levenberg-Marquardt."""
    from workbench.report.training import TrainingOptions, train
    from workbench.trainer import LevenbergMarquardt

    of_optimizer = {f.name: given.pop(f.name) for f in fields(LevenbergMarquardt) if f.name in given}
    given |= {name: given[name] or () for name in ("inputs", "targets")}
    options = TrainingOptions(**given, optimizer=LevenbergMarquardt(**of_optimizer))
    with progress(f"training on {options.name}") as advance:

        def show(now: Progress) -> None:
            advance(now.epoch, now.epochs, f"training MSE {now.train_mse:.2e}")

        history = train(options, progress=show)
    _summarise(options.name, history)
    if str(history.stop_reason) == "interrupted":
        say(f"interrupted after {history.epochs} epochs; the last accepted weights are kept")
        sys.exit(130)


def _summarise(name: str, history: History) -> None:
    numbers = history.to_dict()

    def last(series: str) -> str:
        values = numbers[series]
        return "–" if not values or values[-1] is None else f"{values[-1]:.3e}"

    seconds = sum(history.seconds)
    each = f", {1e3 * seconds / history.epochs:.1f} ms each" if history.epochs else ""
    click.echo(f"{name}: {history.stop_reason} after {history.epochs} epochs in {seconds:.2f} s{each}")
    click.echo(
        f"MSE (scaled): training {last('train_mse')}, validation {last('validation_mse')}, test {last('test_mse')}"
    )
    click.echo(f"{history.parameters} parameters, seed {history.seed}")
