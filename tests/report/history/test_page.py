"""The page of stored experiments: verdicts over time, and no judgement on the times of a few sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.bench_runs import FINGERPRINT
from tests.helpers.hostile import HOSTILE
from tests.helpers.html import Page
from workbench.bench.results.results import Results
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.report.bench.page import write_page
from workbench.report.history.page import write_runs_page

Make = Callable[..., Results]
ARMS: dict[str, list[Any]] = {"base": [(1.0, 0.1)] * 7, "other": [(0.5, 0.1)] * 7}


def session(make_results: Make, day: int, scale: float = 1.0, ratio: float = 0.5, **more: Any) -> Results:
    runs = {"base": [(scale, 0.1)] * 7, "other": [(scale * ratio, 0.1)] * 7}
    return make_results(runs, **({"started": f"2026-01-{day:02}T00:00:00"} | more))


def text_of(runs: list[Results], folder: Path) -> str:
    return str(Page(write_runs_page(runs, folder).read_text(encoding="utf-8")).text)


def test_each_experiment_is_a_row(make_results: Make, tmp_path: Path) -> None:
    """A row has the time, the speed with its interval and the verdict of that experiment; the newest is first."""
    runs = [session(make_results, 2, ratio=0.25), session(make_results, 1)]
    text = text_of(runs, tmp_path / "out")
    assert "Benchmark: tiny, 2 experiments" in text
    row = text[text.index("Experiments, the newest first") :]
    cells = (
        r"250 ms ?4\.00× faster \[4\.00, 4\.00\] ?faster ?same error",
        r"500 ms ?2\.00× faster \[2\.00, 2\.00\]",
    )
    assert re.search(".*".join(cells), row)


def test_each_variant_has_a_chart_on_each_machine(make_results: Make, tmp_path: Path) -> None:
    """One experiment is a chart; two machines never share one."""
    page = write_runs_page([session(make_results, 1)], tmp_path / "one").read_text(encoding="utf-8")
    assert page.count('class="wp wp-over-time"') == 4  # time and error of both variants
    here, there = ({**FINGERPRINT, "machine": name} for name in ("here", "there"))
    runs = [session(make_results, day, fingerprint=here if day % 2 else there) for day in range(1, 9)]
    page = write_runs_page(runs, tmp_path / "two").read_text(encoding="utf-8")
    assert page.count('class="wp wp-over-time"') == 8
    assert page.count('<svg x="12.50%"') == 8  # the first of four
    assert Page(page).text.count("4 of 6 experiments for an interval") == 8


def test_few_experiments_show_no_change(make_results: Make, tmp_path: Path) -> None:
    """Eleven times, six of them doubled, are no evidence of a change."""
    runs = [session(make_results, day, scale=1 + (day > 5)) for day in range(1, 12)]
    text = text_of(runs, tmp_path / "out")
    assert "Too few experiments on one machine to judge a change: 11, and 12 are needed." in text


def test_a_change_is_said_and_drawn(make_results: Make, tmp_path: Path) -> None:
    """Where a variant became slower the page begins with it, and no line leads over the change."""
    runs = [
        session(make_results, day, scale=1 + day / 1000, ratio=0.5 if day < 8 else 0.6)
        for day in range(1, 15)
    ]
    page = write_runs_page(runs, tmp_path / "out").read_text(encoding="utf-8")
    text = Page(page).text
    assert re.search(r"14 experiments other: 1\.21× slower \[1\.20, 1\.21\] since 2026-01-08 00:00\.", text)
    assert len(re.findall(r'<line [^>]*class="wp-change slower"', page)) == 1
    assert page.count('class="wp-trend"') == 5  # two for the time of one variant, one for all else


def test_enough_sessions_on_one_machine_give_an_interval(make_results: Make, tmp_path: Path) -> None:
    """With six, what sessions vary by is known: the median of the sessions and its interval by order statistics."""
    runs = [session(make_results, day, scale=day / 10, ratio=0.5 + day / 100) for day in range(1, 7)]
    text = text_of(runs, tmp_path / "out")
    assert "median 350 ms [100 ms, 600 ms], 500 % apart" in text
    assert "; 1.87× faster [1.79, 1.96]" in text


def test_void_sessions_are_shown_and_not_counted(make_results: Make, tmp_path: Path) -> None:
    """A session whose baseline differs from itself gives no verdict, and no value between sessions."""
    runs = [session(make_results, day) for day in range(1, 6)]
    runs.append(session(make_results, 6, again=[1.5] * 7))
    text = text_of(runs, tmp_path / "out")
    assert "failed: differs by more than 2 %" in text
    assert "5 of 6 experiments" in text


def test_what_else_changed_is_said(make_results: Make, tmp_path: Path) -> None:
    """Another version of a package, or another suite file, is named: then not the time alone is another."""
    other = {**FINGERPRINT, "suite": "1" * 64, "packages": {"numpy": "2.1"}}
    text = text_of([session(make_results, 1), session(make_results, 2, fingerprint=other)], tmp_path / "out")
    assert "the suite's file; numpy (2.0, now 2.1)" in text


def test_revisions_are_one_variant_over_time(make_results: Make, tmp_path: Path) -> None:
    """Comparisons of revisions have other names each time: their sides are shown as base and new, with the verdict."""
    runs = []
    for commit, seconds in (("1a", 1.0), ("2b", 1.5)):
        sides = {name: {"python": "3.11", "packages": {}} for name in ("base (00)", f"new ({commit})")}
        runs.append(
            make_results(
                {"base (00)": [(1.0, 0.1)] * 7, f"new ({commit})": [(seconds, 0.1)] * 7},
                sides=sides, pairs={"one": list(sides)}, delta=0.05, started=f"2026-01-0{commit[0]}T00:00:00",
                descriptions={f"new ({commit})": f"HEAD: change {commit}"},
            )
        )  # fmt: skip
    text = text_of(runs, tmp_path / "out")
    assert "new (2b): HEAD: change 2b" in text
    assert re.search(r"1\.5 s ?1\.50× slower \[1\.50, 1\.50\] ?regression.* 1 s ?same speed ?fine", text)


def test_variants_of_one_session_alone(make_results: Make, tmp_path: Path) -> None:
    """A variant that a session lacks, or that failed there, leaves a gap and spoils nothing."""
    runs = [
        make_results(ARMS),
        make_results({"base": ARMS["base"], "third": ["boom"] * 7}),
        make_results({"base": ["boom"] * 7, "other": ["boom"] * 7}),
    ]
    text = text_of(runs, tmp_path / "out")
    assert "third" in text
    assert "failed" in text
    assert not re.search(r"\binf\b|Infinity|\bnan\b", text)


def test_runs_link_their_own_pages(make_results: Make, tmp_path: Path) -> None:
    """A session's name leads to its own page, where it has one."""
    runs = [session(make_results, 1), session(make_results, 2)]
    write_page(runs[0])
    page = write_runs_page(runs, tmp_path / "some where" / "out").read_text(encoding="utf-8")
    links = [attributes["href"] for tag, attributes in Page(page).tags if tag == "a"]
    assert [link for link in links if "index.html" in link] == ["../../run-0/index.html"]


