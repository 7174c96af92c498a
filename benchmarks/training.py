"""Training the reference problem with all guards recorded, against not recorded. Prints one line of JSON.

Both fits of a round run in this process, one after the other in an order drawn for the round, from the same seed.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from time import perf_counter

from workbench.bench.machine.environment import PINNED

EPOCHS = "20"
"""Some seconds: a training goes on much longer, and what a recording takes to begin is in the figure."""


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of fits with guards on and off, paired by round."""
    os.environ.update(PINNED)
    os.environ["WORKBENCH_REFERENCE_EPOCHS"] = EPOCHS
    from workbench import record
    from workbench.suites.reference import suite

    draw = random.Random(1)  # noqa: S311  an order is no secret
    seconds: dict[str, list[float]] = {"on": [], "off": []}
    for turn in range(rounds + 1):
        for which in draw.sample(["on", "off"], 2):
            case = suite.case("exact", seed=7)
            with ExitStack() as stack:
                if which == "on":
                    folder = stack.enter_context(tempfile.TemporaryDirectory())
                    stack.enter_context(record(folder + "/recording"))
                begin = perf_counter()
                case.run()
                took = perf_counter() - begin
            if turn:  # the first round warms up
                seconds[which].append(took)
    return seconds


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
