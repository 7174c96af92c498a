"""The comparison with MATLAB: what is exchanged with it, and that all solvers fit the same rows and weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from threadpoolctl import threadpool_limits

from workbench.bench import load_suite
from workbench.errors import WorkbenchError
from workbench.suites.reference import matlab
from workbench.suites.reference.case import fit_case
from workbench.suites.reference.matlab.fits import FitLimits, Start
from workbench.suites.reference.matlab.programs import OCTAVE, STEPS, read_result, write_start
from workbench.trainer import problem

SUITE = load_suite("matlab")
SEED = 1
needs_octave = pytest.mark.skipif(  # continuous integration installs it
    OCTAVE.missing() is not None and os.environ.get("CI") != "true", reason=f"Octave: {OCTAVE.missing()}"
)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in an experiment; on a busy machine threads of OpenBLAS would wait for each other."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with threadpool_limits(1):
        yield


@pytest.fixture
def start(tmp_path: Path) -> Path:
    path = tmp_path / "start.mat"
    write_start(path, Start(SEED), FitLimits(epochs=10))
    return path


def result_of(start: Path, **changes: object) -> Path:
    """Write a result with the weights of a start."""
    given = loadmat(start)
    path = start.with_name("result.mat")
    steps = dict.fromkeys(STEPS, np.array([[1.0, 2.0]]))
    savemat(path, steps | {name: given[name] for name in ("W", "b")} | changes)
    return path


def test_the_start_is_that_of_the_trainer(start: Path) -> None:
    """The file has each layer's weights as MATLAB multiplies with them, the rows by numbers from 1, and the limits."""
    given, model = loadmat(start, simplify_cells=True), Start(SEED).model
    assert [w.shape for w in given["W"]] == [(20,), (20, 20), (10, 20), (10,)]
    assert loadmat(start)["W"][0, 0].shape == (20, 1)
    assert loadmat(start)["b"][0, 3].shape == (1, 1)
    rows = given["rows"].astype(int) - 1
    assert (len(rows), min(rows) >= 0, max(rows) < 1000) == (700, True, True)
    assert [given[name] for name in ("damping", "epochs", "target")] == [0.01, 10, 1e-8]
    values = Start(SEED).x
    for weights, bias in zip(loadmat(start)["W"][0], loadmat(start)["b"][0], strict=True):
        values = weights @ (np.tanh(values) if values.shape[0] > 1 else values) + bias
    unscaled = model.output_scaling.unscale(values.T)
    assert unscaled == pytest.approx(model.predict(problem("multimodal_1d").x[rows]), rel=1e-12)


def test_weights_come_back_as_they_went(start: Path) -> None:
    """The parameters of a result are in the trainer's order, bit for bit."""
    fit = read_result(result_of(start), Start(SEED).model.architecture)
    assert np.array_equal(fit.parameters, Start(SEED).model.parameters)
    assert fit.curve == [(1.0, 1.0), (2.0, 2.0)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W": np.ones((20, 1))}, "shape"),
        ({"mse": np.ones((1, 3))}, "numbers of steps"),
        ({name: np.ones((1, 0)) for name in STEPS}, "no step was accepted"),
    ],
)
def test_a_result_that_is_none_is_refused(start: Path, changes: dict[str, object], message: str) -> None:
    """Weights of another shape, columns of several lengths, or no step are one line."""
    with pytest.raises(WorkbenchError, match=message):
        read_result(result_of(start, **changes), Start(SEED).model.architecture)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A result that is missing, or no MAT-file, is one line with its name."""
    for text in (None, b"", b"no MAT-file, but long enough to be one" * 9):
        path = tmp_path / "result.mat"
        if text is not None:
            path.write_bytes(text)
        with pytest.raises(WorkbenchError, match=r"^result\.mat has no result of train_reference"):
            read_result(path, Start(SEED).model.architecture)


def test_without_octave_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that is not on PATH is a reason to leave its variants out, and an error where it is run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert OCTAVE.missing() == "no command octave-cli on PATH: install GNU Octave 7 or later"
    with pytest.raises(WorkbenchError, match="Octave cannot run here: no command octave-cli on PATH"):
        OCTAVE.run("x = 1;")


@needs_octave
def test_octave_fails_with_its_message(start: Path) -> None:
    """An error of Octave, such as weights of another shape, is its message in one line."""
    with pytest.raises(WorkbenchError, match=r"^Octave failed: exit code 1: no such thing$"):
        OCTAVE.run("error('no%csuch thing', 10)")
    given = {name: value for name, value in loadmat(start).items() if not name.startswith("_")}
    given["W"][0, 1] = given["W"][0, 1][:, :3]
    savemat(start, given)
    code = f"addpath('{Path(matlab.__file__).parent}'), train_reference('{start}', 'result.mat')"
    with pytest.raises(WorkbenchError, match=r"1: W\{2\} is 20x3 and b\{2\} 20x1, not 20x20 and 20x1: write"):
        OCTAVE.run(code)


@needs_octave
def test_octave_takes_the_same_steps() -> None:
    """From the same weights both accept the same trials, with errors that agree to 1e-6, over ten steps."""
    theirs = OCTAVE.fit(Start(SEED), FitLimits(epochs=10, seconds=1000.0))
    ours = fit_case(matlab.PLAIN, epochs=10, seed=SEED).run()
    assert theirs.damping == pytest.approx(ours.damping, rel=1e-12)
    assert list(theirs.trials) == ours.trials
    assert theirs.mse == pytest.approx(ours.train_mse, rel=1e-6)
    assert Start(SEED).quality(theirs)["training MSE"] == pytest.approx(theirs.mse[-1], rel=1e-9)


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(name, marks=[pytest.mark.proof] if name.startswith("scipy") else [])
        for name in matlab.SOLVERS
    ],
)
def test_every_solver_fits_from_the_same_weights(
    variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes at most so many steps, lowers the error, has the time of each step, and is judged and drawn alike."""
    if variant in SUITE.unavailable:
        pytest.skip(f"{variant}: {SUITE.unavailable[variant]}")
    monkeypatch.setattr(matlab, "LIMITS", FitLimits(epochs=4, seconds=1000.0))
    case = SUITE.case(variant, SEED)
    fit = case.run()
    steps, quality = case.steps(fit), case.quality(fit)
    curve = case.curve(fit) if callable(case.curve) else case.curve.points
    assert len(steps) == len(curve) == 4
    assert min(steps) > 0
    assert sum(steps) == pytest.approx(curve[-1][0])
    assert list(quality) == ["training MSE", "validation MSE", "test MSE", "grid MSE"]
    assert quality["training MSE"] == pytest.approx(curve[-1][1], rel=1e-9)
    assert curve[-1][1] < fit_case(matlab.PLAIN, epochs=1, seed=SEED).run().initial_train_mse
    case.keep(fit, tmp_path)
    SUITE.draw(tmp_path, variant)
    assert (tmp_path / "fit.png").stat().st_size > 10_000
