"""pprof's files: ours by the published schema and by Go's program, and those that Go's runtime writes."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from tests.formats import pprof_schema
from tests.formats.content import content, fitted, written
from tests.helpers.random_profiles import rich_profiles
from workbench.formats.pprof import read_pprof, write_pprof
from workbench.formats.protobuf import block, fields, number, numbers, packed, signed, varint
from workbench.formats.registry import read_profile
from workbench.profile import (
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    SpanRecord,
    aggregate,
)

FILES = Path(__file__).parent / "pprof"
"""Of runtime/pprof of Go 1.19, whose program was built with -trimpath."""


def by_schema(data: bytes):
    """Parse a file by the published schema, with all that it refers to."""
    found = pprof_schema.Profile.FromString(data)
    assert found.string_table[0] == ""
    todo = [found]
    while todo:
        message = todo.pop()
        assert not UnknownFieldSet(message)
        for field, value in message.ListFields():
            if field.message_type is not None:
                todo += value if field.is_repeated else [value]
    mappings = {each.id for each in found.mapping}
    functions = {each.id for each in found.function}
    locations = {each.id: each for each in found.location}
    assert 0 not in mappings | functions | set(locations)
    assert all(each.mapping_id in mappings for each in found.location)
    assert all(line.function_id in functions for each in found.location for line in each.line)
    for sample in found.sample:
        assert len(sample.value) == len(found.sample_type)
        assert all(each in locations for each in sample.location_id)
    return found


def test_the_published_schema():
    """Each amount of scopes and samples is in its sample type, with thread and scope, by the published schema."""
    found = by_schema(written(write_pprof, fitted()))
    text = found.string_table
    types = [(text[each.type], text[each.unit]) for each in found.sample_type]
    assert types == [
        ("samples", "count"),
        ("wall", "nanoseconds"),
        ("cpu", "nanoseconds"),
        ("scope_calls", "count"),
        ("scopes", "nanoseconds"),
    ]
    functions = {each.id: each for each in found.function}
    locations = {each.id: each for each in found.location}
    rows = []
    for sample in found.sample:
        path = [functions[locations[each].line[0].function_id] for each in reversed(sample.location_id)]
        labels = {text[each.key]: text[each.str] or each.num for each in sample.label}
        rows.append(
            (
                ";".join(text[each.name] for each in path),
                list(sample.value),
                labels["thread"],
                labels.get("scope"),
                labels["thread_id"],
            )
        )
    assert sorted(rows) == [
        ("fit", [0, 0, 0, 1, 700], "main", "fit", 1 << 40),
        ("fit", [5, 500, 90, 0, 0], "main", "fit", 1 << 40),
        ("fit;solve", [0, 0, 0, 1, 300], "main", "solve", 1 << 40),
        ("fit;solve;step;dgemm", [3, 300, 290, 0, 0], "main", "solve", 1 << 40),
        ("run;poll", [1, 7, 0, 0, 0], "worker", None, 9),
    ]
    files = [text[each.filename] for each in found.mapping]
    assert files[0] == "python fit.py"
    assert set(files[1:]) == {"[scopes]", "[python]", "[waiting]", "/usr/lib/libblas.so.3"}
    assert text[found.default_sample_type] == "wall"
    assert found.time_nanos == 1_700_000_000_000_000_100
    assert found.duration_nanos == 1000


@given(data=st.data())
def test_any_profile(data):
    """The sums of a file are those of the profile, and its samples come back by thread, with kinds and lines."""
    profile = data.draw(rich_profiles())
    file = written(write_pprof, profile)
    found = by_schema(file)
    names = [found.string_table[each.type] for each in found.sample_type]
    sums = Counter()
    for sample in found.sample:
        sums.update(dict(zip(names, sample.value, strict=True)))
    samples, spans = aggregate(profile, of="samples"), aggregate(profile, of="spans")
    assert (sums["samples"], sums["wall"]) == (samples.count.sum(), samples.self_ns.sum())
    assert (sums["scope_calls"], sums["scopes"]) == (spans.count.sum(), spans.self_ns.sum())
    again = read_profile(content(file, "unnamed")).check()
    if "wall" in names:
        assert by_thread(again) == by_thread(profile)


def by_thread(profile: Profile) -> dict:
    """Return the nanoseconds of each thread's stacks, but for those of nothing."""
    found: Counter = Counter()
    for track in profile.tracks:
        if track.samples is not None:
            for stack, weight in zip(
                track.samples.stack.tolist(), track.samples.weight_ns.tolist(), strict=True
            ):
                path = tuple(profile.frames[i] for i in profile.stacks.path(stack))
                path = tuple(
                    f._replace(name=f.name.encode("utf-8", "backslashreplace").decode()) for f in path
                )
                if path:
                    found[(track.name, track.pid, track.tid, path)] += weight
    return {key: weight for key, weight in found.items() if weight}


