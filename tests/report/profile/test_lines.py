"""The source on a profile's page, with the share of samples beside each line."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder
from workbench.report.profile.lines import SourceFile, source_files
from workbench.report.profile.overview import as_text, overview_of
from workbench.report.profile.run import ProfileRun

SOURCE = "".join(f"line({i})\n" for i in range(1, 101))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Python file of 100 lines, older than any run."""
    file = tmp_path / "p.py"
    file.write_text(SOURCE)
    os.utime(file, (1e9, 1e9))
    return file


def sampled(file: Path, lines: list[int], *, native: bool = False, **facts: bool) -> ProfileRun:
    """Return a run with one sample at each of the lines, in Python code or in native code below it."""
    builder = ProfileBuilder("made")
    function = Frame("f", str(file))
    below = [Frame("tanh", "/np/_umath.so", kind=FrameKind.NATIVE)] if native else []
    stack = builder.stack_of([function, *below])
    samples = builder.samples([stack] * len(lines), list(range(len(lines))), [1] * len(lines))
    samples = replace(
        samples,
        line=np.array(
            [builder.line_stack_of([function._replace(line=line)]) for line in lines], dtype=np.int32
        ),
    )
    builder.add_track("main", pid=1, tid=1, samples=samples)
    profile: Profile = builder.build()
    return ProfileRun("made", samples=profile, **facts)


def shown(run: ProfileRun) -> list[SourceFile]:
    return source_files(overview_of(run))


def test_lines_around_samples_are_shown(source: Path) -> None:
    """Three lines around each line with samples are shown; parts that touch are one, and the file's ends bound them."""
    (file,) = shown(sampled(source, [1, 50, 54, 100]))
    assert [[line.number for line in part] for part in file.parts] == [
        [1, 2, 3, 4],
        list(range(47, 58)),
        [97, 98, 99, 100],
    ]
    by_number = {line.number: line for part in file.parts for line in part}
    assert by_number[50].text == "line(50)"
    assert by_number[50].share.startswith("25 % ± ")
    assert (by_number[51].share, by_number[51].bar) == ("", 0.0)
    assert file.share == "100 %"


def test_the_hottest_line_has_the_longest_bar(source: Path) -> None:
    """Bars are relative to the hottest line of all."""
    (file,) = shown(sampled(source, [10, 10, 10, 10, 11]))
    bars = {line.number: line.bar for part in file.parts for line in part if line.bar}
    assert bars == {10: 100.0, 11: 25.0}


def test_lines_that_the_file_does_not_have(source: Path) -> None:
    """Samples of lines beyond the end of the file show none of it."""
    (file,) = shown(sampled(source, [5000]))
    assert file.parts == ()


@pytest.mark.parametrize(
    ("what", "note"), [("gone", "is not there"), ("large", "up to 1 MiB"), ("no Python", "up to 1 MiB")]
)
def test_files_that_are_not_shown(source: Path, what: str, note: str) -> None:
    """A file that cannot be shown is named with the reason."""
    if what == "gone":
        source.unlink()
    elif what == "large":
        source.write_text(SOURCE + "#" * (1 << 20))
    else:
        source = source.rename(source.with_suffix(".txt"))
    (file,) = shown(sampled(source, [3]))
    assert (file.parts, file.name) == ((), source.name)
    assert note in file.note


def test_a_foreign_profile_names_no_file_of_ours(source: Path) -> None:
    """Of a profile that anybody may have written no source is read."""
    assert shown(sampled(source, [3], is_foreign=True)) == []


def test_a_narrow_terminal_has_shares_and_sources(source: Path) -> None:
    """Rows fit the terminal: what was done at a line is left out where the source would have no space."""
    run = sampled(source, [3], native=True)
    wide, narrow = (as_text(overview_of(run), width) for width in (100, 44))
    assert [line.split()[:2] for line in wide if "Python" in line] == [["of", "samples"]]
    assert not any("native" in line for line in narrow)
    assert any("p.py:3" in line and "line(3)" in line for line in narrow)
    assert max(map(len, wide)) <= 100
    assert max(map(len, narrow)) <= 44
