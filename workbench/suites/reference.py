"""The reference problem: a 1-20-20-10-1 network fitted to −x·sin(10x) by Levenberg-Marquardt, in nine variants.

`make profile` and `make bench-report` share this one list. The baseline is what the original notes began
with: exact tanh, and one finite-difference column of the Jacobian after the other.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench import Case, Scaling, Suite
from workbench.suites._tanh_table import tanh_table
from workbench.trainer import History, LevenbergMarquardt, Sequential, problem, split_of

EPOCHS = int(os.environ.get("WORKBENCH_REFERENCE_EPOCHS", "20"))
"""Epochs of every training, the same for all variants."""
DAMPING = 0.01
WORKERS = 2
VALIDATION, TEST = 0.2, 0.1

TARGETS = (1e-2, 1e-4, 1e-6, 1e-8)
"""Training errors, in scaled units, that every variant is timed to reach; the last is for some starts too far."""
GRID = 4001
"""Points of the dense grid on which the fit is judged; all but a few are no row of the data."""

BASELINE: dict[str, Any] = {
    "tanh": "exact",
    "jacobian_tanh": None,
    "jacobian": "columns",
    "n_jobs": 1,
    "backend": "loky",
}
_DIFFERENCES: dict[str, dict[str, Any]] = {
    "exact": {},
    "fast": {"tanh": "fast"},
    "faster": {"tanh": "faster"},
    "float32": {"tanh": "float32"},
    "faster, residuals only": {"tanh": "faster", "jacobian_tanh": "exact"},
    "faster, Jacobian only": {"jacobian_tanh": "faster"},
    "exact, 2 processes": {"n_jobs": WORKERS},
    "exact, 2 threads": {"n_jobs": WORKERS, "backend": "threading"},
    "exact, backpropagation": {"jacobian": "backprop"},
}
VARIANTS = {name: BASELINE | options for name, options in _DIFFERENCES.items()}

DESCRIPTIONS = {
    "exact": "np.tanh everywhere, one column after the other: the baseline",
    "fast": "fastapprox's fast tanh everywhere",
    "faster": "fastapprox's faster tanh everywhere",
    "float32": "np.tanh in single precision everywhere",
    "faster, residuals only": "faster tanh in the forward pass, exact in the Jacobian: the notes' “forward only”",
    "faster, Jacobian only": "faster tanh in what the Jacobian evaluates, exact in the forward pass",
    "exact, 2 processes": "columns in batches on two loky worker processes",
    "exact, 2 threads": "columns in batches on two threads",
    "exact, backpropagation": "the analytic Jacobian, by backpropagation of each sample",
}


def draw(folder: Path, title: str) -> None:
    """Draw `fit.png` from the model and history that a training left in a folder."""
    from workbench.pictures.plots import fit_plot

    model = Sequential.load(folder / "net.npz")
    seed = json.loads((folder / "history.json").read_text(encoding="utf-8"))["seed"]
    data = problem("multimodal_1d")
    trained = np.zeros(len(data.x), dtype=np.bool_)
    trained[split_of(len(data.x), validation=VALIDATION, test=TEST, seed=seed).training] = True
    fit_plot(
        folder / "fit.png",
        data.x,
        data.y,
        model.predict(data.x),
        data.truth(data.x),
        title=title,
        split=trained,
    )


suite = Suite(
    "reference",
    baseline="exact",
    variants=VARIANTS,
    descriptions=DESCRIPTIONS,
    draw=draw,
    quality="training MSE",
    targets=TARGETS,
    target_of="training MSE",
    scaling=Scaling(option="n_jobs", whole="compute jacobian", work="columns"),
    tables=lambda: [tanh_table()],
)


@suite.workload
def fit(
    tanh: str,
    jacobian_tanh: str | None,
    jacobian: str,
    n_jobs: int,
    backend: str,
    *,
    seed: int,
) -> Case:
    """Set one training up: data, network and initial weights; the same for every variant of a seed."""
    data = problem("multimodal_1d")
    model = (
        Sequential.builder(inputs=1)
        .dense(20, "tanh")
        .dense(20, "tanh")
        .dense(10, "tanh")
        .dense(1, "linear")
        .build(seed=seed)
    )
    optimizer = LevenbergMarquardt(
        damping=DAMPING,
        rule="marquardt",  # as in the notes, and steps that are not bent
        geodesic=False,
        jacobian=jacobian,
        n_jobs=n_jobs,
        backend=backend,
        tanh=tanh,
        jacobian_tanh=jacobian_tanh,
    )

    def run() -> History:
        return model.fit(
            data.x, data.y, optimizer=optimizer, epochs=EPOCHS, validation=VALIDATION, test=TEST, seed=seed
        )

    def keep(history: History, folder: Path) -> None:
        model.save(folder / "net.npz")
        history.to_json(folder / "history.json")

    def quality(history: History) -> dict[str, float]:
        """Return the errors after the last epoch: in scaled [−1, 1] units, and on a dense grid in the data's own."""
        grid = np.linspace(data.x.min(), data.x.max(), GRID).reshape(-1, 1)
        wrong = model.predict(grid) - data.truth(grid)
        return {
            "training MSE": history.train_mse[-1],
            "validation MSE": history.validation_mse[-1],
            "test MSE": history.test_mse[-1],
            "grid MSE": float(np.mean(wrong * wrong)),
        }

    return Case(run=run, quality=quality, steps=lambda history: history.seconds, keep=keep, curve=curve)


def curve(history: History) -> list[tuple[float, float]]:
    """Return the training error at the end of each epoch, by seconds; judging held-out rows is not in the time."""
    return list(zip(np.cumsum(history.seconds).tolist(), history.train_mse, strict=True))
