"""The sampler inside the recorder: every process that records samples itself, into its own log."""

from __future__ import annotations

from dataclasses import replace

from workbench.capture.attribution import attribution_of
from workbench.capture.samplers.base import ProgramRun, Request, Sampler, SamplerResult, count_samples
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode
from workbench.errors import Remedy
from workbench.profile import Profile, drop_idle
from workbench.scopes.environment import SAMPLE_VARIABLE

SEEN_BY_THEN_S = 1.0
"""A program that took longer has been seen by a sampler that works."""


class InProcess(Sampler):
    """Started by the recorder where the environment asks for it; samples come with the scopes that were open."""

    name = "in-process"

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._native = request.sampling.native is not False

    @property
    def label(self) -> str:
        """The name with what it does of native frames, for people."""
        return "in-process with native frames" if self._native else "in-process"

    def why_not(self) -> Cause | None:
        """Return why it cannot be used here, None: it can."""
        from workbench.capture.autostart import why_not_installed

        why = why_in_process_not() or why_not_installed()
        return None if why is None else Cause(why)

    def environment(self) -> dict[str, str]:
        """Return the variables that the program and its children are given."""
        return {SAMPLE_VARIABLE: sample_value(self._request.sampling.rate, native=self._native)}

    def collect(self, run: ProgramRun, warn: Warn) -> SamplerResult:
        """Return the recording with its samples."""
        profile = None if run.scopes is None else attributed(run.scopes)
        if profile is not None:
            return SamplerResult(profile, count_samples(profile), failed=False, one_clock=True)
        if not run.began:
            warn(CaptureWarning(WarningCode.NO_AUTOSTART))
            return SamplerResult(None, 0, failed=True)
        if run.ended - run.started < SEEN_BY_THEN_S:  # there may have been no sample of it
            return SamplerResult(None, 0, failed=False)
        seconds = run.ended - run.started
        warn(CaptureWarning(WarningCode.NO_SAMPLE, {"seconds": seconds}, (Remedy.SAMPLE_BY_PY_SPY,)))
        return SamplerResult(None, 0, failed=True)


def attributed(recorded: Profile) -> Profile | None:
    """Return a recording that states how many of its samples are under scopes; None: it has no samples."""
    if not count_samples(recorded):
        return None
    return replace(recorded, attribution=attribution_of(drop_idle(recorded)))


def sample_value(rate: int, *, native: bool) -> str:
    """Return the value of WORKBENCH_SAMPLE."""
    return f"{rate},native" if native else str(rate)


def why_in_process_not() -> str | None:
    """Return in one line why the recorder's own sampler cannot run on this machine and Python, None: it can."""
    from workbench.scopes.sampler import why_not

    return why_not()
