"""Rows that need not be in memory: the same fit in chunks, from arrays, files and iterators, and what is refused."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.large_rows import ROWS, chunked, fitted, pairs, saved, small, wavy
from tests.trainer.trainer_reference import architecture
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.trainer import SGD, ArrayRows, IteratorRows, LevenbergMarquardt, Sequential
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.cost_model import cost
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.rows.chunked import ChunkedRows, ChunkTask
from workbench.trainer.rows.groups import View, group_rows, open_groups
from workbench.trainer.splits import BLOCK, PARTS, BlockSplit, Shares, split_rows
from workbench.trainer.steps.normal import WholeRows
from workbench.trainer.workers import blas
from workbench.trainer.workers.thread_pool import NO_POOL


@settings(max_examples=40)
@given(
    inputs=st.integers(1, 3),
    hidden=st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from(["tanh", "sigmoid", "relu", "linear"])), max_size=2
    ),
    outputs=st.integers(1, 3),
    rows=st.integers(1, 40),
    chunk=st.integers(1, 45),
    kernel=st.sampled_from([None, "fast"]),
    seed=st.integers(0, 2**20),
)
def test_sums_over_chunks_are_those_of_all_rows(inputs, hidden, outputs, rows, chunk, kernel, seed):
    """JᵀJ, Jᵀr, ‖r‖² and Jᵀr″ by chunks of any size are those of a whole Jacobian, up to rounding."""
    network = architecture(inputs, *hidden, (outputs, "linear"))
    rng = np.random.default_rng(seed)
    x, target = rng.uniform(-1, 1, (inputs, rows)), rng.uniform(-1, 1, (outputs, rows))
    parameters, velocity = rng.normal(size=(2, network.parameters))
    options = chunked(chunk_rows=chunk, jacobian_tanh=kernel)

    def sums(source):
        matrix, gradient = np.zeros((network.parameters,) * 2, order="F"), np.empty(network.parameters)
        squares = source.evaluate(parameters)
        source.accumulate(parameters, matrix, gradient)
        second = source.second_order(parameters, velocity)
        return [np.array([squares]), np.tril(matrix), gradient, second]

    with open_groups(ArrayRows(x.T, target.T), 1, "loky") as map_groups:
        found = sums(ChunkedRows(ChunkTask.of(network, options, View(), rows), map_groups, rows))
    work = cost(network, rows, "backprop")
    with open_jacobian(network, x, "backprop", tanh=options.kernel_of_jacobian) as whole:
        expected = sums(WholeRows(TrainingProblem(network, x, target), whole, "exact", work, NO_POOL))
    for values, others in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, others, rtol=1e-9, atol=1e-10 * (1 + np.abs(others).max()))


@pytest.mark.parametrize(
    "options", [{}, {"scaling": "more"}, {"bayesian": True}, {"geodesic": False}, {"l2": 0.1}]
)
def test_a_fit_in_chunks_goes_the_way_of_a_whole_one(options):
    """With every option the errors of each epoch are those of `backprop`, up to rounding."""
    x, y = wavy(3000)
    whole, parts = (
        small().fit(x, y, optimizer=LevenbergMarquardt(jacobian=name, **options), epochs=6)
        for name in ("backprop", "backprop-chunked")
    )
    np.testing.assert_allclose(parts.train_mse, whole.train_mse, rtol=1e-6)
    np.testing.assert_allclose(parts.validation_mse, whole.validation_mse, rtol=1e-6)
    assert parts.trials == whole.trials
    # A whole Jacobian begins with the accepted trial's forward pass; in chunks it is not there any more.
    shared = [
        passes - jacobians for passes, jacobians in zip(parts.forward_passes, parts.jacobians, strict=True)
    ]
    assert shared == whole.forward_passes
    assert parts.jacobian == {"strategy": "backprop-chunked", "reason": "asked for"}


def test_rows_give_the_same_bits_wherever_they_come_from(tmp_path):
    """Arrays, float32 values that are exact, a memory-mapped file and iterators in batches of any size: one fit."""
    x, y = (np.float64(np.float32(part)) for part in wavy())
    mapped = saved(tmp_path / "rows.npy", x, y)
    ways = [
        lambda model, options: model.fit_rows(ArrayRows(x, y), **options),
        lambda model, options: model.fit_rows(ArrayRows(x[:, 0], y.astype(np.float32)), **options),
        lambda model, options: model.fit_rows(ArrayRows(*mapped), optimizer=chunked(), **options),
        lambda model, options: model.fit(*mapped, **options),
        lambda model, options: model.fit(mapped[0][:, 0], y, **options),
        lambda model, options: model.fit_rows(IteratorRows(pairs(x, y, 999)), **options),
        lambda model, options: model.fit_rows(IteratorRows(pairs(x[:, 0], y, ROWS), ROWS), **options),
    ]
    first, *others = [fitted(way) for way in ways]
    for other in others:
        assert other == first


def test_a_fit_in_memory_in_chunks_has_the_bits_of_one_from_a_source():
    """Where all rows are for training the two ways are one: the same groups, added up in the same order."""
    x, y = wavy()
    everything = {"validation": 0.0, "test": 0.0, "optimizer": chunked()}
    assert fitted(lambda model, options: model.fit(x, y, **everything, **options)) == fitted(
        lambda model, options: model.fit_rows(ArrayRows(x, y), **everything, **options)
    )


def test_the_history_tells_of_rows_and_strategy():
    """The parts' sizes are there, and why the rows are taken in chunks."""
    history = small().fit_rows(ArrayRows(*wavy()), epochs=1)
    assert history.rows == {"training": 14_000, "validation": 4000, "test": 2000}
    assert history.jacobian["strategy"] == "backprop-chunked"
    assert "read in chunks" in history.jacobian["reason"]


