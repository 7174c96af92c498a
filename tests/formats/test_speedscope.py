"""What we write for speedscope obeys what speedscope demands, by a validator that shares no code with it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.content import content, contents
from tests.helpers.random_profiles import random_profiles
from workbench.errors import InvalidInputError
from workbench.formats.speedscope import SCHEMA, read_speedscope, write_speedscope
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord


def text_of(profile):
    file = io.BytesIO()
    write_speedscope(profile, file)
    return file.getvalue().decode()


def validate(text: str) -> dict:
    """Return the parsed file, or fail where speedscope would refuse it or show it wrongly."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    file = json.loads(text, parse_constant=refuse)
    assert "null" not in json.dumps([*file.values()], skipkeys=True).replace('"null"', "")
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert "activeProfileIndex" not in file
    frames = file["shared"]["frames"]
    assert len({json.dumps(frame, sort_keys=True) for frame in frames}) == len(frames), "frames are distinct"
    for frame in frames:
        assert frame["name"]
        assert set(frame) <= {"name", "file", "line", "col"}
    assert file["profiles"]
    assert len({(p["startValue"], p["endValue"]) for p in file["profiles"]}) == 1, "tracks line up"
    for profile in file["profiles"]:
        assert profile["unit"] == "nanoseconds"
        (check_evented if profile["type"] == "evented" else check_sampled)(profile, len(frames))
    return file


def check_evented(profile: dict, frames: int) -> None:
    stack, now = [], profile["startValue"]
    for event in profile["events"]:
        assert event["at"] >= now, "time does not decrease"
        assert 0 <= event["frame"] < frames
        now = event["at"]
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert event["type"] == "C"
            assert stack.pop() == event["frame"], "a close matches the open on top"
    assert stack == [], "everything that was opened is closed"
    assert now <= profile["endValue"]


def check_sampled(profile: dict, frames: int) -> None:
    assert len(profile["samples"]) == len(profile["weights"])
    assert all(0 <= frame < frames for stack in profile["samples"] for frame in stack)
    assert all(isinstance(weight, int) and weight >= 0 for weight in profile["weights"])
    assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"], "the track is whole"


def totals(profile: dict, frames: list[dict]) -> dict[tuple, int]:
    """Return the time in each frame, a frame inside itself counted each time."""
    found: dict[int, int] = {}
    for event in profile.get("events", []):
        sign = 1 if event["type"] == "C" else -1
        found[event["frame"]] = found.get(event["frame"], 0) + sign * event["at"]
    for stack, weight in zip(profile.get("samples", []), profile.get("weights", []), strict=True):
        for frame in stack:
            found[frame] = found.get(frame, 0) + weight
    return {
        (frames[frame]["name"], frames[frame].get("file", ""), frames[frame].get("line", 0)): time
        for frame, time in found.items()
        if time
    }


def expected(profile: Profile, kind: str, column) -> dict[tuple, int]:
    found: dict[tuple, int] = {}
    for i, stack in enumerate(column.stack.tolist()):
        path = profile.stacks.path(stack)
        if kind == "evented":
            time, path = int(column.end_ns[i] - column.start_ns[i]), path[-1:]
        else:
            time = int(column.weight_ns[i])
        for frame in path:
            name, *place, _ = profile.frames[frame]
            key = (name or "(no name)", *place)
            found[key] = found.get(key, 0) + time
    return {key: time for key, time in found.items() if time}


@given(data=st.data())
def test_any_profile_is_a_valid_file(data):
    """Any profile gives a file that speedscope accepts, with every track's time in the right frames."""
    profile = data.draw(random_profiles())
    file = validate(text_of(profile))
    wanted = []
    for track in profile.tracks:
        for kind, column in (("evented", track.spans), ("sampled", track.samples)):
            if column is not None:
                wanted.append((kind, expected(profile, kind, column)))
    if wanted:
        assert [(p["type"], totals(p, file["shared"]["frames"])) for p in file["profiles"]] == wanted


def test_frames_without_a_name(tmp_path):
    """A frame without a name is shown as such, and does not become the double of another."""
    builder = ProfileBuilder("test")
    records = [SpanRecord(0, 5, 0, Frame("", kind=FrameKind.SCOPE)), SpanRecord(5, 9, 0, Frame("f"))]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    write_speedscope(builder.build(), tmp_path / "x.json")
    file = validate((tmp_path / "x.json").read_text())
    assert [frame["name"] for frame in file["shared"]["frames"]] == ["(no name)", "f"]


