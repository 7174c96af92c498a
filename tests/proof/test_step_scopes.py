"""The scopes of a training step cover it: little time is outside any scope within the epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import workbench
from workbench import record
from workbench.profile import scope_table
from workbench.trainer import LevenbergMarquardt, Sequential, problem

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

LEAST = 0.97
EPOCHS = {"columns": 5, "columns-rank-one": 20}


@pytest.mark.parametrize("jacobian", ["backprop", "backprop-chunked", "columns", "columns-rank-one"])
def test_scopes_cover_the_epochs(
    jacobian: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """At least 97 % of the time of the epochs of the reference problem is under a scope within them."""
    data = problem("multimodal_1d")
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    model = builder.dense(1, "linear").build(seed=1, initial="xavier")
    with record(tmp_path / "run"):
        model.fit(
            data.x,
            data.y,
            optimizer=LevenbergMarquardt(jacobian=jacobian),
            epochs=EPOCHS.get(jacobian, 60),
            validation=0,
            test=0,
        )
    rows = {row.name: row for row in scope_table(workbench.load(tmp_path / "run"))}
    covered = 1.0 - rows["epoch"].self_ns / rows["epoch"].total_ns
    record_property("covered", f"{100 * covered:.2f} %")
    assert covered >= LEAST
