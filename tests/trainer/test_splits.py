"""Which rows are held out: the last ones in their order, or rows of one's own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.trainer.large_rows import chunked, small
from workbench.errors import InvalidInputError
from workbench.trainer import ArrayRows, Sequential, split_of

T = np.linspace(0.0, 1.0, 200)
SERIES = np.sin(9.0 * T) + T
OWN = (np.linspace(1.0, 1.2, 30), np.sin(9.0 * np.linspace(1.0, 1.2, 30)) + 1.1)


def in_memory(x, y, **options):
    model = small()
    return model, model.fit(x, y, epochs=4, **options)


def in_chunks(x, y, **options):
    model = small()
    return model, model.fit(x, y, epochs=4, optimizer=chunked(chunk_rows=64), **options)


def from_a_file(folder):
    def fit(x, y, **options):
        np.save(folder / "rows.npy", np.column_stack([x, y]))
        rows = np.load(folder / "rows.npy", mmap_mode="r")
        return in_chunks(rows[:, :1], rows[:, 1:], **options)

    return fit


@pytest.fixture(params=["memory", "file"])
def fit(request, tmp_path):
    return in_memory if request.param == "memory" else from_a_file(tmp_path)


def test_ordered_rows_are_held_out_from_the_end(fit):
    """Training is before validation and validation before test: the errors are those of these rows."""
    model, history = fit(T, SERIES, split="ordered", validation=0.2, test=0.1)
    assert history.rows == {"training": 140, "validation": 40, "test": 20}
    assert model.input_scaling.high == T[139]
    assert model.evaluate(T[140:180], SERIES[140:180]).scaled_mse == pytest.approx(history.validation_mse[-1])
    assert model.evaluate(T[180:], SERIES[180:]).scaled_mse == pytest.approx(history.test_mse[-1])


def test_split_of_names_the_rows():
    """Each row is in one part; the seed decides which, except of an ordered fit."""
    drawn = split_of(1000, seed=1)
    assert sorted(np.concatenate([drawn.training, drawn.validation, drawn.test])) == list(range(1000))
    assert [len(drawn.training), len(drawn.validation), len(drawn.test)] == [700, 200, 100]
    assert split_of(1000, seed=1).test.tolist() == drawn.test.tolist() != split_of(1000, seed=2).test.tolist()
    parts = split_of(10, validation=0.2, test=0.3, split="ordered", seed=4)
    assert parts.training.tolist() == [0, 1, 2, 3, 4]
    assert parts.validation.tolist() == [5, 6]
    assert parts.test.tolist() == [7, 8, 9]


@pytest.mark.parametrize("split", ["random", "ordered"])
def test_validation_rows_of_ones_own(fit, split):
    """The validation error is theirs; nothing is fitted or scaled to them, and `test` is of the other rows."""
    model, history = fit(T, SERIES, split=split, validation=OWN, test=0.1)
    assert history.rows == {"training": 180, "validation": 30, "test": 20}
    assert model.input_scaling.high <= T[-1]
    assert model.evaluate(*OWN).scaled_mse == pytest.approx(history.validation_mse[-1])
    other, _ = fit(T, SERIES, split=split, validation=(OWN[0], 1e3 * OWN[1]), test=0.1)
    assert other.parameters.tobytes() == model.parameters.tobytes()


def test_patience_looks_at_rows_of_ones_own():
    """They are validation rows like others: the parameters with their least error stay."""
    model = small()
    history = model.fit(T, SERIES, validation=OWN, epochs=40, patience=3)
    assert model.evaluate(*OWN).scaled_mse == pytest.approx(min(history.validation_mse))


@pytest.mark.parametrize(
    "options", [{"split": "ordered"}, {"validation": OWN}, {"validation": OWN, "split": "ordered"}]
)
def test_a_fit_that_is_resumed_has_the_same_parts(fit, options, tmp_path):
    """Ordered or with rows of one's own, in memory or in a file: the bits are those of a fit that never stopped."""

    def stop(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    whole, history = fit(T, SERIES, **options)
    fit(T, SERIES, **options, callback=stop, checkpoint=tmp_path / "kept.npz")
    own = options.get("validation")
    again, resumed = fit_again(fit, tmp_path, own)
    assert again.parameters.tobytes() == whole.parameters.tobytes()
    assert resumed.validation_mse == history.validation_mse
    other = None if own else OWN
    with pytest.raises(InvalidInputError, match="validation rows of its own"):
        Sequential.resume(tmp_path / "kept.npz", T, SERIES, validation=other)


def test_a_sigmoid_that_is_resumed_has_the_range_of_its_targets(tmp_path):
    """In chunks as in memory targets are scaled to [0, 1], and a checkpoint keeps that."""

    def network():
        return Sequential.builder(1).dense(4, "tanh").dense(1, "sigmoid").build(seed=1)

    for options in ({}, {"optimizer": chunked()}):
        whole, part = network(), network()
        whole.fit_rows(ArrayRows(T, SERIES), epochs=6, **options)
        part.fit_rows(ArrayRows(T, SERIES), epochs=3, checkpoint=tmp_path / "kept.npz", **options)
        again, _ = Sequential.resume_rows(tmp_path / "kept.npz", ArrayRows(T, SERIES), epochs=6)
        assert again.output_scaling.to == (0.0, 1.0)
        assert again.predict(T).tobytes() == whole.predict(T).tobytes()
    whole, part = network(), network()
    whole.fit(T, SERIES, epochs=6)
    part.fit(T, SERIES, epochs=3, checkpoint=tmp_path / "memory.npz")
    again, _ = Sequential.resume(tmp_path / "memory.npz", T, SERIES, epochs=6)
    assert again.predict(T).tobytes() == whole.predict(T).tobytes()


def test_a_checkpoint_of_version_1_is_resumed(tmp_path):
    """It knew fractions alone, and no range of targets: with these it has the bits of a fit that never stopped."""
    path = tmp_path / "kept.npz"
    whole, _ = in_memory(T, SERIES)
    small().fit(T, SERIES, epochs=2, checkpoint=path)
    with np.load(path) as file:
        entries = dict(file)
    header = json.loads(str(entries.pop("header")))
    shares = header.pop("shares")
    assert header.pop("targets_to") == [-1.0, 1.0]
    header |= {"version": 1, "validation": shares["validation"], "test": shares["test"]}
    np.savez(path, header=np.array(json.dumps(header)), **entries)
    again, _ = Sequential.resume(path, T, SERIES, epochs=4)
    assert again.parameters.tobytes() == whole.parameters.tobytes()


def fit_again(fit, folder, own):
    x, y = T, SERIES
    if fit is not in_memory:
        rows = np.load(folder / "rows.npy", mmap_mode="r")
        x, y = rows[:, :1], rows[:, 1:]
    return Sequential.resume(folder / "kept.npz", x, y, validation=own)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"split": "order"}, "unknown split 'order': did you mean 'ordered'"),
        ({"validation": (T,)}, "validation has 1 parts: give a fraction of the rows, or rows"),
        ({"validation": (T, SERIES[1:])}, "validation x has 200 rows and validation y has 199"),
        (
            {"validation": (np.column_stack([T, T]), SERIES)},
            "validation x has 2 columns and the network 1 inputs",
        ),
        ({"validation": (T, np.full(200, np.nan))}, "validation y holds nan at row 0, column 0"),
        ({"validation": OWN, "test": 0.995}, "leave 1 for training"),
        ({"split": "ordered", "validation": 0.001}, "validation=0.001 of 200 rows is no row"),
    ],
)
def test_parts_that_cannot_be(options, match):
    """What is wrong with the parts is named before the fit begins."""
    with pytest.raises(InvalidInputError, match=match) as caught:
        small().fit(T, SERIES, epochs=1, **options)
    assert "\n" not in str(caught.value)


def test_a_source_has_its_validation_rows_at_its_end():
    """`fit_rows` says how to give rows of one's own."""
    with pytest.raises(InvalidInputError, match=r"last rows of the source, with split='ordered'"):
        small().fit_rows(ArrayRows(T, SERIES), validation=OWN, epochs=1)
