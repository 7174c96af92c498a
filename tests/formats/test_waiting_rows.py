"""Samples that wait come back from a file whose format knows no kinds of frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidInputError
from workbench.formats.speedscope import read_speedscope, write_speedscope
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, drop_idle

F, G = Frame("f", "f.py"), Frame("[libc.so.6]", "/lib/libc.so.6", kind=FrameKind.NATIVE)
KINDS = (FrameKind.NATIVE, FrameKind.IDLE)


def sampled(*threads: list[list[Frame]]) -> Profile:
    builder = ProfileBuilder("x")
    for i, paths in enumerate(threads):
        stacks = [builder.stack_of(path) for path in paths]
        samples = builder.samples(stacks, [10 * k for k in range(len(stacks))], [10] * len(stacks))
        builder.add_track(f"t{i}", pid=1, tid=i, samples=samples)
    return builder.build()


def seen(profile: Profile) -> list[list[tuple[Frame, ...]]]:
    return [
        [
            tuple(profile.frames[i] for i in profile.stacks.path(s))
            for s in track.samples.stack.tolist()
            if s >= 0
        ]
        for track in profile.tracks
        if track.samples is not None
    ]


@st.composite
def paths(draw: st.DrawFn) -> list[list[list[Frame]]]:
    """Draw two threads whose samples have the same function on top, which runs or waits."""
    path = st.lists(st.just(F), max_size=2).flatmap(
        lambda below: st.sampled_from(KINDS).map(lambda kind: [*below, G._replace(kind=kind)])
    )
    return [draw(st.lists(st.just([]) | path, min_size=1, max_size=6)) for _ in range(2)]


@given(threads=paths())
def test_what_waits_waits_again(
    threads: list[list[list[Frame]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A function that waits in some samples and runs in others does so when it is read; the file has one of it."""
    profile = sampled(*threads)
    file = tmp_path_factory.mktemp("x") / "x.json"
    write_speedscope(profile, file)
    read = read_speedscope(file).check()
    assert seen(read) == seen(profile)
    assert seen(drop_idle(read)) == seen(drop_idle(profile))
    frames = json.loads(file.read_text())["shared"]["frames"]
    assert len(frames) == len({frame["name"] for frame in frames})


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    """A file that says of samples it does not have that they wait is refused with one line."""
    profile = sampled([[F, G], [F, G._replace(kind=FrameKind.IDLE)]])
    write_speedscope(profile, tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    (part,) = content["workbench"]["profiles"]
    assert part["waiting"] == [1]
    for odd in ([2], [-1], "x", [True], None):
        part["waiting"] = odd
        (tmp_path / "x.json").write_text(json.dumps(content))
        with pytest.raises(
            InvalidInputError, match=r"(lists rows that are not there|damaged: .*waiting.*); delete it"
        ):
            read_speedscope(tmp_path / "x.json")
