"""A workload that is set up: what is timed, how its result is judged, and its progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Curve:
    """The progress of one run: quality against time, with the clock stopped while quality is evaluated.

        curve = Curve()

        def run():
            while not done():
                step()
                curve.point(lambda: error_on_a_grid(model))

        return Case(run=run, quality=..., curve=curve)

    What evaluating takes is not in the run's time either.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = clock()
        self.stopped_s = 0.0
        """Seconds for which the clock was stopped."""
        self.points: list[tuple[float, float]] = []
        """(seconds since the start, quality), in order of time."""
        self.toggle: Callable[[], object] = lambda: None
        """Called when the clock stops and when it goes on, within the time that is left out."""

    def start(self) -> None:
        """Restart the clock and forget the points; called when the run begins."""
        self._began = self._clock()
        self.stopped_s = 0.0
        self.points = []

    def point(self, quality: float | Callable[[], float]) -> None:
        """Note how good the result is now. A callable is called with the clock stopped."""
        now = self._clock()
        self.toggle()
        value = quality() if callable(quality) else quality
        self.points.append((now - self._began - self.stopped_s, float(value)))
        self.toggle()
        self.stopped_s += self._clock() - now

    def measured(self, seconds: float, points: Iterable[tuple[float, float]] = ()) -> None:
        """Take over what a program that times itself has measured, as the last thing that the run does.

        Args:
            seconds: How long the run took, by the program's own clock. Whatever else passed here, such as the
                program's start, is not in the run's time.
            points: (seconds since the start, quality), in order of time.
        """
        self.points = list(points)
        self.stopped_s = self._clock() - self._began - seconds


@dataclass(frozen=True)
class Case:
    """A workload that is set up and ready to run."""

    run: Callable[[], Any]
    """What is timed. Its result goes to the others, which are not timed."""
    quality: Callable[[Any], Mapping[str, float]] | None = None
    """Named figures of how good the result is, of which smaller is better; without it speed alone is judged."""
    steps: Callable[[Any], Sequence[float]] | None = None
    """Seconds of each step of the run, such as epochs, where it has steps: their median is compared."""
    keep: Callable[[Any, Path], None] | None = None
    """Saves the result into a folder, for `Suite.draw`."""
    curve: Curve | Callable[[Any], Iterable[tuple[float, float]]] | None = None
    """(seconds since the start, quality) along the run: a `Curve`, or made of the result. For `Suite.targets`."""
