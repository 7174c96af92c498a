"""A whole epoch by finite-difference columns: serial, and on two workers, beside what the machine itself allows.

    python benchmarks/workers.py [--quick]

Writes docs/measured/workers.md and .json, with the limits that the project has set itself.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from time import perf_counter
from unittest.mock import patch

import numpy as np
from joblib.parallel import BACKENDS
from measured import Row, finish, in_rounds, median, options_of, ratio

from workbench.trainer import LevenbergMarquardt, Sequential
from workbench.trainer.jacobians.columns import DEFAULT_STEPS, ColumnTask, column_block
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.workers.blas import one_thread

ROWS = 1000
ROUNDS, QUICK_ROUNDS = 40, 5
EPOCHS = 4
"""Of each fit in a round; the first epoch, in which workers may still have to start, is not counted."""
LIMIT = 1 / 1.6
PLACES = {
    "serial": {},
    "loky, 2 workers": {"n_jobs": 2, "backend": "loky"},
    "threading, 2 workers": {"n_jobs": 2, "backend": "threading"},
}
PLAINER = {
    "loky, 2 workers": nullcontext,
    "with joblib's own wait": lambda: patch(
        "workbench.trainer.workers.executor.PromptLoky", BACKENDS["loky"]
    ),
    "with columns by value": lambda: patch("workbench.trainer.jacobians.column_batches.SHARED_MEMORY", None),
}
"""The trainer's two additions to joblib, each left out; one that saves less than 10 % of an epoch is not worth it."""
WHOLE, HALVES = "one process", "half of the columns in each of two processes"

NOTES = [
    (
        f"The reference problem, {ROWS} rows for training, network 1-20-20-10-1 (681 parameters), float64, exact "
        "tanh. An epoch is the optimiser's whole step: Jacobian, JᵀJ, factorisation, acceleration, trials. The fits "
        "of a round take the same course to the last bit, so the epochs that are compared do the same work."
    ),
    (
        "Every round has each variant once, in an order drawn for the round; ratios are of one round's. A fit has "
        f"{EPOCHS} epochs, of which the first is not counted, and the median of the others is."
    ),
    (
        "With jacobian='columns' the linear algebra takes one BLAS thread, serial as well: its bits depend on their "
        "number."
    ),
    (
        "The machine's limit is two processes, forked beforehand and told to begin by a pipe, that write their columns "
        "into shared memory: no library stands between them and the work."
    ),
]

X = np.linspace(-1.0, 1.0, ROWS)
Y = -X * np.sin(10.0 * X)


def network() -> Sequential:
    """Return the reference network with its initial weights."""
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    return builder.dense(1, "linear").build(seed=7)


def epoch(place: dict[str, object]) -> float:
    """Return the median milliseconds of an epoch of one fit."""
    options = LevenbergMarquardt(jacobian="columns", **place)
    history = network().fit(X, Y, optimizer=options, epochs=EPOCHS, validation=0.0, test=0.0)
    return 1e3 * float(np.median(history.seconds[1:]))


def task() -> ColumnTask:
    """Return the columns of the initial weights."""
    model = network()
    x = X[np.newaxis]
    base = ForwardPass(model.architecture, ROWS, "exact")(
        model.architecture.layer_views(model.parameters), x
    ).copy()
    return ColumnTask(model.architecture, model.parameters, x, base, "exact", DEFAULT_STEPS["exact"])


@contextmanager
def halves(given: ColumnTask) -> Iterator[Callable[[], None]]:
    """Give a call that has all columns computed by two processes, half by each."""
    columns = given.architecture.parameters
    shared = mmap.mmap(-1, columns * ROWS * 8)
    out = np.frombuffer(shared).reshape(columns, ROWS, 1)
    pipes = []
    for start, stop in [(0, columns // 2), (columns // 2, columns)]:
        orders, told = os.pipe(), os.pipe()
        if os.fork() == 0:
            os.close(orders[1])
            while os.read(orders[0], 1):
                column_block(given, start, stop, out[start:stop])
                os.write(told[1], b".")
            os._exit(0)
        os.close(orders[0])
        pipes.append((orders[1], told[0]))

    def both() -> None:
        for order, _ in pipes:
            os.write(order, b".")
        for _, told in pipes:
            os.read(told, 1)

    try:
        yield both
    finally:
        for order, _ in pipes:
            os.close(order)


def timed(call: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    begin = perf_counter()
    call()
    return 1e3 * (perf_counter() - begin)


def measure(rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, list[float]]]:
    """Return milliseconds of epochs, of Jacobians, and of epochs with less of ours, one of each variant a round."""
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        given = task()
        both = stack.enter_context(halves(given))  # forked before there are threads
        model, x = network(), X[np.newaxis]
        columns = {
            name: stack.enter_context(open_jacobian(model.architecture, x, "columns", **place))
            for name, place in PLACES.items()
        }
        jacobians: dict[str, Callable[[], object]] = {
            WHOLE: lambda: columns["serial"](model.parameters),
            HALVES: both,
            **{
                name: (lambda compute=columns[name]: compute(model.parameters))
                for name in PLACES
                if name != "serial"
            },
        }
        alone = in_rounds({name: partial(timed, call) for name, call in jacobians.items()}, rounds)
    epochs = in_rounds({name: partial(epoch, place) for name, place in PLACES.items()}, rounds, warm_up=0)
    plainer = in_rounds({name: partial(plainer_epoch, name) for name in PLAINER}, rounds, warm_up=0)
    return epochs, alone, plainer


def plainer_epoch(name: str) -> float:
    """Return the milliseconds of an epoch without one of the trainer's additions."""
    with PLAINER[name]():
        return epoch(PLACES["loky, 2 workers"])


def rows_of(milliseconds: dict[str, list[float]], base: str, limits: dict[str, float]) -> list[Row]:
    """Return each variant's median, and its ratio to the base."""
    rows = [median(name, values, "ms") for name, values in milliseconds.items()]
    return rows + [
        ratio(f"{name} / {base}", values, milliseconds[base], limits.get(name))
        for name, values in milliseconds.items()
        if name != base
    ]


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    epochs, alone, plainer = measure(QUICK_ROUNDS if options.quick else ROUNDS)
    loky = "loky, 2 workers"
    sections = {
        "A whole epoch": rows_of(epochs, "serial", {loky: LIMIT}),
        "The Jacobian alone, and the machine's limit": [
            *rows_of(alone, WHOLE, {}),
            ratio(f"{loky} / {HALVES}", alone[loky], alone[HALVES]),
        ],
        "A whole epoch with less of the trainer's own": rows_of(plainer, loky, {}),
    }
    finish("workers", "Columns on workers", sections, NOTES, options)


if __name__ == "__main__":
    main()
