"""Short fits of every kind, with checkpoints: as a module their list, as a program what a test kills.

    python fits_to_kill.py FOLDER

resumes the fits in FOLDER, and begins those that are not there; it prints a line for each epoch, and reads a letter
from its input before it continues.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.trainer import SGD, Adam, History, LevenbergMarquardt, Progress, Sequential

EPOCHS = 12
FITS: dict[str, dict[str, Any]] = {
    "nielsen": {"optimizer": LevenbergMarquardt()},
    "marquardt": {"optimizer": LevenbergMarquardt(rule="marquardt", geodesic=False, damping=1e3, l2=1e-3)},
    "delayed": {"optimizer": LevenbergMarquardt(rule="delayed", jacobian="columns", tanh="fast")},
    "more": {"optimizer": LevenbergMarquardt(scaling="more", damping=1e-2)},
    "bayesian": {"optimizer": LevenbergMarquardt(bayesian=True), "target_mse": 1e-30},
    "chunked": {"optimizer": LevenbergMarquardt(jacobian="backprop-chunked", chunk_rows=16)},
    "dual": {"optimizer": LevenbergMarquardt(jacobian="dual", l2=1e-4), "validation": 0.5},
    "patience": {"optimizer": LevenbergMarquardt(damping=1e-12), "patience": 3, "test": 0.0},
    "sgd": {"optimizer": SGD(batch_size=16, clip_norm=0.5), "patience": 2},
    "adam": {"optimizer": Adam(batch_size=24, l2=1e-4), "validation": 0.0},
    "whole adam": {"optimizer": Adam()},
}


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Return 90 rows with noise."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-1.0, 1.0, (90, 2))
    return x, np.sin(3.0 * x[:, 0]) * x[:, 1] + rng.normal(0.0, 0.1, 90)


def network() -> Sequential:
    return Sequential.builder(2).dense(7, "tanh").dense(3, "sigmoid").dense(1, "linear").build(seed=4)


def whole_fit(name: str, **more: Any) -> tuple[Sequential, History]:
    """Return the model and history of a fit in one piece."""
    model = network()
    return model, model.fit(*rows(), **{"epochs": EPOCHS, "seed": 6} | FITS[name] | more)


def begin_or_resume(
    name: str, path: Path, callback: Callable[[Progress], object] | None = None
) -> tuple[Sequential, History]:
    """Resume the fit at `path`, with a checkpoint after every epoch; begin it if there is no file."""
    if path.exists():
        return Sequential.resume(path, *rows(), callback=callback, checkpoint_seconds=0.0)
    return whole_fit(name, callback=callback, checkpoint=path, checkpoint_seconds=0.0)


def bits(model: Sequential, history: History) -> tuple[object, ...]:
    """Return all that two fits must have in common: everything but how long they took."""
    document = history.to_dict()
    del document["seconds"]
    scalings = (model.input_scaling, model.output_scaling)
    ranges = [array.tobytes() for scaling in scalings for array in (scaling.low, scaling.high)]
    return model.parameters.tobytes(), model.tanh, ranges, document


if __name__ == "__main__":

    def tell(now: Progress) -> None:
        print(now.epoch, flush=True)
        sys.stdin.read(1)

    for fit in FITS:
        begin_or_resume(fit, Path(sys.argv[1]) / f"{fit}.npz", tell)
