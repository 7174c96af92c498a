"""Our own ways beside each other: Jacobian strategies, workers, and a million rows."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import measured
import numpy as np
from _peers_floor import syrk_flops
from _peers_problem import ARCHITECTURE, ROWS, Start, Watch
from _peers_solvers import Ours, strategies_there
from measured import Row, exact, ratio

Values = dict[str, list[float]]

CHILD = Path(__file__).resolve().parent / "_peers_child.py"
STRATEGIES = ("columns", "columns-cached", "columns-rank-one", "backprop")
LIMITS = {"columns-rank-one": 1 / 6, "backprop": 1 / 60}
MEBIBYTES, LARGE_TIME = 400.0, 1.5


def jacobian_rows(rounds: int) -> list[Row]:
    """Return the time of a Jacobian by each strategy beside plain columns."""
    from workbench.trainer.jacobians.jacobian import open_jacobian

    there = strategies_there(STRATEGIES)
    parameters = Start(0, "xavier").network().parameters
    found: Values = {name: [] for name in there}
    draw = random.Random(4)  # noqa: S311  an order is no secret
    with ExitStack() as stack:
        ways = {name: stack.enter_context(open_jacobian(ARCHITECTURE, ROWS.scaled_x, name)) for name in there}
        for turn in range(rounds + 1):
            for name in draw.sample(there, len(there)):
                taken = []
                for _ in range(9 if name == "backprop" else 3):
                    started = perf_counter()
                    ways[name](parameters)
                    taken.append(1e3 * (perf_counter() - started))
                if turn:  # the first round warms up
                    found[name].append(median(taken))
    rows = [measured.median(name, values, "ms") for name, values in found.items()]
    plain = found["columns"]
    return rows + [ratio(f"{name} / columns", found[name], plain, LIMITS.get(name)) for name in there[1:]]


def worker_rows(rounds: int) -> list[Row]:
    """Return an epoch of plain columns with two workers beside a serial one, and what the machine allows."""
    serial, parallel = (Ours({"jacobian": "columns", "n_jobs": jobs}) for jobs in (1, 2))
    servers = [_Server(), _Server()]
    found: Values = {name: [] for name in ("serial", "loky", "alone", "together", "allowed")}
    draw = random.Random(5)  # noqa: S311  an order is no secret
    for turn in range(rounds + 1):
        costs = {}
        for name in draw.sample(("serial", "loky", "alone", "together"), 4):
            if name in ("serial", "loky"):
                watch = Watch(60.0, 5, 0.0)
                (serial if name == "serial" else parallel)(Start(0, "xavier"), watch)
                costs[name] = median(watch.step_ms)
            else:
                costs[name] = 1e3 * median(_at_once(servers[: 1 if name == "alone" else 2]) for _ in range(3))
        # What is not the Jacobian is done by one process in any case.
        costs["allowed"] = costs["together"] / 2 + max(0.0, costs["serial"] - costs["alone"])
        if turn:  # the first round starts the workers
            for name, value in costs.items():
                found[name].append(value)
    for server in servers:
        server.close()
    return [
        ratio("an epoch of columns, loky with 2 workers / serial", found["loky"], found["serial"], 1 / 1.6),
        ratio("the machine's limit of it", found["allowed"], found["serial"]),
        ratio(
            "the machine's limit of the Jacobian: half of two at once / one alone",
            [value / 2 for value in found["together"]],
            found["alone"],
        ),
        measured.median("an epoch, serial", found["serial"], "ms"),
        measured.median("an epoch, loky with 2 workers", found["loky"], "ms"),
        measured.median("a Jacobian in a process alone", found["alone"], "ms"),
        measured.median("a Jacobian in each of two processes at once", found["together"], "ms"),
    ]


class _Server:
    """A process that works out a Jacobian by columns whenever it is asked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(CHILD), "columns"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.answer()

    def ask(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _at_once(servers: list[_Server]) -> float:
    """Return the seconds until all of these, asked at once, have a Jacobian."""
    started = perf_counter()
    for server in servers:
        server.ask()
    for server in servers:
        server.answer()
    return perf_counter() - started


def large_rows(rounds: int, rows: int) -> list[Row]:
    """Return time and memory of one step of the chunked Jacobian on so many rows."""
    if not strategies_there(("backprop-chunked",)):
        return []
    found: Values = {}
    straight: Values = {}
    with tempfile.TemporaryDirectory() as scratch:
        rng = np.random.default_rng(6)
        x = rng.uniform(0.0, 1.0, rows)
        for name, values in (("x", x), ("y", -x * np.sin(10.0 * x))):
            values.tofile(Path(scratch) / name)
        for _ in range(rounds):
            for how, values_of in (("geodesic", found), ("straight", straight)):
                command = [sys.executable, str(CHILD), "large", scratch, how]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                for name, value in json.loads(done.stdout).items():
                    values_of.setdefault(name, []).append(value)
    if any(after >= before for before, after in zip(found["mse_before"], found["mse_after"], strict=True)):
        raise SystemExit(f"a step on {rows} rows did not lower the error: {found}")
    at_gemm = [syrk_flops(rows) / rate for rate in found["gemm_flops"]]
    return [
        exact(
            "memory above what the data take", max(found["extra_mib"]), "MiB", MEBIBYTES, "most of all rounds"
        ),
        ratio("one step / P²N operations at gemm's rate", found["step_s"], at_gemm, LARGE_TIME),
        ratio(
            "the same without geodesic acceleration",
            straight["step_s"],
            [syrk_flops(rows) / rate for rate in straight["gemm_flops"]],
        ),
        ratio("the whole fit of one epoch / the same", found["fit_s"], at_gemm),
        measured.median("one step", found["step_s"], "s"),
        measured.median("the whole fit", found["fit_s"], "s"),
        measured.median("gemm", [rate / 1e9 for rate in found["gemm_flops"]], "Gflop/s"),
        exact("trials in the step", max(found["trials"]), ""),
    ]
