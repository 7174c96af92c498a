"""Pulses: known changes of the stack at known times, by which a sampler's clock is tied to the recording's.

A sampler that knows no epoch sees in which function the thread sleeps, and we know when it was called. It sleeps, so
that nothing runs but the sampler. py-spy looks at random times, on average once in a period, so that pulses have to be
many and short: each look then tells its own time to the length of a pulse, and the best of them far better.
"""

from __future__ import annotations

import time
from types import FunctionType

FILE = __file__
PERIODS = 15
"""As many looks are expected while there are pulses: there is none at all in one run of three million."""
LONGEST_S = 0.5
"""All of them together: at 30 samples a second and fewer it is less than that many periods."""
PULSE_S = 0.002
MOST = 75


def give(period_s: float) -> list[int]:
    """Sleep in one function after the other; return when each was called, in monotonic nanoseconds.

    A sample that shows a pulse was taken after its time, and before that of the next.
    """
    total_s = min(PERIODS * period_s, LONGEST_S)
    count = min(max(round(total_s / PULSE_S), 1), MOST)
    seconds = total_s / count
    called: list[int] = []
    for pulse in [_named(f"pulse_{i}") for i in range(count)]:
        called.append(time.monotonic_ns())  # before the call, so that what is seen of it is later
        pulse(seconds)
    return called


def _named(name: str) -> FunctionType:
    """Return a function that sleeps, by a name of its own, which is all that a sampler sees of it."""
    return FunctionType(_sleep.__code__.replace(co_name=name, co_qualname=name), globals(), name)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)
