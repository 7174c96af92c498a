"""Folded stacks, by the rules of the programs that read them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from workbench.formats.folded import folded, write_folded
from workbench.formats.registry import read_profile
from workbench.profile import Frame, ProfileBuilder, aggregate


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
def test_any_profile_gives_lines_that_can_be_read(data, profiles):
    """Each line is frames and a positive whole number, and the sum is the profile's time, but for rounding."""
    profile = data.draw(profiles)
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
    assert (profile.facts["format"], profile.facts["without_a_stack"]) == ("pyspy-raw", 3)
    assert profile.tracks[0].samples.weight_ns.sum() == 141 * 10_000_000