def test_held_out_errors_and_ranges_are_of_the_parts_that_the_split_names():
    """The scaling has the ranges of the training rows; `evaluate` on a part's rows gives the history's error."""
    x, y = wavy()
    model = small()
    history = model.fit_rows(ArrayRows(x, y), epochs=2, seed=5)
    labels = BlockSplit(ROWS, Shares(0.2, 0.1), 5).labels(0, ROWS)
    training = labels == 0
    assert model.input_scaling.low == x[training].min()
    assert model.output_scaling.high == y[training].max()
    for part, errors in zip(
        PARTS, (history.train_mse, history.validation_mse, history.test_mse), strict=True
    ):
        chosen = labels == PARTS.index(part)
        assert model.evaluate(x[chosen], y[chosen]).scaled_mse == pytest.approx(errors[-1], rel=1e-9)


@settings(max_examples=60)
@given(
    rows=st.integers(40, 3 * BLOCK),  # enough for training rows beside the largest shares
    validation=st.sampled_from([0.0, 0.1, 0.2, 0.45]),
    test=st.sampled_from([0.0, 0.1, 0.5]),
    split=st.sampled_from(["random", "ordered"]),
    own=st.sampled_from([0, 1, BLOCK + 7]),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_every_row_is_in_one_part_whatever_is_asked_at_once(rows, validation, test, split, own, seed, data):
    """Parts have round(rows · fraction) rows, and a row's part is the same from every start and stop.

    Rows of one's own are behind the others. In order, the parts are those of rows in memory.
    """
    rows += own
    ordered = split == "ordered"
    split = BlockSplit(rows, Shares(validation, test, split, own), seed)
    labels = split.labels(0, rows)
    if labels is None:
        assert validation == test == own == 0
        return
    counts = np.bincount(labels, minlength=3).tolist()
    assert dict(zip(PARTS, counts, strict=True)) == split.counts
    assert counts[2] == round((rows - own) * test)
    assert abs(counts[1] - own - round((rows - own) * validation)) <= 1
    assert (labels[rows - own :] == PARTS.index("validation")).all()
    if ordered:
        in_memory = split_rows(split.shares, rows, np.random.default_rng(seed))
        for part, numbers in vars(in_memory).items():
            assert np.flatnonzero(labels == PARTS.index(part)).tolist() == numbers.tolist()
    start = data.draw(st.integers(0, rows - 1))
    stop = data.draw(st.integers(start + 1, rows))
    assert (split.labels(start, stop) == labels[start:stop]).all()


def test_blocks_and_seeds_are_shuffled_apart():
    """Two blocks, and two seeds, hold different rows out."""
    one, other = (BlockSplit(2 * BLOCK, Shares(0.2, 0.1), seed).labels(0, 2 * BLOCK) for seed in (1, 2))
    assert (one != other).any()
    assert (one[:BLOCK] != one[BLOCK:]).any()


def test_groups_follow_from_the_rows_alone_and_stay_few():
    """From ten rows to a billion: whole blocks, and no more groups than a caller can add up."""
    assert group_rows(10) == group_rows(10**5) == 2 * BLOCK
    numbers = [rows / group_rows(rows) for rows in (10**6, 10**7, 10**8, 10**9)]
    assert all(group_rows(rows) % BLOCK == 0 for rows in (10**7, 10**9))
    assert numbers == sorted(numbers)
    assert numbers[0] > 50
    assert numbers[-1] < 2000


@pytest.mark.parametrize("view", ["whole", "columns", "backwards", "one", "float32"])
def test_a_source_of_a_file_travels_without_its_rows(tmp_path, view):
    """Pickled, a view of any kind is a path and a place in it, and gives the same rows when it is opened again."""
    np.save(tmp_path / "rows.npy", np.arange(60_000.0).reshape(-1, 6))
    table = np.load(tmp_path / "rows.npy", mmap_mode="r")
    if view == "float32":
        np.save(tmp_path / "other.npy", table.astype(np.float32))
        table = np.load(tmp_path / "other.npy", mmap_mode="r")
    x = {"columns": table[100:, 1:5:2], "backwards": table[::-1, ::-2], "one": table[7:8, 2:3]}.get(
        view, table
    )
    source = ArrayRows(x, x[:, :1])
    pickled = pickle.dumps(source)
    assert len(pickled) < 2000
    assert not source.in_memory
    opened = np.concatenate([part for _, part, _ in pickle.loads(pickled).chunks(1000, 0, len(x))])
    assert (opened == x).all()
    assert opened.dtype == np.float64


def test_a_copy_on_write_map_travels_with_its_rows(tmp_path):
    """What was changed in memory only is not in the file, so it is not read from there."""
    np.save(tmp_path / "rows.npy", np.zeros((10, 2)))
    table = np.load(tmp_path / "rows.npy", mmap_mode="c")
    table[3] = 1.0
    source = pickle.loads(pickle.dumps(ArrayRows(table[:, :1], table[:, 1:])))
    assert [x.sum() for _, x, _ in source.chunks(10, 0, 10)] == [1.0]


def test_a_file_is_never_read_whole(tmp_path):
    """For twice the rows, 20 MB more in a memory-mapped file, a fit allocates no more than a megabyte more."""
    peaks = []
    for rows in (2 * ROWS, 4 * ROWS):
        table = np.lib.format.open_memmap(tmp_path / f"{rows}.npy", "w+", np.float64, (rows, 64))
        table[...] = np.random.default_rng(1).normal(size=64)
        table[:, 0] = np.linspace(0.0, 1.0, rows)
        table[::2] += 0.5
        model = Sequential.builder(inputs=63).dense(1, "linear").build(seed=1)
        tracemalloc.start()
        with blas.one_thread():  # so that what two threads have at once is no matter of luck
            model.fit(table[:, 1:], table[:, 0], epochs=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < table.nbytes
    assert peaks[1] - peaks[0] < 1e6


def test_a_resumed_fit_from_a_source_has_the_same_bits(tmp_path):
    """A fit that stopped after two epochs resumes as if it had not; other rows are refused."""
    x, y = saved(tmp_path / "rows.npy", *wavy())
    unbroken, path = small(), tmp_path / "checkpoint.npz"
    expected = unbroken.fit(x, y, epochs=4)
    small().fit(x, y, epochs=2, checkpoint=path)
    with pytest.raises(InvalidInputError, match="not the rows"):
        Sequential.resume(path, x, 2 * y)
    model, history = Sequential.resume(path, x, y, epochs=4)
    assert model.parameters.tobytes() == unbroken.parameters.tobytes()
    assert history.train_mse == expected.train_mse
    assert history.validation_mse == expected.validation_mse


X, Y = wavy(20)


def at(row, value, rows=9000):
    x, y = wavy(rows)
    y[row] = value
    return ArrayRows(x, y)


def grows():
    """Return a maker whose iterator gives a row more each time."""
    calls = iter(range(10, 100))
    return lambda: [wavy(next(calls))]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: at(8500, np.nan), "y holds nan at row 8500, column 0"),
        (lambda: at(3, -np.inf), "y holds -inf at row 3, column 0"),
        (lambda: at(3, 1e200), r"y holds 1e\+200 at row 3, column 0"),
        (lambda: ArrayRows(X, Y[:-1]), "x has 20 rows and y has 19"),
        (lambda: ArrayRows(X[:0], Y[:0]), "x is empty"),
        (lambda: ArrayRows(X * 1j, Y), "x is complex"),
        (lambda: ArrayRows(["a"], [1.0]), "x holds 'a', of type <U1, at row 0, column 0"),
        (lambda: ArrayRows(np.zeros((2, 2, 2)), Y), "x has shape 2x2x2"),
        (lambda: ArrayRows(np.column_stack([X, X]), Y), "x has 2 columns and the network 1 inputs"),
        (lambda: ArrayRows(X, np.column_stack([Y, Y])), "y has 2 columns and the network 1 outputs"),
        (lambda: ArrayRows(X, np.ones(20)), r"y column 0 is constant \(1\)"),
        (lambda: ArrayRows(X[:4], Y[:4]), "test=0.1 of 4 rows is no row"),
        (lambda: IteratorRows(pairs(X, Y, 5)()), "make_iterator is generator"),
        (lambda: IteratorRows(list), "the iterator gives no rows"),
        (lambda: IteratorRows(lambda: [1.0]), "the iterator gave float after 0 rows"),
        (
            lambda: IteratorRows(lambda: [(X, Y), (X, Y[1:])]),
            "after 20 rows the iterator gave x of 20 rows and y of 19",
        ),
        (
            lambda: IteratorRows(lambda: [(X, Y), (X, [[1, 2]] * 20)]),
            "after 20 rows .* 1 and 2 columns",
        ),
        (
            lambda: IteratorRows(lambda: [(X, ["a"] * 20)]),
            "y after 0 rows holds 'a', of type <U1, at row 0, column 0",
        ),
        (lambda: IteratorRows(pairs(X, Y, 7), 30), "the iterator gave 20 rows where 30 were expected"),
        (
            lambda: IteratorRows(pairs(X, Y, 7), 18),
            "gave more than 18 rows where 18 were",
        ),
        (lambda: IteratorRows(grows()), "gave more than 11 rows where 11 were"),
        (
            lambda: IteratorRows(lambda: [(X, Y), (X, np.ma.masked_greater(X, X[4]))]),
            "y after 20 rows is masked at row 5, column 0",
        ),
        (
            lambda: IteratorRows(pairs(X, np.where(X[13] == X, np.nan, Y), 7)),
            "y holds nan at row 13, column 0",
        ),
    ],
)
def test_rows_that_cannot_be_used(make, match):
    """What is wrong is named in one line, with the row's number."""
    with pytest.raises(InvalidInputError, match=match) as caught:
        small().fit_rows(make(), epochs=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("optimizer", "match"),
    [
        (SGD(), "SGD needs all rows in memory"),
        (LevenbergMarquardt(jacobian="dual"), "jacobian='dual' needs all rows in memory"),
        ("adam", "optimizer is 'adam'"),
    ],
)
def test_optimisers_that_need_all_rows(optimizer, match):
    """They are refused with what to choose instead."""
    with pytest.raises(InvalidInputError, match=match):
        small().fit_rows(ArrayRows(X, Y), optimizer=optimizer)


