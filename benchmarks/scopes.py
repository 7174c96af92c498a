"""What the recorder costs, beside its peers, in one run: prints tables, and writes docs/measured/scopes.{md,json}.

    python benchmarks/scopes.py                 about five minutes
    python benchmarks/scopes.py --quick         a minute, with wide intervals; writes nothing

Peers are measured where they are installed (`pip install viztracer`).
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from measured import Row, exact, finish, median, options_of, process, ratio

from workbench.bench.machine.environment import version

LOOPS = Path(__file__).with_name("_scopes_loops.py")
PARTS = LOOPS.with_name("_scopes_parts.py")
TURNS = 20_000
"""Of a loop: some milliseconds, so that what is compared is close in time."""
MILLION = 1_000_000
"""Turns of a loop that is long enough for what it records to leave the caches: the list by hand, and our log."""

OURS = ("scope", "scope with flops=", "decorated function", "counter()", "mark()", "scope, nothing records")
PEERS = {
    "@contextmanager timer": "contextlib",
    "cProfile, a call": "cProfile",
    "viztracer log_event": "viztracer",
    "torch record_function": "torch",
    "OpenTelemetry span": "opentelemetry.sdk",
}
Values = dict[str, list[float]]


class Server:
    """A process that runs loops, with the native or the Python recorder."""

    def __init__(self, engine: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_RECORD")}
        self._process = subprocess.Popen(
            [sys.executable, str(LOOPS)],
            env=kept | {"WORKBENCH_RECORDER": engine},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, loops: list[str], turns: int) -> dict[str, float]:
        """Return nanoseconds a turn of each loop, run in this order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"loops": loops, "turns": turns}), file=self._process.stdin, flush=True)
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Effort(NamedTuple):
    """How much each part measures."""

    rounds: int
    long_rounds: int
    starts: int
    together: int
    fits: int
    scopes: int


FULL = Effort(rounds=60, long_rounds=12, starts=60, together=15, fits=40, scopes=10_000_000)
QUICK = Effort(rounds=12, long_rounds=6, starts=12, together=6, fits=8, scopes=2_000_000)


def measure_loops(rounds: int) -> dict[str, Values]:
    """Return nanoseconds a turn by process and loop, a value for each round; both orders are drawn each round."""
    installed = [name for name, module in PEERS.items() if find_spec(module.partition(".")[0])]
    plans = {"native": [*OURS, "nothing"], "python": [*OURS], "peers": ["scope", *installed]}
    servers = {name: Server("python" if name == "python" else "native") for name in plans}
    found: dict[str, Values] = {name: {} for name in plans}
    draw = random.Random(2)  # noqa: S311  an order is no secret
    for turn in range(rounds + 1):
        for name in draw.sample(list(plans), len(plans)):
            # By hand between all others too: one that was interrupted must not be what a round is measured by.
            costs, hand = {}, [servers[name].ask(["by hand"], TURNS)["by hand"]]
            for loop in draw.sample(plans[name], len(plans[name])):
                answer = servers[name].ask([loop, "by hand"], TURNS)
                costs[loop] = answer[loop]
                hand.append(answer["by hand"])
            costs["by hand"] = statistics.median(hand)
            if turn:  # the first round warms up
                for loop, value in costs.items():
                    found[name].setdefault(loop, []).append(value)
    for server in servers.values():
        server.close()
    return found


def long_loop_rows(rounds: int) -> list[Row]:
    """Return the costs of a turn where a loop takes a million of them, each process with its own loop by hand."""
    servers = {engine: Server(engine) for engine in ("native", "python")}
    found: dict[str, Values] = {engine: {"scope": [], "by hand": []} for engine in servers}
    draw = random.Random(3)  # noqa: S311  an order is no secret
    for _ in range(rounds):
        for engine in draw.sample(list(servers), 2):
            answer = servers[engine].ask(draw.sample(["scope", "by hand"], 2), MILLION)
            for loop, value in answer.items():
                found[engine][loop].append(value)
    for server in servers.values():
        server.close()
    native, python = found["native"], found["python"]
    return [
        ratio("scope, native / by hand", native["scope"], native["by hand"], 0.75),
        ratio("scope, Python / by hand", python["scope"], python["by hand"]),
        median("by hand", native["by hand"], "ns"),
        median("native: scope", native["scope"], "ns"),
        median("Python: scope", python["scope"], "ns"),
    ]


