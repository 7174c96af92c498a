"""Programs of known shares, run under guards and py-spy as `workbench profile` runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from workbench.capture.placement import Clock, merge, tie_clocks

from workbench.capture import collect
from workbench.capture.program import CaptureOptions, run_program
from workbench.profile import Profile

PROGRAMS = Path(__file__).parent / "ground_truth"
MOST_SECONDS = 12.0


@dataclass(frozen=True)
class Seen:
    """What guards and py-spy saw of one run, apart and together."""

    sampled: Profile
    recording: Profile
    clocks: dict[int, Clock]
    gap_ns: int
    pulses: list[int]
    by_line: Profile
    by_time: Profile
    """The same placed by time alone."""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seen]:
    """Return a function that runs a program of `ground_truth` and returns what was seen of it."""

    def run(program: str, *, rate: int = 200, native: bool = True, seconds: float = 6.0) -> Seen:
        assert seconds <= MOST_SECONDS
        given: dict[str, Any] = {}

        def kept(sampled: Profile, recording: Profile, pulses: list[int], gap_ns: int) -> dict[int, Clock]:
            given.update(sampled=sampled, recording=recording, pulses=list(pulses), gap_ns=gap_ns)
            return tie_clocks(sampled, recording, pulses, gap_ns)

        monkeypatch.setattr(collect, "tie_clocks", kept)
        capture = run_program(
            CaptureOptions(
                program=(str(PROGRAMS / f"{program}.py"), str(seconds)),
                folder=tmp_path / program,
                rate=rate,
                native=native,
            )
        )
        if not capture.sampler.startswith("py-spy"):
            pytest.skip(f"py-spy cannot be used here: {capture.warnings}")
        assert capture.returncode == 0
        assert capture.merged is not None
        clocks = tie_clocks(given["sampled"], given["recording"], given["pulses"], given["gap_ns"])
        by_time = merge(given["sampled"], given["recording"], clocks, by_line=False)
        return Seen(clocks=clocks, by_line=capture.merged.check(), by_time=by_time.check(), **given)

    return run
