"""Parallel scaling on the page: speed-ups are measured against the right variant, and workers' time adds up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.recorded_runs import write_recorded_run
from workbench.bench.analysis.analysis import analyse
from workbench.bench.design.suite_tables import Scaling
from workbench.bench.results.results import Results, read_results
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord
from workbench.report.bench.profiles import profiles_of
from workbench.report.bench.recordings import Recorded
from workbench.report.bench.rows import rows_of
from workbench.report.bench.scaling import ScalingPart, serial_of, worker_time

OF_WORK = Scaling("workers", "share", "part")


def scaling_in(results: Results) -> ScalingPart | None:
    analysis = analyse(results)
    return profiles_of(analysis, rows_of(analysis)).scaling


def test_speed_up_is_against_the_same_without_workers(tmp_path: Path) -> None:
    """Each variant with workers is compared with the one that differs in nothing else, by the measured rounds."""
    scaling = scaling_in(write_recorded_run(tmp_path / "run"))
    assert scaling is not None
    rows = {row.name: row for row in scaling.table.rows}
    assert list(rows) == ["two threads", "fast, two threads"]
    of_baseline, of_fast = rows["two threads"], rows["fast, two threads"]
    assert (of_baseline.note, of_fast.note) == ("against serial", "against fast")
    assert [cell.text for cell in of_baseline.cells[:3]] == ["2", "1.60× faster", "80 %"]
    assert of_fast.cells[1].text == "1.20× faster"
    assert of_fast.cells[1].note == "[1.20, 1.20]"
    assert of_fast.cells[2].value == pytest.approx(0.6)
    assert of_fast.cells[3].chart is not None


@pytest.mark.parametrize(
    ("variants", "serial"),
    [
        ({"base": {"n": 1}, "two": {"n": 2}}, "base"),
        ({"base": {"n": 1, "x": 0}, "other": {"n": 1, "x": 1}, "two": {"n": 2, "x": 1}}, "other"),
        ({"base": {"n": 1, "x": 0}, "other": {"n": 1, "x": 1}, "two": {"n": 2, "x": 2}}, "base"),
        ({"other": {"n": 3, "x": 0}, "base": {"n": 1, "x": 0}, "two": {"n": 2, "x": 0, "y": 1}}, "base"),
        ({"base": {"n": 1, "x": 0, "y": 0}, "two": {"n": 2, "x": 1, "y": 1}}, None),
        ({"base": {"n": 2}, "two": {"n": 4}}, None),
        ({"base": {}, "two": {"n": 2}}, None),
    ],
)
def test_serial_variant(variants: Any, serial: str | None, make_results: Callable[..., Results]) -> None:
    """It differs in the fewest options beside the workers, in one at most, the baseline first; else there is none."""
    results = make_results(dict.fromkeys(variants, [1.0] * 2), variants=variants)
    assert serial_of(results, "two", "n") == serial


def test_void_session_has_no_speed_ups(tmp_path: Path) -> None:
    """A session that finds a difference between the baseline and itself has no speed-up either."""
    results: Results = write_recorded_run(tmp_path / "run", recorded=False)
    text = (results.folder / "results.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        if line.get("name") == "A/A control":
            line["value_s"] = 2.0
    (results.folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    scaling = scaling_in(read_results(results.folder))
    assert scaling is not None
    assert {cell.text for row in scaling.table.rows for cell in row.cells[1:3]} == {"–"}


def profile_of(*tracks: list[tuple[int, int, str]]) -> Profile:
    """Return a profile of tracks with (start, end, name), times in milliseconds."""
    builder = ProfileBuilder("by hand")
    for number, spans in enumerate(tracks):
        records = [
            SpanRecord(start * 10**6, end * 10**6, depth, Frame(name, kind=FrameKind.SCOPE))
            for depth, (start, end, name) in enumerate(spans)
        ]
        builder.add_track(str(number), pid=1, tid=number, spans=builder.spans(records))
    return builder.build()


def recorded(profile: Profile, count: int = 1) -> Recorded:
    return Recorded("v", profile, count, is_whole=True)


SERIAL = profile_of([(0, 110, "fit"), (0, 100, "share"), (0, 90, "part")])


def test_workers_time_is_divided() -> None:
    """Available time is workers × whole; it is needed work, longer work and waiting, and they add up."""
    parallel = profile_of(
        [(0, 80, "fit"), (0, 70, "share")], [(5, 55, "part")], [(5, 65, "part"), (10, 20, "part")]
    )
    time = worker_time(recorded(parallel), recorded(SERIAL), OF_WORK, 2)
    assert time is not None
    assert time.available_s == pytest.approx(0.140)
    assert time.parts == pytest.approx((0.090, 0.020, 0.030))
    assert time.outside_s == pytest.approx(0.010)
    assert time.change == pytest.approx(110 / 90)


def test_work_that_takes_less_is_needed_in_full() -> None:
    """Where the work is done in less time than by the serial run, nothing of it is longer."""
    parallel = profile_of([(0, 40, "share")], [(0, 35, "part")], [(0, 35, "part")])
    time = worker_time(recorded(parallel), recorded(SERIAL), OF_WORK, 2)
    assert time is not None
    assert time.parts == pytest.approx((0.070, 0, 0.010))


def test_more_at_work_than_workers_leaves_no_negative_time() -> None:
    """Work beyond workers × whole makes the available time longer, and no waiting is left."""
    parallel = profile_of([(0, 50, "share")], *[[(0, 50, "part")]] * 3)
    time = worker_time(recorded(parallel), recorded(SERIAL), OF_WORK, 2)
    assert time is not None
    assert (time.available_s, time.waiting_s) == pytest.approx((0.150, 0))


def test_runs_of_different_length_are_compared_by_call() -> None:
    """The serial run needs so much for each call of the whole, however many there were."""
    twice = profile_of([(0, 100, "share"), (0, 90, "part"), (101, 201, "share"), (101, 191, "part")])
    parallel = profile_of([(0, 60, "share")], [(0, 50, "part")], [(0, 50, "part")])
    time = worker_time(recorded(parallel), recorded(twice, 2), OF_WORK, 2)
    assert time is not None
    assert time.parts == pytest.approx((0.090, 0.010, 0.020))


@pytest.mark.parametrize("missing", ["share", "part"])
def test_scopes_that_are_not_there_give_no_time(missing: str) -> None:
    """Where the scopes that the suite names were not recorded, that is all that is said."""
    other = "part" if missing == "share" else "share"
    parallel = profile_of([(0, 60, other)])
    assert worker_time(recorded(parallel), recorded(SERIAL), OF_WORK, 2) is None


def test_serial_work_without_a_scope_is_the_whole() -> None:
    """A serial run that opens no scope around its parts does the work in the whole."""
    serial = profile_of([(0, 90, "share")])
    parallel = profile_of([(0, 60, "share")], [(0, 50, "part")], [(0, 50, "part")])
    time = worker_time(recorded(parallel), recorded(serial), OF_WORK, 2)
    assert time is not None
    assert time.parts == pytest.approx((0.090, 0.010, 0.020))
