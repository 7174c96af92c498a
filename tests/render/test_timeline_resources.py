"""What the system counted of each process, on the timeline: which curves there are, where, and of how many readings."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.resources import readings
from tests.render.test_timeline import Decoded
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, Resources, SpanRecord
from workbench.render.timeline.timeline import timeline_svg

MS = 1_000_000


def two_processes(*resources: Resources) -> Profile:
    """A second of `fit` on a thread of process 7, two of process 8, and what the system counted."""
    builder = ProfileBuilder("two")
    fit = [SpanRecord(0, 1000 * MS, 0, Frame("fit", kind=FrameKind.SCOPE))]
    for pid, name in ((7, "main"), (8, "main"), (8, "worker")):
        builder.add_track(name, pid=pid, tid=1, spans=builder.spans(fit))
    return replace(builder.build(), resources=resources)


def test_each_process_is_above_its_tracks() -> None:
    """Each has a heading with the largest resident set; a process without tracks is the last."""
    counted = [readings(pid, [0, 500 * MS], [4_000_000, pid * 1_000_000]) for pid in (9, 8, 7)]
    facts = Decoded(timeline_svg(two_processes(*counted), title="t")).facts
    assert [(track[0], track[1]) for track in facts["tracks"]] == [
        ("process 7", "largest resident set 7 MB"),
        ("main · process 7", ""),
        ("process 8", "largest resident set 8 MB"),
        ("main · process 8", ""),
        ("worker · process 8", ""),
        ("process 9", "largest resident set 9 MB"),
    ]
    assert [track[-1] for track in facts["tracks"]] == [0, 0, 2, 2, 2, 5]


def test_amounts_as_read_and_counts_as_rates() -> None:
    """A rate is of the time from one reading to the next; CPU is in whole per cent of one core."""
    counted = readings(
        7,
        [0, 100 * MS, 300 * MS],
        [1 << 20, 3 << 20, 2 << 20],
        threads=[1, 4, 4],
        cpu_ns=[5 * MS, 105 * MS, 405 * MS],
        major_faults=[3, 3, 3],
        read_bytes=[-1, -1, -1],
        written_bytes=[0, 4096, 4096],
        voluntary_switches=[10, 11, 13],
    )
    found = Decoded(timeline_svg(two_processes(counted), title="t"))
    assert [(name, unit, is_more) for _, name, _, _, unit, is_more in found.facts["curves"]] == [
        ("resident set", "B", False),
        ("CPU", "%", False),
        ("threads", "", True),
        ("written", "B/s", True),
        ("voluntary switches", "/s", True),
    ]
    assert {curve[3] for curve in found.facts["curves"]} == {300 * MS}, (
        "nothing is drawn behind the last reading"
    )
    at, values = found.curves[0][2], [curve[3].tolist()[:2] for curve in found.curves]
    assert at.tolist() == [0, 100 * MS, 300 * MS]
    assert values == [[1 << 20, 3 << 20], [100, 150], [1, 4], [40960, 0], [10, 10]]
    assert all(np.isnan(curve[3][2]) for curve in (found.curves[1], *found.curves[3:]))


def test_a_reading_alone_is_not_drawn() -> None:
    """It has no duration, and makes no rate."""
    facts = Decoded(timeline_svg(two_processes(readings(7, [0], [4096])), title="t")).facts
    assert facts["curves"] == []
    assert len(facts["tracks"]) == 3


def test_many_readings_keep_extremes_and_sums() -> None:
    """Of an hour the smallest and the largest resident set stay, and counts stay exact at those readings that do."""
    count = 72_000
    resident = np.random.default_rng(1).integers(1, 1 << 30, count)
    counted = readings(7, np.arange(count) * 50 * MS, resident, written_bytes=np.arange(count) * 512)
    hour = timeline_svg(two_processes(counted), title="t")
    (_, _, at, values), (_, _, _, written) = Decoded(hour).curves
    assert len(at) <= 20_001
    assert at[[0, -1]].tolist() == [0, (count - 1) * 50 * MS]
    assert np.array_equal(values, resident[at // (50 * MS)])
    assert [values.min(), values.max()] == [resident.min(), resident.max()]
    assert set(written[:-1].tolist()) == {10240}
    assert len(hour) < 500_000


@pytest.mark.parametrize("is_folded", [False, True])
def test_without_scripts_two_curves(is_folded: bool) -> None:
    """The static timeline has the resident set and CPU of each process, up to its last reading."""
    counted = readings(7, [0, 500 * MS], [4096, 8192], cpu_ns=[0, 250 * MS], threads=[2, 3])
    profile = two_processes(counted)
    if is_folded:  # as all of its tracks are, which do little beside the others
        more = [replace(track, tid=tid, pid=8) for tid in range(2, 30) for track in profile.tracks[:1]]
        short = replace(profile.tracks[0], spans=replace(profile.tracks[0].spans, end_ns=np.array([MS])))
        profile = replace(profile, tracks=(short, *more))
    root = ET.fromstring(timeline_svg(profile, title="t", width=1016))
    curves = [each.get("d") for each in root.iter() if each.get("class") == "wt-curve"]
    assert len(curves) == (0 if is_folded else 2)
    assert all(curve.endswith("H508.0") for curve in curves)
    if not is_folded:
        assert {"resident set, up to 8.19 kB", "CPU, up to 50 %"} <= {each.text for each in root.iter()}
