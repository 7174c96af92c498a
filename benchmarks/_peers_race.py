"""Ours beside the other libraries: milliseconds of a step, and seconds to a target from shared starts."""

from __future__ import annotations

import random
import warnings
from statistics import median
from time import perf_counter

import measured
from _peers_floor import floor
from _peers_problem import INITIALS, Start, Watch
from _peers_solvers import (
    OPTIMISTIX,
    PYRENN,
    SCIPY,
    SCIPY_LSMR,
    TORCH,
    Ours,
    Solve,
    Torch,
    installed,
    ours_there,
    quickest,
)
from measured import Row, exact, ratio

from workbench.bench.stats.intervals import success_interval

Values = dict[str, list[float]]

STEPS = {"ours": 40, TORCH: 12, SCIPY: 5, SCIPY_LSMR: 8, OPTIMISTIX: 5, PYRENN: 4}
"""Of a run in a round; the first is not timed."""
STEP_LIMITS = {TORCH: 0.5, SCIPY: 1 / 20, OPTIMISTIX: 1 / 20}
"""None for lsmr: its step is cheap because it looks in two dimensions, and it needs many more of them."""
FLOOR_LIMIT = 1.6
TUNED = f"{TORCH}, tuned"
TUNING = {"starting_value": 1e-6, "min_value": 1e-14}
"""The same μ to start with as our default: its JᵀJ is divided by the number of rows."""
TARGET_LIMITS = {TORCH: 1 / 6, TUNED: 1 / 6, SCIPY: 1 / 20, SCIPY_LSMR: 1 / 20}
TORCH_CAP = 20.0
CAP_FACTOR, CAP_LEAST, CAP_MOST = 25.0, 8.0, 40.0
"""Any other may take so many times what our fit took from the same weights, but within these seconds."""
OURS_TOO = {"ours, plain": {"rule": "marquardt", "geodesic": False, "damping": 1.0}}
"""Without a limit: torch's own algorithm and damping, so that what remains is the time of a step."""


def _run(solve: Solve, start: Start, watch: Watch) -> Watch:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solve(start, watch)
    return watch


def step_rows(rounds: int) -> dict[str, list[Row]]:
    """Return milliseconds a step, as ratios to the peers and to the floor; each round is another start."""
    ways = {name: quickest(peer, 4) for name, peer in installed().items()}
    solvers: dict[str, Solve] = {"ours": Ours()}
    solvers |= {name: installed()[name].ways[way] for name, way in ways.items()}
    found: Values = {name: [] for name in solvers}
    parts: Values = {}
    draw = random.Random(1)  # noqa: S311  an order is no secret
    for turn in range(rounds + 1):
        taken: dict[str, float] = {}
        for name in draw.sample([*solvers, "floor"], len(solvers) + 1):
            if name == "floor":
                lowest = floor()
            else:
                watch = _run(solvers[name], Start(turn, "xavier"), Watch(60.0, STEPS[name], 0.0))
                taken[name] = median(watch.step_ms)
        if turn:  # the first round warms up
            for name, value in taken.items():
                found[name].append(value)
            for name, value in lowest.items():
                parts.setdefault(name, []).append(value)
    ours = found["ours"]
    ratios = [ratio(f"ours / {name}", ours, found[name], STEP_LIMITS.get(name), ways[name]) for name in ways]
    times = [measured.median(f"a step, {name}", values, "ms") for name, values in found.items()]
    return {
        "A step": ratios + times,
        "A step and the least that the machine needs": [
            ratio("ours / the floor", ours, parts["floor"], FLOOR_LIMIT),
            measured.median("the floor, the sum of the next three", parts["floor"], "ms"),
            *(
                measured.median(name, parts[name], "ms")
                for name in ("syrk at gemm's rate", "dpotrf", "write of J")
            ),
            measured.median("dsyrk, as SciPy's BLAS does it", parts["dsyrk"], "ms"),
            measured.median("gemm", parts["gemm"], "Gflop/s"),
        ],
    }


