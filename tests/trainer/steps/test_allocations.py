"""What a step allocates once it has begun: vectors, and nothing of the size of J, JᵀJ or the rows."""

import tracemalloc

import numpy as np
import pytest

from tests.trainer.trainer_reference import reference_data, reference_network
from workbench.trainer import LevenbergMarquardt
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.steps.levenberg_marquardt import LevenbergMarquardtRun
from workbench.trainer.steps.open_system import open_system

KIB = 1024
VECTOR = 681 * 8
"""Of the parameters; steps, gradients, trial points and Moré's scale are such vectors."""
MOST = 12 * VECTOR
"""At one time. J has 5320 KiB, JᵀJ 3623, one layer's values 156, and the residuals 8."""


@pytest.mark.parametrize(
    "options",
    [{}, {"geodesic": False}, {"scaling": "more"}, {"bayesian": True}, {"jacobian": "columns-rank-one"}],
    ids=str,
)
def test_a_step_allocates_vectors_alone(options):
    """After the first steps, peak and growth are a dozen vectors of the parameters, whatever the step is made of."""
    x, y = reference_data()
    network = reference_network(initial="xavier")
    problem = TrainingProblem(network.architecture, np.ascontiguousarray(2.0 * x.T - 1.0), y.T.copy())
    optimizer = LevenbergMarquardt(**{"jacobian": "backprop", **options})
    with open_system(optimizer, problem) as system:
        run = LevenbergMarquardtRun(optimizer, system, network.parameters.copy())
        for _ in range(3):
            run.step()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            trials = sum(run.step().trials for _ in range(3))
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert trials >= 3
    assert peak - before < MOST, f"{(peak - before) / KIB:.0f} KiB"
    assert after - before < 6 * VECTOR
