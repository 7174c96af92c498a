"""What a folder of a profile keeps of its samples under scopes: the summary, and all that a page is made of again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.page_profiles import capture_of, merged, text_of
from workbench.capture.program import Capture
from workbench.capture.warnings import CaptureWarning, WarningCode
from workbench.errors import Remedy
from workbench.formats.speedscope import write_speedscope
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, ThreadState
from workbench.report.profile.files import summary, write_profile_files
from workbench.report.profile.overview import overview_of
from workbench.report.profile.page import write_report
from workbench.report.profile.run import old_trace, read_run, run_of_capture
from workbench.report.profile.sampled import tip


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """A capture with samples under scopes."""
    (tmp_path / "out").mkdir()
    return capture_of(tmp_path / "out", merged())


@pytest.mark.parametrize(
    "odd",
    [
        5,
        {},
        {"samples": "many"},
        {"samples": 5, "attributed": 6},
        {"samples": True},
        {"samples": 5, "attributed": 5, "by": [3]},
        {"samples": 5, "outside": 10**400},
    ],
)
def test_odd_counts(odd: object, capture: Capture) -> None:
    """What a file states and cannot be is not shown, and breaks nothing."""
    write_profile_files(capture)
    file = capture.options.folder / "profile.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"attribution": odd, "sampler_runs": [odd]}))
    run = read_run(capture.options.folder)
    write_report(run, capture.options.folder)
    assert run.samples is not None
    found = run.samples.attribution
    assert found is None or found.samples == 5


def test_a_folder_of_an_earlier_version(capture: Capture) -> None:
    """Samples that were attributed by time are shown, with one line that says which version made them."""
    write_profile_files(capture)
    folder = capture.options.folder
    assert read_run(folder).old == old_trace(folder) == ""
    (folder / "py-spy.chrometrace.json").write_text("[]")
    run = read_run(folder)
    assert "was made by workbench 0.1.0, which attributed py-spy's samples by time: profile again" in run.old
    assert run.old in run.warnings


def test_the_summary(capture: Capture) -> None:
    """Scopes have samples, share, its interval and native functions."""
    facts = json.loads(json.dumps(summary(capture)))
    (activation,) = [row for row in facts["scope_totals"] if row["name"] == "activation"]
    assert (activation["samples"], activation["share"]) == (60, 0.5)
    assert activation["share_low"] < 0.5 < activation["share_high"]
    assert activation["native"] == [
        {"name": "tanh", "share": pytest.approx(50 / 60), "symbols": ["DOUBLE_tanh_X86_V4"]}
    ]
    assert (activation["python"], activation["waiting"]) == (pytest.approx(0.1), pytest.approx(4 / 60))
    assert "on_processor" not in activation
    (unseen,) = [row for row in facts["scope_totals"] if row["name"] == "too short to be seen"]
    assert (unseen["samples"], unseen["share"], unseen["native"]) == (0, 0, [])
    assert facts["attribution"]["attributed"] == 80


def test_what_threads_did_in_scopes(capture: Capture) -> None:
    """Where the sampler knows what threads did, scopes have shares of CPU time and of waiting for the lock."""
    assert capture.merged is not None
    tracks = []
    for track in capture.merged.tracks:
        samples = track.samples
        if samples is not None:
            rows = np.arange(len(samples))
            state = np.where(rows % 2 == 0, ThreadState.WAITING_FOR_GIL, ThreadState.PYTHON).astype(np.uint8)
            cpu = np.where(rows % 2 == 0, 0, samples.weight_ns)
            samples = replace(samples, ticks=np.ones(len(rows), dtype=np.int32), cpu_ns=cpu, state=state)
        tracks.append(replace(track, samples=samples))
    told = summary(replace(capture, merged=replace(capture.merged, tracks=tuple(tracks))))
    row = next(row for row in json.loads(json.dumps(told))["scope_totals"] if row["name"] == "activation")
    for name in ("cpu_share", "on_processor", "waiting_for_lock"):
        assert 0 < row[f"{name}_low"] < row[name] < row[f"{name}_high"] < 1
    assert row["on_processor"] + row["waiting_for_lock"] == pytest.approx(1)


def rows(profile: Profile | None) -> list[Any]:
    """Return all spans and samples of a profile, with their stacks as frames."""
    assert profile is not None
    found: list[Any] = []
    for track in profile.tracks:
        if track.spans is not None:
            spans = zip(track.spans.stack, track.spans.start_ns, track.spans.end_ns, strict=True)
            found += [("span", track.pid, path(profile, s), int(a), int(b)) for s, a, b in spans]
        if track.samples is not None:
            seen = zip(track.samples.stack, track.samples.at_ns, track.samples.weight_ns, strict=True)
            found += [("sample", track.pid, path(profile, s), int(a), int(w)) for s, a, w in seen if s >= 0]
    return sorted(found, key=repr)


def path(profile: Profile, stack: int) -> tuple[Frame, ...]:
    return tuple(profile.frames[i] for i in profile.stacks.path(int(stack)))


def test_a_folder_that_is_read_back_is_the_same(capture: Capture) -> None:
    """The page that `workbench report` makes of a folder says and shows what the first one did."""
    write_profile_files(capture)
    folder = capture.options.folder
    first, drawn = text_of(folder / "index.html"), (folder / "samples.svg").read_text()
    run = read_run(folder)
    assert run.together is not None
    assert rows(run.together) == rows(run_of_capture(capture).together)
    assert rows(run.samples) == rows(run_of_capture(capture).samples)
    write_report(run, folder)
    again = text_of(folder / "index.html")
    # Samples of threads that wait are in a recording, and not in speedscope's file, from which this folder is read.
    made = re.compile(
        r"(read from out · )?page made .*? by workbench|, [\d.]+ [kM]?B\b|Parallelism .*?(?=How far to trust this)"
    )
    assert made.sub("", again.replace("ran 1970", "")) == made.sub("", first)
    assert (folder / "samples.svg").read_text() == drawn


def test_a_folder_of_before(capture: Capture) -> None:
    """Of a folder whose samples were not attributed scopes and samples have a clock each, and two images."""
    write_profile_files(capture)
    file = capture.options.folder / "profile.json"
    facts = json.loads(file.read_text())
    del facts["attribution"], facts["one_clock"]
    file.write_text(json.dumps(facts))
    run = read_run(capture.options.folder)
    assert run.together is None
    assert tip(run) is None


def test_one_flame_graph_of_both(capture: Capture) -> None:
    """Scopes and samples stand on one track on one timeline, without what waits outside of scopes."""
    names = {file.name for file in write_profile_files(capture)}
    assert {"samples.svg", "scopes.svg"} <= names
    run = run_of_capture(capture)
    waits = [r for r in rows(run.together) if r[0] == "sample" and r[2][-1].kind is FrameKind.IDLE]
    assert len(waits) == 4


def test_warnings_are_read_again(capture: Capture) -> None:
    """Warnings of `profile.json` are records; text alone, or a code of a later version, is shown as its text."""
    known = CaptureWarning(WarningCode.NO_SAMPLE, {"seconds": 2.0}, (Remedy.SAMPLE_BY_PY_SPY,))
    write_profile_files(replace(capture, warnings=(known,)))
    file = capture.options.folder / "profile.json"
    facts = json.loads(file.read_text())
    (stated,) = facts["warnings"]
    odd = [{"code": "later", "text": "from later"}, {"code": "no-sample", "values": {"seconds": "x"}}]
    file.write_text(json.dumps(facts | {"warnings": [stated, "an old line", *odd]}))
    text = "no sample was taken of the program in 2.0 s; use py-spy"
    assert read_run(capture.options.folder).warnings == (text, "an old line", "from later", "")


def test_lines_of_py_spy_are_read_again(capture: Capture) -> None:
    """py-spy's own file has the lines that its samples were at, and the profile that is read again has them, too."""
    write_profile_files(replace(capture, sampler="py-spy", one_clock=False))
    folder = capture.options.folder
    for path in (folder / "recording").glob("*"):
        path.unlink()
    builder = ProfileBuilder("trace")
    stack = builder.stack_of([Frame("main", "/home/me/fit.py", 7)])
    builder.add_track("Process 1 Thread 1", pid=1, tid=1, samples=builder.samples([stack], [0], [10]))
    write_speedscope(builder.build(), folder / "py-spy.speedscope.json")
    assert [line.line for line in overview_of(read_run(folder)).lines] == [7]
