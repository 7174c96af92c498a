"""What the sampler inside each process says of itself: what it took, and what it could not see."""

from __future__ import annotations

from dataclasses import dataclass, fields

from workbench.profile._record import Profile


@dataclass(frozen=True)
class SamplerRun:
    """The sampler of one process. Numbers of several processes may be added up."""

    pid: int
    period_ns: int
    started_ns: int
    """When the first period began, on the profile's clock."""
    last_ns: int
    """When it ticked last."""
    ticks: int
    samples: int
    """Ticks of all threads."""
    unknown: int
    """Of the samples, those with a stack that is not known."""
    cut: int
    """Of the samples, those with native frames that end early."""
    signals: int
    interrupted: int
    """System calls that one of its signals interrupted."""
    handler_ns: int
    """Time spent in its signal handlers."""
    helper_ns: int
    """CPU time of its helper thread."""
    incomplete: int
    """Frames that could not be read to their end."""
    no_room: int
    """Samples that found no room in the log."""
    signal: int
    """The signal in use; 0: none, frames were read from outside."""
    native: bool
    """Whether native frames were taken."""
    ended_ns: int
    """When sampling ended; 0: it runs, or its process was killed."""

    @property
    def cpu_ns(self) -> int:
        """What sampling took of the processor."""
        return self.handler_ns + self.helper_ns


def sampler_runs(profile: Profile) -> list[SamplerRun]:
    """Return what is known of the sampler of each process: `facts["sampler"]` of a recording."""
    stated = profile.facts.get("sampler")
    names = {field.name for field in fields(SamplerRun)}
    return [
        SamplerRun(**each)
        for each in (stated if isinstance(stated, list | tuple) else ())
        if isinstance(each, dict) and each.keys() == names
    ]
