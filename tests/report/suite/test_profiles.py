"""Profiles of a suite's variants: the facts from scopes, and the index page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.html import Page
from tests.helpers.processes import wait_until
from tests.helpers.training_profiles import serial
from workbench.bench import Case, Residuals, Suite
from workbench.bench.run.experiment import InterruptedRunError
from workbench.capture.samplers import Sampling
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.profile import SampledShare
from workbench.report.profile.sampler_agreement import Agreement, Compared
from workbench.report.suite import profiles as suite_profiles
from workbench.report.suite.agreement import VariantAgreement
from workbench.report.suite.differences import sampled_tree
from workbench.report.suite.page import ProfiledVariant, suite_page, write_suite_page
from workbench.report.suite.profiles import SuiteProfileOptions, profile_suite
from workbench.suites.reference.commentary import COMMENTARY, SCALING


def variant(name: str, **changes: Any) -> ProfiledVariant:
    """Return what is known of a variant whose program did next to nothing."""
    return ProfiledVariant(**({"name": name, "slug": "a", "is_baseline": True} | changes))


def test_missing_facts_are_dashes_and_empty_columns_are_not_there(tmp_path: Path) -> None:
    """A page is made of whatever is known; columns without a figure are left out."""
    suite = Suite("s", baseline="a", variants={"a": {}})
    bare = Page(suite_page(suite, [variant("a")], tmp_path))
    assert "error" not in bare.text
    assert "share of the Jacobian" not in bare.text
    assert "Residuals" not in bare.text
    mixed = [
        variant("a", error=1e-3, bare_ms=2.0),
        variant("b", is_baseline=False, bare_ms=1.0),
        variant("c", is_baseline=False),
    ]
    page = Page(suite_page(suite, mixed, tmp_path))
    assert "2.00× faster" in page.text
    assert page.text.count("–") >= 3


def test_the_fastest_is_first_and_the_unknown_last(tmp_path: Path) -> None:
    """One table, with figures of one run each, and the same figures in the sentences above it."""
    suite = Suite("s", baseline="a", variants={name: {} for name in "abcd"}, quality="loss")
    times = {"a": (2.0, 1e-3), "b": (4.0, 1e-3), "c": (None, None), "d": (1.0, 5e-4)}
    done = [
        variant(name, slug=name, is_baseline=name == "a", bare_ms=ms, error=error)
        for name, (ms, error) in times.items()
    ]
    text = " ".join(Page(suite_page(suite, done, tmp_path)).text.split())
    head, _, table = text.partition("Variants one run each, no intervals")
    assert "Of 2 variants beside the baseline, “d” is the fastest: a run is 2.00× faster; the loss is" in head
    assert "The fastest of all without a larger error is “d”: a run is 2.00× faster." in head
    cells = (
        "d 2.00× faster 1 5.0·10⁻⁴ 2.00× smaller error a (baseline) baseline 2 1.0·10⁻³ – "
        "b 2.00× slower 4 1.0·10⁻³ same error c – – – –"
    )
    assert cells in table


def test_residuals_are_one_chart_and_the_same_ones_one_line(tmp_path: Path) -> None:
    """Any suite may have them; what cannot be distinguished has one label, and the caption names the others."""
    suite = Suite("s", baseline="a", variants={name: {} for name in "abc"})
    x = np.linspace(0, 1, 50)
    wrong = {"a": np.sin(x), "b": np.sin(x) + 1e-3, "c": 2 * np.cos(x)}
    done = [variant(name, is_baseline=name == "a", residuals=Residuals(x, r)) for name, r in wrong.items()]
    page = Page(suite_page(suite, done, tmp_path))
    assert "a and 1 more" in page.text
    assert "As “a”: “b”." in page.text


def test_the_summary_is_on_top(tmp_path: Path) -> None:
    """The page begins with what its figures say; each variant's difference from the baseline is a page beside it."""
    variants = {"exact": {"tanh": "exact"}, "fast": {"tanh": "fast"}}
    suite = Suite("s", baseline="exact", variants=variants, scaling=SCALING, commentary=COMMENTARY)
    done = []
    for name, tanh, ms in (("exact", 60, 10.0), ("fast", 20, 8.0)):
        (tmp_path / name).mkdir()
        tree = sampled_tree(name, serial(tanh), step="epoch", step_ns=ms * 1e6)
        done.append(
            variant(
                name, slug=name, is_baseline=name == "exact", bare_ms=ms, has_steps=True, share=tanh / 100, tree=tree,
                error=1e-5,
            )
        )  # fmt: skip
    page = Page(write_suite_page(suite, done, tmp_path).read_text(encoding="utf-8"))
    summary = page.text.partition("one run each")[0]
    assert "In the baseline, “exact”, tanh takes 60 % of the Jacobian (" in summary
    assert "“fast”: an epoch is 1.25× faster; " in summary
    assert "the error stays 1.0·10⁻⁵." in summary
    assert [a["href"] for tag, a in page.tags if tag == "a"].count("fast/difference.html") == 1
    chart = (tmp_path / "fast" / "difference.html").read_text(encoding="utf-8")
    assert "exact → fast" in chart
    assert "an epoch is as long as it was without the profiler" in " ".join(Page(chart).text.split())
    assert 'href="../index.html"' in chart
    assert len(chart) < 200_000
    assert not (tmp_path / "exact" / "difference.html").exists()


