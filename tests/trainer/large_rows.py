"""Rows for tests of large data, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from workbench.trainer import ArrayRows, LevenbergMarquardt, Sequential

ROWS = 20_000
"""Three groups of 8,192 rows, the last one shorter."""

PATIENCE = 120
"""Seconds that a client waits for workers: on a busy machine those that take a lost one's place start late."""


def wavy(rows=ROWS, seed=0):
    """Return x of shape (rows, 1) and y of shape (rows, 1)."""
    x = np.random.default_rng(seed).uniform(-1.0, 3.0, (rows, 1))
    return x, np.sin(3.0 * x) + 0.2 * x


def saved(path, x, y):
    """Write both into one file, and return them as views of its memory map."""
    np.save(path, np.column_stack([x, y]))
    table = np.load(path, mmap_mode="r")
    return table[:, : x.shape[1]], table[:, x.shape[1] :]


def pairs(x, y, size):
    return lambda: ((x[i : i + size], y[i : i + size]) for i in range(0, len(x), size))


def small(units=4):
    """Return a network of 13 parameters, or with more units more."""
    return Sequential.builder(inputs=1).dense(units, "tanh").dense(1, "linear").build(seed=3)


def chunked(**options):
    return LevenbergMarquardt(jacobian="backprop-chunked", **options)


def fitted(fit, epochs=3):
    """Return what a fit gives, to the last bit: `fit` takes a model and options."""
    model = small()
    history = fit(model, {"epochs": epochs, "seed": 1})
    ranges = (model.input_scaling.low, model.input_scaling.high, model.output_scaling.high)
    errors = [history.train_mse, history.validation_mse, history.test_mse]
    return [model.parameters.tobytes(), *(values.tobytes() for values in ranges), repr(errors)]


def die_with(company):
    """Kill these processes and, last, this one."""
    for process in [*(other for other in company if other != os.getpid()), os.getpid()]:
        os.kill(process, signal.SIGKILL)


class Mortal(ArrayRows):
    """Rows whose reader, when it is not the process that made them, is killed as it begins a group.

    Once for the marker's whole life, or, with `always`, each time. Processes in `company` die with it.
    """

    def __init__(self, x, y, marker, always=False, company=()):
        super().__init__(x, y)
        self.marker, self.always, self.home = str(marker), always, os.getpid()
        self.company = list(company)

    def chunks(self, size, start, stop):
        if os.getpid() != self.home and start > 0 and (self.always or not Path(self.marker).exists()):
            Path(self.marker).touch()
            die_with(self.company)
        yield from super().chunks(size, start, stop)
