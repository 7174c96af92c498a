"""Which system serves a Jacobian strategy, and why `auto` took the one that it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workbench.trainer._run import TrainingProblem
from workbench.trainer.jacobian import open_jacobian
from workbench.trainer.normal import NormalSystem
from workbench.trainer.options import LevenbergMarquardt
from workbench.trainer.system import System
from workbench.trainer.whole import WholeRows


@contextmanager
def open_system(options: LevenbergMarquardt, problem: TrainingProblem) -> Iterator[System]:
    """Give the linear system of a problem; workers live as long as the context."""
    strategy = "backprop" if options.jacobian == "auto" else options.jacobian
    with open_jacobian(
        problem.architecture,
        problem.x,
        strategy,
        tanh=options.kernel_of_jacobian,
        n_jobs=options.n_jobs,
        backend=options.backend,
        step=options.step,
    ) as jacobian:
        source = WholeRows(problem, jacobian, options.tanh)
        yield NormalSystem(source, problem.architecture.parameters, options.l2)