@pytest.mark.parametrize("missing", ["baseline", "time"])
def test_differences_of_what_is_known(missing: str, tmp_path: Path) -> None:
    """Without the baseline's samples there is no difference; without a time shares are compared, and that is said."""
    suite = Suite("s", baseline="a", variants={"a": {}, "b": {}})
    done = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tree = sampled_tree(name, serial(), step="epoch", step_ns=1e6 if name == "a" else None)
        given = None if (missing, name) == ("baseline", "a") else tree
        done.append(variant(name, slug=name, is_baseline=name == "a", tree=given))
    write_suite_page(suite, done, tmp_path)
    chart = tmp_path / "b" / "difference.html"
    assert chart.exists() == (missing == "time")
    if missing == "time":
        assert "Shares of samples are compared" in chart.read_text(encoding="utf-8")


def test_agreement_of_samplers_is_one_line_and_one_table(tmp_path: Path) -> None:
    """The line stands above the table, and alone where one has no samples; with a single sampler there is nothing."""
    suite = Suite("s", baseline="a", variants={"a": {}})
    evil = Compared(
        "<script>alert(1)</script>", "", SampledShare(50, 0.5, 0.4, 0.6), SampledShare(1, 0.9, 0.8, 1.0)
    )
    found = Agreement((replace(evil, name="fit", exact=0.81, witness=evil.own), evil), (), (200, 200))
    page = suite_page(suite, [variant("a", compared=VariantAgreement("a", found))], tmp_path)
    text = " ".join(Page(page).text.split())
    assert "0 of 1 variants agree The in-process sampler and py-spy do not agree on “a” in “<script>" in text
    assert "share exact in-process py-spy agree a: scopes that lines decide, of the time in them" in text
    assert (
        "fit 81 % 50 % [40, 60] 50 % [40, 60] yes <script>alert(1)</script> – 50 % [40, 60] 90 % [80, 100] no"
        in text
    )
    assert "script" not in {tag for tag, _ in Page(page).tags}
    alone = suite_page(
        suite, [variant("a", compared=VariantAgreement("a", None, "it is not installed"))], tmp_path
    )
    assert "Two samplers cannot be compared on any variant: it is not installed." in alone
    assert '<table class="agreement">' not in alone
    assert "Agreement" not in suite_page(suite, [variant("a")], tmp_path)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Names, descriptions and warnings are shown and never run."""
    evil = "<img src=x onerror=alert(1)>\"'</style><script>alert(2)</script>"
    suite = Suite(evil, baseline=evil, variants={evil: {}})
    x = np.linspace(0, 1, 5)
    done = variant(evil, description=evil, warnings=(evil,), residuals=Residuals(x, x))
    page = Page(suite_page(suite, [done], tmp_path))
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert f"Profiles: {evil}" in page.text


SUITE = """
import os, signal, time
from workbench import scope
from workbench.bench import Case, Residuals, Suite
def residuals(folder):
    return Residuals([0.0, 1.0], [float((folder / "result").read_text()), 1.0])
variants = {"a/b": {"how": "ok"}, "a b": {"how": HOW}}
suite = Suite("tiny", baseline="a/b", variants=variants, residuals=residuals)

@suite.workload
def workload(how, *, seed):
    def run():
        with scope("epoch"):
            if how == "fail":
                raise SystemExit(3)
            if how == "wait":
                print("waiting", flush=True)
                open(WAITS, "w").close()
                try:
                    time.sleep(60)
                except KeyboardInterrupt:
                    pass  # as the trainer does, which returns what it has
            return 1.0
    def keep(result, folder):
        (folder / "result").write_text(str(result))
    return Case(run=run, quality=lambda result: {"error": result}, keep=keep)
"""


@pytest.fixture
def suite_file(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a suite, the second variant of which does as it is told."""

    def write(how: str) -> Path:
        path = tmp_path / "profiled_suite.py"
        path.write_text(SUITE.replace("HOW", repr(how)).replace("WAITS", repr(str(tmp_path / "waits"))))
        return path

    return write


def options(suite: Path, **changes: Any) -> SuiteProfileOptions:
    return SuiteProfileOptions(
        str(suite), suite.parent / "out", seconds=0.0, sampling=Sampling("none"), **changes
    )


