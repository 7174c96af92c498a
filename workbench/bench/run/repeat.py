"""Runs one variant of a suite again and again; the arguments are those of `repeat`, in its order.

A profile needs enough samples, and some variants are done in a fraction of a second: the same case is set
up and run, from the same seed, until the time is over. The first result is kept; the others are the same.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from workbench.bench.design.suite import load_suite
from workbench.errors import WorkbenchError

INTERRUPTED = 130


class _Interrupts:
    """Remembers Ctrl-C: a workload may take it for its own end, as the trainer does, and return."""

    def __init__(self) -> None:
        self.seen = False
        signal.signal(signal.SIGINT, self._take)

    def _take(self, number: int, frame: FrameType | None) -> NoReturn:
        self.seen = True
        raise KeyboardInterrupt


def repeat(name: str, variant: str, seed: int, seconds: float, runs: int, folder: Path | None) -> int:
    """Run a variant until the time is over; return the exit code: 130 after Ctrl-C.

    Args:
        name: The suite's.
        variant: Which of its variants.
        seed: The seed of each run.
        seconds: How long to go on.
        runs: How many there are at least of a case that has no steps; one of a case that has.
        folder: Where the case keeps the first result; None: nowhere.
    """
    interrupts = _Interrupts()
    try:
        suite = load_suite(name)
        began, done, least = time.monotonic(), 0, 1
        while done < least or time.monotonic() - began < seconds:
            case = suite.case(variant, seed)
            outcome = case.run()
            if interrupts.seen:
                return INTERRUPTED
            if done == 0:
                least = runs if case.steps is None else 1
                if case.keep is not None and folder is not None:
                    case.keep(outcome, folder)
            done += 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def main() -> NoReturn:
    """Run what the arguments say."""
    name, variant, seed, seconds, runs, *folder = sys.argv[1:]
    try:
        code = repeat(
            name, variant, int(seed), float(seconds), int(runs), Path(folder[0]) if folder else None
        )
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
