"""Samples under their scopes on the page of a profile, in its summary, and read back from its folder."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import page_profiles
from tests.helpers.hostile import HOSTILE
from tests.helpers.page_profiles import SpanRecord, capture_of, text_of, training
from workbench.capture.program import Capture
from workbench.profile import (
    Attribution,
    Frame,
    FrameKind,
    NativePart,
    Profile,
    ProfileBuilder,
    SampledShare,
    ScopeSamples,
    drop_idle,
    samples_only,
    without_samples,
)
from workbench.report.profile.facts import figures
from workbench.report.profile.files import write_profile_files
from workbench.report.profile.overview import as_json, as_text, overview_of
from workbench.report.profile.page import write_report
from workbench.report.profile.run import read_run, run_of_capture, run_of_profile
from workbench.report.profile.sampled import native_note, sampled_of, scope_name, tip
from workbench.report.profile.source_lines import line_of
from workbench.report.profile.tables import scopes_table
from workbench.text import as_share_give_or_take


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """A capture with samples under scopes."""
    (tmp_path / "out").mkdir()
    return capture_of(tmp_path / "out", page_profiles.merged())


def cells_of(profile: Profile, sampler: str = "") -> dict[str, dict[str, str]]:
    table = scopes_table(
        without_samples(profile), sampled_of(drop_idle(samples_only(profile)), sampler)
    ).table
    labels = [column.label for column in table.columns]
    return {
        row.name: dict(zip(labels, (f"{c.text} {c.unit}".strip() for c in row.cells), strict=True))
        for row in table.rows
    }


def test_the_table_of_scopes_has_samples() -> None:
    """Each scope has its share of all samples with its error, and what was on top."""
    cells = cells_of(page_profiles.merged())
    # 120 samples of threads at work or in a scope, on average 1.2 at a look: 100 looks
    assert cells["fit"]["of samples %"] == "50.0 ±9.6"
    assert cells["too short to be seen"]["of samples %"] == "–"
    table = scopes_table(page_profiles.merged(), sampled_of(drop_idle(page_profiles.merged()), "")).table
    (note,) = [row.notes[0] for row in table.rows if row.name == "activation"]
    assert note.text.replace("\u00a0", " ") == "83 % tanh, 10 % Python, 6.7 % waiting"
    assert "DOUBLE_tanh_X86_V4" in note.title


def test_without_attributed_samples_nothing_is_added() -> None:
    """Scopes beside samples that nobody attributed have the columns that they always had."""
    assert not {"of samples %"} & set(cells_of(training())["fit"])
    assert tip(run_of_profile(training())) is None
    assert sampled_of(None, "") == {}


def test_shares_of_a_sampler_that_waits_for_calls() -> None:
    """Samples of pyinstrument stand for unequal times: shares are of time, not of their number."""
    profile = page_profiles.merged()
    track = profile.tracks[0]
    assert track.samples is not None
    weight = track.samples.weight_ns.copy()
    weight[10:40] //= 100
    profile = replace(profile, tracks=(replace(track, samples=replace(track.samples, weight_ns=weight)),))
    by_count, by_time = (
        sampled_of(drop_idle(profile), name)["fit"].of_all for name in ("py-spy", "pyinstrument")
    )
    assert by_count.share == 0.6
    assert by_time.share == pytest.approx(60 / 70.3)


@pytest.mark.parametrize(
    ("share", "low", "high", "words"),
    [
        (0.41, 0.39, 0.43, "41 % ± 2"),
        (0.0171, 0.0111, 0.0231, "1.7 % ± 0.6"),
        (0.5, 0.4999, 0.5001, "50.0 % ± 0.1"),
        (1.0, 0.96, 1.0, "100 % ± 2"),
    ],
)
def test_words_of_a_share(share: float, low: float, high: float, words: str) -> None:
    """A share is given with as many digits as are known."""
    assert as_share_give_or_take(SampledShare(1, share, low, high)) == words


def test_long_names_and_many_parts() -> None:
    """Long names are cut and small parts summed; the full symbols are in the title."""
    of_all = SampledShare(100, 0.5, 0.4, 0.6)
    parts = [
        NativePart("n" * 80, 40, 0.4, ("n" * 80 + "_ZEN", "other")),
        *[NativePart("f", 10, 0.1, ("f",))] * 4,
    ]
    note = native_note(ScopeSamples("s", of_all, tuple(parts), 0.19, 0.01))
    assert (
        note.text.replace("\u00a0", " ")
        == f"40 % {'n' * 23}…, 10 % f, 10 % f, 20 % other native, 19 % Python"
    )
    assert "n" * 80 + "_ZEN" in note.title
    assert "other" in note.title
    many = native_note(ScopeSamples("s", of_all, (NativePart("x", 1, 0.01, ("x",)),) * 50, 0.5, 0.0))
    assert many.text.replace("\u00a0", " ") == "50 % native, 50 % Python"


def test_outside_any_scope(capture: Capture) -> None:
    """The page names the scope that would name most of what is outside any, as do the terminal and the JSON."""
    write_profile_files(capture)
    text = text_of(capture.options.folder / "index.html")
    for words in (
        'Tip: with scope("load data"): around load_data (fit.py) would name 25 % of all samples.',
        "Samples under scopes",
        "83 % tanh, 10 % Python, 6.7 % waiting",
    ):
        assert words in text, words


def test_figures_of_the_samples(capture: Capture) -> None:
    """The page states how many samples lines do not decide, and what the sampler could not see."""
    found = {figure.what: (figure.value, figure.more) for figure in figures(run_of_capture(capture))}
    assert found["samples of unknown scope"] == (
        "2",
        "of 130, waiting threads included: their source lines do not decide",
    )
    assert found["limits of the sampler"][1] == (
        "stack unknown: 0, native stack cut: 2,400, system calls interrupted: 2"
    )
    assert found["cost of sampling"] == ("4 ns", "CPU time of its handlers and helper threads")


def test_samples_without_scopes_say_what_a_scope_would_name(tmp_path: Path) -> None:
    """A program that has no scope is told where to put its first."""
    builder = ProfileBuilder("bare")
    paths = [["<module>", "main", "load"]] * 4 + [["<module>", "main", "train", "step"]] * 16
    stacks = [builder.stack_of([Frame(name, "/home/me/p.py") for name in names]) for names in paths]
    at = [10_000_000 * i for i in range(20)]
    builder.add_track("t", pid=1, tid=1, samples=builder.samples(stacks, at, [10_000_000] * 20))
    merged = builder.build(attribution=Attribution(20, outside=20))
    capture = replace(capture_of(tmp_path, merged), scopes=None)
    write_profile_files(capture)
    text = text_of(tmp_path / "index.html")
    words = 'with scope("train"): around train (p.py) would name 80 % of all samples.'
    assert words in text
    shown = overview_of(read_run(tmp_path))
    assert f"tip: {words}" in as_text(shown)
    assert as_json(shown)["tip"] == words


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("load_data", "load data"),
        ("Model._load_data", "load data"),
        ("f.<locals>.runFast", "run fast"),
        ("__call__", "call"),
        ("_", "work"),
        ('evil"); import os', "evil); import os"),
    ],
)
def test_names_for_scopes(function: str, name: str) -> None:
    """A function's name becomes words, and never ends the text that it stands in."""
    assert scope_name(function) == name


