"""Programs of known shares, run as `workbench profile` runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.capture.program import CaptureOptions, run_program
from workbench.capture.samplers import Sampling
from workbench.profile import Profile

PROGRAMS = Path(__file__).parent / "ground_truth"


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Profile]:
    """Return a function that runs a program of `ground_truth` once and returns its scopes and samples."""
    profiles: dict[tuple[str, float, int], Profile] = {}

    def run(program: str, *, seconds: float, rate: int = 1000) -> Profile:
        known = profiles.get((program, seconds, rate))
        if known is None:
            capture = run_program(
                CaptureOptions(
                    program=(str(PROGRAMS / f"{program}.py"), str(seconds)),
                    folder=tmp_path_factory.mktemp(program),
                    sampling=Sampling("in-process", rate),
                )
            )
            assert capture.returncode == 0
            assert capture.merged is not None, capture.warnings
            known = profiles[program, seconds, rate] = capture.merged.check()
        return known

    return run