def scope_rows(found: Mapping[str, Values]) -> tuple[list[Row], list[Row]]:
    """Return the costs of a turn in nanoseconds, and as ratios with their limits."""
    native, python, peers = found["native"], found["python"], found["peers"]
    costs = [
        median("the loop itself, in every figure", native["nothing"], "ns"),
        median("two clock reads and a list append, by hand", native["by hand"], "ns"),
        *(median(f"native: {name}", native[name], "ns") for name in OURS),
        *(median(f"Python: {name}", python[name], "ns") for name in OURS),
        *(median(name, peers[name], "ns") for name in PEERS if name in peers),
    ]
    by_hand = native["by hand"]
    ratios = [
        ratio("scope, native / by hand", native["scope"], by_hand, 0.75),
        ratio("scope, Python / by hand", python["scope"], python["by hand"]),
        ratio("scope when nothing records, native / by hand", native["scope, nothing records"], by_hand, 0.5),
        ratio("the same, Python / by hand", python["scope, nothing records"], python["by hand"]),
        *(ratio(f"{name}, native / by hand", native[name], by_hand) for name in OURS[1:5]),
    ]
    for name in PEERS:
        if name in peers:
            limit = 1 / 12 if name.startswith("viztracer") else None
            ratios.append(ratio(f"scope, native / {name}", peers["scope"], peers[name], limit))
    return costs, ratios


def together_rows(rounds: int) -> list[Row]:
    """Return how much more a scope costs when others record at once, beside what it costs without a recorder."""
    found = process(PARTS, "together", rounds, 2_000_000)
    rows = []
    for what, count in (("threads", 8), ("processes", 2)):
        for kind in ("scope", "by hand"):
            alone, many = found[f"{kind}, {what} 1"], found[f"{kind}, {what} {count}"]
            rows.append(ratio(f"{kind}: {count} {what} at once / one", many, alone))
        excess = [
            found[f"scope, {what} {count}"][i] / found[f"scope, {what} 1"][i] * found[f"by hand, {what} 1"][i]
            for i in range(len(found[f"scope, {what} 1"]))
        ]
        name = f"the scope's factor / the factor by hand, {what}"
        rows.append(ratio(name, excess, found[f"by hand, {what} {count}"], 1.0))
    return rows


def footprint_rows(effort: Effort) -> list[Row]:
    """Return log size, memory, reading and importing."""
    size = process(PARTS, "log_size", effort.scopes)
    memory = process(PARTS, "memory", 2 * effort.scopes)
    reading = process(PARTS, "reading", effort.scopes)
    importing = process(PARTS, "importing", effort.starts)
    millions = effort.scopes // 1_000_000
    return [
        exact("log, the record of a closed scope", size["record"], "bytes", 24),
        exact(f"log, a closed scope of {millions} million", size["used"], "bytes", None, "chunks used"),
        exact(
            f"files, a closed scope of {millions} million",
            size["files"],
            "bytes",
            None,
            "as allocated",
        ),
        exact(f"anonymous memory, {2 * millions} million scopes", memory["mib"], "MiB", 64),
        exact(f"reading {millions} million scopes", min(reading["seconds"]), "s", 2, "best of 3"),
        median("import workbench over the bare interpreter", importing["over_ms"], "ms", 5),
        median("the same, inside the process", importing["inside_ms"], "ms", 5),
    ]


def training_rows(rounds: int) -> list[Row]:
    """Return a fit's time with all scopes recorded over its time without."""
    found = process(PARTS, "training", rounds)
    return [
        median("a fit of twenty epochs, not recorded", found["off"], "s"),
        ratio("recorded / not recorded", found["on"], found["off"], 1.01),
    ]


def notes() -> list[str]:
    """Return how it was measured."""
    peers = ", ".join(
        f"{name} {version(name) or 'not installed'}" for name in ("viztracer", "torch", "opentelemetry-sdk")
    )
    return [
        (
            f"A round runs each loop once, {TURNS} turns of it, in an order drawn anew, in processes that live through "
            "all rounds: one with the native recorder, one with the Python one, one for the peers."
        ),
        (
            "Every process times the loop by hand between all others, and a round's unit is their median; ratios are "
            "paired by round. The loop "
            "itself is in every figure and nothing is subtracted, which favours neither side where a ratio is near 1."
        ),
        (
            "A loop of a million is the same with more turns. There the list by hand takes 128 MB and leaves the "
            "caches, as our log does; in short loops it is the allocator's own, used again and again, while our log "
            "is new pages of a file. Which of the two a program is like depends on the program, so both are here."
        ),
        "By hand: `start = perf_counter_ns(); spans.append((start, perf_counter_ns()))`.",
        (
            "viztracer runs with its tracer on, which is its quickest way; its data are in memory only, while the "
            "scopes' are in a file that outlives a kill."
        ),
        (
            "Eight threads take turns on the GIL, and two processes share caches and clock speed: the factor by hand "
            "shows what that costs without a recorder, and the scope's is divided by it."
        ),
        "Medians with 95 % order-statistic intervals. “Not surely” means that the limit is inside the interval.",
        f"Peers: {peers}.",
    ]


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    effort = QUICK if options.quick else FULL
    costs, ratios = scope_rows(measure_loops(effort.rounds))
    sections = {
        "One scope, as ratios": ratios,
        "One scope, in nanoseconds": costs,
        "One scope in a loop of a million": long_loop_rows(effort.long_rounds),
        "Recording at once": together_rows(effort.together),
        "Training the reference problem": training_rows(effort.fits),
        "Footprint": footprint_rows(effort),
    }
    finish("scopes", "What a scope costs", sections, notes(), options)


if __name__ == "__main__":
    main()
