"""The Firefox Profiler's processed format: by our schema of its documented types, and by what its tables refer to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.content import content, fitted, written
from tests.helpers.random_profiles import rich_profiles
from workbench.errors import InvalidInputError
from workbench.formats.firefox import CATEGORIES, write_firefox
from workbench.formats.registry import read_profile
from workbench.profile import Counter, FrameKind, Marks, Profile, aggregate

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parent / "firefox.schema.json").read_text())
)


def by_schema(profile: Profile) -> dict:
    """Return what is written, which the schema allows and whose columns agree."""
    found = json.loads(written(write_firefox, profile))
    SCHEMA.validate(found)
    shared, threads = found["shared"], found["threads"]
    tables = [table for table in shared.values() if isinstance(table, dict)]
    tables += [thread[part] for thread in threads for part in ("samples", "markers")]
    for table in tables:
        assert {len(column) for column in table.values() if isinstance(column, list)} <= {table["length"]}
    strings, stacks = len(shared["stringArray"]), shared["stackTable"]
    assert max(stacks["frame"], default=-1) < shared["frameTable"]["length"]
    assert all(parent is None or parent < i for i, parent in enumerate(stacks["prefix"]))
    assert max(shared["funcTable"]["name"] + shared["sources"]["filename"], default=-1) < strings
    assert all(each is None or each < shared["sources"]["length"] for each in shared["funcTable"]["source"])
    for thread in threads:
        samples, markers = thread["samples"], thread["markers"]
        assert all(each is None or each < stacks["length"] for each in samples["stack"])
        assert samples["time"] == sorted(samples["time"])
        assert max(markers["name"], default=-1) < strings
        assert max(markers["category"], default=0) < len(found["meta"]["categories"])
    assert len({(thread["pid"], thread["tid"]) for thread in threads}) == len(threads)
    assert {thread["pid"] for thread in threads} == {t["pid"] for t in threads if t["isMainThread"]}
    return found


@given(data=st.data())
def test_any_profile(data):
    """Each track is a thread: spans are interval markers to the nanosecond, samples have their weights."""
    profile = data.draw(rich_profiles())
    found = by_schema(profile)
    strings = found["shared"]["stringArray"]
    weights = 0.0
    for track, thread in zip(profile.tracks, found["threads"], strict=True):
        markers, samples = thread["markers"], thread["samples"]
        weights += sum(w for s, w in zip(samples["stack"], samples["weight"], strict=True) if s is not None)
        spans = [] if track.spans is None else list(
            zip(track.spans.stack.tolist(), track.spans.start_ns.tolist(), track.spans.end_ns.tolist(), strict=True)
        )  # fmt: skip
        rows = [
            (strings[name], round(begin * 1e6) + profile.start_ns, round(end * 1e6) + profile.start_ns)
            for name, begin, end, phase in zip(
                markers["name"], markers["startTime"], markers["endTime"], markers["phase"], strict=True
            )
            if phase == 1
        ]
        frame = profile.stacks.frame
        assert rows == [(profile.frames[frame[stack]].name, begin, end) for stack, begin, end in spans]
    assert round(weights * 1e6) == aggregate(profile, of="samples").self_ns.sum()


def test_kinds_gaps_and_cpu_time():
    """A frame's category is its kind; a gap is an empty stack; CPU time is at the end of what it was spent in."""
    found = by_schema(fitted())
    names = [found["shared"]["stringArray"][i] for i in found["shared"]["funcTable"]["name"]]
    categories = [found["meta"]["categories"][i]["name"] for i in found["shared"]["frameTable"]["category"]]
    expected = {
        "fit": FrameKind.SCOPE,
        "step": FrameKind.PYTHON,
        "dgemm": FrameKind.NATIVE,
        "poll": FrameKind.IDLE,
    }
    of_name = dict(zip(names, categories, strict=True))
    assert {name: of_name[name] for name in expected} == {
        n: CATEGORIES[kind][0] for n, kind in expected.items()
    }
    main, worker = (thread["samples"] for thread in found["threads"])
    assert main["time"] == [0, 0.0001, 0.0004, 0.0008, 0.00085]
    assert main["weight"] == [0.0001, 0.0003, 0.0004, 0.00005, 0.00015]
    assert [stack is None for stack in main["stack"]] == [False, False, False, True, True]
    assert main["threadCPUDelta"] == [0, 90, 290, 0, 0]
    assert [stack is None for stack in worker["stack"]] == [True, False, True]
    assert found["meta"]["startTime"] == 1_700_000_000_000.0001


def test_counters_and_marks():
    """Marks and values of counters are markers at their instants; a value that is no number has none."""
    profile = fitted()
    at = np.array([200, 300], dtype=np.int64)
    counter = Counter("loss", at, np.array([0.5, np.nan]))
    track = replace(profile.tracks[1], counters=(counter,), marks=Marks(at[:1], ("saved",)))
    found = by_schema(replace(profile, tracks=(track,)))
    markers = found["threads"][0]["markers"]
    names = [found["shared"]["stringArray"][i] for i in markers["name"]]
    assert list(zip(names, markers["startTime"], markers["phase"], markers["data"], strict=True)) == [
        ("saved", 0.0001, 0, {"type": "Mark"}),
        ("loss", 0.0001, 0, {"type": "Counter", "value": 0.5}),
        ("loss", 0.0002, 0, {"type": "Counter"}),
    ]


def test_it_is_not_read():
    """Such a file is known by its content, and one line says what can be read."""
    with pytest.raises(
        InvalidInputError, match="the format firefox cannot be read: choose one of speedscope"
    ):
        read_profile(content(written(write_firefox, fitted()), "unnamed"))
