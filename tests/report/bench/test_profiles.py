"""What explains a run is on its page: recorded time by scope, flame graphs, parallel scaling, the suite's tables."""

from __future__ import annotations

import random
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import recorded_runs
from tests.helpers.hostile import HOSTILE
from tests.helpers.html import Page
from tests.helpers.recorded_runs import record_run, sampled_run, write_hostile_run, write_recorded_run
from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import Results, read_results
from workbench.formats.speedscope import write_speedscope
from workbench.report.bench import flames as bench_flames
from workbench.report.bench.page import write_page
from workbench.report.bench.profiles import MAX_SCOPES, Profiles, profiles_of
from workbench.report.bench.recordings import recordings_of
from workbench.report.bench.rows import rows_of
from workbench.text import printable

STEPS = recorded_runs.STEPS
SECTIONS = [
    '<section id="why">',
    '<div class="chart">',
    '<section id="scaling">',
    '<details class="own-table">',
]
Write = Callable[..., Results]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run with recordings and a table; nobody changes it."""
    return write_recorded_run(tmp_path_factory.mktemp("recorded") / "run")


@pytest.fixture
def own(kept: Results, tmp_path: Path) -> Results:
    """A copy of it, to be damaged."""
    shutil.copytree(kept.folder, tmp_path / "run")
    return read_results(tmp_path / "run")


def sections(results: Results) -> list[str]:
    """Return which of our parts the page has."""
    page = write_page(results).read_text(encoding="utf-8")
    return [name for name in SECTIONS if name in page]


def explained(results: Results) -> Profiles:
    analysis = analyse(results)
    return profiles_of(analysis, rows_of(analysis))


def test_page_shows_what_was_recorded(own: Results) -> None:
    """A run with recordings, scaling and tables has all four sections, and each variant its charts."""
    assert sections(own) == SECTIONS
    page = (own.folder / "index.html").read_text(encoding="utf-8")
    assert page.count('class="chart"') == 2 * len(own.variants) - 1
    assert page.count('class="wp wp-bar"') == len(own.variants) + 2
    assert "in one recorded run of each variant" in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_nothing_is_shown_of_nothing(tmp_path: Path) -> None:
    """Without recordings and tables there is no section; what is measured of scaling stands without recordings."""
    write: Write = write_recorded_run
    assert sections(write(tmp_path / "a", recorded=False, tables=(), scaling=None)) == []
    assert sections(write(tmp_path / "b", recorded=False, tables=())) == SECTIONS[2:3]
    assert sections(write(tmp_path / "c", recorded=False, scaling=None)) == SECTIONS[3:]
    assert sections(write(tmp_path / "d", scaling=None, tables=())) == SECTIONS[:2]


def test_first_step_is_left_out(kept: Results) -> None:
    """Of a recorded run there are the steps that a measured value is made of: all but the first, to the end."""
    for recorded in recordings_of(kept).found.values():
        assert recorded.count == STEPS - 1
        assert not recorded.is_whole
        recorded.profile.check()
    assert not explained(kept).with_first


def test_a_first_step_that_cannot_be_distinguished_is_kept(tmp_path: Path) -> None:
    """Where no scope ran once a step, all of the recording is there, and the page says of which variants."""
    results: Results = write_recorded_run(tmp_path / "run")
    shutil.rmtree(results.recording_folder("fast"))
    record_run(results.recording_folder("fast"), 1, steps=STEPS + 3)
    recorded = recordings_of(results).found["fast"]
    assert recorded.is_whole
    assert recorded.count == STEPS
    assert explained(results).with_first == ["“fast”"]


def test_own_times_add_up_to_the_step(kept: Results) -> None:
    """On one thread the own times of a step's scopes are the step by the clock, where the line is on the bar."""
    found = explained(kept)
    assert found.times is not None
    serial = next(row for row in found.times.rows if row.variant == "serial")
    root = ET.fromstring(serial.bar)
    bars = list(root.iter("rect"))
    (line,) = list(root.iter("line"))
    end = float(bars[-1].attrib["x"].rstrip("%")) + float(bars[-1].attrib["width"].rstrip("%"))
    assert end == pytest.approx(float(line.attrib["x1"].rstrip("%")), abs=0.5)


def test_small_scopes_are_one_part(tmp_path: Path) -> None:
    """The scopes with the largest shares have a colour of their own, and the others one together."""
    results: Results = write_recorded_run(tmp_path / "run")
    shutil.rmtree(results.recording_folder("fast"))
    record_run(results.recording_folder("fast"), 1, names=("a", "b", "c"))
    found = explained(results)
    assert found.times is not None
    assert len(found.times.key) == MAX_SCOPES + 1
    assert found.times.key[-1].endswith("all other scopes")