def test_hostile_names(tmp_path: Path) -> None:
    """Functions, files and native symbols with hostile names are text in the page."""
    for i, name in enumerate(HOSTILE):
        builder = ProfileBuilder("x")
        frames = [
            Frame(name, name, 3),
            Frame("s", kind=FrameKind.SCOPE),
            Frame(name, name, 0, FrameKind.NATIVE),
        ]
        stacks = [builder.stack_of(frames), builder.stack_of(frames[:1])]
        at = [10_000_000 * k for k in range(20)]
        samples = builder.samples(stacks * 10, at, [10_000_000] * 20)
        spans = builder.spans([SpanRecord(0, 10_000_000, 0, frames[1])])
        builder.add_track("t", pid=1, tid=1, spans=spans, samples=samples)
        profile = builder.build(attribution=Attribution(20, attributed=10, outside=10))
        page = write_report(run_of_profile(profile), tmp_path / str(i)).read_text(encoding="utf-8")
        body = re.sub(r"(?s)<(svg|script|style)\b.*?</\1>", "", page)
        assert "<script>window" not in body
        assert "<img" not in body


SOURCE = """
def load():
    def inner(): pass

class Model:
    async def fit(self): pass
    if True:
        def load(self): pass

def twice(): pass
def twice(): pass
"""


def test_where_a_function_begins(tmp_path: Path) -> None:
    """Its line is found by its qualified name, or its own where there is one such function; else it is unknown."""
    file = tmp_path / "p.py"
    file.write_text(SOURCE)
    wanted = {"load": 2, "load.<locals>.inner": 3, "inner": 3, "Model.fit": 6, "fit": 6, "Model.load": 8}
    assert {name: line_of(str(file), name) for name in wanted} == wanted
    assert line_of(str(file), "twice") is None
    assert line_of(str(file), "nowhere") is None
    (tmp_path / "broken.py").write_text("def f(:")
    (tmp_path / "bytes.py").write_bytes(b"\0\xff")
    for name in ("broken.py", "bytes.py", "gone.py", ".", "p.txt"):
        assert line_of(str(tmp_path / name), "f") is None
    assert line_of("/dev/zero", "f") is None
    assert line_of("a\0b.py", "f") is None
