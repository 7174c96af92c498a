"""The reference suite: the nine variants of the original Rust version, and what each must share with the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.bench import load_suite
from workbench.bench.run import repeat
from workbench.suites import reference
from workbench.trainer import History, LevenbergMarquardt, Sequential

SEED = 7
SUITE = load_suite("reference")


@pytest.fixture(autouse=True)
def _two_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "EPOCHS", 2)


@pytest.fixture(scope="module")
def initial() -> dict[str, list[tuple[float, dict[str, int]]]]:
    """Collects, by kernel of the residuals, what every variant began with."""
    return {}


def test_the_nine_variants_of_the_original_version_are_there() -> None:
    """Every question of the original has its variant, and each is described."""
    assert SUITE.baseline == "exact"
    assert SUITE.quality == "training MSE"
    options = [LevenbergMarquardt(**variant) for variant in SUITE.variants.values()]
    asked = [(o.tanh, o.kernel_of_jacobian, o.jacobian if "jacobian" in v else "columns", o.n_jobs, o.backend)
             for o, v in zip(options, SUITE.variants.values(), strict=True)]  # fmt: skip
    assert asked == [
        ("exact", "exact", "columns", 1, "loky"),
        ("fast", "fast", "columns", 1, "loky"),
        ("faster", "faster", "columns", 1, "loky"),
        ("float32", "float32", "columns", 1, "loky"),
        ("faster", "exact", "columns", 1, "loky"),
        ("exact", "faster", "columns", 1, "loky"),
        ("exact", "exact", "columns", 2, "loky"),
        ("exact", "exact", "columns", 2, "threading"),
        ("exact", "exact", "backprop", 1, "loky"),
    ]
    assert SUITE.descriptions.keys() == SUITE.variants.keys()
    assert all(SUITE.descriptions.values())


@pytest.mark.parametrize("variant", SUITE.variants)
def test_every_variant_trains_from_the_same_start(variant: str, initial: dict[str, list[Any]]) -> None:
    """A seed fixes weights and split: variants that evaluate residuals alike begin with the same error."""
    case = SUITE.case(variant, SEED)
    history = case.run()
    assert isinstance(history, History)
    assert history.epochs == 2
    assert (history.parameters, history.seed) == (681, SEED)
    assert dict(history.rows) == {"training": 700, "validation": 200, "test": 100}
    assert case.steps is not None
    assert list(case.steps(history)) == history.seconds
    figures = dict(case.quality(history))
    assert 0 < figures.pop("grid MSE") < 1
    assert figures == {
        "training MSE": history.train_mse[-1],
        "validation MSE": history.validation_mse[-1],
        "test MSE": history.test_mse[-1],
    }
    assert callable(case.curve)
    assert [value for _, value in case.curve(history)] == history.train_mse
    starts = initial.setdefault(SUITE.variants[variant]["tanh"], [])
    starts.append(history.initial_train_mse)
    assert set(starts) == {history.initial_train_mse}


def test_another_seed_is_another_start() -> None:
    """Rounds differ in their starts, so that no lucky one decides."""
    first, second = (SUITE.case("exact, backpropagation", seed).run() for seed in (1, 2))
    assert first.initial_train_mse != second.initial_train_mse


def test_kept_results_can_be_drawn(tmp_path: Path) -> None:
    """A training leaves its history and its model, and the fit is drawn from these alone."""
    case = SUITE.case("exact, backpropagation", SEED)
    assert case.keep is not None
    assert SUITE.draw is not None
    history = case.run()
    case.keep(history, tmp_path)
    SUITE.draw(tmp_path, "exact, backpropagation")
    assert {file.name for file in tmp_path.iterdir()} == {"history.json", "net.npz", "fit.png"}
    kept = json.loads((tmp_path / "history.json").read_text())
    assert kept["train_mse"] == history.train_mse
    assert Sequential.load(tmp_path / "net.npz").architecture.parameters == 681
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_a_variant_is_repeated_until_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short variants run again from the same seed, for enough samples; the first result is kept."""
    seeds: list[int] = []
    case = SUITE.case
    monkeypatch.setattr(SUITE, "case", lambda variant, seed: (seeds.append(seed), case(variant, seed))[1])
    monkeypatch.setattr(repeat, "_Interrupts", lambda: type("Quiet", (), {"seen": False}))
    clock = iter([0.0, 1.0, 2.0, 3.0])
    monkeypatch.setattr("workbench.bench.run.repeat.time.monotonic", lambda: next(clock))
    assert repeat.repeat("reference", "exact, backpropagation", SEED, 1.5, 1, tmp_path) == 0
    assert seeds == [SEED, SEED]
    assert (tmp_path / "history.json").is_file()
