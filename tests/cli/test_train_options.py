"""The options of `workbench train`: none is missing, none contradicts another unnoticed, and arrays are read."""

from __future__ import annotations

import importlib
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from workbench.report.training import files as training
from workbench.report.training import rows as training_rows
from workbench.report.training.files import TrainingOptions
from workbench.trainer import LevenbergMarquardt, damping, kernels, problem_names, splits
from workbench.trainer.jacobians.jacobian import STRATEGIES
from workbench.trainer.network import initial
from workbench.trainer.options import SCALINGS
from workbench.trainer.workers.executor import BACKENDS

train_module = importlib.import_module("workbench.cli.train")
PARAMETERS = {parameter.name: parameter for parameter in train_module.command.params}


@pytest.fixture
def asked(train, monkeypatch: pytest.MonkeyPatch):
    """Return a function that gives the options object that a command line makes, and fits nothing."""

    def run(*arguments: str) -> TrainingOptions:
        seen: list[TrainingOptions] = []

        def stop(options: TrainingOptions, **rest: object) -> None:
            seen.append(options)
            raise KeyboardInterrupt

        monkeypatch.setattr(training, "train", stop)
        monkeypatch.setattr(training, "train_starts", stop)
        assert train(*arguments).code == 130
        return seen[0]

    return run


def test_all_that_the_optimiser_has_is_an_option(asked) -> None:
    """Each field of the options has its option, and what is not said is the library's default."""
    missing = {field.name for field in fields(LevenbergMarquardt)} - set(PARAMETERS)
    assert not missing
    assert {field.name for field in fields(TrainingOptions)} - {"optimizer"} <= set(PARAMETERS)
    assert asked() == TrainingOptions()


def test_what_is_said_arrives(asked) -> None:
    """Every option reaches the field of its name."""
    given = asked(
        "--problem", "spiral", "--layers", "5,4", "--activation", "sigmoid", "--tanh", "1e-7",
        "--initial", "xavier", "--seed", "11", "--damping", "0.5", "--rule", "delayed", "--scaling", "more",
        "--no-geodesic", "--bayesian", "--damping-min", "1e-9", "--damping-max", "1e9", "--min-gradient", "1e-3",
        "--jacobian", "columns", "--jacobian-tanh", "1e-4", "--step", "1e-5", "--n-jobs", "2",
        "--backend", "threading", "--epochs", "9", "--target-mse", "0.5", "--validation", "0.3", "--test", "0",
        "--split", "ordered",
        "--patience", "4", "--checkpoint", "c.npz", "--json", "j", "--plot", "p.svg", "--save", "m.npz",
    )  # fmt: skip
    assert given == TrainingOptions(
        problem="spiral", layers=(5, 4), activation="sigmoid", initial="xavier", seed=11, epochs=9,
        target_mse=0.5, validation=0.3, test=0.0, split="ordered", patience=4, checkpoint_file=Path("c.npz"),
        history_file=Path("j"), plot_file=Path("p.svg"), model_file=Path("m.npz"),
        optimizer=LevenbergMarquardt(
            tanh="1e-7", damping=0.5, rule="delayed", scaling="more", geodesic=False, bayesian=True,
            damping_min=1e-9, damping_max=1e9, min_gradient=1e-3, jacobian="columns", jacobian_tanh="1e-4",
            step=1e-5, n_jobs=2, backend="threading",
        ),
    )  # fmt: skip
    several = asked("--starts", "3", "--start-jobs", "2", "--l2", "0.25", "--jacobian", "backprop-chunked",
                    "--chunk-rows", "64", "--data", "x.npy", "--inputs", "0, 1", "--targets", "2")  # fmt: skip
    assert (several.starts, several.start_jobs, several.optimizer.l2) == (3, 2, 0.25)
    assert (several.optimizer.chunk_rows, several.inputs, several.targets) == (64, ("0", "1"), ("2",))


def test_help_tells_names_and_defaults_of_the_library(train) -> None:
    """The names and defaults in the help are those of the library, in 80 columns, under headings."""
    text = train("--help").out
    assert max(map(len, text.splitlines())) <= 88  # examples are not wrapped
    flowing = "".join(text.split())
    for names in (
        kernels.names(), STRATEGIES, damping.NAMES, SCALINGS, initial.NAMES, problem_names(), splits.NAMES, BACKENDS,
    ):  # fmt: skip
        assert f"{','.join(names[:-1])}or{names[-1]}".replace(" ", "") in flowing
    for default in ("[default: nielsen]", "[default: 20,20,10]", "[default: 1e-08]", "[default: 0.001]"):
        assert default in " ".join(text.split())
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "What is fitted:", "The network:", "Levenberg-Marquardt:", "The Jacobian:", "When it ends:",
        "Restarts, and stopping:", "What is written:", "Help:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scaling", "moree"], "unknown scaling 'moree': did you mean 'more'"),
        (["--bayesian", "--l2", "1"], "l2=1 with bayesian=True: leave l2 out"),
        (["--damping", "1e-3", "--damping-min", "1"], "damping 0.001 is not between damping_min 1"),
        (["--starts", "0"], "starts is 0: choose 1 or more"),
        (["--start-jobs", "2"], "start_jobs is 2, for several starts"),
        (["--starts", "2", "--checkpoint", "c.npz"], "choose one start, or leave c.npz out"),
        (["--checkpoint", "no/c.npz"], "there is no folder"),
        (["--checkpoint", "c", "--save", "c"], "the model and the checkpoint are both c"),
        (["--data", "x.npz", "--inputs", "a", "--targets", "b"], "give FILE.csv, or an array saved as FILE.npy"),
    ],
)  # fmt: skip
def test_contradictions_are_one_line(train, arguments: list[str], complaint: str) -> None:
    """What does not go together is refused before anything is computed, and leaves nothing behind."""
    train(*arguments).assert_refused(complaint)
    assert not list(Path().iterdir())


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """An array file of 60 rows: a, b, a·b, a + b."""
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 60))
    path = tmp_path / "rows.npy"
    np.save(path, np.column_stack([a, b, a * b, a + b]))
    return path


