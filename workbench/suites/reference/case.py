"""The reference problem as a case: a 1-20-20-10-1 network fitted to −x·sin(10x) by one optimiser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from workbench.bench import Case, Residuals
from workbench.trainer import History, Optimizer, Sequential, problem, split_of

PROBLEM = "multimodal_1d"
VALIDATION, TEST = 0.2, 0.1

TARGETS = (1e-2, 1e-4, 1e-6, 1e-8)
"""Training errors, in scaled units, that every variant is timed to reach; the last is for some starts too far."""
GRID = 4001
"""Points of the dense grid on which the fit is judged; all but a few are no row of the data."""


def fit_case(
    optimizer: Optimizer, *, epochs: int, seed: int, initial: str = "nguyen-widrow", target_mse: float = 0.0
) -> Case:
    """Set one training up: data, network and initial weights; the same for every optimiser of a seed."""
    data = problem(PROBLEM)
    model = network(seed, initial)

    def run() -> History:
        return model.fit(
            data.x,
            data.y,
            optimizer=optimizer,
            epochs=epochs,
            validation=VALIDATION,
            test=TEST,
            target_mse=target_mse,
            seed=seed,
        )

    def keep(history: History, folder: Path) -> None:
        model.save(folder / "net.npz")
        history.to_json(folder / "history.json")

    def quality(history: History) -> dict[str, float]:
        """Return the errors after the last epoch: in scaled [−1, 1] units, and on a dense grid in the data's own."""
        return {
            "training MSE": history.train_mse[-1],
            "validation MSE": history.validation_mse[-1],
            "test MSE": history.test_mse[-1],
            "grid MSE": grid_mse(model),
        }

    return Case(run=run, quality=quality, steps=lambda history: history.seconds, keep=keep, curve=curve)


def network(seed: int, initial: str = "nguyen-widrow") -> Sequential:
    """Return the 1-20-20-10-1 network with the initial weights of a seed."""
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    return builder.dense(1, "linear").build(seed=seed, initial=initial)


def grid_mse(model: Sequential) -> float:
    """Return the mean squared distance of a fitted network from the true function, on the dense grid."""
    return float(np.mean(np.square(_grid_residuals(model).residual)))


def curve(history: History) -> list[tuple[float, float]]:
    """Return the training error at the end of each epoch, by seconds; judging held-out rows is not in the time."""
    return list(zip(np.cumsum(history.seconds).tolist(), history.train_mse, strict=True))


def residuals(folder: Path) -> Residuals:
    """Return how far the model that a training left in a folder is from the true function."""
    return _grid_residuals(Sequential.load(folder / "net.npz"))


def _grid_residuals(model: Sequential) -> Residuals:
    data = problem(PROBLEM)
    grid = np.linspace(data.x.min(), data.x.max(), GRID).reshape(-1, 1)
    return Residuals(grid.ravel(), (model.predict(grid) - data.truth(grid)).ravel())


def draw(folder: Path, title: str) -> None:
    """Draw `fit.png` from the model and history that a training left in a folder."""
    from workbench.render.plots.fits import fit_plot

    model = Sequential.load(folder / "net.npz")
    seed = json.loads((folder / "history.json").read_text(encoding="utf-8"))["seed"]
    data = problem(PROBLEM)
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
