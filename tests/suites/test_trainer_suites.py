"""The suites of the trainer's parts: steps and Jacobians. Every variant trains, from the same start."""

from __future__ import annotations

import pytest

from workbench.bench import load_suite
from workbench.suites import jacobians, steps
from workbench.trainer import History
from workbench.trainer.damping import NAMES as RULES
from workbench.trainer.options import SCALINGS

EPOCHS = 2


@pytest.fixture(autouse=True)
def _two_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "EPOCHS", EPOCHS)
    monkeypatch.setattr(jacobians, "EPOCHS", EPOCHS)


def histories(name: str) -> dict[str, History]:
    suite = load_suite(name)
    return {variant: suite.case(variant, 3).run() for variant in suite.variants}


def test_steps_vary_every_part_that_has_a_name() -> None:
    """Rules, scalings and acceleration are combined, each variant descends, and no two do the same."""
    found = histories("steps")
    assert len(found) == len(RULES) * len(SCALINGS) * 2
    assert len({history.initial_train_mse for history in found.values()}) == 1
    assert all(history.train_mse[-1] < history.initial_train_mse for history in found.values())
    options = {(h.optimizer["rule"], h.optimizer["scaling"], h.optimizer["geodesic"]) for h in found.values()}
    assert len(options) == len(found)


def test_jacobians_take_the_same_way_with_one_kernel() -> None:
    """With the exact tanh every strategy's error is that of the baseline, to the rounding of its differences."""
    suite = load_suite("jacobians")
    exact = [variant for variant, options in suite.variants.items() if options["tanh"] == "exact"]
    assert len(exact) == 5
    errors = [suite.case(variant, 3).run().train_mse[-1] for variant in exact]
    assert errors == pytest.approx([errors[0]] * len(errors), rel=1e-3)


@pytest.mark.parametrize("name", ["steps", "jacobians"])
def test_judged_and_drawn(name: str, tmp_path) -> None:
    """A result has its errors, its curve, and a plot."""
    suite = load_suite(name)
    case = suite.case(suite.baseline, 3)
    history = case.run()
    assert set(case.quality(history)) == {"training MSE", "validation MSE", "test MSE", "grid MSE"}
    assert [value for _, value in case.curve(history)] == history.train_mse
    case.keep(history, tmp_path)
    suite.draw(tmp_path, "a fit")
    assert (tmp_path / "fit.png").stat().st_size > 10_000
