"""One run: one variant, in a process of its own. `python -m workbench.bench.run.worker REQUEST ANSWER`.

The request is JSON; the answer is a file of JSON, there when it is complete, so that whatever the workload
prints cannot be taken for it. Setting a case up and judging its result are outside of what is timed.
"""

from __future__ import annotations

import contextlib
import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workbench.bench.design.case import Case, Curve
from workbench.bench.design.suite import Suite, load_suite
from workbench.bench.design.suite_tables import Table
from workbench.bench.run.origins import loaded_files, misplaced
from workbench.errors import InvalidInputError, unknown_name

LOOP_S, MAX_LOOPS = 0.02, 1 << 24
"""A value of a micro-kernel takes so long at least: a thousand times what reading the clock does to it."""
SHORT_S = 1e-4
"""A run that takes less is looped, whether or not the suite says `micro`: a cold start would be much of it."""
MICRO_VALUES, MAX_VALUES = 5, 5
ENOUGH_S = 0.5
"""Runs that take together more than this are not repeated within one process."""
MAX_POINTS = 2000
"""Of a curve, for the results: of a longer one those that improve on nothing are left out first, the last stays."""


def main() -> None:
    """Execute the run that the first argument describes."""
    request, answer = json.loads(sys.argv[1]), Path(sys.argv[2]).absolute()
    try:
        if request.get("record"):
            from workbench.bench.run.recorded import record_run  # what is measured does not pay for it

            result = record_run(request, answer.parent)
        elif request.get("count"):
            from workbench.bench.run.counted import count_run  # as above

            result = count_run(request)
        elif request.get("tables"):
            result = {"error": None, "tables": _tables(load_suite(request["suite"]))}
        else:
            result = measure_run(request)
    except InvalidInputError as error:
        result = {"error": str(error)}
    except Exception as error:  # noqa: BLE001  a run that fails is a result
        text = str(error)
        result = {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__}
    partial = answer.with_suffix(".partial")
    partial.write_text(json.dumps(result))
    partial.replace(answer)


@dataclass(frozen=True)
class _Timed:
    """What one value came from."""

    outcome: Any
    wall_s: float
    """Without the time for which the case's curve stopped the clock."""
    cpu_s: float
    waited_s: float
    """Seconds for which the thread was ready to run and had no processor; 0 where the system does not say."""


def _timed(case: Case, loops: int = 1) -> _Timed:
    """Execute a case `loops` times in a row; return the last result and the time of all executions."""
    curve = case.curve if isinstance(case.curve, Curve) else None
    run, outcome, waited = case.run, None, waited_s()
    if curve is not None:
        curve.start()
    cpu, wall = _cpu_s(), time.perf_counter()
    for _ in range(loops):
        outcome = run()
    wall = time.perf_counter() - wall
    cpu = _cpu_s() - cpu
    stopped = curve.stopped_s if curve is not None else 0.0
    return _Timed(outcome, wall - stopped, cpu, waited_s() - waited)


