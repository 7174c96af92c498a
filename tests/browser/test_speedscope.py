"""What is written for speedscope opens in speedscope itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.formats.chrome import write_chrome
from workbench.formats.folded import write_folded
from workbench.formats.speedscope import read_speedscope, write_speedscope
from workbench.profile import Counter, Frame, FrameKind, Marks, Profile, ProfileBuilder, SpanRecord

pytestmark = pytest.mark.browser
MS = 1_000_000


def names_shown(page: Any) -> list[str]:
    """Return the names in the sandwich view's table, of the profile that is selected."""
    rows = page.locator("table:visible").last.locator("tr").all_inner_texts()
    return [row.split("\t")[-1].strip() for row in rows if "\t" in row]


def scope(name: str) -> Frame:
    return Frame(name, kind=FrameKind.SCOPE)


def two_threads() -> Profile:
    """A main thread with nested scopes, and a worker that starts later."""
    builder = ProfileBuilder("training")
    main = [
        SpanRecord(0, 100 * MS, 0, scope("train")),
        SpanRecord(10 * MS, 60 * MS, 1, scope("compute jacobian")),
        SpanRecord(60 * MS, 90 * MS, 1, scope("solve")),
    ]
    worker = [SpanRecord(20 * MS, 50 * MS, 0, scope("columns 0–9 <&> π"))]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(main))
    builder.add_track("worker", pid=1, tid=2, spans=builder.spans(worker))
    return builder.build().check()


def sampled() -> Profile:
    """Three samples, one of them of nothing."""
    builder = ProfileBuilder("sampled")
    outer, inner = Frame("fit", "fit.py", 3), Frame("dgemm_kernel", kind=FrameKind.NATIVE)
    stacks = [builder.stack_of([outer]), -1, builder.stack_of([outer, inner])]
    samples = builder.samples(stacks, [0, 10 * MS, 20 * MS], [10 * MS] * 3)
    builder.add_track("main", pid=1, tid=1, samples=samples)
    return builder.build().check()


def by_hand(*events: tuple[str, int, int]) -> dict[str, Any]:
    """Return an evented file of two frames, written without our writer."""
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": "outer scope"}, {"name": "inner scope"}]},
        "profiles": [
            {
                "type": "evented",
                "name": "main",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": 100,
                "events": [{"type": kind, "at": at, "frame": frame} for kind, at, frame in events],
            }
        ],
    }


def test_scopes_of_two_threads_are_shown(open_in_speedscope: Callable[[Path], Any], tmp_path: Path) -> None:
    """Each thread is a profile of its own, and the viewer lists the scopes of the one that is selected."""
    write_speedscope(two_threads(), tmp_path / "two.json")
    page = open_in_speedscope(tmp_path / "two.json").page
    assert sorted(names_shown(page)) == ["compute jacobian", "solve", "train"]
    page.keyboard.press("n")
    page.get_by_text("worker (2/2)").wait_for()
    assert names_shown(page) == ["columns 0–9 <&> π"]


def test_samples_are_shown(open_in_speedscope: Callable[[Path], Any], tmp_path: Path) -> None:
    """Sampled stacks keep their Python and native names and their weights."""
    write_speedscope(sampled(), tmp_path / "sampled.json")
    page = open_in_speedscope(tmp_path / "sampled.json").page
    assert sorted(names_shown(page)) == ["dgemm_kernel", "fit"]
    assert "20.00ms" in page.locator("body").inner_text(), "the total of fit, without the gap"


def test_a_profile_without_tracks_opens(open_in_speedscope: Callable[[Path], Any], tmp_path: Path) -> None:
    """A run in which nothing was recorded is an empty chart, not an error."""
    write_speedscope(ProfileBuilder("nothing").build(), tmp_path / "nothing.json")
    assert names_shown(open_in_speedscope(tmp_path / "nothing.json").page) == []


def test_a_file_written_by_hand_opens(open_in_speedscope: Callable[[Path], Any], tmp_path: Path) -> None:
    """The harness takes what the format's specification allows, whoever wrote it."""
    content = by_hand(("O", 0, 0), ("O", 10, 1), ("C", 30, 1), ("C", 100, 0))
    (tmp_path / "hand.json").write_text(json.dumps(content))
    page = open_in_speedscope(tmp_path / "hand.json").page
    assert sorted(names_shown(page)) == ["inner scope", "outer scope"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(by_hand(("O", 0, 0), ("C", 10, 1))), id="a close that does not match"),
        pytest.param(json.dumps(by_hand(("O", 50, 0), ("C", 10, 0))), id="time that runs backwards"),
        pytest.param("not a profile", id="not a profile"),
    ],
)
def test_a_broken_file_is_detected(
    open_in_speedscope: Callable[[Path], Any], tmp_path: Path, content: str
) -> None:
    """The helper fails where the viewer refuses a file, so that the tests above can fail."""
    (tmp_path / "broken.json").write_text(content)
    with pytest.raises(AssertionError, match="speedscope refused"):
        open_in_speedscope(tmp_path / "broken.json")


def rich() -> Profile:
    """Two threads with spans, samples, a counter and a mark, on thread ids of 64 bits."""
    spans = two_threads().tracks[0].spans
    assert spans is not None
    builder = ProfileBuilder("rich")
    for record in (("train",), ("train", "compute jacobian"), ("train", "solve")):
        builder.stack_of([scope(name) for name in record])
    stack = builder.stack_of([Frame("fit", "fit.py", 3), Frame("dgemm_kernel", kind=FrameKind.NATIVE)])
    samples = builder.samples([stack, stack], [0, 60 * MS], [40 * MS, 10 * MS])
    counter = Counter("loss", np.array([5 * MS, 9 * MS]), np.array([1.0, 0.5]))
    marks = Marks(np.array([7 * MS]), ("here",))
    builder.add_track(
        "main", pid=1, tid=140245434423104, spans=spans, samples=samples, counters=(counter,), marks=marks
    )
    return builder.build().check()


def test_a_file_that_was_read_and_written_again(
    open_in_speedscope: Callable[[Path], Any], tmp_path: Path
) -> None:
    """What our reader made of a file opens like the file itself."""
    write_speedscope(two_threads(), tmp_path / "once.json")
    write_speedscope(read_speedscope(tmp_path / "once.json"), tmp_path / "twice.json")
    page = open_in_speedscope(tmp_path / "twice.json").page
    assert sorted(names_shown(page)) == ["compute jacobian", "solve", "train"]


def test_chrome_traces_open(open_in_speedscope: Callable[[Path], Any], tmp_path: Path) -> None:
    """The viewer reads our trace events too: each thread, and its samples beside it, by their names."""
    write_chrome(rich(), tmp_path / "rich.trace.json")
    page = open_in_speedscope(tmp_path / "rich.trace.json").page
    assert {"train", "compute jacobian", "solve"} <= {name.split(" {")[0] for name in names_shown(page)}
    page.keyboard.press("n")
    page.get_by_text("(samples)").first.wait_for()
    assert {name.split(" {")[0] for name in names_shown(page)} == {"fit", "dgemm_kernel"}


def test_folded_stacks_open(open_in_speedscope: Callable[[Path], Any], tmp_path: Path) -> None:
    """The viewer reads our folded stacks, with the names and sums of the samples."""
    write_folded(rich(), tmp_path / "rich.folded")
    page = open_in_speedscope(tmp_path / "rich.folded").page
    assert sorted(names_shown(page)) == ["dgemm_kernel", "fit (fit.py:3)"]
    assert "50,000" in page.locator("body").inner_text(), "microseconds"