def test_a_small_file_serves_every_optimiser_and_a_large_one_only_chunks(tmp_path, monkeypatch):
    """A file that is small is read into memory where the optimiser needs it; one that is large is refused."""
    x, y = saved(tmp_path / "rows.npy", X, Y)
    in_memory = small().fit(np.array(x), np.array(y), optimizer=SGD(), epochs=2)
    assert small().fit(x, y, optimizer=SGD(), epochs=2).train_mse == in_memory.train_mse
    monkeypatch.setattr("workbench.trainer.rows.fit_rows.MAX_COPIED_BYTES", 100)
    with pytest.raises(InvalidInputError, match="SGD needs all rows in memory, 0 MiB: choose"):
        small().fit(x, y, optimizer=SGD(), epochs=2)
    assert "read in chunks" in small().fit(X, Y, epochs=1).jacobian["reason"]


def test_a_file_that_is_cut_short_ends_the_fit_with_one_line(tmp_path):
    """A file that loses its end after the first epoch is named; the process lives."""
    x, y = saved(tmp_path / "rows.npy", *wavy())
    with pytest.raises(InvalidInputError, match=r"rows.npy has 1000 bytes and its rows end at byte 32012"):
        small().fit(x, y, callback=lambda _: (tmp_path / "rows.npy").open("r+").truncate(1000))


def test_rows_that_change_during_the_fit_are_noticed():
    """Rows written to between two epochs end the fit: its error at the same parameters is another."""
    x, y = wavy()

    def change(_):
        y[0] += 1.0

    with pytest.raises(WorkbenchError, match="rows have changed during the fit"):
        small().fit_rows(ArrayRows(x, y), validation=0, test=0, callback=change)