def test_one_frame_for_what_looks_the_same():
    """Frames that differ only in what the format cannot say are one frame, or times would be split."""
    builder = ProfileBuilder("test")
    kinds = [Frame("f", "f.py", 0, FrameKind.PYTHON), Frame("f", "f.py", 0, FrameKind.IDLE)]
    stacks = [builder.stack_of([frame]) for frame in kinds]
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(stacks, [0, 5], [5, 5]))
    file = validate(text_of(builder.build()))
    assert file["shared"]["frames"] == [{"name": "f", "file": "f.py"}]
    assert file["profiles"][0]["samples"] == [[0], [0]]


def test_an_empty_profile():
    """Nothing recorded is still a file that opens."""
    file = validate(text_of(ProfileBuilder("empty").build()))
    assert [p["name"] for p in file["profiles"]] == ["nothing recorded"]


def test_gaps_are_empty_stacks():
    """Before, between and after samples an empty stack has the gap's weight."""
    builder = ProfileBuilder("test")
    stack = builder.stack_of([Frame("f")])
    builder.add_track("a", pid=1, tid=1, samples=builder.samples([stack, stack], [10, 30], [5, 5]))
    builder.add_track("b", pid=2, tid=2, spans=builder.spans([SpanRecord(0, 50, 0, Frame("g"))]))
    file = validate(text_of(builder.build()))
    assert file["profiles"][0]["samples"] == [[], [0], [], [0], []]
    assert file["profiles"][0]["weights"] == [10, 5, 15, 5, 15]
    assert [p["name"] for p in file["profiles"]] == ["a (process 1)", "b (process 2)"]


def test_the_file_is_compact(tmp_path):
    """The file holds no blanks between its parts: large ones are slow to open."""
    builder = ProfileBuilder("x")
    builder.add_track("a", pid=1, tid=1, spans=builder.spans([SpanRecord(0, 5, 0, Frame("f"))]))
    write_speedscope(builder.build(), tmp_path / "x.json")
    assert " " not in Path(tmp_path / "x.json").read_text().replace("nothing recorded", "")


def test_many_spans_of_no_length():
    """Spans that begin and end at one instant, nested and side by side, keep the rules."""
    builder = ProfileBuilder("test")
    records = [SpanRecord(5, 5, depth, Frame(f"d{depth}")) for _ in range(3) for depth in range(3)]
    builder.add_track("a", pid=1, tid=1, spans=builder.spans(records))
    file = validate(text_of(builder.build().check()))
    assert len(file["profiles"][0]["events"]) == 18


@pytest.mark.parametrize("folder", ["missing/x.json", "."])
def test_a_file_that_cannot_be_written(tmp_path, folder):
    """A path that cannot be written is the operating system's error, which callers name."""
    with pytest.raises(OSError, match=r"directory"):
        write_speedscope(ProfileBuilder("x").build(), tmp_path / folder)


EVENTS = st.recursive(
    st.just([]),
    lambda inner: st.tuples(st.integers(0, 9), inner, inner).map(
        lambda part: [("O", part[0]), *part[1], ("C", part[0]), *part[2]]
    ),
)


@given(EVENTS, st.data())
def test_blanks_change_nothing(events, data):
    """Events without blanks are read in another way: they are the same, and so is what is wrong in them."""
    frames = [{"name": f"f{i}"} for i in range(10)]
    times = sorted(data.draw(st.lists(st.integers(0, 10**17), min_size=len(events), max_size=len(events))))
    text = ",".join(
        f'{{"type":"{kind}","frame":{frame},"at":{at}}}'
        for (kind, frame), at in zip(events, times, strict=True)
    )
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text)))
        put = data.draw(st.sampled_from([*'0 1,.-:{}"OCx', ",,", "00"]))
        text = text[:at] + put + text[at + data.draw(st.integers(0, 2)) :]
    text = re.sub(r":0+(?=\d)", ":", text)  # numbers as JSON has them
    found = []
    for blank in ("", " "):
        profile = {"type": "evented", "name": "t", "unit": "nanoseconds", "startValue": 0, "endValue": 10**17}
        file = json.dumps(
            {"$schema": SCHEMA, "shared": {"frames": frames}, "profiles": [profile | {"events": []}]}
        )
        try:
            found.append(
                contents(read_speedscope(content(file.replace('"events": []', f'"events":[{blank}{text}]'))))
            )
        except InvalidInputError:
            found.append(None)
    assert found[0] == found[1]
