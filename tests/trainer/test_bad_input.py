"""Bad input gets one line: what was wrong, with the value, and the remedy."""

import dask.array as da
import numpy as np
import pytest

from tests.trainer.trainer_reference import small_network
from workbench.errors import InvalidInputError
from workbench.trainer import SGD, Adam, ArrayRows, LevenbergMarquardt, Sequential, kernels, problem, split_of

X = np.linspace(0.0, 1.0, 20)
DAYS = np.arange("2020-01-01", "2020-01-21", dtype="M8[D]")
DAYS[7] = "NaT"


def spoiled(value):
    x = X.copy()
    x[3] = value
    return x


def refuses(call, match):
    with pytest.raises(InvalidInputError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (spoiled(np.nan), X, "x holds nan at row 3, column 0"),
        (X, spoiled(-np.inf), "y holds -inf at row 3, column 0"),
        (X, X[:-1], "x has 20 rows and y has 19"),
        ([], [], "x is empty"),
        (np.zeros((0, 1)), np.zeros((0, 1)), "x is empty"),
        (np.zeros((4, 2)), X[:4], "x has 2 columns and the network 1 inputs"),
        (X, np.column_stack([X, X]), "y has 2 columns and the network 1 outputs"),
        (np.zeros((2, 2, 2)), X, "x has shape 2x2x2"),
        (3.0, 4.0, "a single number"),
        (["a", "b"], X, "x holds 'a', of type <U1, at row 0, column 0"),
        (["1.5", "2.5"], X, "x holds '1.5', of type <U3, at row 0, column 0.*numeric type"),
        (b"ab", X, "x has shape a single number"),
        (None, X, "x has shape a single number"),
        ([1.0, None, 2.0], X, "x holds None, of type object, at row 1, column 0"),
        ([[1.0, 2.0], [3.0, "x"]], X, "x holds 'x', of type <U32, at row 1, column 1"),
        (np.array([[1.0, "x" * 99]], object), X, "x holds 'x{39}…, of type object, at row 0, column 1"),
        (X.astype(object), X, "x holds 0.0, of type object, at row 0, column 0.*numeric type"),
        (DAYS, X, r"x holds NaT, of type datetime64\[D\], at row 7, column 0"),
        (X, DAYS[:7], r"y holds 2020-01-01, of type datetime64\[D\], at row 0, column 0"),
        (X, DAYS - DAYS[0], r"y holds NaT, of type timedelta64\[D\], at row 7, column 0"),
        (np.ma.masked_equal(X, X[4]), X, "x is masked at row 4, column 0"),
        (X, np.ma.masked_equal(X, X[4]), "y is masked at row 4, column 0"),
        (list(np.ma.masked_equal(np.column_stack([X, X]), X[4])), X, "x is masked at row 4, column 0"),
        (da.from_array(np.ma.masked_equal(X, X[4])), X, "x is masked at row 4, column 0"),
        (np.zeros(20, "f8,f8"), X, "x has fields"),
        ([[1.0], [2.0, 3.0]], X, "x does not consist of numbers"),
        (X * 1j, X, "x is complex"),
        (X, np.full(20, 2.5), r"y column 0 is constant \(2.5\)"),
        (spoiled(1.5e308), X, "x holds 1.5e.308 at row 3, column 0"),
        (X[:1], X[:1], "validation=0.2 of 1 rows is no row"),
        (X[:4], X[:4], "test=0.1 of 4 rows is no row"),
    ],
)
def test_data(x, y, match):
    """NaN, infinities, masks, dates, text, shapes, empty, constant and too few rows are named with their place."""
    refuses(lambda: small_network().fit(x, y, epochs=1), match)


def test_predictions_refuse_what_fits_refuse():
    """What lies under a mask is predicted as little as it is fitted."""
    refuses(lambda: small_network().predict(np.ma.masked_equal(X, X[4])), "x is masked at row 4, column 0")
    refuses(lambda: small_network().evaluate(X, DAYS), "y holds NaT")


def test_a_file_of_dates_is_refused_like_dates_in_memory(tmp_path):
    """Memory-mapped or not, the same line names the same row."""
    np.save(tmp_path / "days.npy", DAYS)
    days = np.load(tmp_path / "days.npy", mmap_mode="r")
    refuses(lambda: small_network().fit(days, X, epochs=1), r"x holds NaT, of type datetime64\[D\], at row 7")