def test_a_recorded_run_far_from_the_median_says_so(kept: Results) -> None:
    """Steps of a second that took a millisecond when they were recorded have the measured median beside them."""
    found = explained(kept)
    assert found.times is not None
    assert [row.measured for row in found.times.rows] == ["500 ms", "600 ms", "625 ms", "1 s"]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda folder: next(folder.glob("*.json")).unlink(),
    "empty folder": lambda folder: [file.unlink() for file in folder.iterdir()],
    "no logs": lambda folder: [file.unlink() for file in folder.glob("*.wblog")],
    "empty logs": lambda folder: [file.write_bytes(b"") for file in folder.glob("*.wblog")],
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize(
    ("variant", "damage"), [*(("serial", each) for each in DAMAGE), ("two threads", "no logs")]
)
def test_damaged_recording_is_a_line(damage: str, variant: str, own: Results) -> None:
    """What cannot be read is one line that names the variant, and all else is there."""
    DAMAGE[damage](own.recording_folder(variant))
    found = explained(own)
    assert [line.count(f"“{variant}”") for line in found.warnings] == [1]
    assert set(found.flames) == set(own.variants) - {variant}
    assert SECTIONS[0] in sections(own)


def test_any_damage_leaves_a_page(own: Results) -> None:
    """Bytes changed at random in every log: the page is written."""
    chance = random.Random(5)
    for log in own.folder.glob("recordings/*/*.wblog"):
        data = bytearray(log.read_bytes())
        for _ in range(40):
            data[chance.randrange(min(len(data), 20_000))] = chance.randrange(256)
        log.write_bytes(data)
    sections(own)


def test_charts_stop_where_the_page_is_full(kept: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has a bounded size: variants whose charts have no room are named."""
    letters = [len(flame.graph) + len(flame.difference or "") for flame in explained(kept).flames.values()]
    monkeypatch.setattr(bench_flames, "MAX_LETTERS", sum(letters[:2]))
    found = explained(kept)
    assert list(found.flames) == ["serial", "fast"]
    assert found.warnings[0].startswith(
        "The page has no room for the flame graphs of “two threads”, “fast, two"
    )


@pytest.fixture
def sampled(own: Results) -> Results:
    """A run of which two variants were sampled too."""
    for variant in ("serial", "fast"):
        own.samples_file(variant).parent.mkdir(exist_ok=True)
        write_speedscope(sampled_run(f"={variant}_kernel"), own.samples_file(variant))
    return own


def test_samples_take_the_place_of_scopes(sampled: Results) -> None:
    """Where a variant was sampled its chart goes down to native code; the others keep that of their scopes."""
    found = explained(sampled)
    assert {name: flame.is_sampled for name, flame in found.flames.items()} == {
        "serial": True, "fast": True, "two threads": False, "fast, two threads": False,
    }  # fmt: skip
    serial = found.flames["serial"].graph
    assert f"samples inside the scopes of {STEPS - 1} steps" in serial
    assert "serial_kernel 18 ms (60.0 %)" in serial
    assert "loop" in serial
    assert "main" not in re.findall(r"<title>(\w+)", serial)
    assert sections(sampled) == SECTIONS


def test_differences_are_of_measured_steps(sampled: Results) -> None:
    """Samples of two variants are scaled to a step of each as it was measured; without them scopes are compared."""
    changes = {name: flame.difference for name, flame in explained(sampled).flames.items()}
    assert changes["serial"] is None
    assert "samples of a step, as long as without the profiler" in (changes["fast"] or "")
    assert "part 600 ms → 360 ms (−40.0 %)" in (changes["fast"] or "")
    assert "serial_kernel 600 ms → 0 ns (gone)" in (changes["fast"] or "")
    assert "samples" not in (changes["two threads"] or "").partition("<script")[0]


@pytest.mark.parametrize("content", [b"", b"{}", b"\x1f\x8b no gzip"])
def test_damaged_samples_are_a_line(sampled: Results, content: bytes) -> None:
    """Samples that cannot be read are one line that names the variant, and its scopes are drawn."""
    sampled.samples_file("fast").write_bytes(content)
    found = explained(sampled)
    assert [line for line in found.warnings if line.startswith("The samples of “fast” cannot be read: ")]
    assert len(found.warnings) == 1
    assert {name for name, flame in found.flames.items() if flame.is_sampled} == {"serial"}


def test_names_are_escaped(tmp_path: Path) -> None:
    """Names of variants, scopes, options and tables are text, whatever they are written to be."""
    results: Results = write_hostile_run(tmp_path / "run")
    assert sections(results) == SECTIONS
    page = (results.folder / "index.html").read_text(encoding="utf-8")
    found = Page(page).tags
    assert not [tag for tag, _ in found if tag == "img"]
    assert not [1 for _, attributes in found if any(name.startswith("on") for name in attributes)]
    assert "49 the policy" not in page
    assert printable(HOSTILE[5]) in page.replace("&amp;", "&")
    assert not re.search("[\u202e\u200f\u2066\x07\x1b]", page)
