"""Results by hand: what a run would have written, without running anything."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from workbench.bench.results import Results, ResultsWriter, read_results

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ENVIRONMENT = {
    "machine": "a machine",
    "cores": 2,
    "usable_cores": 2,
    "memory_gib": 1.5,
    "system": "Linux",
    "python": "3.11",
    "packages": {"workbench": "0.1.0", "joblib": None},
    "blas": "openblas",
    "load_1min": 0.0,
}
Arm = tuple[float, float | None] | float | str
"""Seconds and error, or seconds alone, or the message of a failure."""


@pytest.fixture
def make_results(tmp_path: Path) -> Callable[..., Results]:
    """Return a function that writes a run from each variant's arms, round by round; the first is the baseline."""

    def make(arms: Mapping[str, Sequence[Arm]], *, kept: bool = False, **head: Any) -> Results:
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        writer = ResultsWriter(
            folder,
            {
                "suite": "tiny",
                "baseline": next(iter(arms)),
                "variants": {variant: {} for variant in arms},
                "descriptions": {},
                "quality": "error",
                "started": "2026-01-01T00:00:00",
                "environment": ENVIRONMENT,
            }
            | head,
        )
        for variant, values in arms.items():
            for block, value in enumerate(values):
                writer.append({"kind": "arm", "block": block, "variant": variant} | _outcome(value))
        writer.close()
        results = read_results(folder)
        for variant in arms if kept else ():
            keep = results.fit_folder(variant)
            keep.mkdir(parents=True)
            (keep / "fit.png").write_bytes(PIXEL)
            history = {"initial_train_mse": 1.0, "train_mse": [0.1, None], "validation_mse": [0.2, 0.1]}
            (keep / "history.json").write_text(json.dumps(history))
        return results

    return make


def _outcome(value: Arm) -> dict[str, Any]:
    if isinstance(value, str):
        return {"error": value}
    seconds, error = value if isinstance(value, tuple) else (value, None)
    return {"error": None, "value_s": seconds, "quality": {} if error is None else {"error": error}}
