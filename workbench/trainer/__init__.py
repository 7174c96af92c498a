"""The reference workload: a small network, fitted to functions by Levenberg-Marquardt.

    model = Sequential.builder(inputs=1).dense(20, "tanh").dense(1, "linear").build(seed=7)
    history = model.fit(x, y, optimizer=LevenbergMarquardt(jacobian="columns", tanh="fast"), epochs=200)

Its choices, tanh kernel, Jacobian strategy and parallel back end, are what the workbench measures.
"""

from workbench.trainer import kernels
from workbench.trainer.data import Problem, dense_grid, problem, problem_names
from workbench.trainer.history import EpochRecord, History, Progress, StopReason
from workbench.trainer.model import Evaluation, Sequential, SequentialBuilder
from workbench.trainer.network.architecture import Architecture, Dense
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import SGD, Adam, LevenbergMarquardt, Optimizer
from workbench.trainer.restarts import Restarts, fit_restarts
from workbench.trainer.rows.row_sources import ArrayRows, IteratorRows, RowSource
from workbench.trainer.splits import Split, split_of
from workbench.trainer.tables import CsvTable, read_csv

__all__ = [
    "SGD",
    "Adam",
    "Architecture",
    "ArrayRows",
    "CsvTable",
    "Dense",
    "EpochRecord",
    "Evaluation",
    "History",
    "IteratorRows",
    "LevenbergMarquardt",
    "Optimizer",
    "Problem",
    "Progress",
    "Restarts",
    "RowSource",
    "Scaling",
    "Sequential",
    "SequentialBuilder",
    "Split",
    "StopReason",
    "dense_grid",
    "fit_restarts",
    "kernels",
    "problem",
    "problem_names",
    "read_csv",
    "split_of",
]
