"""Work of a known length, for programs whose shares are known: each function can be distinguished."""

from __future__ import annotations

import os
import random
import sys
from time import perf_counter

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
shuffled = random.Random(os.getpid())  # workers must not keep step


def busy(seconds: float) -> int:
    """Compute until a deadline, in many lines, so that a sampler seldom finds the same line twice."""
    until = perf_counter() + seconds
    a, b, c = 1, 2, 3
    while perf_counter() < until:
        a = (a * 7 + b) % 1009
        b = (b * 5 + c) % 1013
        c = (c * 3 + a) % 1019
        a = (a + b * c) % 1021
        b = (b + c * a) % 1031
        c = (c + a * b) % 1033
        a = (a ^ b) + c
        b = (b ^ c) + a
        c = (c ^ a) + b
    return a


def turns(seconds: float):
    """Yield until a deadline."""
    until = perf_counter() + seconds
    while perf_counter() < until:
        yield


def about(seconds: float) -> float:
    """Return a time that is a half longer or shorter, at random: no program beats in time with the sampler."""
    return seconds * shuffled.uniform(0.5, 1.5)
