"""A variant under callgrind, to count its instructions; such a run is never measured."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Mapping
from typing import Any

from workbench.bench.design.case import Curve
from workbench.bench.design.suite import load_suite
from workbench.bench.machine.environment import code_path
from workbench.bench.run.reaper import children
from workbench.errors import InvalidInputError

NO_EXTENSION = (
    "instructions are counted by the C extension, which is not here: install the workbench with a compiler"
)


def count_run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Execute the run of a request once as it is, and then again `loops` times with its instructions counted.

    The first execution pays for imports, caches and the specialisation of byte code, which then are the same
    in each process. What a curve evaluates with the clock stopped is not counted.

    Returns:
        The run's `error`; without one the process's `pid`, by which callgrind names its file, how many `threads` it
        has, and the `code_path` that NumPy took.

    Raises:
        InvalidInputError: This process cannot be counted, or its work is in other processes.
    """
    try:
        from workbench.scopes._native import counted, on_valgrind, toggle_counting
    except ImportError:
        raise InvalidInputError(NO_EXTENSION) from None
    if not on_valgrind():
        raise InvalidInputError("valgrind does not see it: the Python of the run starts another Python")
    suite, loops = load_suite(request["suite"]), int(request["loops"])
    variant, seed = request["variant"], request["seed"]
    case = suite.case(variant, seed)
    for _ in range(loops):
        case.run()
    if not suite.micro and loops == 1:
        case = None  # type: ignore[assignment]  # never two set-ups at a time
        case = suite.case(variant, seed)  # a run may have changed what it was set up with
    if isinstance(case.curve, Curve):
        case.curve.start()
        case.curve.toggle = toggle_counting
    gc.collect()
    before = _children_s()
    counted(case.run, loops)
    if children(os.getpid()) or _children_s() > before:
        raise InvalidInputError("it works in other processes, which callgrind does not count")
    return {
        "error": None,
        "pid": os.getpid(),
        "threads": len(os.listdir("/proc/self/task")),  # noqa: PTH208
        "code_path": code_path(),
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