def target_rows(
    starts: int, slow_starts: int, minutes: float, most: float = CAP_MOST
) -> dict[str, list[Row]]:
    """Return wall time to the target, for both ways to draw initial weights.

    `slow_starts` is for the library that is only shown. After so many minutes no new start is begun;
    `most` bounds the seconds of every run.
    """
    found: dict[str, list[dict[str, Watch]]] = {initial: [] for initial in INITIALS}
    draw = random.Random(7)  # noqa: S311  an order is no secret
    more = {name: Ours(options) for name, options in OURS_TOO.items() if ours_there(options)}
    slow = _slow_peers() if slow_starts else {}
    ends = perf_counter() + 60.0 * minutes
    for seed in range(starts):
        for initial in INITIALS:
            start = Start(seed, initial)
            solvers: dict[str, Solve] = {**more, **_peers_of(initial)}
            if seed < slow_starts:
                solvers |= slow
            ours = _run(Ours(), start, Watch(most))
            cap = min(max(CAP_FACTOR * ours.seconds_to_target, CAP_LEAST), CAP_MOST)
            runs = {"ours": ours}
            for name in draw.sample(list(solvers), len(solvers)):
                quick = name in (TORCH, TUNED, *OURS_TOO)
                runs[name] = _run(solvers[name], start, Watch(min(most, TORCH_CAP if quick else cap)))
            found[initial].append(runs)
        if perf_counter() > ends:
            print(f"after {seed + 1} of {starts} starts the time was up", flush=True)
            break
    return {
        f"Wall time to a training error of 1e-8, {initial} weights": _rows_of(runs)
        for initial, runs in found.items()
    }


def _slow_peers() -> dict[str, Solve]:
    there = installed()
    return {OPTIMISTIX: there[OPTIMISTIX].ways[quickest(there[OPTIMISTIX], 4)]} if OPTIMISTIX in there else {}


def _peers_of(initial: str) -> dict[str, Solve]:
    there = installed()
    solvers: dict[str, Solve] = {}
    if TORCH in there:
        solvers[TORCH] = Torch()
        if initial == "nguyen-widrow":  # from xavier weights the damping to start with makes no difference
            solvers[TUNED] = Torch(TUNING)
    solvers |= {name: next(iter(there[name].ways.values())) for name in (SCIPY, SCIPY_LSMR) if name in there}
    return solvers


def _rows_of(runs: list[dict[str, Watch]]) -> list[Row]:
    order = ("ours", *OURS_TOO, TORCH, TUNED, SCIPY, SCIPY_LSMR, OPTIMISTIX)
    names = [name for name in order if any(name in run for run in runs)]
    rows = []
    for name in names[1:]:
        both = [(run["ours"], run[name]) for run in runs if name in run]
        limit = TARGET_LIMITS.get(name)
        # Where ours failed, what it counts as is no less than what any other may.
        pairs = [(ours.seconds_to_target, peer.seconds_to_target) for ours, peer in both]
        note = f"{len(pairs)} starts"
        rows.append(ratio(f"ours / {name}", [a for a, _ in pairs], [b for _, b in pairs], limit, note))
    for name in names:
        watches = [run[name] for run in runs if name in run]
        reached = [watch for watch in watches if watch.reached]
        low, high = success_interval(len(reached), len(watches))
        note = f"{len(reached)} of {len(watches)}"
        rows.append(
            Row(
                f"reached it, {name}",
                100 * len(reached) / len(watches),
                100 * low,
                100 * high,
                "%",
                None,
                note,
            )
        )
        rows.append(measured.median(f"seconds, {name}", [watch.seconds_to_target for watch in watches], "s"))
        if reached:
            steps = [float(len(watch.at)) for watch in reached]
            rows.append(exact(f"steps of those that reached it, {name}", median(steps), "", None, "median"))
    return rows