def test_an_array_file_is_fitted_by_column_numbers(train, array: Path) -> None:
    """Columns of a .npy file go in and out by number, in the order in which they are named."""
    options = ("--layers", "3", "--epochs", "4", "--json", "run.json", "--plot", "fit.svg")
    done = train("--data", "rows.npy", "--inputs", "1,0", "--targets", "2,3", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("rows.npy: ")
    assert json.loads(Path("run.json").read_text())["parameters"] == 2 * 3 + 3 + 2 * 3 + 2
    table = np.load(array)
    rows = training_rows.TrainingSource(None, array, ("3", "0"), ("1",), 0).read()
    np.testing.assert_array_equal(rows.x, table[:, [3, 0]])
    np.testing.assert_array_equal(rows.y, table[:, [1]])


@pytest.mark.parametrize(("inputs", "mapped"), [(("0", "1"), True), (("0", "3"), True), (("1", "0"), False)])
def test_a_large_array_stays_in_its_file(monkeypatch, array: Path, inputs, mapped: bool) -> None:
    """Columns at even distances of a large file are mapped; others are read; the values are the same."""
    monkeypatch.setattr(training_rows, "LARGE_BYTES", 60 * 3 * 8)
    rows = training_rows.TrainingSource(None, array, inputs, ("2",), 0).read()
    assert isinstance(rows.x, np.memmap) is mapped
    np.testing.assert_array_equal(rows.x, np.load(array)[:, [int(name) for name in inputs]])


def test_a_large_array_is_fitted_and_drawn(train, monkeypatch, array: Path) -> None:
    """What is in a mapped file is fitted in chunks, and a part of it is drawn."""
    monkeypatch.setattr(training_rows, "LARGE_BYTES", 1)
    monkeypatch.setattr(training, "MAX_PLOTTED", 7)
    done = train("--data", "rows.npy", "--inputs", "0,1", "--targets", "2", "--layers", "3", "--epochs", "4",
                 "--chunk-rows", "16", "--jacobian", "backprop-chunked", "--plot", "fit.png", "--json", "run.json",
                 "--checkpoint", "c.npz")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    kept = json.loads(Path("run.json").read_text())
    assert kept["jacobian"]["strategy"] == "backprop-chunked"
    assert "Jacobian: backprop-chunked (" in done.out
    assert Path("fit.png").read_bytes().startswith(b"\x89PNG")
    again = train("--resume", "c.npz", "--epochs", "6", "--json", "run.json")
    assert (again.code, again.err) == (0, "")
    longer = json.loads(Path("run.json").read_text())
    assert longer["train_mse"][:4] == kept["train_mse"]
    assert longer["epochs"] == 6


@pytest.mark.parametrize(
    ("content", "columns", "complaint"),
    [
        (b"", ("0", "1"), "not a whole array file"),
        (b"a,b\n1,2\n", ("0", "1"), "not a whole array file"),
        (np.zeros((3, 2), dtype=complex), ("0", "1"), "holds complex128, shape .3, 2.: give numbers in rows"),
        (np.zeros(3), ("0", "1"), "shape .3,.: give numbers in rows and columns"),
        (np.array([[{}, 1]]), ("0", "1"), "not a whole array file"),
        (np.zeros((3, 2)), ("0", "2"), "no column '2': its 2 columns are numbered from 0 to 1"),
        (np.zeros((3, 2)), ("0", "-1"), "no column '-1'"),
        (np.zeros((3, 2)), ("a", "1"), "no column 'a'"),
        (np.zeros((3, 2)), ("1", "1"), "column '1' is asked for twice"),
        (np.full((30, 2), np.nan), ("0", "1"), "holds nan at row 0"),
    ],
)
def test_arrays_that_cannot_be_used(train, content, columns, complaint: str) -> None:
    """Each fault of an array file is one line with its name."""
    if isinstance(content, bytes):
        Path("x.npy").write_bytes(content)
    else:
        np.save("x.npy", content)
    train("--data", "x.npy", "--inputs", columns[0], "--targets", columns[1]).assert_refused(complaint)


def test_an_array_that_was_cut_short(train, array: Path) -> None:
    """A file that is shorter than it says is refused, and a missing one."""
    array.write_bytes(array.read_bytes()[:-8])
    train("--data", "rows.npy", "--inputs", "0", "--targets", "1").assert_refused("not a whole array file")
    head = {"descr": "<f8", "fortran_order": False, "shape": (10**20, 3)}
    with Path("rows.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
    train("--data", "rows.npy", "--inputs", "0", "--targets", "1").assert_refused("not a whole array file")
    train("--data", "none.npy", "--inputs", "0", "--targets", "1").assert_refused("no file none.npy")
    train("--data", ".npy", "--inputs", "0", "--targets", "1").assert_refused("no file .npy|is not a CSV")


def test_bayesian_says_how_many_parameters_count(train) -> None:
    """The effective number of parameters is in the summary, as in the history."""
    done = train("--epochs", "3", "--bayesian", "--layers", "5", "--json", "run.json")
    effective = json.loads(Path("run.json").read_text())["effective_parameters"][-1]
    assert f"16 parameters, {effective:.1f} of them effective, seed 7" in done.out
