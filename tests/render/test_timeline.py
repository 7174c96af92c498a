"""The timeline's text: valid, escaped, bounded, and holding every span exactly."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.helpers.node import node
from tests.helpers.random_profiles import random_profiles
from workbench import load
from workbench.errors import InvalidInputError
from workbench.profile import (
    ROOT,
    Counter,
    Frame,
    FrameKind,
    Marks,
    Profile,
    ProfileBuilder,
    Samples,
    SpanRecord,
    Spans,
    aggregate,
    between,
    samples_only,
)
from workbench.profile.row_selection import sample_rows
from workbench.profile.stacks import depths, preorder
from workbench.render.timeline._columns import CHUNK, Packer
from workbench.render.timeline._rows import MAX_DEPTH, rows_of
from workbench.render.timeline._samples import stack_depths
from workbench.render.timeline.timeline import timeline_svg
from workbench.text import printable

SVG = "{http://www.w3.org/2000/svg}"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
PROFILES = random_profiles()


def scope(name: str) -> Frame:
    return Frame(name, kind=FrameKind.SCOPE)


def of_records(*records: SpanRecord, **more: Any) -> Profile:
    builder = ProfileBuilder("test")
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records), **more)
    return builder.build()


def tiny() -> Profile:
    """One second of fit, with two scopes in it, a counter and a mark."""
    return of_records(
        SpanRecord(0, 10**9, 0, scope("fit")),
        SpanRecord(10**8, 4 * 10**8, 1, scope("jacobian")),
        SpanRecord(5 * 10**8, 9 * 10**8, 1, scope("solve"), unfinished=True),
        counters=(Counter("damping", np.array([0, 5 * 10**8]), np.array([1.0, 0.5])),),
        marks=Marks(np.array([3 * 10**8]), ("accepted",)),
    )


def parts_of(svg: str) -> dict[str, Any]:
    """Return the facts and the pieces of data of a file."""
    parts: dict[str, list[str]] = {"wt-facts": [], "wt-data": []}
    for element in ET.fromstring(svg).iter(f"{SVG}metadata"):
        parts[element.get("class") or ""].append(element.text or "")
    return {"facts": json.loads("".join(parts["wt-facts"])), "chunks": parts["wt-data"]}


class Decoded:
    """What a reader that knows only the file's own description finds in it."""

    def __init__(self, svg: str) -> None:
        parts = parts_of(svg)
        self.facts = parts["facts"]
        self._bytes = zlib.decompress(b"".join(base64.b64decode(text) for text in parts["chunks"]))
        self._shapes = list(self.facts["columns"])
        gap, self.length, self.label, up, self.flags = (self._next() for _ in range(5))
        self.start, self.parent = gap.copy(), up.copy()
        first = 0
        for row in self.facts["rows"]:
            here = slice(first, first + row[3])
            self.start[here] = np.cumsum(gap[here] + self.length[here]) - self.length[here]
            self.parent[here] = np.cumsum(up[here])
            first += row[3]
        self.work = {name: (np.cumsum(self._next()), self._next()) for name in self.facts["work"]}
        self.curves = []
        at = np.zeros(0, dtype=np.int64)
        for track, name, has_times, *_ in self.facts["curves"]:
            at = np.cumsum(self._next()) if has_times else at
            self.curves.append((track, name, at, self._next()))
        self.samples = []
        for track, has_periods, *_ in self.facts["samples"]:
            gap, weight, count, depth = (self._next() for _ in range(4))
            self.samples.append((track, has_periods, np.cumsum(gap + weight) - weight, weight, count, depth))
        assert not self._shapes
        assert not self._bytes

    def _next(self) -> Any:
        count, planes = self._shapes.pop(0)
        size = count * abs(planes)
        taken, self._bytes = self._bytes[:size], self._bytes[size:]
        whole = np.zeros((count, 8), dtype=np.uint8)
        whole[:, : abs(planes)] = np.frombuffer(taken, np.uint8).reshape(abs(planes), count).T
        return whole.view("<f8" if planes < 0 else "<i8").reshape(count).copy()

    def boxes(self, track: int, kind: int) -> list[tuple[int, int, int, str]]:
        """Return (depth, start, duration, name) of a track's boxes of a kind."""
        found, first = [], 0
        for number, its_kind, depth, count, _ in self.facts["rows"]:
            if (number, its_kind) == (track, kind):
                found += [
                    (
                        depth,
                        int(self.start[i]),
                        int(self.length[i]),
                        self.facts["labels"][int(self.label[i])][0],
                    )
                    for i in range(first, first + count)
                ]
            first += count
        return found


