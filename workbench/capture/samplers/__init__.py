"""The samplers, a file each, and which of them a run uses."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal

from workbench.errors import InvalidOptionError

SamplerName = Literal["auto", "in-process", "py-spy", "pyinstrument", "tracemalloc", "none"]
IN_PROCESS: Final = "in-process"
PY_SPY: Final = "py-spy"
PYINSTRUMENT: Final = "pyinstrument"
TRACEMALLOC: Final = "tracemalloc"
"""Not a sampler: memory is traced in a run without samples."""
NONE: Final = "none"
TRACE, SESSION = "py-spy.speedscope.json", "pyinstrument.json"
FILES = (TRACE, SESSION)
"""What samplers leave for other tools, as they wrote it."""
PICTURE = "py-spy.svg"
"""Rendered from py-spy's file alone."""
ORDER = (IN_PROCESS, PY_SPY, PYINSTRUMENT)
"""What `auto` tries, one after the other."""
DEFAULT_RATE = 100
"""Samples a second: the most of those that benchmarks/sampler.py measures at which handlers and helper take less than
1 % of the CPU time of a program of seconds; one of 1.6 s, half of it imports, pays 1.3 % (docs/measured/sampler.md)."""


@dataclass(frozen=True)
class Sampling:
    """How a program is sampled.

    Raises:
        InvalidOptionError: The rate is out of range.
    """

    sampler: SamplerName = "auto"
    rate: int = DEFAULT_RATE
    """Samples a second."""
    native: bool | None = None
    """Whether native frames are sampled too; None: by the in-process sampler alone, where they cost little."""

    def __post_init__(self) -> None:
        """Check the rate."""
        if type(self.rate) is not int or not 1 <= self.rate <= 1000:
            raise InvalidOptionError("rate", repr(self.rate), "choose 1 to 1000 samples a second")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.capture.samplers.base import Request, Sampler
    from workbench.capture.warnings import Cause

_CLASSES = {
    IN_PROCESS: ("in_process", "InProcess"),
    PY_SPY: ("py_spy", "PySpy"),
    PYINSTRUMENT: ("pyinstrument", "Pyinstrument"),
    TRACEMALLOC: ("tracemalloc", "Tracemalloc"),
}


def make_sampler(name: str, request: Request) -> Sampler:
    """Return a sampler by its name."""
    module, cls = _CLASSES[name]
    sampler: Sampler = getattr(import_module(f"{__name__}.{module}"), cls)(request)
    return sampler


def usable_samplers(request: Request) -> tuple[list[Sampler], list[Cause]]:
    """Return the samplers that a run may use, the best first, and why each better one cannot be used.

    With `auto` there may be several: one that the program waits for may be refused later.
    """
    found: list[Sampler] = []
    refused: list[Cause] = []
    name = request.sampling.sampler
    for each in ORDER if name == "auto" else () if name == NONE else (name,):
        sampler = make_sampler(each, request)
        why = sampler.why_not()
        if why is not None:
            refused.append(why)
            continue
        found.append(sampler)
        if not sampler.waits:
            break
    return found, refused
