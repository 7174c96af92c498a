"""The roofline of a profile page: what scopes state, against what this machine can do where that is known."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from workbench import load, record, scope
from workbench.bench.machine import calibration
from workbench.bench.machine.calibration import COPY, DOUBLE, SINGLE, Calibration, Rate
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, RecordingFacts, SpanRecord
from workbench.report.profile import roofline as profile_roofline
from workbench.report.profile.page import write_report
from workbench.report.profile.roofline import roofline
from workbench.report.profile.run import run_of_profile
from workbench.report.tables import PageTable
from workbench.trainer import LevenbergMarquardt, Sequential, problem

MS = 1_000_000
NAN = math.nan


def profile_of(scopes: Mapping[str, tuple[float, float, float]], hosts: tuple[str, ...] = ()) -> Profile:
    """Return a profile of one call of each scope: milliseconds, flops and bytes, NaN where it states none."""
    builder, at, records = ProfileBuilder("test"), 0, []
    for name, (duration, _, _) in scopes.items():
        records.append(SpanRecord(at, at + round(duration * MS), 0, Frame(name, kind=FrameKind.SCOPE)))
        at += round(duration * MS)
    work = {
        "flops": np.array([flops for _, flops, _ in scopes.values()]),
        "bytes": np.array([moved for _, _, moved in scopes.values()]),
    }
    builder.add_track("main", pid=1, tid=1, spans=replace(builder.spans(records), work=work))
    return builder.build(RecordingFacts(hosts=hosts))


SCOPES = {
    "copy": (1.0, NAN, 5e6),  # 5 GB/s
    "gram": (4.0, 2e8, 4e6),  # 50 GFLOP/s at 50 flops for each byte
    "axpy": (2.0, 1e6, 12e6),  # 0.5 GFLOP/s at 1/12
    "count": (3.0, 6e7, NAN),  # 20 GFLOP/s
    "plain": (9.0, NAN, NAN),
}


@pytest.fixture
def calibrated() -> Calibration:
    """Say of this machine that it does 100 and 200 GFLOP/s, and copies 10 and 20 GB/s, at best."""
    rates = [
        Rate(what, threads, 0.9 * high * threads, 0.5 * high * threads, high * threads, 5)
        for what, high in ((DOUBLE, 100.0), (SINGLE, 200.0), (COPY, 10.0))
        for threads in (1, 2)
    ]
    found = Calibration(
        calibration.this_machine(), tuple(rates), datetime(2026, 1, 2, tzinfo=UTC), 0.0, 2048, 1 << 30, 1
    )
    calibration.save(found)
    return found


def cells(table: PageTable) -> dict[str, list[str]]:
    """Return the texts of each row, by the name behind its number."""
    return {row.name.rpartition(" · ")[2]: [cell.text for cell in row.cells] for row in table.rows}


def test_scopes_against_the_roofs(calibrated: Calibration) -> None:
    """Both: the share of the roof above the point; flops or bytes alone: the share of the compute or the copy roof."""
    found = roofline(profile_of(SCOPES))
    assert found is not None
    both, flops, moved = found.tables
    assert [column.label for column in both.columns] == [
        "total", "flops per byte", "GFLOP/s", "GB/s", "of the roof, 1 thread", "of the roof, 2 threads"
    ]  # fmt: skip
    assert cells(both) == {
        "gram": ["4 ms", "50", "50", "1", "50 %", "25 %"],
        "axpy": ["2 ms", "0.0833", "0.5", "6", "60 %", "30 %"],
    }
    assert [row.name for row in both.rows] == ["1 · gram", "2 · axpy"], "the longest is number 1"
    assert cells(flops) == {"count": ["3 ms", "20", "20 %", "10 %"]}
    assert cells(moved) == {"copy": ["1 ms", "5", "50 %", "25 %"]}


def test_the_roofs_are_stated(calibrated: Calibration) -> None:
    """The machine, when, the best rates and the medians stand above, and the best in the image."""
    found = roofline(profile_of(SCOPES))
    assert found is not None
    (line,) = found.lines
    assert str(calibrated.machine) in line
    assert "gemm float64 100 / 200 GFLOP/s (median 90 / 180), copy 10 / 20 GB/s (median 9 / 18)" in line
    assert "with 1 / 2 threads" in line
    assert "1 thread: 100 GFLOP/s, float32 200, 10 GB/s" in str(found.chart)
    assert all(f">{name}<" in re.sub(r"\s*([<>])\s*", r"\1", str(found.chart)) for name in ("gram", "axpy"))


def test_doubts_are_said(calibrated: Calibration) -> None:
    """What makes the rates unsure stands with them."""
    calibration.save(replace(calibrated, load=50.0))
    found = roofline(profile_of(SCOPES))
    assert found is not None
    assert found.lines[1].startswith("The machine was not idle (load 50.0)")


def test_without_a_calibration(tmp_path: Path) -> None:
    """One line says how to have roofs; points and rates are there without them."""
    found = roofline(profile_of(SCOPES))
    assert found is not None
    assert len(found.lines) == 1
    assert "not calibrated" in found.lines[0]
    assert "workbench doctor" in found.lines[0]
    assert "1 thread" not in str(found.chart)
    assert cells(found.tables[0])["gram"] == ["4 ms", "50", "50", "1"]


def test_with_a_damaged_calibration() -> None:
    """It is one line, which names the file and the remedy, and the page is made."""
    path = calibration.calibration_file(calibration.this_machine())
    path.parent.mkdir(parents=True)
    path.write_text("{")
    found = roofline(profile_of(SCOPES))
    assert found is not None
    assert len(found.lines) == 1
    assert str(path) in found.lines[0]
    assert "calibrate this machine" in found.lines[0]
    assert found.chart is not None


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ([os.uname().nodename], ""),
        ([], ""),
        (["elsewhere"], "This was recorded on another host (elsewhere)"),
        (
            ["elsewhere\x1b[2J", os.uname().nodename],
            "Part of this was recorded on another host (elsewhere\\x1b[2J)",
        ),
        ([f"n{i}" for i in range(9)], "(n0, n1, n2, n3, n4 and others)"),
    ],
)
def test_another_machine_is_said(calibrated: Calibration, hosts: list[str], words: str) -> None:
    """Hosts that are not this one are named, with whose the roofs are; where none is known nothing is guessed."""
    found = roofline(profile_of(SCOPES, tuple(hosts)))
    assert found is not None
    assert len(found.lines) == (2 if words else 1)
    assert words in found.lines[-1]


def test_a_recording_names_its_host(calibrated: Calibration, tmp_path: Path) -> None:
    """A recording of this machine is known to be of it."""
    with record(tmp_path / "recording"), scope("work", flops=1e6, bytes=1e6):
        pass
    profile = load(tmp_path / "recording")
    assert profile.recording.hosts == (os.uname().nodename,)
    found = roofline(profile)
    assert found is not None
    assert len(found.lines) == 1


@pytest.mark.parametrize("scopes", [{}, {"plain": SCOPES["plain"]}, {"nothing": (1.0, 0.0, -5.0)}])
def test_nothing_stated_is_no_section(scopes: dict[str, tuple[float, float, float]], tmp_path: Path) -> None:
    """Without scopes that state anything that can be drawn there is no roofline."""
    profile = profile_of(scopes)
    assert roofline(profile) is None
    assert roofline(None) is None
    page = write_report(run_of_profile(profile), tmp_path / "page").read_text(encoding="utf-8")
    assert 'id="roofline"' not in page


def test_without_points_there_is_no_plot() -> None:
    """Scopes with flops alone are a table, and zero bytes are none."""
    found = roofline(profile_of({"count": SCOPES["count"], "none": (1.0, 1e6, 0.0)}))
    assert found is not None
    assert found.chart is None
    (table,) = found.tables
    assert list(cells(table)) == ["count", "none"]


def test_many_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with the most time are shown, and how many are not is said."""
    monkeypatch.setattr(profile_roofline, "MAX_POINTS", 3)
    found = roofline(profile_of({f"s{i}": (i + 1.0, 1e6, 1e6) for i in range(8)}))
    assert found is not None
    assert list(cells(found.tables[0])) == ["s7", "s6", "s5"]
    assert found.left_out == 5


