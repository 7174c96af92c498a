"""Steps of `backprop-chunked` on threads, processes and a cluster of this machine: seconds, memory, bytes sent.

    python benchmarks/scaling.py            about 6 minutes; 16 MB of scratch space
    python benchmarks/scaling.py --quick    a hundred thousand rows, one round; writes nothing

The reference network (1-20-20-10-1, 681 parameters) is fitted to rows of a memory-mapped file. In each round every
place does one step from the same weights, in an order drawn for the round.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from measured import (
    MIB,
    Row,
    exact,
    finish,
    in_rounds,
    median,
    memory_mib,
    options_of,
    process,
    ran_part,
    ratio,
)

from workbench.system import usable_cores
from workbench.trainer import ArrayRows, LevenbergMarquardt, Sequential
from workbench.trainer.rows.chunked import ChunkTask, normal_sums, second_order_sum, squares_of
from workbench.trainer.rows.groups import View, groups, open_groups
from workbench.trainer.workers import blas

EVERYTHING = {"validation": 0.0, "test": 0.0, "epochs": 1}
CLUSTERS = (1, 2, 4)
SMALL, LARGE = 100_000, 1_000_000


@dataclass(frozen=True)
class Place:
    """Where groups of rows are worked on."""

    name: str
    workers: int
    options: dict[str, Any]
    context: Callable[[], Any] = nullcontext


def network() -> Sequential:
    """Return the reference network with its first weights."""
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    return builder.dense(1, "linear").build(seed=7)


def make(path: str, rows: int) -> None:
    """Write the rows of y = −x sin(10x)."""
    x = np.random.default_rng(1).uniform(-1.0, 1.0, rows)
    np.save(path, np.column_stack([x, -x * np.sin(10.0 * x)]))


def rows_of(path: str) -> ArrayRows:
    """Return the file's rows."""
    rows = np.load(path, mmap_mode="r")
    return ArrayRows(rows[:, :1], rows[:, 1:])


def step(source: ArrayRows, place: Place) -> float:
    """Return the seconds of one step."""
    optimizer = LevenbergMarquardt(jacobian="backprop-chunked", **place.options)
    with place.context():
        return network().fit_rows(source, optimizer=optimizer, **EVERYTHING).seconds[0]


def timed_sums(group: Any, task: ChunkTask, parameters: Any) -> tuple[float, Any]:
    """Do one group's sums, and say how long they took."""
    started = perf_counter()
    sums = normal_sums(group, task, parameters)
    return perf_counter() - started, sums


def in_tasks(source: ArrayRows, place: Place) -> tuple[float, float]:
    """Return the seconds of a pass that linearises, and those that its workers had work for, each."""
    model = network()
    task = ChunkTask.of(model.architecture, LevenbergMarquardt(), View(), source.rows)
    with (
        place.context(),
        open_groups(source, **({"n_jobs": 1, "backend": "loky"} | place.options)) as map_groups,
    ):
        for _ in map_groups(timed_sums, task, model.parameters):
            pass  # the first pass wakes the workers up, and gives them their buffers
        started = perf_counter()
        spent = sum(seconds for seconds, _ in map_groups(timed_sums, task, model.parameters))
        return perf_counter() - started, spent / place.workers


def floor(source: ArrayRows) -> float:
    """Return the seconds that P² flops a row take at the rate of a product of large matrices, on all cores."""
    from scipy.linalg.blas import dgemm

    square = np.asfortranarray(np.random.default_rng(1).normal(size=(2000, 2000)))
    dgemm(1.0, square, square)
    seconds = []
    for _ in range(5):
        started = perf_counter()
        dgemm(1.0, square, square)
        seconds.append(perf_counter() - started)
    return source.rows * network().architecture.parameters ** 2 * min(seconds) / (2 * 2000**3)


def memory(path: str) -> dict[str, float]:
    """Return the MiB that one step takes at most above what was there before it, the file's pages included."""
    source = rows_of(path)
    before = memory_mib("VmRSS")
    step(source, Place("here", 1, {}))
    return {"mib": memory_mib("VmHWM") - before}