@settings(deadline=None)
@given(PROFILES)
def test_what_is_in_the_file_is_what_was_recorded(profile: Profile) -> None:
    """Every span has its box, exact to the nanosecond, at its depth and in its track."""
    svg = timeline_svg(profile, title="Random")
    if "wt-data" not in svg.partition("</style>")[2]:
        assert not any(t.spans is not None and len(t.spans) for t in profile.tracks)
        return
    decoded = Decoded(svg)
    origin = rows_of(profile).origin_ns
    depth = stack_depths(profile.stacks.parent)
    for number, track in enumerate(profile.tracks):
        expected = []
        if track.spans is not None:
            expected = [
                (
                    int(depth[stack]),
                    int(start) - origin,
                    int(end - start),
                    printable(profile.frames[profile.stacks.frame[stack]].name),
                )
                for stack, start, end in zip(
                    track.spans.stack, track.spans.start_ns, track.spans.end_ns, strict=True
                )
            ]
        assert decoded.boxes(number, 0) == sorted(expected, key=lambda box: box[0])


def trees_in_node(timelines: list[dict[str, Any]]) -> Any:
    """Return what the timeline's own script makes of ranges."""
    done = subprocess.run(
        [node(), "tests/js/print_trees.js"],
        cwd=Path(__file__).parents[2],
        input=json.dumps(timelines),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_path(labels: Sequence[Any], label: Any, depth: Any, columns: Sequence[Any]) -> dict[Any, list[int]]:
    """Return the columns of nodes that are depth first, added up for each path of labels."""
    path: list[Any] = []
    found: dict[Any, list[int]] = {}
    for which, level, *values in zip(label, depth, *columns, strict=True):
        path[level:] = [tuple(labels[which][:3])]
        known = found.get(tuple(path), [0] * len(values))
        found[tuple(path)] = [a + b for a, b in zip(known, values, strict=True)]
    return found


def of_tracks(profile: Profile, numbers: list[int] | None) -> Profile:
    """Return the profile with some of its tracks; None: all."""
    return profile if numbers is None else replace(profile, tracks=tuple(profile.tracks[i] for i in numbers))


def aggregated(profile: Profile, part: str) -> dict[Any, list[int]]:
    """Return total, self and count of each path of a profile that has any."""
    tree = aggregate(profile, of=part)
    order = np.argsort(preorder(profile.stacks), kind="stable").tolist()
    columns = [column[order].tolist() for column in (tree.total_ns, tree.self_ns, tree.count)]
    frames = [
        (
            printable(frame.name),
            printable(f"{frame.file}:{frame.line}") if frame.file else "",
            int(frame.kind),
        )
        for frame in profile.frames
    ]
    found = by_path(
        frames, profile.stacks.frame[order].tolist(), depths(profile.stacks)[order].tolist(), columns
    )
    return {path: values for path, values in found.items() if values[0] or values[2]}


@settings(
    deadline=None, max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # no node for each step
@given(st.lists(PROFILES, min_size=15, max_size=15), st.randoms(use_true_random=False))
def test_the_tree_of_a_range_is_the_aggregate_of_that_part(profiles: list[Profile], draw: Any) -> None:
    """A range's tree, of all tracks or of one, has each total, self time and count of the profile cut to the range."""
    timelines, expected = [], []
    for profile in map(with_propagated_and_without_instants, profiles):
        svg = timeline_svg(profile, title="t")
        if "wt-data" not in svg.partition("</style>")[2]:
            continue
        rows = rows_of(profile)
        ranges = [(0, rows.total_ns + 1)]
        ranges += [
            tuple(sorted(draw.sample(range(rows.total_ns + 1), 2))) for _ in range(4) if rows.total_ns > 1
        ]
        tracks = [None, *([number] for number in range(len(profile.tracks)))]
        questions = [(part, *each, of) for part in ("spans", "samples") for each in ranges for of in tracks]
        timelines.append({**parts_of(svg), "questions": questions})
        expected += [
            aggregated(between(of_tracks(profile, of), rows.origin_ns + start, rows.origin_ns + end), part)
            for part, start, end, of in questions
        ]
    trees = [tree for answers in trees_in_node(timelines) for tree in answers]
    for tree, right in zip(trees, expected, strict=True):
        columns = (tree["total"], tree["self"], tree["calls"])
        found = by_path(tree["labels"], tree["label"], tree["depth"], columns)
        root = found.pop((("all", "", 4),))
        assert root == [sum(values[0] for path, values in right.items() if len(path) == 1), 0, 0]
        assert {path[1:]: values for path, values in found.items() if values[0] or values[2]} == right


def with_propagated_and_without_instants(profile: Profile) -> Profile:
    """Return the profile with every third span propagated, and without samples that stand for no time."""
    tracks = []
    for track in profile.tracks:
        spans, samples = track.spans, track.samples
        if spans is not None:
            spans = replace(spans, propagated=np.arange(len(spans)) % 3 == 0)
        if samples is not None:
            samples = sample_rows(samples, samples.weight_ns > 0)
            ticks = 1 + samples.weight_ns.astype(np.int32) // 3
            samples = replace(samples, ticks=ticks if track.tid % 2 else None)
        tracks.append(replace(track, spans=spans, samples=samples))
    return replace(profile, tracks=tuple(tracks))


@settings(deadline=None)
@given(PROFILES)
def test_samples_keep_their_time_at_every_depth(profile: Profile) -> None:
    """Merged or not, the boxes of a depth last as long as the samples whose stacks reach that deep."""
    rows = rows_of(profile)
    depth = stack_depths(profile.stacks.parent)
    first = 0
    found: dict[tuple[int, int], int] = {}
    for row in rows.rows:
        if row.kind == 1:
            found[row.track, row.depth] = int(rows.duration_ns[first : first + row.size].sum())
        first += row.size
    expected: dict[tuple[int, int], int] = {}
    for number, track in enumerate(profile.tracks):
        if track.samples is None:
            continue
        for stack, weight in zip(track.samples.stack.tolist(), track.samples.weight_ns.tolist(), strict=True):
            for level in range(int(depth[stack]) + 1 if stack != ROOT else 0):
                expected[number, level] = expected.get((number, level), 0) + weight
    assert found == expected


@settings(deadline=None)
@given(PROFILES)
def test_children_stand_on_their_parents(profile: Profile) -> None:
    """A box lies inside of the box that it names as its parent, in the row above."""
    rows = rows_of(profile)
    first, above = 0, 0
    for row in rows.rows:
        for i in range(first, first + row.size):
            if row.depth == 0:
                continue
            on = above + int(rows.parent[i])
            assert above <= on < first
            assert rows.start_ns[on] <= rows.start_ns[i]
            assert rows.start_ns[i] + rows.duration_ns[i] <= rows.start_ns[on] + rows.duration_ns[on]
        first, above = first + row.size, first


@given(
    st.lists(st.integers(0, 2**63 - 1), max_size=30),
    st.lists(st.floats(width=64), max_size=30),
    st.lists(st.integers(0, 2**53 - 1).map(float), max_size=30),
)
def test_columns_come_back(integers: list[int], floats: list[float], whole: list[float]) -> None:
    """Integers of any size and floats with all their bits are what they were."""
    packer = Packer()
    packer.integers(np.array(integers, dtype=np.int64))
    packer.floats(np.array(floats, dtype=np.float64))
    packer.floats(np.array(whole, dtype=np.float64))
    data = zlib.decompress(base64.b64decode("".join(packer.chunks())))
    columns = []
    for count, planes in packer.shapes:
        size = count * abs(planes)
        raw = np.zeros((count, 8), dtype=np.uint8)
        raw[:, : abs(planes)] = np.frombuffer(data[:size], np.uint8).reshape(abs(planes), count).T
        columns.append(raw.view("<f8" if planes < 0 else "<i8").reshape(count))
        data = data[size:]
    np.testing.assert_array_equal(columns[0], integers)
    # 0.0 and -0.0 are one number, and integers hold no sign of zero.
    np.testing.assert_array_equal(columns[1], np.array(floats, dtype=np.float64))
    np.testing.assert_array_equal(columns[2], whole)
    assert data == b""


def test_pieces_stay_short() -> None:
    """No text node is longer than XML parsers like, and each piece is base64 of its own."""
    packer = Packer()
    packer.floats(np.random.default_rng(1).normal(size=400_000))
    chunks = packer.chunks()
    assert len(chunks) > 2
    assert all(len(chunk) <= CHUNK and len(chunk) % 4 == 0 for chunk in chunks)
    assert b"".join(map(base64.b64decode, chunks)) == base64.b64decode("".join(chunks))


def test_flags_work_counters_and_marks_are_kept() -> None:
    """What is unfinished or propagated, numbers of work, counters and marks are in the file, as they were."""
    builder = ProfileBuilder("test")
    stack = builder.stack(ROOT, builder.frame(scope("a")))
    spans = Spans(
        np.array([stack, stack], dtype=np.int32),
        np.array([10, 30]),
        np.array([20, 45]),
        np.array([False, True]),
        np.array([True, False]),
        {"flops": np.array([np.nan, 1.5e9])},
    )
    counter = Counter("loss", np.array([12, 40]), np.array([np.inf, 0.25]))
    builder.add_track(
        "main",
        pid=1,
        tid=1,
        spans=spans,
        counters=(counter,),
        marks=Marks(np.array([11, 11]), ("x", "<y>")),
    )
    decoded = Decoded(timeline_svg(builder.build(), title="t"))
    assert decoded.facts["total"] == 35
    assert decoded.boxes(0, 2) == [(0, 1, 0, "x"), (0, 1, 0, "<y>")]
    assert decoded.flags.tolist() == [0, 0, 2, 1]
    assert decoded.facts["propagated"] is True
    box, value = decoded.work["flops"]
    assert (box.tolist(), value.tolist()) == ([3], [1.5e9])
    track, name, at, values = decoded.curves[0]
    assert (track, name, at.tolist()) == (0, "loss", [2, 30])
    assert np.isnan(values[0])
    assert values[1] == 0.25


def test_neighbouring_samples_of_one_stack_are_one_box() -> None:
    """Samples merge at each depth to which they agree, and not over a gap or an empty stack."""
    builder = ProfileBuilder("test")
    a, b, c = Frame("a"), Frame("b"), Frame("c")
    ab, ac = builder.stack_of([a, b]), builder.stack_of([a, c])
    samples = Samples(
        np.array([ab, ab, ac, ROOT, ab, ab], dtype=np.int32),
        np.array([0, 10, 20, 30, 40, 60]),
        np.array([10, 10, 10, 10, 10, 10]),
    )
    builder.add_track("main", pid=1, tid=1, samples=samples)
    decoded = Decoded(timeline_svg(builder.build(), title="t"))
    assert decoded.boxes(0, 1) == [
        (0, 0, 30, "a"),
        (0, 40, 10, "a"),
        (0, 60, 10, "a"),
        (1, 0, 20, "b"),
        (1, 20, 10, "c"),
        (1, 40, 10, "b"),
        (1, 60, 10, "b"),
    ]
    track, has_periods, *columns = decoded.samples[0]
    assert (track, has_periods) == (0, False)
    assert [column.tolist() for column in columns] == [[0, 10, 20, 40, 60], [10] * 5, [1] * 5, [1] * 5]
    assert decoded.facts["samples"] == [[0, False, True, False, False, False]]


def test_a_file_that_merged_its_samples_does_not_say_how_many_there_were(tmp_path: Path) -> None:
    """So the timeline is told that its samples are not counted."""
    (tmp_path / "p.folded").write_text("main;fit 3\nmain;tanh 5\n")
    decoded = Decoded(timeline_svg(load(tmp_path / "p.folded"), title="t"))
    assert [is_counted for _, _, is_counted, *_ in decoded.facts["samples"]] == [False]


def test_samples_beside_scopes_are_closed() -> None:
    """Where anything has a scope, rows of samples open on demand, and tracks without scopes are folded."""
    builder = ProfileBuilder("test")
    stack = builder.stack_of([Frame("f")])
    seen = Samples(np.array([stack], dtype=np.int32), np.array([0]), np.array([10]))
    spans = builder.spans([SpanRecord(0, 10, 0, scope("a"))])
    builder.add_track("both", pid=1, tid=1, spans=spans, samples=seen)
    builder.add_track("samples", pid=1, tid=2, samples=seen)
    mixed = builder.build()
    assert [track[2:4] for track in Decoded(timeline_svg(mixed, title="t")).facts["tracks"]] == [
        [False, False],
        [True, False],
    ]
    alone = Decoded(timeline_svg(samples_only(mixed), title="t"))
    assert [track[2:4] for track in alone.facts["tracks"]] == [[False, True], [False, True]]


def test_the_static_chart_shows_what_is_wide() -> None:
    """Where no script runs there are boxes with names, the track, the counter, a time axis, and how to get more."""
    root = ET.fromstring(timeline_svg(tiny(), title="Tiny"))
    texts = [e.text for e in root.iter(f"{SVG}text")]
    for expected in (
        "main",
        "fit",
        "jacobian",
        "solve",
        "damping",
        "500 ms",
        "open in a browser to pan and zoom",
    ):
        assert expected in texts
    assert "solve 400 ms" in [e.text for e in root.iter(f"{SVG}title")]


def test_the_static_chart_says_which_module_and_about_how_long() -> None:
    """Where no script runs, code of a module has the name of its file, and samples have no exact times."""
    builder = ProfileBuilder("module")
    stack = builder.stack_of([Frame("<module>", "/x/fit.py"), Frame("<module>", "/x/data.py", 1)])
    samples = Samples(np.array([stack], dtype=np.int32), np.array([0]), np.array([3_141_592]))
    builder.add_track("main", pid=1, tid=1, samples=samples)
    root = ET.fromstring(timeline_svg(builder.build(), title="t"))
    texts = [e.text for e in root.iter(f"{SVG}text")]
    assert {"<module> fit.py", "<module> data.py"} <= set(texts)
    assert "<module> ≈ 3.1 ms" in [e.text for e in root.iter(f"{SVG}title")]


def many(tracks: int, spans: int) -> Profile:
    builder = ProfileBuilder("many")
    for track in range(tracks):
        step = 100 if track < 30 else 1
        records = [SpanRecord(1000 * i, 1000 * i + step, 0, scope(f"s{i % 7}")) for i in range(spans)]
        builder.add_track(f"thread {track}", pid=1, tid=track, spans=builder.spans(records))
    return builder.build()


def test_a_large_static_chart_is_bounded() -> None:
    """However many spans and tracks there are, few of them are elements, and what is cut is said."""
    svg = timeline_svg(many(300, 200), title="Large", width=20_000)
    assert svg.count("<rect") < 3000
    assert re.search(r"and \d+ more tracks", svg)
    assert len(svg.partition("<metadata")[0]) < 1_500_000


def test_of_many_tracks_those_with_little_are_folded() -> None:
    """The busiest stay open, and where there are few tracks all do."""
    folded = [track[2] for track in Decoded(timeline_svg(many(110, 20), title="t")).facts["tracks"]]
    assert 1 <= folded.count(False) <= 20
    assert all(folded[30:])
    assert not any(track[2] for track in Decoded(timeline_svg(many(5, 20), title="t")).facts["tracks"])


def test_a_worker_is_busy_with_what_was_sent_to_it() -> None:
    """Carried spans stand for another track's scope: what ran inside of them is what the track itself did."""
    builder = ProfileBuilder("worker")
    outer = builder.stack(ROOT, builder.frame(scope("sent by main")))
    inner = builder.stack(outer, builder.frame(scope("work")))
    deeper = builder.stack(inner, builder.frame(scope("part")))
    spans = Spans(
        np.array([outer, inner, deeper, inner], dtype=np.int32),
        np.array([0, 10, 12, 50]),
        np.array([100, 40, 30, 60]),
        np.zeros(4, dtype=np.bool_),
        np.array([True, False, False, False]),
    )
    builder.add_track("worker", pid=1, tid=1, spans=spans)
    assert rows_of(builder.build()).tracks[0].busy_ns == 30 + 10


def test_a_deep_recursion_is_cut_and_counted() -> None:
    """A stack of 20,000 frames is drawn down to a limit, and the track knows what is left out."""
    builder = ProfileBuilder("deep")
    stack = ROOT
    frame = builder.frame(Frame("f"))
    for _ in range(20_000):
        stack = builder.stack(stack, frame)
    samples = Samples(np.array([stack], dtype=np.int32), np.array([0]), np.array([10]))
    records = [SpanRecord(i, 10_000 - i, i, scope("g")) for i in range(MAX_DEPTH + 5)]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records), samples=samples)
    rows = rows_of(builder.build())
    assert len(rows.rows) == 2 * MAX_DEPTH
    assert rows.tracks[0].left_out == 5 + 1
    assert rows.duration_ns.min() > 0


def test_times_far_from_zero_are_exact() -> None:
    """A clock that started a long time ago takes nothing from the accuracy of a nanosecond."""
    late = 2**62
    profile = of_records(
        SpanRecord(late, late + 7, 0, scope("a")), SpanRecord(late + 3, late + 4, 1, scope("b"))
    )
    assert Decoded(timeline_svg(profile, title="t")).boxes(0, 0) == [(0, 0, 7, "a"), (1, 3, 1, "b")]


def test_spans_that_overlap_are_refused() -> None:
    """A profile that contradicts itself is an error that names track and time, and no wrong timeline."""
    builder = ProfileBuilder("bad")
    stack = builder.stack(ROOT, builder.frame(scope("a")))
    spans = Spans(
        np.array([stack, stack], dtype=np.int32),
        np.array([0, 5]),
        np.array([9, 12]),
        np.zeros(2, dtype=np.bool_),
    )
    builder.add_track("main", pid=1, tid=1, spans=spans)
    with pytest.raises(InvalidInputError, match=r"'main'.*spans of depth 0 overlap at 5 ns"):
        timeline_svg(builder.build(), title="t")
