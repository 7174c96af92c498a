"""`workbench train`: what it writes, what it refuses, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench.trainer import Sequential

SERIES = ("seconds", "train_mse", "validation_mse", "test_mse")


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a training begins."""

    def fit(*arguments: object, **options: object) -> None:
        pytest.fail("the training began")

    monkeypatch.setattr(Sequential, "fit", fit)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 40 rows: a, b, y = a·b, and a constant column c."""
    rng = np.random.default_rng(0)
    rows = [f"{a},{b},{a * b},3" for a, b in rng.uniform(-1, 1, (40, 2))]
    path = tmp_path / "table.csv"
    path.write_text("a, b, y, c\n" + "\n".join(rows) + "\n")
    return path


def test_json_has_an_entry_for_each_epoch(train) -> None:
    """The history is strict JSON with parameters, seed, stop reason, epochs, and a number for each epoch."""
    done = train("--epochs", "3", "--seed", "5", "--json", "run.json", "--save", "net.npz")
    assert (done.code, done.err) == (0, "")
    kept = json.loads(Path("run.json").read_text(), parse_constant=pytest.fail)
    assert (kept["parameters"], kept["seed"], kept["stop_reason"], kept["epochs"]) == (
        681,
        5,
        "epochs used up",
        3,
    )
    assert all(len(kept[series]) == 3 for series in SERIES)
    assert all(isinstance(value, float) for series in SERIES for value in kept[series])
    assert Sequential.load("net.npz").architecture.parameters == 681
    lines = done.out.splitlines()
    assert lines[0].startswith("multimodal_1d: epochs used up after 3 epochs in ")
    assert lines[1:3] == [
        "MSE (scaled): " + ", ".join(f"{word} {kept[key][-1]:.3e}" for word, key in zip(
            ("training", "validation", "test"), SERIES[1:], strict=True)),
        "681 parameters, seed 5",
    ]  # fmt: skip
    assert lines[3].startswith(f"Jacobian: {kept['jacobian']['strategy']} (")


def test_without_held_out_rows_the_series_are_null(train) -> None:
    """A part without rows has no error: null in JSON, a dash in the text."""
    done = train("--epochs", "2", "--validation", "0", "--test", "0", "--json", "run.json")
    assert json.loads(Path("run.json").read_text())["test_mse"] == [None, None]
    assert "validation –, test –" in done.out


@pytest.mark.parametrize(
    ("name", "start"), [("fit.png", b"\x89PNG"), ("fit.svg", b"<"), ("FIT.PNG", b"\x89PNG")]
)
def test_the_fit_is_drawn(train, name: str, start: bytes) -> None:
    """`--plot` draws a PNG or an SVG, by the file's name."""
    assert train("--epochs", "2", "--plot", name).code == 0
    assert Path(name).read_bytes().startswith(start)


@pytest.mark.parametrize("problem", ["ripple_2d", "spiral"])
def test_several_inputs_or_outputs_are_drawn_too(train, problem: str) -> None:
    """A problem with more than one input or output has a plot as well."""
    assert train("--problem", problem, "--layers", "4", "--epochs", "2", "--plot", "fit.svg").code == 0
    assert "<svg" in Path("fit.svg").read_text()


