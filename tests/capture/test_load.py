"""`workbench.load`: one call for whatever holds a profile."""

from __future__ import annotations

import gzip
import subprocess
import sys

import pytest

import workbench
from workbench.errors import InvalidInputError
from workbench.formats.speedscope import write_speedscope
from workbench.profile import without_samples


@pytest.fixture
def recording(tmp_path):
    with (
        workbench.record(str(tmp_path / "run" / "recording")),
        workbench.scope("fit"),
        workbench.scope("solve"),
    ):
        workbench.mark("here")
    return tmp_path / "run" / "recording"


def test_a_recording(recording):
    """The folder of a recording, and the one of a run around it, are the same profile."""
    for folder in (recording, recording.parent, str(recording)):
        profile = workbench.load(folder).check()
        assert {frame.name for frame in profile.frames} == {"fit", "solve"}
        assert profile.tracks[0].marks.name == ("here",)


def test_a_file(recording, tmp_path):
    """A file of any format is read by its content, gzipped or not; a format that is given is taken as said."""
    write_speedscope(without_samples(workbench.load(recording)), tmp_path / "x.speedscope.json")
    (tmp_path / "y").write_bytes(gzip.compress((tmp_path / "x.speedscope.json").read_bytes()))
    for path, given in (
        (tmp_path / "x.speedscope.json", None),
        (tmp_path / "y", None),
        (tmp_path / "y", "speedscope"),
    ):
        assert len(workbench.load(path, given).check().tracks[0].spans) == 2
    with pytest.raises(InvalidInputError, match="not a file of folded stacks"):
        workbench.load(tmp_path / "y", "folded")


def test_what_is_no_profile(tmp_path):
    """What is missing, another folder, an unknown format and unknown content are named."""
    (tmp_path / "x.json").write_text('{"a": 1}')
    (tmp_path / "empty").write_text("")
    for path, given, match in (
        (tmp_path / "gone", None, "gone cannot be read: No such file"),
        (tmp_path, None, "holds no profile, recording or experiment"),
        (tmp_path, "folded", "is a folder, which has no format"),
        (tmp_path / "x.json", "foldet", "did you mean 'folded'"),
        (tmp_path / "x.json", None, "not known from its name or its content"),
        (tmp_path / "empty", None, "not known from its name or its content"),
    ):
        with pytest.raises(InvalidInputError, match=match):
            workbench.load(path, given)


def test_import_stays_light():
    """`import workbench` loads no NumPy; `workbench.load` is there all the same."""
    code = (
        "import sys, workbench; print('numpy' in sys.modules); workbench.load; print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
