"""`workbench train --starts`: several initial weights; the best is kept and all are listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.report.training import files as training
from workbench.trainer import Sequential, problem

SMALL = ("--problem", "noisy_sine", "--layers", "4", "--epochs", "8")


def kept(file: str = "run.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(file).read_text(), parse_constant=pytest.fail)
    for history in document["histories"]:
        del history["seconds"]
    return document


@pytest.mark.parametrize("patience", [(), ("--patience", "3")])
def test_the_best_of_several_is_kept(train, patience) -> None:
    """Each start's error is listed, the best is named and saved, and the JSON has every history."""
    done = train(*SMALL, *patience, "--starts", "3", "--seed", "5", "--json", "run.json", "--save", "best.npz",
                 "--plot", "fit.svg")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    document = kept()
    assert (document["seeds"], document["interrupted"], len(document["histories"])) == ([5, 6, 7], False, 3)
    series = "validation_mse" if patience else "train_mse"
    errors = [min(history[series]) for history in document["histories"]]
    best = int(np.argmin(errors))
    assert document["best_seed"] == 5 + best
    lines = done.out.splitlines()
    for seed, line, history in zip(document["seeds"], lines, document["histories"], strict=False):
        assert line.startswith(f"seed {seed}: training {history['train_mse'][-1]:.3e}, validation ")
        assert line.endswith(": the best") is (seed == document["best_seed"])
    by = "least validation error" if patience else "training error"
    assert lines[3] == f"noisy_sine: seed {5 + best} is the best of 3 restarts, by its {by}"
    assert f"13 parameters, seed {5 + best}" in lines
    data = problem("noisy_sine", 5)
    mse = Sequential.load("best.npz").evaluate(data.x, data.y).scaled_mse
    weights = [0.7, 0.2, 0.1]
    history = document["histories"][best]
    at = int(np.argmin(history[series])) if patience else -1
    parts = [history[f"{part}_mse"][at] for part in ("train", "validation", "test")]
    assert mse == pytest.approx(np.dot(weights, parts), rel=1e-6)
    assert "<svg" in Path("fit.svg").read_text()


def test_starts_at_a_time_change_nothing(train) -> None:
    """Two starts at a time, in threads, give the histories of one at a time, bit by bit."""
    train(*SMALL, "--starts", "3", "--json", "one.json")
    done = train(*SMALL, "--starts", "3", "--start-jobs", "2", "--backend", "threading", "--json", "two.json")
    assert "restarts: 2 at a time (threading)" in done.out
    one, two = kept("one.json"), kept("two.json")
    for document in (one, two):
        for history in document["histories"]:
            del history["threads"], history["optimizer"]["backend"]
        del document["threads"]
    assert one == two


def test_ctrl_c_keeps_the_starts_that_are_finished(train, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the best of those is saved, one line says how many there are, and the code is 130."""
    real = training.train_starts

    def stopped(options: training.TrainingOptions, *, progress: Any) -> Any:
        def watch(done: int, starts: int) -> None:
            progress(done, starts)
            if done == 2:
                raise KeyboardInterrupt

        return real(options, progress=watch)

    monkeypatch.setattr(training, "train_starts", stopped)
    done = train(*SMALL, "--starts", "9", "--json", "run.json", "--save", "best.npz")
    assert (done.code, done.err) == (130, "workbench: interrupted; 2 of 9 restarts are kept\n")
    assert (kept()["interrupted"], kept()["seeds"]) == (True, [7, 8])
    assert Path("best.npz").is_file()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--start-jobs", "0"), "n_jobs is 0"),
        (("--start-jobs", "2", "--jacobian", "columns", "--n-jobs", "2"), "give one of them 1"),
    ],
)
def test_bad_input_is_one_line(train, arguments: tuple[str, ...], complaint: str) -> None:
    """What one training refuses, several refuse too, before the first begins."""
    train(*SMALL, "--starts", "2", *arguments).assert_refused(complaint)
