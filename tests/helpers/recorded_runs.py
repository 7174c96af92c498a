"""Runs with recordings behind them: a suite that shares its work among threads, recorded as a run would have done."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.helpers.bench_runs import write_experiment
from tests.helpers.hostile import HOSTILE
from workbench import carry, record, scope
from workbench.bench.results.results import Results, read_results
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord

STEPS = 4
SCALING = {"option": "workers", "whole": "share", "work": "part"}
VARIANTS: dict[str, dict[str, Any]] = {
    "serial": {"workers": 1, "kernel": "exact"},
    "fast": {"workers": 1, "kernel": "fast"},
    "two threads": {"workers": 2, "kernel": "exact"},
    "fast, two threads": {"workers": 2, "kernel": "fast"},
}
SECONDS = {"serial": 1.0, "fast": 0.6, "two threads": 0.625, "fast, two threads": 0.5}
TABLE = {
    "kind": "table",
    "title": "kernels",
    "columns": ["kernel", "runs as", "error", "calls"],
    "rows": [["exact", "numpy", 0.0, 123456], ["fast", "compiled", 2.5e-8, 12], ["none", None, None, None]],
    "note": "Errors are the largest.",
}


def record_run(
    folder: Path, workers: int, *, steps: int = STEPS, names: Sequence[str] = ("share", "part", "solve")
) -> None:
    """Record a run with scopes: in each step a part for each of two pieces of work, then a rest that is not shared."""
    whole, part, rest = names

    def work() -> None:
        with scope(part), scope(f"{part} tanh"):
            sum(i * i for i in range(4000))

    folder.parent.mkdir(parents=True, exist_ok=True)
    with record(folder), scope("fit"):
        for _ in range(steps):
            with scope("step"):
                with scope(whole):
                    if workers > 1:
                        threads = [threading.Thread(target=carry(work)) for _ in range(workers)]
                        for thread in threads:
                            thread.start()
                        for thread in threads:
                            thread.join()
                    else:
                        work()
                        work()
                with scope(rest):
                    sum(range(2000))


def sampled_run(most: str = "=kernel") -> Profile:
    """Return a sampled run by hand: steps of 10 ms, of which 6 are in the part, and a look in each millisecond."""
    builder = ProfileBuilder("py-spy with native frames")
    ms = 1_000_000
    scopes = {name: Frame(name, kind=FrameKind.SCOPE) for name in ("fit", "step", "share", "part")}
    spans = [SpanRecord(0, 10 * STEPS * ms, 0, scopes["fit"])]
    stacks: list[int] = []
    main, kernel = Frame("main", "run.py"), Frame(most[1:], kind=FrameKind.NATIVE)
    for step in range(STEPS):
        begin = 10 * step * ms
        spans += [
            SpanRecord(begin, begin + ms * length, depth, scopes[name])
            for depth, (name, length) in enumerate((("step", 10), ("share", 8), ("part", 6)), 1)
        ]
        outer = [main, scopes["fit"], Frame("loop", "run.py"), scopes["step"]]
        inner = [*outer, scopes["share"], scopes["part"], kernel]
        stacks += (
            [builder.stack_of(inner)] * 6 + [builder.stack_of(inner[:5])] * 2 + [builder.stack_of(outer)] * 2
        )
    at = [ms * i for i in range(len(stacks))]
    samples = builder.samples(stacks, at, [ms] * len(stacks))
    builder.add_track("MainThread", pid=1, tid=1, spans=builder.spans(spans), samples=samples)
    return builder.build().check()


def write_recorded_run(
    folder: Path, *, tables: Sequence[Any] = (TABLE,), recorded: bool = True, **head: Any
) -> Results:
    """Write a run of seven rounds with a recording of each variant, and the suite's tables."""
    runs = {
        name: [{"value_s": seconds, "steps_s": [seconds] * STEPS}] * 7 for name, seconds in SECONDS.items()
    }
    facts: dict[str, Any] = {"variants": VARIANTS, "scaling": SCALING, "quality": None}
    results: Results = write_experiment(folder, runs, **(facts | head))
    for name in VARIANTS if recorded else ():
        record_run(results.recording_folder(name), VARIANTS[name]["workers"])
    return with_tables(results, tables)


def write_hostile_run(folder: Path) -> Results:
    """Write a run in which every name is written to do harm."""
    names = HOSTILE[:11]
    options = {name: {HOSTILE[0]: 1 + i % 2, "x": 0} for i, name in enumerate(names)}
    runs = {name: [{"value_s": 1.0 + i / 9, "steps_s": [0.1] * 3}] * 7 for i, name in enumerate(names)}
    scaling = {"option": HOSTILE[0], "whole": HOSTILE[1], "work": HOSTILE[3]}
    results: Results = write_experiment(folder, runs, variants=options, scaling=scaling, quality=None)
    for i, name in enumerate(names):
        scopes = [HOSTILE[1], HOSTILE[3], HOSTILE[i]]
        record_run(results.recording_folder(name), 1 + i % 2, steps=3, names=scopes)
    table = {"kind": "table", "title": HOSTILE[0], "columns": HOSTILE[:3], "note": HOSTILE[3]}
    return with_tables(results, [table | {"rows": [[name, name, 1e-9] for name in HOSTILE]}])


def with_tables(results: Results, tables: Sequence[Any]) -> Results:
    """Append tables to a run's results, and read them again."""
    with (results.folder / "results.jsonl").open("a") as file:
        file.writelines(json.dumps(table) + "\n" for table in tables)
    return read_results(results.folder)