def test_read_again():
    """Samples, their CPU time and their counts come back; that the exact times of scopes do not is said."""
    profile = read_pprof(content(written(write_pprof, fitted()), "fit.pb")).check()
    main, worker = profile.tracks
    assert (main.name, main.pid, main.tid, main.process) == ("main", 7, 1 << 40, "python fit.py")
    assert main.samples.weight_ns.tolist() == [500, 300]
    assert main.samples.ticks.tolist() == [5, 3]
    assert main.samples.cpu_ns.tolist() == [90, 290]
    assert worker.samples.weight_ns.tolist() == [7]
    assert set(profile.frames) == set(fitted().frames)
    assert profile.file.warnings == (
        "of the sample types, 'wall' is read; left out: 'scope_calls', 'scopes'",
    )


def test_scopes_alone():
    """Scopes alone are read as their self times; a million frames in all are written and read."""
    builder = ProfileBuilder("scopes")
    records = [SpanRecord(i, 9000 - i, i, Frame("f", kind=FrameKind.SCOPE)) for i in range(1400)]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    again = read_pprof(content(written(write_pprof, builder.build()), "x")).check()
    assert aggregate(again, of="samples").all_ns == 9000
    assert len(again.stacks) == 1400


def test_a_cpu_profile_of_go():
    """Functions that Go's compiler has inlined are frames, and labels of other things are counted."""
    profile = read_profile(FILES / "go-cpu.pb.gz").check()
    assert profile.file.format == "pprof"
    tree = aggregate(profile, of="samples")
    assert tree.all_ns == 280_000_000
    assert int(tree.count.sum()) == 28
    paths = [[profile.frames[i].name for i in profile.stacks.path(s)] for s in range(len(profile.stacks))]
    assert ["runtime.main", "main.main", "runtime/pprof.Do", "main.main.func1", "main.spin"] in paths
    assert {frame.kind for frame in profile.frames} == {FrameKind.NATIVE}
    assert Frame("main.spin", "example/spin/main.go", 0, FrameKind.NATIVE) in profile.frames
    (line,) = profile.file.warnings
    assert line.startswith("labels of samples that are no thread's were left out: 'request' of")


def test_a_heap_profile_of_go():
    """Bytes are no time: one line says as what they are shown, and which amounts are left out."""
    profile = read_profile(FILES / "go-heap.pb.gz").check()
    assert profile.file.unit == "'bytes', shown as microseconds"
    unit, left, labels = profile.file.warnings
    assert unit == "the sample type 'inuse_space' is no time: 'bytes' are shown as microseconds"
    assert left.endswith("left out: 'alloc_objects', 'alloc_space', 'inuse_objects'")
    assert labels.startswith("labels of samples that are no thread's were left out: 'bytes' of")


OTHER_LABELS = [
    ("thread name", "pool-1", 0),
    ("thread id", "4711", 0),
    ("process_id", "", 12),
    ("thread", "", 3),
]


def test_labels_of_others():
    """The names that other programs give to threads are understood, as texts and as numbers."""
    message = pprof_schema.Profile(string_table=["", "wall", "seconds", "work", "w.py"])
    message.sample_type.add(type=1, unit=2)
    message.function.add(id=1, name=3, filename=4, start_line=8)
    message.location.add(id=5).line.add(function_id=1, line=11)
    for key, text, value in OTHER_LABELS:
        sample = message.sample.add(location_id=[5], value=[2])
        message.string_table.extend([key, text])
        last = len(message.string_table) - 1
        sample.label.add(key=last - 1, str=last if text else 0, num=value)
    profile = read_pprof(content(message.SerializeToString())).check()
    assert [(t.name, t.tid, t.pid) for t in profile.tracks] == [
        ("pool-1", 0, 0),
        ("", 4711, 0),
        ("", 0, 12),
        ("", 3, 0),
    ]
    assert profile.frames == (Frame("work", "w.py", 8, FrameKind.PYTHON),)
    assert aggregate(profile, of="samples").all_ns == 8 * 10**9


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
@pytest.mark.parametrize(("type_", "total"), [("wall", "807ns"), ("scopes", "1000ns"), ("samples", "9")])
def test_the_program_of_go(tmp_path, type_, total):
    """`go tool pprof` prints the sum of each sample type, with the scopes as functions."""
    path = tmp_path / "fit.pb.gz"
    write_pprof(fitted(), path)
    words = ["go", "tool", "pprof", "-top", f"-sample_index={type_}", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert f"of {total} total" in done.stdout
    names = {line.split()[-1] for line in done.stdout.splitlines() if "%" in line}
    assert "fit" in names


@given(values=st.lists(st.integers(-(1 << 63), (1 << 63) - 1)), text=st.binary())
def test_the_wire_format(values, text):
    """Numbers of 64 bits and texts come back from a message; a number that is 0 is left out."""
    data = packed(3, values) + block(17, text) + b"".join(number(4, value) for value in values)
    first, second, *others = fields(data, 0, len(data))
    assert list(map(signed, numbers(data, first))) == values
    assert data[second.begin : second.end] == text
    assert [signed(each.value) for each in others] == [value for value in values if value]
    assert varint(300) == b"\xac\x02"
