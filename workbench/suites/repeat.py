"""Runs one variant of a suite again and again: `python -m workbench.suites.repeat SUITE VARIANT FOLDER …`.

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

from workbench.bench import load_suite
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


def repeat(name: str, variant: str, folder: Path, seconds: float, seed: int) -> int:
    """Run a variant until the time is over, at least once; return the exit code: 130 after Ctrl-C."""
    interrupts = _Interrupts()
    try:
        suite = load_suite(name)
        began = time.monotonic()
        first = True
        while first or time.monotonic() - began < seconds:
            case = suite.case(variant, seed)
            outcome = case.run()
            if interrupts.seen:
                return INTERRUPTED
            if first and case.keep is not None:
                case.keep(outcome, folder)
            first = False
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def main() -> NoReturn:
    """Arguments: suite, variant, folder to keep the result in, least seconds, seed."""
    name, variant, folder, seconds, seed = sys.argv[1:]
    try:
        code = repeat(name, variant, Path(folder), float(seconds), int(seed))
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
