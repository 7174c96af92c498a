"""Results by hand: what a run would have written, without running anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.bench_runs import write_experiment
from workbench.bench.results.results import Results


@pytest.fixture
def make_results(tmp_path: Path) -> Callable[..., Results]:
    """Return a function that writes a run from each variant's runs, round by round; the first is the baseline."""

    def make(runs: Mapping[str, Sequence[Any]], **more: Any) -> Results:
        results: Results = write_experiment(
            tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}", runs, **more
        )
        return results

    return make