@contextmanager
def places() -> Iterator[list[Place]]:
    """Give threads, processes and clusters; the clusters are there for as long as the context."""
    cores = usable_cores()
    found = [
        Place("1 thread of this process", 1, {}, partial(blas.at_most, 1)),
        Place(f"{cores} threads of this process", cores, {}),
        Place(f"loky, {cores} processes", cores, {"n_jobs": cores, "backend": "loky"}),
    ]
    with ExitStack() as stack:
        try:
            from dask.distributed import Client, LocalCluster
        except ImportError:
            print("without dask: pip install 'scopebench[cluster]'")
            yield found
            return
        for workers in CLUSTERS:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address=":0", memory_limit=None
                )
            )
            client = stack.enter_context(Client(cluster, set_as_default=False))
            name = f"dask, {workers} process{'es' if workers > 1 else ''}"
            found.append(Place(name, workers, {"n_jobs": -1, "backend": "dask"}, client.as_current))
        yield found


def measure(source: ArrayRows, where: list[Place], rounds: int, warm_up: int) -> dict[str, list[float]]:
    """Return the seconds of steps by place, and of the floor, paired by round; a round to warm up starts workers."""
    works = {place.name: partial(step, source, place) for place in where}
    return in_rounds(works | {"floor": partial(floor, source)}, rounds, warm_up=warm_up)


def sent(source: ArrayRows) -> list[Row]:
    """Return what travels in one step with one trial, from pickles of its tasks and results."""
    model = network()
    task = ChunkTask.of(model.architecture, LevenbergMarquardt(), View(), source.rows)
    group = next(iter(groups(source)))
    count = sum(1 for _ in groups(source))
    passes: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (normal_sums, (model.parameters,)),
        (second_order_sum, (model.parameters, model.parameters)),
        (squares_of, (model.parameters, ("training",))),
    ]
    tasks = results = 0
    for function, arguments in passes:
        tasks += len(pickle.dumps((function, group, task, *arguments)))
        results += len(pickle.dumps(function(group, task, *arguments)))
    return [
        exact("groups of rows", count, ""),
        exact("tasks, sent out", count * tasks / MIB, "MiB"),
        exact("results, sent back", count * results / MIB, "MiB"),
    ]


def section(found: dict[str, list[float]], where: list[Place]) -> list[Row]:
    """Return the seconds of each place, and how they scale."""
    first = found[where[0].name]
    rows = [median(place.name, found[place.name], "s") for place in where]
    return rows + [ratio(f"{place.name} / {where[0].name}", found[place.name], first) for place in where[1:]]


def main() -> None:
    """Measure, print, and write the page."""
    options = options_of(__doc__).parse_args()
    sections: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as scratch, places() as where:
        sizes = {SMALL: 1} if options.quick else {SMALL: 5, LARGE: 3}
        for rows, rounds in sizes.items():
            path = f"{scratch}/{rows}.npy"
            make(path, rows)
            source = rows_of(path)
            found = measure(source, where, rounds, warm_up=int(rows == SMALL))
            title = f"{rows:,} rows"
            sections[f"Seconds a step, {title}"] = section(found, where)
            sections[f"In a pass that linearises, {title}"] = [
                exact(f"{place.name}: workers at work", 100 * busy / took, "%")
                for place in where
                for took, busy in [in_tasks(source, place)]
            ]
            sections[f"Bytes between caller and workers in a step, {title}"] = sent(source)
            if rows == LARGE or options.quick:
                limits = not options.quick
                own = found[where[1].name]
                peak = process(__file__, "memory", path)
                sections[f"Limits, {title}"] = [
                    ratio(
                        "step / P² flops a row at gemm's rate", own, found["floor"], 1.5 if limits else None
                    ),
                    exact("memory above what was there before", peak["mib"], "MiB", 400 if limits else None),
                ]
    notes = [
        "A step linearises, solves, corrects the step by its second order, and evaluates one trial.",
        "Groups have 8,192 or 12,288 rows; their sums are added up in order, so all places give the same bits.",
        "At work: the sum of the tasks' own seconds, by the pass' seconds and the number of workers.",
        "On one host no more processes are started than there are cores; a dask cluster is as large as made.",
    ]
    finish("scaling", "Scaling: rows in chunks on many workers", sections, notes, options)


if __name__ == "__main__" and not ran_part({"memory": memory}):
    main()
