"""Fitting: first-order optimisers, history, progress, scaling and the split."""

import csv
import itertools
import json

import numpy as np
import pytest

from tests.trainer.trainer_reference import reference_data, small_network
from workbench.errors import InvalidInputError
from workbench.trainer import (
    SGD,
    Adam,
    ArrayRows,
    LevenbergMarquardt,
    Sequential,
    StopReason,
    split_of,
)
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.steps.first_order import FirstOrderRun


@pytest.mark.parametrize(
    "optimizer",
    [SGD(), SGD(batch_size=50, clip_norm=1.0), Adam(), Adam(batch_size=64, l2=1e-3, tanh="fast")],
)
def test_first_order_optimisers_reduce_the_loss(optimizer):
    """SGD and Adam lower the training error, whole or in batches, clipped or not."""
    x, y = reference_data()
    history = small_network().fit(x, y, optimizer=optimizer, epochs=40)
    assert history.train_mse[-1] < 0.8 * history.initial_train_mse
    assert history.damping == [None] * 40


def test_first_order_gradient_includes_the_penalty():
    """The gradient is that of (½‖r‖² + ½·l2·‖w‖²) per residual."""
    model = Sequential.builder(2).dense(4, "sigmoid").dense(2, "tanh").build(seed=1)
    rng = np.random.default_rng(0)
    problem = TrainingProblem(model.architecture, rng.uniform(-1, 1, (2, 9)), rng.uniform(-1, 1, (2, 9)))
    run = FirstOrderRun(SGD(l2=0.5), problem, model.parameters, rng)

    def objective(w):
        r = problem.residuals(w, "exact")
        return (0.5 * np.sum(r**2) + 0.25 * np.sum(w**2)) / r.size

    h, w = 1e-6, model.parameters
    numeric = [(objective(w + h * e) - objective(w - h * e)) / (2 * h) for e in np.eye(w.size)]
    np.testing.assert_allclose(run.gradient(w, slice(None)), numeric, rtol=1e-6, atol=1e-8)


def test_clipping_bounds_the_step():
    """Without momentum one step is no longer than learning_rate · clip_norm."""
    x, y = reference_data()
    model = small_network()
    before = model.parameters.copy()
    model.fit(x, y, optimizer=SGD(learning_rate=2.0, momentum=0.0, clip_norm=1e-3), epochs=1)
    assert np.linalg.norm(model.parameters - before) == pytest.approx(2e-3, rel=1e-9)


def test_diverging_descent_ends_not_finite_with_the_best_weights():
    """A learning rate that blows up ends by name, with the least training error's weights."""
    x, y = reference_data()
    model = Sequential.builder(1).dense(5, "relu").dense(1, "linear").build(seed=0)
    history = model.fit(x, y, optimizer=SGD(learning_rate=1e3), epochs=500, validation=0, test=0)
    assert history.stop_reason is StopReason.NOT_FINITE
    finite = [mse for mse in [history.initial_train_mse, *history.train_mse] if np.isfinite(mse)]
    assert model.evaluate(x, y).scaled_mse == pytest.approx(min(finite), rel=1e-9)
    json.dumps(history.to_dict(), allow_nan=False)


def test_same_seed_same_fit():
    """Weights, split, batches: nothing is drawn that the seeds do not fix."""
    x, y = reference_data()
    results = []
    for _ in range(2):
        model = small_network(seed=4)
        history = model.fit(x, y, optimizer=Adam(batch_size=32), epochs=5, seed=9)
        results.append((model.parameters.tobytes(), history.train_mse))
    assert results[0] == results[1]
    assert small_network(seed=5).parameters.tobytes() != small_network(seed=4).parameters.tobytes()


def test_history_files(tmp_path):
    """JSON is strict and CSV has a line per epoch, both with every series, also without held-out rows."""
    x, y = reference_data()
    clock = itertools.count(0.0, 0.25)
    history = small_network().fit(x, y, epochs=3, validation=0, test=0, seed=5, clock=lambda: next(clock))
    history.to_json(tmp_path / "history.json")
    history.to_csv(tmp_path / "history.csv")

    def refuse(constant):
        raise AssertionError(constant)

    loaded = json.loads((tmp_path / "history.json").read_text(), parse_constant=refuse)
    assert loaded == history.to_dict()
    assert loaded["seconds"] == [0.25] * 3
    assert loaded["validation_mse"] == [None] * 3
    assert (loaded["epochs"], loaded["seed"], loaded["parameters"]) == (3, 5, 19)
    assert loaded["stop_reason"] == "epochs used up"
    assert loaded["rows"] == {"training": 1000, "validation": 0, "test": 0}
    assert loaded["optimizer"]["name"] == "LevenbergMarquardt"
    assert loaded["kernels"]["tanh"] == {"name": "exact", "implementation": "numpy"}
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train_mse"]) for row in rows] == history.train_mse
    assert [row["validation_mse"] for row in rows] == [""] * 3


def test_callback_receives_each_epoch():
    """A progress bar needs no more than the callback's record."""
    x, y = reference_data()
    received = []
    history = small_network().fit(x, y, epochs=4, callback=received.append)
    assert [(p.epoch, p.epochs) for p in received] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [p.train_mse for p in received] == history.train_mse
    assert [p.validation_mse for p in received] == history.validation_mse
    assert [p.damping for p in received] == history.damping


def test_an_exception_in_the_callback_changes_nothing():
    """A fit that breaks leaves the model as it was."""
    x, y = reference_data()
    model = small_network()
    before = model.predict(x)

    def fail(progress):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        model.fit(x, y, callback=fail)
    assert model.predict(x).tobytes() == before.tobytes()