def measure_run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Set a case up, time it, and judge its result: one value is discarded, and the others are reduced to one.

    Where the request has no number of loops, they and the number of values are found out here; with `calibrate`
    nothing else is. The peak memory is that of the first run: of one set-up, as far as it is kept, and one result.
    """
    keep = (
        Path(request["keep"]).absolute() if request.get("keep") else None
    )  # a workload may change the folder
    suite = load_suite(request["suite"])
    variant, seed = request["variant"], request["seed"]
    case = suite.case(variant, seed)
    before, steal = resource.getrusage(resource.RUSAGE_SELF), steal_s()
    forget_peak()
    timed = _timed(case)
    peak = peak_rss_bytes()
    if case.steps is not None or not request.get("discard", True):  # of steps, the first is what is discarded
        loops, values, kept = 1, 0, [timed]
    else:
        loops, values, kept = int(request.get("loops", 1)), int(request.get("values", 1)), []
    is_known, run_s = loops > 0, timed.wall_s
    if not is_known and not suite.micro and run_s < ENOUGH_S:
        # The first run may have paid for what later ones do not.
        case = timed = None  # type: ignore[assignment]  # never two set-ups at a time
        case = suite.case(variant, seed)
        timed = _timed(case)
        run_s = min(run_s, timed.wall_s)
    if not is_known:
        is_short = bool(suite.micro or request.get("looped") or run_s < SHORT_S)
        loops = _loops(case, suite) if is_short else 1
        values = MICRO_VALUES if loops > 1 else max(1, min(MAX_VALUES, int(ENOUGH_S / run_s)))
    elif loops > 1:
        _timed(case, loops)
    if request.get("calibrate"):
        return {
            "error": None,
            "loops": loops,
            "values": max(1, values),
            "run_s": run_s,
            "misplaced": misplaced(),
        }
    looped = suite.micro or loops > 1
    for _ in range(values):
        if not looped:
            case = timed = None  # type: ignore[assignment]
            case = suite.case(variant, seed)  # a run may have changed what it was set up with
        before, steal = resource.getrusage(resource.RUSAGE_SELF), steal_s()
        timed = _timed(case, loops)
        kept.append(replace(timed, outcome=None))
    after = resource.getrusage(resource.RUSAGE_SELF)
    steps, seconds = _steps(case, timed.outcome), [each.wall_s / loops for each in kept]
    value = min(seconds) if looped else statistics.median(steps[1:] or steps or seconds)
    if not value > 0:
        raise InvalidInputError(
            f"a run took {value:g} s by the clock: make it longer, or the suite micro=True"
        )
    result = {
        "error": None,
        "value_s": value,
        "values_s": seconds,
        "loops": loops,
        "wall_s": timed.wall_s,
        "cpu_s": timed.cpu_s,
        "waited_s": sum(each.waited_s for each in kept),
        "steps_s": steps,
        "curve": _curve(case, timed.outcome, suite),
        "quality": _quality(case, timed.outcome, suite),
        "peak_rss_bytes": peak,
        "voluntary_switches": after.ru_nvcsw - before.ru_nvcsw,
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
        "steal_s": max(0.0, steal_s() - steal),
        "blas_threads": _blas_threads(),
    }
    if case.keep is not None and keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        case.keep(timed.outcome, keep)
    return result | {"files": loaded_files()}


def _tables(suite: Suite) -> list[dict[str, Any]]:
    made = suite.tables() if suite.tables is not None else ()
    for each in made:
        if not isinstance(each, Table):
            raise InvalidInputError(f"tables gave {type(each).__name__}: give workbench.bench.Table objects")
    return [asdict(each) for each in made]


def _loops(case: Case, suite: Suite) -> int:
    """Return how many executions make a value; 1 if a case cannot be executed again."""
    try:
        _timed(case)  # what a first run pays for is no part of the loop
        loops = 1
        while loops < MAX_LOOPS and (took := _timed(case, loops).wall_s) < LOOP_S:
            loops = min(MAX_LOOPS, max(2 * loops, int(1.2 * loops * LOOP_S / took) if took > 0 else 0))
    except Exception:
        if suite.micro:
            raise
        return 1
    return loops


def _cpu_s() -> float:
    """Return the processor time of this process, and of the programs that it has run and waited for."""
    programs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + programs.ru_utime + programs.ru_stime


def forget_peak() -> None:
    """Let the peak of this process begin at what it has resident now, where the system can (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_bytes(b"5")


def peak_rss_bytes() -> int:
    """Return the most memory that one process has had resident: this one, a child that runs, or one that has ended.

    Processes are not added up: they share pages, and their peaks need not be at one time. Linux's `ru_maxrss` is that
    of whoever started it, where that was larger (getrusage(2), execve(2)).
    """
    unit = 1 if sys.platform == "darwin" else 1024
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    own = _peak_of("self") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    children = [pid for path in Path("/proc/self/task").glob("*/children") for pid in _text(path).split()]
    return max(own, ended, *map(_peak_of, children))


def _peak_of(process: str) -> int:
    """Return a process's peak in bytes; 0 where it is not known."""
    lines = _text(Path(f"/proc/{process}/status")).splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def waited_s() -> float:
    """Return for how long this process's first thread has been ready to run without a processor; 0 where unknown."""
    try:
        return int(Path("/proc/self/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def steal_s() -> float:
    """Return the seconds that a hypervisor has kept from this machine's processors so far; 0 where none says so."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()
    except OSError:
        return 0.0
    return int(fields[8]) / 100 if len(fields) > 8 else 0.0  # in hundredths of a second: USER_HZ


def _blas_threads() -> int | None:
    """Return the most threads that a numerical library which is loaded would use; None where none is."""
    if "numpy" not in sys.modules:
        return None
    try:
        from threadpoolctl import threadpool_info
    except ImportError:  # in an environment that is not ours
        return None
    return max((int(library["num_threads"]) for library in threadpool_info()), default=None)


def _steps(case: Case, outcome: object) -> list[float]:
    steps: Sequence[float] = case.steps(outcome) if case.steps is not None else ()
    checked = [float(seconds) for seconds in steps]
    strange = [seconds for seconds in checked if not 0 < seconds < math.inf]
    if strange:
        raise InvalidInputError(f"steps holds {strange[0]}: return the seconds of each step, above zero")
    return checked


def _curve(case: Case, outcome: object, suite: Suite) -> list[tuple[float, float]]:
    if case.curve is None:
        if suite.targets:
            raise InvalidInputError(
                f"suite {suite.name!r} has targets, and its Case no curve: give Case(curve=...)"
            )
        return []
    points = case.curve.points if isinstance(case.curve, Curve) else case.curve(outcome)
    checked: list[tuple[float, float]] = []
    for seconds, value in points:
        if not (0 <= seconds < math.inf) or (checked and seconds < checked[-1][0]):
            raise InvalidInputError(f"the curve has a point at {seconds} s: give seconds that never decrease")
        if math.isfinite(value):  # an error that is not a number has reached nothing
            checked.append((float(seconds), float(value)))
    if len(checked) > MAX_POINTS:
        checked = _improvements(checked)
    stride = -(-len(checked) // MAX_POINTS) if checked else 1
    return checked[:-1:stride] + checked[-1:]


def _improvements(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that are better than all before them, which tell when a target was reached, and the last."""
    best, kept = math.inf, []
    for point in points:
        if point[1] < best:
            best = point[1]
            kept.append(point)
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _quality(case: Case, outcome: object, suite: Suite) -> dict[str, float]:
    if case.quality is None:
        if suite.quality is not None:
            raise InvalidInputError(
                f"suite {suite.name!r} names the figure {suite.quality!r}: give Case(quality=...)"
            )
        return {}
    figures: object = case.quality(outcome)
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
    if suite.quality is not None and suite.quality not in checked:
        raise unknown_name("quality", suite.quality, checked)
    return checked


if __name__ == "__main__":
    main()
