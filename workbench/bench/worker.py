"""One arm: one variant, run once in a process of its own. `python -m workbench.bench.worker REQUEST ANSWER`.

The request is JSON; the answer is a file of JSON, there when it is complete, so that whatever the workload
prints cannot be taken for it.
"""

from __future__ import annotations

import contextlib
import json
import math
import resource
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.bench.suite import Case, load_suite
from workbench.errors import InvalidInputError, unknown_name


def main() -> None:
    """Run the arm that the first argument describes."""
    _end_with_parent()
    request = json.loads(sys.argv[1])
    try:
        result = run_arm(request)
    except InvalidInputError as error:
        result = {"error": str(error)}
    except Exception as error:  # noqa: BLE001  an arm that fails is a result
        text = str(error)
        result = {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__}
    answer = Path(sys.argv[2])
    partial = answer.with_suffix(".partial")
    partial.write_text(json.dumps(result, allow_nan=False))
    partial.replace(answer)


def _end_with_parent() -> None:
    """Ask the system to end this process when the measuring one is killed (Linux), so that it is not left."""
    if sys.platform != "linux":
        return
    import ctypes

    set_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_death_signal, int(signal.SIGKILL), 0, 0, 0)


def run_arm(request: Mapping[str, Any]) -> dict[str, Any]:
    """Set a case up, time one run of it, and judge its result."""
    suite = load_suite(request["suite"])
    case = suite.case(request["variant"], request["seed"])
    before = resource.getrusage(resource.RUSAGE_SELF)
    cpu, wall = time.process_time(), time.perf_counter()
    outcome = case.run()
    wall = time.perf_counter() - wall
    cpu = time.process_time() - cpu
    after = resource.getrusage(resource.RUSAGE_SELF)
    steps = _steps(case, outcome)
    result = {
        "error": None,
        "wall_s": wall,
        "cpu_s": cpu,
        "steps_s": steps,
        "value_s": statistics.median(steps[1:]) if len(steps) > 1 else wall,
        "quality": _quality(case.quality(outcome), suite.quality),
        "peak_rss_bytes": after.ru_maxrss * 1024,
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
    }
    if case.keep is not None and request.get("keep"):
        folder = Path(request["keep"])
        folder.mkdir(parents=True, exist_ok=True)
        case.keep(outcome, folder)
    return result


def _steps(case: Case, outcome: object) -> list[float]:
    steps: Sequence[float] = case.steps(outcome) if case.steps is not None else ()
    checked = [float(seconds) for seconds in steps]
    strange = [seconds for seconds in checked if not 0 < seconds < math.inf]
    if strange:
        raise InvalidInputError(f"steps holds {strange[0]}: return the seconds of each step, above zero")
    return checked


def _quality(figures: object, compared: str | None) -> dict[str, float]:
    if not isinstance(figures, Mapping):
        raise InvalidInputError(
            f"quality returned {type(figures).__name__}: return a mapping of names to numbers"
        )
    checked: dict[str, float] = {}
    for name, value in figures.items():
        try:
            checked[str(name)] = float(value)
        except (TypeError, ValueError):
            raise InvalidInputError(f"quality {name!r} is {value!r}: it must be a number") from None
        if not math.isfinite(checked[str(name)]):
            raise InvalidInputError(f"quality {name!r} is {value}: it must be a finite number")
    if compared is not None and compared not in checked:
        raise unknown_name("quality", compared, checked)
    return checked


if __name__ == "__main__":
    main()