def test_scaling_comes_from_training_rows_only():
    """A held-out outlier does not move the scaling, and each column has a range of its own."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, [1.0, 100.0], (100, 2)), rng.uniform(0, 1, 100)
    split = split_of(100, seed=0)
    x[split.test[0]] = 1e6
    model = Sequential.builder(2).dense(3, "tanh").dense(1, "linear").build(seed=0)
    model.fit(x, y, epochs=2, seed=0)
    np.testing.assert_array_equal(model.input_scaling.high, x[split.training].max(axis=0))
    scaled = model.input_scaling.scale(x[split.training])
    np.testing.assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], [[-1, -1], [1, 1]])


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_outputs_reach_all_of_their_targets(activation, seed):
    """Targets are scaled to what the output's activation can be: two classes are separated, far from its middle."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = np.where(x[:, 0] + x[:, 1] > 0, 40.0, -20.0)
    model = Sequential.builder(2).dense(6, "tanh").dense(1, activation).build(seed=seed)
    model.fit(x, y, epochs=60, seed=3)
    predicted = model.predict(x)[:, 0]
    assert np.mean((predicted > 10.0) == (y > 10.0)) > 0.97
    assert predicted.min() < -15.0
    assert predicted.max() > 35.0


@pytest.mark.parametrize("rows", [lambda x, y: (x, y), lambda x, y: (ArrayRows(x, y),)])
def test_an_output_of_relu_is_refused_with_the_remedy(rows):
    """One step may leave it without a slope at any row: what can be fitted instead is named, before any work."""
    model = Sequential.builder(1).dense(3, "tanh").dense(1, "relu").build(seed=0)
    given = rows(*reference_data())
    fit = model.fit if len(given) == 2 else model.fit_rows
    with pytest.raises(InvalidInputError, match=r"output is 'relu' cannot be fitted.*end it with a 'linear'"):
        fit(*given, epochs=1)


def test_the_range_of_targets_is_that_of_the_activation():
    """Least and largest training target are the ends of [0, 1] for sigmoid and of [−1, 1] for tanh."""
    x, y = reference_data()
    for activation, ends in (("sigmoid", [0.0, 1.0]), ("tanh", [-1.0, 1.0]), ("linear", [-1.0, 1.0])):
        model = Sequential.builder(1).dense(2, "tanh").dense(1, activation).build(seed=0)
        model.fit(x, y, epochs=1)
        scaling = model.output_scaling
        assert scaling.scale(np.array([scaling.low, scaling.high])).ravel().tolist() == ends
        np.testing.assert_allclose(scaling.unscale(scaling.scale(y)), y, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "fit",
    [
        lambda model, x, y: model.fit(x, y, epochs=30),
        lambda model, x, y: model.fit_rows(ArrayRows(x, y), epochs=30),
    ],
)
def test_constant_inputs_are_kept_and_have_no_effect(fit, tmp_path):
    """One line names them; the model takes the same columns, and whatever they hold changes no prediction."""
    x, y = reference_data()
    wide = np.column_stack([np.full(len(x), 5.0), x, np.zeros(len(x))])
    model = Sequential.builder(3).dense(6, "tanh").dense(1, "linear").build(seed=1)
    with pytest.warns(UserWarning, match=r"constant.*x column 0 \(5\), 2 \(0\); it is kept") as said:
        fit(model, wide, y)
    assert len([one for one in said if "constant" in str(one.message)]) == 1
    assert model.evaluate(wide, y).scaled_mse < 1e-3
    model.save(tmp_path / "net.npz")
    other = wide + np.array([1e6, 0.0, -3.0])
    assert Sequential.load(tmp_path / "net.npz").predict(other).tobytes() == model.predict(wide).tobytes()


def test_several_inputs_and_outputs():
    """Two inputs to two outputs fit as one network, with columns as with backprop."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (150, 2))
    y = np.column_stack([x[:, 0] * x[:, 1], 100 + 50 * np.sin(2 * x[:, 0])])
    for strategy in ("backprop", "columns"):
        model = Sequential.builder(2).dense(8, "tanh").dense(2, "linear").build(seed=1)
        history = model.fit(x, y, optimizer=LevenbergMarquardt(jacobian=strategy), epochs=40)
        assert history.train_mse[-1] < 1e-4
        assert model.predict(x).shape == (150, 2)
        assert model.evaluate(x, y).max_abs_error < 10.0


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
@pytest.mark.parametrize("initial", ["xavier", "nguyen-widrow"])
def test_every_activation_and_initial_method_trains(activation, initial):
    """No combination is there in name only."""
    x, y = reference_data()
    model = Sequential.builder(1).dense(10, activation).dense(1, "linear").build(seed=2, initial=initial)
    history = model.fit(x[::5], y[::5], epochs=30)
    assert history.train_mse[-1] < 0.75 * history.initial_train_mse


def test_initial_weights_follow_their_definitions():
    """Nguyen-Widrow: first-layer rows of length 0.7·S^(1/R); Xavier: weights within its bound, biases 0."""
    builder = Sequential.builder(2).dense(9, "tanh").dense(1, "linear")
    model = builder.build(seed=1, initial="nguyen-widrow")
    first, second = model.architecture.layer_views(model.parameters)
    np.testing.assert_allclose(np.linalg.norm(first.weights, axis=1), 0.7 * 3.0)
    assert np.abs(first.bias).max() == pytest.approx(0.7 * 3.0)
    model = builder.build(seed=1, initial="xavier")
    first, second = model.architecture.layer_views(model.parameters)
    assert np.abs(first.weights).max() <= np.sqrt(6 / 11)
    assert not first.bias.any()
    assert not second.bias.any()