def test_every_variant_of_a_suite_is_on_the_page(suite_file: Callable[[str], Path]) -> None:
    """Each variant has a folder of its own, with what its case kept, and a row; every link leads to a file."""
    told: list[tuple[int, int, str]] = []
    suite = suite_file("ok")
    index = profile_suite(options(suite), progress=lambda *now: told.append(now))
    assert told == [(0, 2, "a/b"), (1, 2, "a b"), (2, 2, "")]
    assert (index.parent / "a-b" / "result").read_text() == "1.0"
    speedscope = json.loads((index.parent / "a-b" / "scopes.speedscope.json").read_text())
    assert "epoch" in [frame["name"] for frame in speedscope["shared"]["frames"]]
    assert "columns" in (index.parent / "a-b" / "index.html").read_text(encoding="utf-8")
    assert {"a-b/scopes.speedscope.json", "a-b-2/index.html"} <= set(live_links(index))
    assert {"../index.html", "../a-b-2/index.html"} <= set(live_links(index.parent / "a-b" / "index.html"))
    text = index.read_text(encoding="utf-8")
    assert "Residuals" in text
    assert "a/b and 1 more" in text


def live_links(page: Path) -> list[str]:
    """Return the addresses that a page links, each of which leads to a file."""
    tags = Page(page.read_text(encoding="utf-8")).tags
    links = [str(a["href"]) for tag, a in tags if tag == "a" and "href" in a]
    for link in links:
        assert (
            link.startswith(("#", "https://www.speedscope.app/"))
            or (page.parent / link.removesuffix("?view")).is_file()
        )
    return links


def test_a_variant_that_fails_is_named_and_the_others_are_there(suite_file: Callable[[str], Path]) -> None:
    """The error says which variant failed and how, after the page of the others is made."""
    suite = suite_file("fail")
    with pytest.raises(
        WorkbenchError, match="variant 'a b' of suite 'tiny' failed with exit code 3"
    ) as caught:
        profile_suite(options(suite))
    index = suite.parent / "out" / "index.html"
    assert f"{index} has the others" in str(caught.value)
    assert "a-b/index.html" in live_links(index)
    assert "a-b-2/index.html" not in live_links(index)


def test_wrong_options_and_folders_are_one_line(suite_file: Callable[[str], Path], tmp_path: Path) -> None:
    """A wrong suite, time or folder is named before anything is profiled."""
    with pytest.raises(InvalidInputError, match="does not exist"):
        profile_suite(options(tmp_path / "none.py"))
    with pytest.raises(InvalidInputError, match="seconds is -1"):
        profile_suite(SuiteProfileOptions(str(suite_file("ok")), tmp_path, seconds=-1.0))
    (tmp_path / "out").write_text("a file")
    with pytest.raises(WorkbenchError, match="cannot write to"):
        profile_suite(options(suite_file("ok")))


@pytest.mark.parametrize(("done", "error"), [(0, True), (1, False)])
def test_an_interrupt_keeps_the_variants_before_it(
    suite_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, done: int, error: bool
) -> None:
    """Ctrl-C ends the profiling; the page has what was done, and without any there is none."""
    calls: list[str] = []

    def profile(
        suite: Suite, name: str, options: SuiteProfileOptions, folder: Any, links: Any, say: Any
    ) -> ProfiledVariant:
        calls.append(name)
        if len(calls) > done:
            raise KeyboardInterrupt
        return variant(name)

    monkeypatch.setattr(suite_profiles, "_profile_variant", profile)
    said: list[str] = []
    given = options(suite_file("ok"))
    if error:
        with pytest.raises(InterruptedRunError, match="interrupted before a variant was profiled"):
            profile_suite(given, say=said.append)
        assert not said
    else:
        assert "a/b" in profile_suite(given, say=said.append).read_text()
        assert said == ["interrupted at 'a b': the page has the variants before it"]


def test_ctrl_c_ends_a_workload_that_takes_it_for_its_own_end(suite_file: Callable[[str], Path]) -> None:
    """The trainer returns what it has on Ctrl-C; its variant is interrupted all the same, and not repeated."""
    suite = suite_file("wait")
    program = textwrap.dedent(f"""
        from pathlib import Path
        from workbench.capture.samplers import Sampling
        from workbench.report.suite.profiles import SuiteProfileOptions, profile_suite
        suite, folder = {str(suite)!r}, Path({str(suite.parent / "out")!r})
        print(profile_suite(SuiteProfileOptions(suite, folder, seconds=0.2, sampling=Sampling("none")), say=print))
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until((suite.parent / "waits").exists)
    os.killpg(process.pid, signal.SIGINT)
    out, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (0, "")
    assert "interrupted at 'a b': the page has the variants before it" in out
    assert "a-b/index.html" in live_links(suite.parent / "out" / "index.html")


def test_residuals_that_fail_lose_no_profile(suite_file: Callable[[str], Path]) -> None:
    """A suite's own code that fails is named, and the page is made."""
    suite = suite_file("ok")
    suite.write_text(suite.read_text().replace("read_text()", "no_such_method()"))
    said: list[str] = []
    index = profile_suite(options(suite), say=said.append)
    assert any("a/b: the suite's residuals failed: AttributeError" in text for text in said)
    assert "a-b-2/index.html" in live_links(index)


def test_a_case_need_not_keep_anything() -> None:
    """Neither steps nor keeping are asked of a workload."""
    case = Case(run=int, quality=lambda result: {})
    assert case.steps is None
    assert case.keep is None
