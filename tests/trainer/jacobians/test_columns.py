"""Forward differences: the same bits wherever they run, and steps that suit the kernel."""

import collections
import contextlib

import numpy as np
import pytest

from tests.trainer.trainer_reference import (
    architecture,
    jacobian,
    reference_data,
    reference_network,
)
from workbench.trainer import LevenbergMarquardt, kernels
from workbench.trainer.jacobians.column_batches import batches
from workbench.trainer.jacobians.columns import DEFAULT_STEPS

PLACES = [{"n_jobs": 1}, {"n_jobs": 2, "backend": "loky"}, {"n_jobs": 2, "backend": "threading"}]


@pytest.mark.parametrize("tanh", ["exact", "fast"])
def test_serial_processes_and_threads_give_the_same_bits(tanh):
    """Where a column is computed does not change it, with several outputs too."""
    network = architecture(2, (20, "tanh"), (15, "tanh"), (2, "linear"))
    rng = np.random.default_rng(0)
    parameters, x = rng.normal(size=network.parameters), rng.uniform(-1, 1, (2, 300))
    serial, processes, threads = (
        jacobian(network, parameters, x, "columns", tanh=tanh, **place).tobytes() for place in PLACES
    )
    assert serial == processes == threads


@pytest.mark.proof
def test_whole_fits_have_the_same_bits_everywhere():
    """Serial, processes and threads take the same course, epoch by epoch."""
    x, y = reference_data()
    courses = []
    for place in PLACES:
        model = reference_network()
        history = model.fit(x, y, optimizer=LevenbergMarquardt(jacobian="columns", **place), epochs=3, seed=1)
        series = history.to_dict()
        courses.append(
            (model.parameters.tobytes(), series["train_mse"], series["gain_ratio"], series["gradient_norm"])
        )
        assert history.forward_passes[-1] == 1 + 3 * 682 + sum(history.trials)
    assert courses[0] == courses[1] == courses[2]


def test_large_inputs_reach_the_workers_whole():
    """Arrays that joblib hands over as memory maps give the same bits, also when the parameters change."""
    network = architecture(3, (4, "tanh"), (1, "linear"))
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (3, 50_000))  # 1.2 MB, above joblib's limit for mapping
    for parameters in rng.normal(size=(2, network.parameters)):
        serial = jacobian(network, parameters, x, "columns")
        assert jacobian(network, parameters, x, "columns", n_jobs=2).tobytes() == serial.tobytes()


@pytest.mark.parametrize("tanh", kernels.names())
def test_every_kernel_has_a_step_that_sees_its_slope(tanh):
    """With its default step no kernel's Jacobian is further from the exact one than its formula's slope is."""
    model = reference_network()
    x = np.linspace(-1.0, 1.0, 60)[np.newaxis]
    exact = jacobian(model.architecture, model.parameters, x)
    J = jacobian(model.architecture, model.parameters, x, "columns", tanh=tanh)
    error = np.linalg.norm(J - exact) / np.linalg.norm(exact)
    most = {
        "exact": 1e-7,
        "float32": 1e-3,
        "fast": 0.07,
        "faster": 0.4,
        "1e-4": 2e-3,
        "1e-7": 1e-6,
        "1e-12": 2e-7,
    }
    assert error < most[tanh]


def test_default_steps_beat_those_far_from_them():
    """A float32 kernel's noise is divided by the step: ten times smaller or larger is worse."""
    model = reference_network()
    x = np.linspace(-1.0, 1.0, 60)[np.newaxis]
    exact = jacobian(model.architecture, model.parameters, x)

    def error(step):
        J = jacobian(model.architecture, model.parameters, x, "columns", tanh="float32", step=step)
        return np.linalg.norm(J - exact)

    best = DEFAULT_STEPS["float32"]
    assert error(best) < min(error(best / 10), error(best * 10))


@pytest.mark.parametrize(("columns", "workers"), [(681, 2), (3, 2), (1, 1), (10, 8), (100_000, 64)])
def test_batches_cover_every_column_once(columns, workers):
    """Batches follow one another without gaps, and none is empty; those of each round are smaller."""
    ranges = batches(columns, workers)
    assert [index for start, stop in ranges for index in range(start, stop)] == list(range(columns))
    assert all(start < stop for start, stop in ranges)
    assert len(ranges) <= 2 * workers
    sizes = [stop - start for start, stop in ranges]
    assert sizes[-1] <= max(1, sizes[0] // 2)


def test_scopes_name_every_pass(monkeypatch):
    """A serial Jacobian of the reference network opens "predict" 682 times, "activation" four times in each."""
    opened = collections.Counter()

    def counting(name):
        opened[name] += 1
        return contextlib.nullcontext()

    for module in ("network.forward", "jacobians.columns"):
        monkeypatch.setattr(f"workbench.trainer.{module}.scope", counting)
    model = reference_network()
    jacobian(model.architecture, model.parameters, np.zeros((1, 3)), "columns")
    assert opened == {"columns": 1, "predict": 682, "activation": 4 * 682}
