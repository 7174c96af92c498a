"""What a sampler is: one interface from the start of a program to its samples under their scopes."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.capture.samplers import Sampling
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode
from workbench.errors import Remedy, WorkbenchError
from workbench.profile import Profile

Stopping = Callable[[], contextlib.AbstractContextManager[None]]
"""Gives a block in which a signal that asks us to stop raises; outside of such blocks it is kept for the next one."""


@dataclass(frozen=True)
class Request:
    """How a program is to be sampled."""

    name: str
    """Of the profile."""
    files: Path
    """A folder for what a sampler writes, see `FILES`."""
    sampling: Sampling


@dataclass(frozen=True)
class ProgramRun:
    """A run that is over."""

    request: Request
    pid: int
    started: float
    """When the program was let go, by `time.monotonic`."""
    ended: float
    began: bool
    """Whether the process has begun to record."""
    scopes: Profile | None
    """What was recorded of scopes; with the in-process sampler, its samples too."""
    read_source: Callable[[str], str | None] | None = None
    """Returns the text of a source file, where scopes are not recorded but found in there."""


@dataclass(frozen=True)
class SamplerResult:
    """What a sampler saw of a run."""

    profile: Profile | None
    """Samples under their scopes; where `one_clock`, together with the scopes."""
    count: int
    failed: bool
    one_clock: bool = False
    """Whether the samples have the clock of the recording."""


class SamplerError(WorkbenchError):
    """The sampler could not be used; its cause says why and what would help."""

    def __init__(self, text: str, *remedies: Remedy) -> None:
        super().__init__("; ".join([text, *(remedy.value for remedy in remedies)]))
        self.cause = Cause(text, remedies)


class Sampler(ABC):
    """One way to sample a program and its children. It is used for one run."""

    name: str
    """As the user chooses it."""
    waits = False
    """Whether the program waits in its first moment until `attach` is done."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def label(self) -> str:
        """The name with what it does of native frames, for people."""
        return self.name

    @abstractmethod
    def why_not(self) -> Cause | None:
        """Return why it cannot be used here, None: it can."""

    def environment(self) -> dict[str, str]:
        """Return the variables that the program and its children are given."""
        return {}

    def order(self) -> str:
        """Return what the program's first process is to do at its start; empty: nothing."""
        return ""

    def attach(self, pid: int, stopping: Stopping) -> None:  # noqa: B027  most have nothing to do
        """Begin to sample a process that waits. What takes long is done where it can be stopped.

        Raises:
            SamplerError: It cannot be sampled.
        """

    def watching(self, pid: int) -> contextlib.AbstractContextManager[None]:
        """Return what is to be done while the program runs."""
        return contextlib.nullcontext()

    def finish(self) -> None:  # noqa: B027
        """Write what was seen, when the program has ended."""

    def stop(self) -> None:  # noqa: B027
        """End at once, and leave nothing running."""

    @abstractmethod
    def collect(self, run: ProgramRun, warn: Warn) -> SamplerResult:
        """Return what was seen of a run."""


def count_samples(profile: Profile) -> int:
    """Return how many samples a profile has."""
    return sum(int(track.samples.count.sum()) for track in profile.tracks if track.samples is not None)


def no_samples(cause: Cause, scopes: Profile | None) -> CaptureWarning:
    """Return the warning that there are no samples, and whether there are scopes."""
    code = WarningCode.NO_SCOPES if scopes is None else WarningCode.SCOPES_KEPT
    return CaptureWarning(code, causes=(cause,))
