"""`workbench train --checkpoint` and `--resume`: a training that was stopped ends as if it had not been."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.report.training import files as training
from workbench.trainer import Sequential, checkpoint

SMALL = ("--layers", "4", "--target-mse", "0")


@pytest.fixture
def interrupted(train, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs a training, with Ctrl-C after so many epochs."""
    real = training.train

    def run(epochs: int, *arguments: str) -> Any:
        def stopped(options: training.TrainingOptions, *, progress: Any) -> Any:
            def watch(now: Any) -> None:
                progress(now)
                if now.epoch == epochs:
                    raise KeyboardInterrupt

            return real(options, progress=watch)

        with monkeypatch.context() as patch:
            patch.setattr(training, "train", stopped)
            return train(*arguments)

    return run


def history(file: str) -> dict[str, Any]:
    """Return a history without what is measured anew."""
    kept = json.loads(Path(file).read_text())
    del kept["seconds"]
    return kept


@pytest.mark.parametrize(
    "how", [("--bayesian",), ("--problem", "noisy_sine", "--patience", "3", "--rule", "delayed"),
            ("--scaling", "more", "--initial", "xavier", "--tanh", "1e-7", "--seed", "12")],
)  # fmt: skip
def test_a_stopped_run_resumes_to_the_same_end(train, interrupted, how) -> None:
    """After Ctrl-C one line says how to resume; history and model are then those of an unbroken training."""
    options = (*SMALL, "--epochs", "12", *how)
    assert train(*options, "--json", "whole.json", "--save", "whole.npz").code == 0
    stopped = interrupted(5, *options, "--checkpoint", "run.npz")
    assert stopped.code == 130
    assert stopped.err == (
        "workbench: interrupted after 5 epochs; the last accepted weights are kept; resume with: "
        "workbench train --resume run.npz\n"
    )
    done = train("--resume", "run.npz", "--json", "parts.json", "--save", "parts.npz", "--plot", "fit.svg")
    assert (done.code, done.err) == (0, "")
    assert history("parts.json") == history("whole.json")
    x = np.linspace(-1.0, 2.0, 50)
    whole, parts = (Sequential.load(f"{name}.npz").predict(x).tobytes() for name in ("whole", "parts"))
    assert whole == parts
    assert "<svg" in Path("fit.svg").read_text()


def test_more_epochs(train) -> None:
    """A training run whose epochs are used up resumes with more; without, it is shown as it ended."""
    train(*SMALL, "--epochs", "3", "--checkpoint", "run.npz")
    again = train("--resume", "run.npz", "--json", "again.json")
    assert again.out.startswith("multimodal_1d: epochs used up after 3 epochs")
    more = train("--resume", "run.npz", "--epochs", "5", "--json", "more.json")
    assert more.out.startswith("multimodal_1d: epochs used up after 5 epochs")
    assert history("more.json")["train_mse"][:3] == history("again.json")["train_mse"]
    train("--resume", "run.npz", "--epochs", "4").assert_refused("epochs is 4 and 5 are done in run.npz")


def test_interrupted_again(train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed training run can be stopped and resumed again."""
    train(*SMALL, "--epochs", "2", "--checkpoint", "run.npz")

    real = training.resume

    def stopped(options: training.ResumeOptions, *, progress: Any) -> Any:
        def watch(now: Any) -> None:
            if now.epoch == 4:
                raise KeyboardInterrupt

        return real(options, progress=watch)

    monkeypatch.setattr(training, "resume", stopped)
    outcome = train("--resume", "run.npz", "--epochs", "9", "--json", "run.json")
    assert outcome.code == 130
    assert "after 4 epochs" in outcome.err
    assert "workbench train --resume run.npz" in outcome.err
    assert len(history("run.json")["train_mse"]) == 4


def test_from_another_folder(train, interrupted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The table is found again wherever the command is called; one that has changed or gone is refused."""
    table = tmp_path / "table.csv"
    text = "a,y\n" + "".join(f"{a},{a * a}\n" for a in np.linspace(0, 1, 30))
    table.write_text(text)
    interrupted(
        3, *SMALL, "--data", "table.csv", "--inputs", "a", "--targets", "y", "--checkpoint", "run.npz"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert train("--resume", "../run.npz", "--epochs", "5").out.startswith(
        "table.csv: epochs used up after 5"
    )
    table.write_text(text.replace("0.0,0.0", "0.0,0.5"))
    train("--resume", "../run.npz", "--epochs", "6").assert_refused("x or y are not the rows that")
    table.unlink()
    train("--resume", "../run.npz", "--epochs", "6").assert_refused("no file .*table.csv")


@pytest.mark.parametrize(
    "given",
    [("--problem", "spiral"), ("--layers", "20,20,10"), ("--no-geodesic",), ("--seed", "7"), ("--starts", "2"),
     ("--checkpoint", "other.npz"), ("--data", "x.csv"), ("--damping", "0.001"), ("--bayesian",)],
)  # fmt: skip
def test_nothing_else_may_be_said_anew(train, given: tuple[str, ...]) -> None:
    """With --resume all is as it was: what would change it is refused, even where it says the default."""
    train("--resume", "run.npz", *given).assert_refused(
        f"--resume keeps the options of its training run: leave {given[0].replace('no-', '')} out"
    )


def test_files_that_cannot_be_resumed(train, interrupted) -> None:
    """A missing file, another kind of file, a fit that named no data, and an output that is the checkpoint."""
    train("--resume", "none.npz").assert_refused("no checkpoint file none.npz")
    Path("text.npz").write_text("a,b\n")
    train("--resume", "text.npz").assert_refused("text.npz is not a whole workbench checkpoint file")
    model = Sequential.builder(1).dense(2, "tanh").dense(1, "linear").build(seed=0)
    x = np.linspace(0, 1, 30)
    for note in ("", "my own", "3", '{"problem": "spiral"}'):
        model.fit(x, x**2, epochs=1, checkpoint="library.npz", checkpoint_note=note)
        train("--resume", "library.npz").assert_refused("names no data: resume it by Sequential.resume")
    interrupted(2, *SMALL, "--checkpoint", "run.npz")
    before = Path("run.npz").read_bytes()
    train("--resume", "run.npz", "--save", "run.npz").assert_refused(
        "the checkpoint and the model are both run.npz"
    )
    train("--resume", "run.npz", "--json", "no/run.json").assert_refused("there is no folder")
    train(*SMALL, "--checkpoint", "run.npz").assert_refused(r"not finished \(2 of 200 epochs\): resume it")
    assert Path("run.npz").read_bytes() == before


def test_a_crash_keeps_the_checkpoint(train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the output cannot be written at the end, the training is not lost: its checkpoint is whole."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    failed = train(*SMALL, "--epochs", "4", "--checkpoint", "run.npz", "--json", "/dev/full")
    assert (failed.code, failed.err.count("\n")) == (1, 1)
    assert len(checkpoint.read("run.npz").records) == 4
    assert train("--resume", "run.npz", "--json", "run.json").code == 0
    assert len(history("run.json")["train_mse"]) == 4


def test_warnings_are_one_line(train, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library warns of, such as a disk that is full, is said and does not end the training."""
    real = training.train

    def warned(options: training.TrainingOptions, *, progress: Any) -> Any:
        warnings.warn("the checkpoint is not up to date:\n  no room", UserWarning, stacklevel=1)
        return real(options, progress=progress)

    monkeypatch.setattr(training, "train", warned)
    done = train(*SMALL, "--epochs", "1")
    assert (done.code, done.err) == (0, "workbench: the checkpoint is not up to date: no room\n")