def test_a_table_is_fitted(train, table: Path) -> None:
    """Columns of a CSV file go in and out as they are named."""
    done = train("--data", str(table), "--inputs", "a, b", "--targets", "y", "--layers", "3", "--epochs", "4",
                 "--json", "run.json", "--plot", "fit.png", "--patience", "3")  # fmt: skip
    assert done.code == 0
    assert done.out.startswith("table.csv: ")
    assert json.loads(Path("run.json").read_text())["parameters"] == 2 * 3 + 3 + 3 + 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--problem", "multimodal"], "unknown problem 'multimodal': did you mean 'multimodal_1d'"),
        (["--layers", "20,x"], "'x' is not a number of units; write 20,20,10"),
        (["--layers", "0"], "'0' is not a number of units"),
        (["--layers", "9" * 5000], "is not a number of units"),
        (["--layers", "99999999,99999999"], "not enough memory|choose"),
        (["--patience", "3", "--validation", "0"], "patience=3 needs validation rows"),
        (["--seed", "-1"], "seed is -1: choose 0 or more"),
        (["--inputs", "a"], "there is no data: name its file"),
        (["--problem", "spiral", "--data", "x.csv"], "choose one of the two"),
        (["--data", "x.csv"], "name the columns of its inputs"),
        (["--data", "x.csv", "--inputs", "a,,b", "--targets", "y"], "is no list of names: write A,B"),
        (["--data", "x.csv", "--inputs", "a", "--targets", "y"], "no file x.csv"),
        (["--data", ".", "--inputs", "a", "--targets", "y"], "cannot read ."),
        (["--plot", "fit.pdf"], "ends with .png or .svg"),
        (["--plot", "no/fit.png"], "there is no folder .*/no; make it first"),
        (["--json", "."], "it is a folder; name a file"),
        (["--json", "same", "--save", "same"], "the history and the model are both same"),
        (["--save", "/proc/version"], "cannot write /proc/version|No space|not permitted|denied"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(train, arguments: list[str], complaint: str) -> None:
    """Whatever is wrong is named with its value and the remedy."""
    outcome = train(*arguments)
    if "99999999,99999999" in arguments:  # a lack of memory is not a mistake in the input
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    else:
        outcome.assert_refused(complaint)


def test_names_with_commas_are_quoted(train) -> None:
    """A column's name may have a comma: in double quotes it is one name."""
    rows = "".join(f"{a};{a * a};{-a}\n" for a in range(40))
    Path("x.csv").write_text("load, kW;b;y\n" + rows)
    done = train(
        "--data", "x.csv", "--inputs", '"load, kW", b', "--targets", "y", "--layers", "2", "--epochs", "2"
    )
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("starts", [[], ["--starts", "3", "--start-jobs", "2"]])
def test_a_constant_input_is_one_line(train, table: Path, starts: list[str]) -> None:
    """The fit keeps the column, and says once that it has no effect."""
    done = train(
        "--data", str(table), "--inputs", "a,c", "--targets", "y", "--layers", "3", "--epochs", "2", *starts
    )
    assert done.code == 0
    assert done.err.splitlines() == [
        "workbench: constant in the training rows: x column 1 (3); it is kept, scaled to 0, and has no effect"
    ]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("option", ["--json", "--plot", "--save"])
def test_outputs_are_checked_before_the_training(train, option: str) -> None:
    """No training is lost to a file that cannot be written; what is refused leaves nothing behind."""
    train("--json", "good.json", option, "no/such.png").assert_refused("there is no folder")
    assert not list(Path().iterdir())


@pytest.mark.usefixtures("no_training")
def test_the_table_itself_is_not_overwritten(train, table: Path) -> None:
    """An output that is the input is refused."""
    before = table.read_bytes()
    train("--data", "table.csv", "--inputs", "a", "--targets", "y", "--json", "./table.csv").assert_refused(
        "the data and the history are both table.csv"
    )
    assert table.read_bytes() == before


def test_an_earlier_output_stays_until_there_is_a_new_one(train) -> None:
    """Checking whether a file can be written does not empty it."""
    train("--json", "run.json", "--epochs", "1")
    before = Path("run.json").read_bytes()
    train("--json", "run.json", "--data", "none.csv", "--inputs", "a", "--targets", "y").assert_refused(
        "no file"
    )
    train("--json", "run.json", "--epochs", "0").assert_refused("epochs")
    assert Path("run.json").read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_line(train) -> None:
    """What only shows when writing is a failure, with the file's name and the reason."""
    done = train("--epochs", "1", "--json", "/dev/full")
    assert (done.code, done.err) == (
        1,
        "workbench: cannot write /dev/full: No space left on device; make room or choose another\n",
    )


def test_ctrl_c_keeps_what_was_learnt(tmp_path: Path) -> None:
    """An interrupt ends the fit: the JSON has the epochs that were done, one line says so, the code is 130."""
    program = (
        "import sys; sys.argv = ['workbench', 'train', '--epochs', '100000', '--target-mse', '0', '--json', 'run.json',"
        " '--plot', 'fit.png', '--layers', '5']\n"
        "import workbench.report.training.files as training\nfrom workbench.cli import main\n"
        "real = training.train\n"
        "def watched(options, progress):\n"
        "    return real(options, progress=lambda now: (progress(now), now.epoch == 2 and print('go', flush=True)))\n"
        "training.train = watched\nmain()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    kept = json.loads((tmp_path / "run.json").read_text())
    assert process.returncode == 130
    assert (
        error == f"workbench: interrupted after {kept['epochs']} epochs; the last accepted weights are kept\n"
    )
    assert out.startswith("multimodal_1d: interrupted after ")
    assert kept["stop_reason"] == "interrupted"
    assert kept["epochs"] >= 2
    assert all(len(kept[series]) == kept["epochs"] for series in SERIES)
    assert (tmp_path / "fit.png").is_file()