def test_hostile_names_are_text(make_results: Make, tmp_path: Path) -> None:
    """Names and machines are shown and never run."""
    names = HOSTILE[:11]
    runs = [
        make_results(
            {"base": ARMS["base"]} | dict.fromkeys(names, ARMS["other"]),
            suite=names[0],
            started=names[1],
            descriptions=dict.fromkeys(names, names[2]),
            fingerprint={**FINGERPRINT, "machine": names[3 + i]},
        )
        for i in range(2)
    ]
    page = Page(write_runs_page(runs, tmp_path / "out").read_text(encoding="utf-8"))
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]


def test_runs_that_cannot_be_compared_are_refused(make_results: Make, tmp_path: Path) -> None:
    """Other suites, other baselines, the same run twice, and a run's own folder are one line each."""
    one = make_results(ARMS)
    with pytest.raises(InvalidInputError, match="different suites, else and tiny"):
        write_runs_page([one, make_results(ARMS, suite="else")], tmp_path / "out")
    with pytest.raises(InvalidInputError, match=r"has the baseline 'base' and .* 'other'"):
        write_runs_page([one, make_results({"other": [1.0], "base": [1.0]})], tmp_path / "out")
    with pytest.raises(InvalidInputError, match="is named twice"):
        write_runs_page([one, one], tmp_path / "out")
    with pytest.raises(InvalidInputError, match="choose another folder"):
        write_runs_page([one, make_results(ARMS)], one.folder)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(make_results: Make, tmp_path: Path) -> None:
    """The message names the file and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(WorkbenchError, match=r"cannot write .*file"):
        write_runs_page([make_results(ARMS), make_results(ARMS)], tmp_path / "file")


def test_the_page_made_again_is_the_same(make_results: Make, tmp_path: Path) -> None:
    """Everything on the page follows from the results."""
    runs = [session(make_results, day) for day in (1, 2)]
    first = write_runs_page(runs, tmp_path / "out").read_bytes()
    assert write_runs_page(runs[::-1], tmp_path / "out").read_bytes() == first
