"""Traced memory in place of samples: tracemalloc in every process that records (`workbench profile --memory`)."""

from __future__ import annotations

from workbench.capture import autostart
from workbench.capture.samplers import TRACEMALLOC
from workbench.capture.samplers.base import ProgramRun, Sampler, SamplerResult
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode
from workbench.scopes.environment import MEMORY, SAMPLE_VARIABLE


class Tracemalloc(Sampler):
    """Started by the recorder where the environment asks for it; there are no samples, whose own memory would count."""

    name = TRACEMALLOC

    def why_not(self) -> Cause | None:
        """Return why it cannot be used here, None: it can."""
        why = autostart.why_not_installed()
        return None if why is None else Cause(why)

    def environment(self) -> dict[str, str]:
        """Return the variables that the program and its children are given."""
        return {SAMPLE_VARIABLE: MEMORY}

    def collect(self, run: ProgramRun, warn: Warn) -> SamplerResult:
        """Return that there are no samples; what was traced is in the recording."""
        if not run.began:
            warn(CaptureWarning(WarningCode.NO_AUTOSTART))
        return SamplerResult(None, 0, failed=not run.began)
