"""Model files: bits survive, and whatever is not a whole model file is refused by name."""

import io
import json
import os
import zipfile

import numpy as np
import pytest

from tests.trainer.trainer_reference import reference_data, small_network
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


def test_a_model_of_version_1_predicts_as_it_did(tmp_path):
    """It has no range of targets in it: what a sigmoid was fitted to then was scaled to [−1, 1]."""
    model = Sequential.builder(1).dense(3, "tanh").dense(1, "sigmoid").build(seed=1)
    model.save(tmp_path / "net.npz")
    head = json.loads(str(np.load(tmp_path / "net.npz")["header"]))
    del head["targets_to"]
    low, high = np.array([10.0]), np.array([20.0])
    rewritten(
        tmp_path / "net.npz",
        header=np.array(json.dumps(head | {"version": 1})),
        output_low=low,
        output_high=high,
    )
    loaded = Sequential.load(tmp_path / "net.npz")
    np.testing.assert_allclose(loaded.predict([0.3]), 15.0 + 5.0 * model.predict([0.3]))


class Claim:
    """An array that claims more than it has, in a file that `numpy.savez` might have written."""

    def __init__(self, path):
        with np.load(path) as file:
            self.entries = {name: npy(value) for name, value in file.items()}
        self.path = path

    def write(self, compression=zipfile.ZIP_STORED):
        with zipfile.ZipFile(self.path, "w", compression) as archive:
            for name, content in self.entries.items():
                archive.writestr(f"{name}.npy", content)


def npy(value):
    content = io.BytesIO()
    np.save(content, value)
    return content.getvalue()


def claiming(shape, data=b"", descr="<f8"):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue() + data


@pytest.mark.parametrize("name", ["header", "parameters", "input_low"])
def test_an_array_that_claims_terabytes(saved, name):
    """What an entry claims is compared with what is there before any memory is taken."""
    _, path = saved
    claim = Claim(path)
    claim.entries[name] = claiming((10**12,), bytes(160), "<U4" if name == "header" else "<f8")
    claim.write()
    refuses(path, f"{name} claims .* bytes")


def test_an_entry_that_unpacks_to_more_than_the_file(saved):
    """A few kilobytes that unpack to hundreds of megabytes are not unpacked."""
    _, path = saved
    claim = Claim(path)
    claim.entries["parameters"] = claiming((1 << 21,), bytes(8 << 21))
    claim.write(zipfile.ZIP_DEFLATED)
    refuses(path, "parameters claims 16777344 bytes and the file has")


def test_a_network_that_claims_terabytes(saved):
    """Layers of a million units are compared with the parameters that there are."""
    _, path = saved
    rewritten(path, header=header(path, layers=[[10**6, "tanh"], [10**6, "tanh"], [1, "linear"]]))
    refuses(path, "parameters are float64, shape")


def test_a_single_array_that_claims_terabytes(saved):
    """So is a bare array file, and a pipe is not waited for."""
    _, path = saved
    path.write_bytes(claiming((10**12,)))
    refuses(path, "single array")
    path.unlink()
    os.mkfifo(path)
    refuses(path, "no regular file")


def test_newer_version(saved):
    """A file of a later format says so, and what to do."""
    _, path = saved
    rewritten(path, header=header(path, version=3))
    refuses(path, "model format 3, and this workbench reads up to 2: upgrade")


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


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"format": "workbench-model", "format": "workbench-model"}', "'format' is twice in one object"),
        ("[" * 70 + "]" * 70, "nests more than 64 deep"),
        ("[" * 100_000, "nests too deeply"),
        ("[1, 2]", "Expected `object`, got `array`"),
        ("{", "it is no JSON"),
    ],
)
def test_a_header_that_is_no_record(saved, text, match):
    """A repeated key and excessive depth are refused before the header is used."""
    _, path = saved
    rewritten(path, header=np.array(text))
    refuses(path, match)


def test_saving_where_it_cannot_be(tmp_path):
    """A missing directory is named with the remedy."""
    with pytest.raises(InvalidInputError, match=r"cannot write .*give a path in a directory that exists"):
        small_network().save(tmp_path / "missing" / "net.npz")
