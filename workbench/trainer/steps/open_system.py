"""The system of each Jacobian strategy, and the reason for the choice of `auto`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workbench.trainer.jacobians.cost_model import Choice, choose, cost
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.options import LevenbergMarquardt
from workbench.trainer.rows.chunked import ChunkedRows, ChunkTask
from workbench.trainer.rows.fit_rows import Part, StreamedRows
from workbench.trainer.rows.groups import View, open_groups
from workbench.trainer.rows.row_sources import ArrayRows
from workbench.trainer.steps.dual import DualSystem
from workbench.trainer.steps.normal import NormalSystem, WholeRows
from workbench.trainer.steps.system import System
from workbench.trainer.workers import blas
from workbench.trainer.workers.thread_pool import open_thread_pool


def choose_strategy(
    options: LevenbergMarquardt, architecture: Architecture, rows: int, *, streamed: bool = False
) -> Choice:
    """Return the strategy for `rows` training rows, and why: the one asked for, or the cost model's.

    Rows that are `streamed` from a source have one strategy only.
    """
    if options.jacobian != "auto":
        return Choice(options.jacobian, "asked for", {})
    if streamed:
        return Choice("backprop-chunked", "the rows are read in chunks, from where they are", {})
    return choose(architecture, rows, scaled=options.scaling == "more")


@contextmanager
def open_system(options: LevenbergMarquardt, problem: Part) -> Iterator[System]:
    """Yield the linear system of a problem; workers live as long as the context."""
    if isinstance(problem, StreamedRows):
        yield NormalSystem(problem.sums, problem.architecture.parameters, options.l2)
        return
    strategy = choose_strategy(options, problem.architecture, problem.x.shape[1]).strategy
    if strategy == "dual":
        with open_thread_pool(blas.threads()) as pool:
            yield DualSystem(problem, options.tanh, options.kernel_of_jacobian, options.l2, pool)
        return
    if strategy == "backprop-chunked":
        task = ChunkTask.of(problem.architecture, options, View(), problem.x.shape[1])
        with open_groups(
            ArrayRows(problem.x.T, problem.target.T), options.n_jobs, options.backend
        ) as map_groups:
            chunked = ChunkedRows(task, map_groups, problem.x.shape[1])
            yield NormalSystem(chunked, problem.architecture.parameters, options.l2)
        return
    jacobian_of = open_jacobian(
        problem.architecture,
        problem.x,
        strategy,
        tanh=options.kernel_of_jacobian,
        n_jobs=options.n_jobs,
        backend=options.backend,
        step=options.step,
    )
    with jacobian_of as jacobian, open_thread_pool(blas.threads()) as pool:
        work = cost(problem.architecture, problem.x.shape[1], strategy)
        source = WholeRows(problem, jacobian, options.tanh, work, pool)
        yield NormalSystem(source, problem.architecture.parameters, options.l2, pool)