def test_a_mask_that_hides_nothing_is_no_mask():
    """Masked arrays without masked values are fitted as the arrays they are, in memory and in chunks."""
    y = np.sin(3.0 * X)
    for fit in (
        lambda model, x: model.fit(x, y, epochs=2),
        lambda model, x: model.fit_rows(ArrayRows(x, y), epochs=2),
    ):
        plain, masked = small_network(), small_network()
        fit(plain, X)
        fit(masked, np.ma.masked_greater(X, 2.0))
        assert masked.parameters.tobytes() == plain.parameters.tobytes()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"epochs": True}, "epochs is True"),
        ({"validation": 0.6, "test": 0.4}, "validation=0.6 and test=0.4 leave no training rows"),
        ({"validation": -0.1}, "validation is -0.1"),
        ({"test": 1.0}, "test is 1.0"),
        ({"validation": X}, "validation is array.*…: give a finite number"),
        ({"test": float("nan")}, "test is nan"),
        ({"validation": 0.9, "test": 0.06}, "leave 1 for training"),
        ({"target_mse": -1.0}, "target_mse is -1.0"),
        ({"patience": 0}, "patience is 0"),
        ({"patience": 3, "validation": 0}, "patience=3 needs validation rows"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "a"}, "seed is 'a'"),
        ({"optimizer": "adam"}, "optimizer is 'adam'"),
    ],
)
def test_fit_options(options, match):
    """Every option of fit that cannot be used is refused before any work."""
    refuses(lambda: small_network().fit(X, X, **options), match)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LevenbergMarquardt(damping=0.0), "damping is 0.0"),
        (lambda: LevenbergMarquardt(damping=float("inf")), "damping is inf"),
        (lambda: LevenbergMarquardt(damping=1e11), "not between"),
        (lambda: LevenbergMarquardt(scaling="mor"), "did you mean 'more'"),
        (lambda: LevenbergMarquardt(bayesian=True, l2=0.1), "l2=0.1 with bayesian=True"),
        (lambda: LevenbergMarquardt(chunk_rows=0), "chunk_rows is 0"),
        (lambda: LevenbergMarquardt(rule="marquard"), "did you mean 'marquardt'"),
        (lambda: LevenbergMarquardt(jacobian="column"), "did you mean 'columns'"),
        (lambda: LevenbergMarquardt(backend="thread"), "did you mean 'threading'"),
        (lambda: LevenbergMarquardt(tanh="exakt"), "did you mean 'exact'"),
        (lambda: LevenbergMarquardt(jacobian_tanh="float23"), "did you mean 'float32'"),
        (lambda: LevenbergMarquardt(n_jobs=0), "n_jobs is 0"),
        (lambda: LevenbergMarquardt(n_jobs=1.5), "n_jobs is 1.5"),
        (lambda: LevenbergMarquardt(step=0.0), "step is 0.0"),
        (lambda: LevenbergMarquardt(l2=-1.0), "l2 is -1.0"),
        (lambda: LevenbergMarquardt(min_gradient=-1.0), "min_gradient is -1.0"),
        (lambda: SGD(learning_rate=0.0), "learning_rate is 0.0"),
        (lambda: SGD(momentum=1.0), "momentum is 1.0"),
        (lambda: SGD(batch_size=0), "batch_size is 0"),
        (lambda: SGD(tanh="quick"), "unknown tanh kernel 'quick'"),
        (lambda: Adam(clip_norm=0.0), "clip_norm is 0.0"),
        (lambda: Adam(beta2=1.0), "beta2 is 1.0"),
        (lambda: Adam(epsilon=0.0), "epsilon is 0.0"),
        (lambda: Adam(l2="much"), "l2 is 'much'"),
        (lambda: Sequential.builder(inputs=0), "inputs is 0"),
        (lambda: Sequential.builder(1).dense(0, "tanh"), "units of a dense layer is 0"),
        (lambda: Sequential.builder(1).dense(2, "tahn"), "did you mean 'tanh'"),
        (lambda: Sequential.builder(1).build(seed=0), "without layers"),
        (
            lambda: Sequential.builder(1).dense(1, "linear").build(seed=0, initial="xavi"),
            "did you mean 'xavier'",
        ),
        (lambda: Sequential.builder(1).dense(1, "linear").build(seed=None), "seed is None"),
        (lambda: split_of(0), "rows is 0"),
        (lambda: problem("multimodal"), "did you mean 'multimodal_1d'"),
        (lambda: problem("spiral", seed=-3), "seed is -3"),
        (lambda: kernels.kernel(["exact"]), "unknown tanh kernel"),
        (lambda: small_network().predict(X, tanh="exat"), "did you mean 'exact'"),
        (lambda: small_network().predict(spoiled(np.nan)), "x holds nan at row 3"),
        (lambda: small_network().evaluate(X, X[:3]), "x has 20 rows and y has 3"),
        (lambda: small_network().architecture.layer_views(np.zeros(3)), "a parameter vector of shape"),
    ],
)
def test_options_complain_early(make, match):
    """Options are checked where they are made, and unknown names are answered with the nearest."""
    refuses(make, match)


def test_rows_that_are_no_source_are_named():
    """An array is no source of rows: the message says what is."""
    model = Sequential.builder(1).dense(2, "tanh").dense(1, "linear").build(seed=0)
    match = r"x is ndarray, without y: give targets y, or a source such as ArrayRows"
    refuses(lambda: model.fit(np.zeros((3, 2))), match)
    refuses(lambda: model.fit_rows(np.zeros((3, 2))), match)
    refuses(lambda: model.fit(ArrayRows(X, X), X), "x is ArrayRows, a source, .*: leave y out")
