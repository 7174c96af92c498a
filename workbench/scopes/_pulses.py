"""Pulses: known changes of the stack at known times, by which a sampler's clock is tied to the recording's.

A sampler that knows no epoch sees in which function the thread sleeps, and we know when it came there. It sleeps, so
that nothing runs but the sampler.
"""

from __future__ import annotations

import time

COUNT = 5
FILE = __file__
LONGEST_S = 0.02


def give(period_s: float) -> list[int]:
    """Sleep in one function after the other; return when each was entered, in monotonic nanoseconds.

    Each sleep is a little longer than a sampling period: none is missed, and the sampler's phase differs.
    """
    seconds = min(1.3 * period_s, LONGEST_S)
    return [pulse(seconds) for pulse in (pulse_0, pulse_1, pulse_2, pulse_3, pulse_4)]


def pulse_0(seconds: float) -> int:
    now = time.monotonic_ns()
    time.sleep(seconds)
    return now


def pulse_1(seconds: float) -> int:
    now = time.monotonic_ns()
    time.sleep(seconds)
    return now


def pulse_2(seconds: float) -> int:
    now = time.monotonic_ns()
    time.sleep(seconds)
    return now


def pulse_3(seconds: float) -> int:
    now = time.monotonic_ns()
    time.sleep(seconds)
    return now


def pulse_4(seconds: float) -> int:
    now = time.monotonic_ns()
    time.sleep(seconds)
    return now
