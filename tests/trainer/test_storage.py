"""Model files: bits survive, and whatever is not a whole model file is refused by name."""

import json
import zipfile

import numpy as np
import pytest
from trainer_reference import reference_data, small_network

from workbench.errors import InvalidInputError
from workbench.trainer import LevenbergMarquardt, Sequential


@pytest.fixture
def saved(tmp_path):
    x, y = reference_data()
    model = small_network()
    model.fit(x, 100.0 + 7.0 * y, epochs=5, optimizer=LevenbergMarquardt(tanh="fast"))
    path = tmp_path / "net.npz"
    model.save(path)
    return model, path


def rewritten(path, **changes):
    """Save the file again with some entries changed, or left out where None."""
    with np.load(path) as file:
        entries = dict(file) | changes
    np.savez(path, **{name: value for name, value in entries.items() if value is not None})


def header(path, **changes):
    with np.load(path) as file:
        return np.array(json.dumps(json.loads(str(file["header"])) | changes))


def test_predictions_survive_with_the_same_bits(saved):
    """Scaling, kernel and weights come back: a loaded model predicts the same bits."""
    model, path = saved
    loaded = Sequential.load(path)
    x = np.linspace(-0.5, 1.5, 333)
    assert loaded.predict(x).tobytes() == model.predict(x).tobytes()
    assert loaded.tanh == "fast"
    assert loaded.predict(x, tanh="exact").tobytes() != loaded.predict(x).tobytes()
    assert loaded.architecture == model.architecture


def test_path_is_kept_as_given(saved, tmp_path):
    """No suffix is added, an older file is replaced, and nothing else is left in the directory."""
    model, path = saved
    model.save(tmp_path / "plain")
    model.save(str(path))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["net.npz", "plain"]
    assert Sequential.load(str(tmp_path / "plain")).parameters.tobytes() == model.parameters.tobytes()


def refuses(path, match):
    with pytest.raises(InvalidInputError, match=match) as caught:
        Sequential.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cut_short_anywhere(saved):
    """A file that ends too early is refused, wherever it ends."""
    _, path = saved
    whole = path.read_bytes()
    for length in [0, 1, 3, 10, *range(50, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refuses(path, "not a whole workbench model file")


def test_flipped_bytes(saved):
    """A damaged byte is found by checksum or check, or has no effect; it is never another exception."""
    model, path = saved
    whole = path.read_bytes()
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            loaded = Sequential.load(path)
        except InvalidInputError:
            continue
        assert loaded.parameters.tobytes() == model.parameters.tobytes()


def test_foreign_files(saved, tmp_path):
    """A text, an array, another .npz, a zip and a pickle are not models."""
    _, path = saved
    path.write_text("a,b\n1,2\n")
    refuses(path, "not a whole workbench model file")
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    refuses(path, "single array")
    np.savez(path, a=np.arange(3))
    refuses(path, "header")
    np.savez(path, header=np.array(json.dumps({"format": "other", "version": 1})))
    refuses(path, "its format is 'other'")
    np.savez(path, header=np.array([{"a": 1}], dtype=object))
    refuses(path, "not a whole workbench model file")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", "text")
    refuses(path, "not a whole workbench model file")
    refuses(tmp_path / "none.npz", "no model file")
    refuses(tmp_path, "cannot read")


def test_newer_version(saved):
    """A file of a later format says so, and what to do."""
    _, path = saved
    rewritten(path, header=header(path, version=2))
    refuses(path, "model format 2, and this workbench reads up to 1: upgrade")


@pytest.mark.parametrize(
    ("entry", "value", "match"),
    [
        ("parameters", np.zeros(4), "parameters are float64, shape"),
        ("parameters", np.full(19, np.nan), "not finite"),
        ("parameters", np.zeros(19, dtype=np.float32), "float32"),
        ("parameters", None, "parameters"),
        ("input_low", np.array([5.0]), "input ranges are empty"),
        ("output_high", np.zeros(2), "output_high are float64, shape"),
    ],
)
def test_inconsistent_entries(saved, entry, value, match):
    """Entries that do not fit the header are refused."""
    _, path = saved
    rewritten(path, **{entry: value})
    refuses(path, match)


@pytest.mark.parametrize(
    "changes",
    [{"tanh": "quick"}, {"layers": []}, {"layers": [[3]]}, {"layers": 5}, {"inputs": "one"},
     {"layers": [[6, "swish"]]}, {"version": "1"}, {"tanh": []}],
)  # fmt: skip
def test_inconsistent_header(saved, changes):
    """A header of the wrong shape is refused as one line too."""
    _, path = saved
    rewritten(path, header=header(path, **changes))
    refuses(path, "not a whole workbench model file")


def test_saving_where_it_cannot_be(tmp_path):
    """A missing directory is named with the remedy."""
    with pytest.raises(InvalidInputError, match=r"cannot write .*give a path in a directory that exists"):
        small_network().save(tmp_path / "missing" / "net.npz")