def test_the_page_has_it(calibrated: Calibration, tmp_path: Path) -> None:
    """It is closed at first; hostile names are text; the image's styles are classes, as the page's policy wants."""
    name = "</script><script>window.ran = 1</script>"
    run = run_of_profile(profile_of({**SCOPES, name: (1.0, 1e6, 1e6)}))
    page = write_report(run, tmp_path / "page").read_text(encoding="utf-8")
    section = page[page.index('<details id="roofline">') :]
    section = section[: section.index("</details>")]
    assert "<script" not in section
    assert not re.search(r"\sstyle=\"", section)
    assert "of the roof, 2 threads" in section
    assert 'class="wp wp-roofline"' in section


def test_the_trainers_scopes_are_points(calibrated: Calibration, tmp_path: Path) -> None:
    """A fit's Jacobian, normal equations and solution state what they compute and what they move at least."""
    data = problem("multimodal_1d")
    model = Sequential.builder(inputs=1).dense(6, "tanh").dense(1, "linear").build(seed=7)
    with record(tmp_path / "recording"):
        model.fit(data.x, data.y, optimizer=LevenbergMarquardt(jacobian="backprop"), epochs=3, seed=7)
    found = roofline(load(tmp_path / "recording"))
    assert found is not None
    names = {"compute jacobian", "forming normal equations", "solve"}
    assert names <= cells(found.tables[0]).keys()
    intensity = {name: float(texts[1]) for name, texts in cells(found.tables[0]).items()}
    assert intensity["compute jacobian"] < intensity["forming normal equations"]
    assert found.chart is not None
