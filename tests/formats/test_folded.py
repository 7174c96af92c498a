"""Folded stacks, by the rules of the programs that read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.content import samples
from tests.helpers.random_profiles import random_profiles
from workbench.errors import InvalidInputError
from workbench.formats.folded import folded, write_folded
from workbench.formats.registry import read_profile
from workbench.profile import Frame, FrameKind, ProfileBuilder, aggregate


def profile_of(*rows):
    builder = ProfileBuilder("test")
    stacks = [builder.stack_of([Frame(name) for name in path]) for path, _ in rows]
    weights = [weight for _, weight in rows]
    at = [sum(weights[:i]) for i in range(len(rows))]
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(stacks, at, weights))
    return builder.build().check()


def test_lines_are_self_times_in_microseconds():
    """A line for each stack: frames from the root, a blank, whole microseconds on top of it; sorted."""
    profile = profile_of(
        (["main"], 2000), (["main", "b"], 5400), (["main", "a"], 1600), (["main", "b"], 1000)
    )
    assert folded(profile) == "main 2\nmain;a 2\nmain;b 6\n"


def test_names_cannot_break_a_line():
    """What separates frames and lines does not occur in names; names that become equal are merged."""
    profile = profile_of((["a;b\nc", " d\t"], 3000), (["a,b c", "d"], 4000), ([""], 1000))
    assert folded(profile) == "(no name) 1\na,b c;d 7\n"


def test_what_rounds_to_nothing_is_left_out():
    """A stack of less than half a microsecond has no line, and an empty profile has none at all."""
    assert folded(profile_of((["a"], 400), (["b"], 700))) == "b 1\n"
    assert folded(ProfileBuilder("empty").build()) == ""


@given(data=st.data())
def test_any_profile_gives_lines_that_can_be_read(data):
    """Each line is frames and a positive whole number, and the sum is the profile's time, but for rounding."""
    profile = data.draw(random_profiles())
    for of in ("samples", "spans"):
        lines = folded(profile, of=of).splitlines()
        assert all(re.fullmatch(r"[^;]+(;[^;]+)* [1-9]\d*", line) for line in lines)
        assert len({line.rpartition(" ")[0] for line in lines}) == len(lines)
        total = sum(int(line.rpartition(" ")[2]) for line in lines)
        assert abs(total - aggregate(profile, of=of).all_ns / 1000) <= len(profile.stacks) / 2


def test_lone_surrogates_are_written(tmp_path):
    """A name that UTF-8 cannot hold is written with an escape."""
    write_folded(profile_of((["lone \ud800"], 2000)), tmp_path / "x.folded")
    assert (tmp_path / "x.folded").read_bytes() == b"lone \\ud800 2\n"


def test_threads_of_which_nothing_was_seen(tmp_path):
    """py-spy's line without a stack, a blank and a count, hides neither the format nor what follows; it is counted."""
    path = tmp_path / "out"
    path.write_bytes(b" 3\n<module> (p.py:10);main (p.py:9) 136\n<module> (p.py:10);main (p.py:8) 5\n")
    profile = read_profile(path).check()
    assert (profile.file.format, profile.file.without_a_stack) == ("pyspy-raw", 3)
    assert profile.file.warnings[1] == "samples without a stack were left out: 3"
    assert profile.tracks[0].samples.weight_ns.sum() == 141 * 10_000_000


def test_names_have_their_files():
    """A function has its file behind it, with its line where that is known; folders of libraries are left out."""
    builder = ProfileBuilder("test")
    frames = [
        Frame("<module>", "/home/u/fit.py"),
        Frame("<module>", "/usr/lib/python3.12/site-packages/numpy/__init__.py"),
        Frame("loads", "/usr/lib/python3.12/json/__init__.py", 299),
        Frame("exp", "/usr/lib/x86_64-linux-gnu/libm.so.6", kind=FrameKind.NATIVE),
    ]
    builder.add_track("main", pid=1, tid=1, samples=builder.samples([builder.stack_of(frames)], [0], [5000]))
    text = folded(builder.build())
    assert text == (
        "<module> (/home/u/fit.py);<module> (numpy/__init__.py);loads (json/__init__.py:299);exp (libm.so.6) 5\n"
    )


def test_names_and_files_are_read_again(tmp_path):
    """What was written comes back with its files, in microseconds, also without a name that tells the format."""
    rows = "<module> (/home/u/fit.py);<module> (numpy/__init__.py);exp (libm.so.6) 5\n"
    rows += "fit;operator new (unsigned long) 7\n"
    for name in ("x.folded", "x"):
        (tmp_path / name).write_text(rows)
        profile = read_profile(tmp_path / name).check()
        assert (profile.file.format, profile.file.warnings) == ("folded", ())
        assert folded(profile) == rows
        assert set(profile.frames) == {
            Frame("<module>", "/home/u/fit.py"),
            Frame("<module>", "numpy/__init__.py"),
            Frame("exp", "libm.so.6", kind=FrameKind.NATIVE),
            Frame("fit"),
            Frame("operator new (unsigned long)"),
        }


