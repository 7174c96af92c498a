"""Programs of known shares, run as `workbench profile` runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.capture.program import CaptureOptions, run_program
from workbench.capture.samplers import SamplerName
from workbench.profile import Profile

PROGRAMS = Path(__file__).parent / "ground_truth"
MAX_SECONDS = 12.0


@pytest.fixture
def seen(tmp_path: Path) -> Callable[..., Profile]:
    """Return a function that runs a program of `ground_truth` and returns its scopes with the samples under them."""

    def run(
        program: str,
        *,
        rate: int = 200,
        native: bool | None = None,
        seconds: float = 6.0,
        sampler: SamplerName = "in-process",
    ) -> Profile:
        assert seconds <= MAX_SECONDS
        capture = run_program(
            CaptureOptions(
                program=(str(PROGRAMS / f"{program}.py"), str(seconds)),
                folder=tmp_path / program,
                rate=rate,
                native=native,
                sampler=sampler,
            )
        )
        assert capture.returncode == 0
        assert capture.merged is not None, capture.warnings
        return capture.merged.check()

    return run
