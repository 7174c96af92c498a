"""Redaction: the same text has the same name, nothing that was learned is left, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles
from workbench.errors import InvalidInputError
from workbench.profile import Redaction

COMMANDS = [
    (
        "python3 /home/anna/fit.py --data /srv/c4.csv --name=Bob -n3 -v",
        "python3 /home/user-1/fit.py --data value-1 --name=value-2 -n value-3 -v",
    ),
    (
        "/home/anna/env/bin/python -X dev -m pkg.fit train -- /srv/c4.csv",
        "/home/user-1/env/bin/python -X dev -m pkg.fit value-4 -- value-1",
    ),
    ("rank 2: python fit.py --name Bob", "rank 2: python fit.py --name value-2"),
    ("python -c 'print(\"Bob\")' Bob", "python -c value-5 value-2"),
    ("fit.py --token=s3cret-key", "fit.py --token=value-6"),
    ("recording of Bob", "recording of Bob"),
    ("/Users/karl/tools/run", "/home/user-2/tools/run"),
]


def learned() -> Redaction:
    """Return a redaction that has learned the commands above."""
    found = Redaction(users=["anna"], homes=["/home/anna"], hosts=["node7.example.org"])
    for command, _ in COMMANDS:
        found.learn_command(command)
    return found


@pytest.mark.parametrize(("command", "expected"), COMMANDS)
def test_commands(command: str, expected: str) -> None:
    """The program, its script and the names of its options stay; values have names, the same for the same text."""
    assert learned().command(command) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loaded /srv/c4.csv", "loaded value-1"),
        ("key s3cret-key, for anna", "key value-6, for user-1"),
        ("anna_data, annabel and anna2", "user-1_data, annabel and anna2"),
        ("node7.example.org:80 and node7", "host-1:80 and host-1"),
        ("/home/anna/x and /home/mia/x", "/home/user-1/x and /home/user-3/x"),
        (r"C:\Users\mia\x", r"/home/user-3\x"),
        ("3 layers by Bob", "3 layers by Bob"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    """What a command gave is replaced wherever it is a word; a number or three letters are replaced in commands."""
    assert learned().text(text) == expected


def test_names_of_functions() -> None:
    """A function may be called like a value, such as a subcommand; users and hosts are replaced there, too."""
    assert learned().function("train") == "train"
    assert learned().text("train") == "value-4"
    assert learned().function("anna::solve") == "user-1::solve"


def test_root_is_no_persons_name() -> None:
    """The word root stays, as in the root of a function, and its home is replaced."""
    found = Redaction(users=["root"], homes=["/root"])
    assert found.text("find root in /root/fit.py") == "find root in /home/user-1/fit.py"


@given(data=st.data())
def test_only_texts_change(data) -> None:
    """Times and structure stay, and frames, tracks and events keep their numbers."""
    profile = data.draw(rich_profiles())
    names = {"fit": "anna", "solve": "load /home/anna/x"}
    frames = tuple(f._replace(name=names.get(f.name, f.name), file="/home/anna/f.py") for f in profile.frames)
    profile = replace(profile, frames=frames)
    redaction = Redaction()
    redaction.learn(profile)
    found = redaction.profile(profile).check()
    assert "anna" not in str(found.frames)
    assert found.stacks is profile.stacks
    assert (found.start_ns, found.end_ns) == (profile.start_ns, profile.end_ns)
    for before, after in zip(profile.tracks, found.tracks, strict=True):
        assert (after.spans, after.samples) == (before.spans, before.samples)
        assert [c.at_ns is d.at_ns for c, d in zip(before.counters, after.counters, strict=True)] == [
            True
        ] * len(before.counters)
        if before.marks is not None:
            assert np.array_equal(after.marks.at_ns, before.marks.at_ns)
            assert len(after.marks.name) == len(before.marks.name)


def test_too_many_names() -> None:
    """A profile that names thousands of values is refused by one line."""
    with pytest.raises(InvalidInputError, match="more than 2000 users, hosts and values"):
        Redaction().learn_command("fit.py " + " ".join(f"value{i}" for i in range(2001)))