def test_counts_of_which_the_unit_is_not_known(tmp_path):
    """With lines behind the files a name decides between microseconds and py-spy's samples, and a line says which."""
    for name, unit in (("x.folded", 1000), ("x", 10_000_000), ("x.raw", 10_000_000)):
        (tmp_path / name).write_text("<module> (p.py:10);main (p.py:9) 3\n")
        profile = read_profile(tmp_path / name)
        assert profile.tracks[0].samples.weight_ns.tolist() == [3 * unit]
        assert len(profile.file.warnings) == 1


PLAIN = [("main;fit;predict", 10_000), ("main;fit", 5000)]


@pytest.mark.parametrize("name", ["x.folded", "x.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "main;fit;predict 10\nmain;fit 5\n",
        "main;fit;predict 10\r\nmain;fit 5\r\n\r\n",
        "\nmain;fit;predict 10\nmain;fit 5",
        "main;fit;predict\t10\nmain;fit\t5\n",
        "# a header\n# weights: 10\nmain;fit;predict 10\nmain;fit 5\n",
        "main;fit;predict 1e1\nmain;fit 5.0\n",
    ],
)
def test_ways_to_write_stacks(tmp_path, text, encoding, name):
    """Marks of byte order, line ends, tabs, comments in front and fractions are no part of any name."""
    if name == "x.txt" and "1e1" in text:
        text = text.replace("1e1", "10")
    (tmp_path / name).write_bytes(text.encode(encoding))
    assert samples(read_profile(tmp_path / name).check()) == PLAIN


def test_two_columns(tmp_path):
    """Of difffolded's two columns the second is read, and a line says that the first was left out."""
    (tmp_path / "x.folded").write_text("main;fit 10 25\nmain;load 7 3\n")
    profile = read_profile(tmp_path / "x.folded").check()
    assert samples(profile) == [("main;fit", 25_000), ("main;load", 3000)]
    assert "the first was left out" in profile.file.warnings[0]
    assert samples(read_profile(tmp_path / "x.folded", "folded"))[0] == ("main;fit 10", 25_000)
    (tmp_path / "x.folded").write_text("main;worker 1 25\nmain;load 3\n")
    assert samples(read_profile(tmp_path / "x.folded"))[0] == ("main;worker 1", 25_000)


AUSTIN = """# austin: 3.6.0
# interval: 10000
# mode: wall

P4317;T4317:0x7f3a;train.py:main:12;train.py:fit:30 10051
P4317;T0:99;<frozen x>:load:2;:GC: 50
P4317;T0:99 7
P4317;T4317:0x7f3a;train.py:main:12 9950
# duration: 20001
"""


@pytest.mark.parametrize("name", ["x.folded", "x.austin", "x"])
def test_austin(tmp_path, name):
    """Austin's text has a track for each thread, functions with files and lines, and microseconds."""
    for text in (AUSTIN, AUSTIN.partition("\n\n")[2]):
        (tmp_path / name).write_text(text)
        profile = read_profile(tmp_path / name).check()
        assert profile.file.format == "austin"
        assert [(track.name, track.pid) for track in profile.tracks] == [
            ("Thread 4317:0x7f3a", 4317),
            ("Thread 0:99", 4317),
        ]
        assert samples(profile) == [("main;fit", 10_051_000), ("main", 9_950_000)]
        assert samples(profile, 1) == [("load;:GC:", 50_000)]
        assert Frame("fit", "train.py", 30) in profile.frames


def test_austins_modes(tmp_path):
    """In full mode the first number is time and the second says who waits; memory is no time, and a line says so."""
    (tmp_path / "x").write_text("# mode: full\nP1;T1;a.py:f:1 10051,1,-512\nP1;T1;a.py:f:1 10050,0,1024\n")
    profile = read_profile(tmp_path / "x").check()
    assert samples(profile) == [("f", 10_051_000), ("f", 10_050_000)]
    assert profile.file.warnings == ("amounts of memory were left out",)
    assert [frame.kind for frame in profile.frames] == [FrameKind.IDLE, FrameKind.PYTHON]
    (tmp_path / "x").write_text("# mode: memory\nP1;T1;a.py:f:1 10\n")
    assert "are memory" in read_profile(tmp_path / "x").file.warnings[0]
    (tmp_path / "x").write_text("P1;T1;a.py:f:1 10\nP1;T1;a.py:f:1 ten\n")
    with pytest.raises(InvalidInputError, match="line 2 should be P, T, frames, a blank and a metric"):
        read_profile(tmp_path / "x")
