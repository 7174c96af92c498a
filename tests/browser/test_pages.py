"""The pages open from a folder, narrow or wide, light or dark, and ask nobody for anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.measures import FAINT, OVERFLOWING
from tests.helpers.html import Page

pytestmark = pytest.mark.browser

SUITE = """
import time
from workbench import scope
from workbench.bench import Case, Suite
LONG = "a variant with a very long name, " + "of_words_that_do_not_break_" * 4
suite = Suite("tiny", baseline="base <&>", descriptions={"base <&>": "the first " * 20}, variants={
    "base <&>": {"n": 3}, LONG: {"n": 1}, "fails": {"n": 0},
}, draw=lambda folder, title: draw(folder, title))

@suite.workload
def workload(n, *, seed):
    def run():
        with scope("epoch"), scope("compute jacobian"), scope("columns"), scope("predict"), scope("activation"):
            return 1 / n + sum(range(n * 100_000))
    def keep(result, folder):
        (folder / "history.json").write_text('{"initial_train_mse": 1.0, "train_mse": [0.1, 0.01], '
            '"validation_mse": [0.2, 0.1], "test_mse": [0.2, 0.1], "epochs": 2, "stop_reason": "epochs used up"}')
    return Case(run=run, quality=lambda result: {"error": result}, keep=keep)

def draw(folder, title):
    from workbench.pictures.plots import fit_plot
    if (folder / "history.json").is_file():
        fit_plot(folder / "fit.png", [0.0, 0.5, 1.0], [0.0, 1.0, 0.0], [0.1, 0.9, 0.1], title=title)
"""


def workbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def bench_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of six rounds, in which one variant fails."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "tiny_suite.py").write_text(SUITE)
    done = workbench("bench", "tiny_suite.py", "--blocks", "2", "-o", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run" / "index.html"


@pytest.fixture(scope="module")
def profiles_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the profiles of a suite's variants, with flame graphs and fits."""
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "tiny_suite.py").write_text(SUITE.replace('"fails": {"n": 0}', '"other": {"n": 2}'))
    done = workbench(
        "profile",
        "--suite",
        "tiny_suite.py",
        "--seconds",
        "0.3",
        "--sampler",
        "pyinstrument",
        "-o",
        "out",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "out" / "index.html"


@pytest.fixture(scope="module")
def profile_page(profiles_page: Path) -> Path:
    """The page of one variant's profile."""
    return sorted(profiles_page.parent.glob("*/index.html"))[0]


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", ["bench_page", "profiles_page"])
def test_pages_open_from_a_folder(
    name: str, width: int, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """No error, no request outside the folder, every picture there, nothing wider than the screen, light or dark."""
    file: Path = request.getfixturevalue(name)
    watched = open_page(file, width=width)
    page = watched.page
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("() => [...document.images].every(image => image.complete)")
        assert page.evaluate("document.images.length") > 0
        broken = "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"
        assert page.evaluate(broken) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []
        if folder := os.environ.get("WORKBENCH_SCREENSHOTS"):
            page.screenshot(path=Path(folder, f"{name}-{width}-{scheme}.png"), full_page=True)
    here = file.parent.as_uri()
    assert all(url.startswith((here, "data:")) for url in watched.requests), watched.requests
    watched.assert_quiet()


def test_story_and_differences(profiles_page: Path, open_page: Callable[..., Any]) -> None:
    """The page begins with its story, and each variant's difference opens as a picture that works."""
    page = open_page(profiles_page).page
    (first, *_) = page.locator("dl.story dt").all_text_contents()
    assert first == "What share of the Jacobian is “activation”?"
    assert "times as long" in page.locator("dl.story").inner_text()
    links = page.locator("a", has_text="difference from the baseline")
    assert links.count() == 2
    for href in [link.get_attribute("href") for link in links.all()]:
        watched = open_page(profiles_page.parent / href)
        assert watched.page.locator(".wf-box").count() > 3
        watched.assert_quiet()


@pytest.mark.parametrize("name", ["bench_page", "profiles_page", "profile_page"])
def test_text_can_be_read(name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    """Every text stands out from its ground with the contrast of WCAG AA, in light and in dark."""
    page = open_page(request.getfixturevalue(name)).page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(FAINT) == [], scheme


def test_the_policy_is_in_force(
    name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """Pages say what they are made of: a style attribute, a script or a request that comes later is refused."""
    written = request.getfixturevalue(name)
    # As it is written: scripts may style what they draw, which the policy allows them.
    attributes = {name for _, found in Page(written.read_text(encoding="utf-8")).tags for name in found}
    assert not {each for each in attributes if each == "style" or each.startswith("on")}
    watched = open_page(written)
    page = watched.page
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = 1';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<b style="position: fixed" id="probe">x</b>');
    }""")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.getElementById('probe')).position") == "static"
    assert page.evaluate("fetch('https://example.org/').then(() => 'there', () => 'refused')") == "refused"
    assert len([text for _, text in watched.console if "Content Security Policy" in text]) >= 3


def test_each_variant_links_its_page(profiles_page: Path, open_page: Callable[..., Any]) -> None:
    """From the index, a variant's name leads to the page of its profile, which works."""
    watched = open_page(profiles_page)
    page = watched.page
    page.locator(".card h3 a").first.click()
    page.locator("#scopes .wf-box").first.wait_for()
    assert page.locator("#scopes .frames tbody tr").count() >= 4
    watched.assert_quiet()


def test_plots_look_the_same_without_style_attributes(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """A plot as it stands in a page, under its policy, is the plot of matplotlib, to the pixel."""
    from workbench.pictures.plots import PlotPoint, error_curves, ratio_plot, speed_quality_plot
    from workbench.report.pages import content_security_policy, inline_plot

    points = [
        PlotPoint("one <b>", 1, 1, 1, 1e-3, 1e-3, 1e-3),
        PlotPoint("two", 0.5, 0.4, 0.7, 2e-3, 1e-3, 4e-3),
    ]
    curves = {"one": {"training": [1.0, 0.1, 0.01], "validation": [1.0, 0.3, 0.2]}}
    plots = [
        ratio_plot(None, points, title="Ratios", baseline="one <b>", as_svg=True),
        speed_quality_plot(None, points, title="Trade", baseline="one <b>", quality="mse", as_svg=True),
        error_curves(None, curves, title="Curves", as_svg=True),
    ]
    shots: dict[str, list[bytes]] = {"light": [], "dark": []}
    for name, bodies in (("plain", plots), ("inlined", [str(inline_plot(plot)) for plot in plots])):
        body = "".join(bodies)
        policy = f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy(body)}">'
        head = "<!doctype html><meta charset=utf-8>" + (policy if name == "inlined" else "")
        (tmp_path / f"{name}.html").write_text(head + body, encoding="utf-8")
        watched = open_page(tmp_path / f"{name}.html")
        for scheme, taken in shots.items():
            watched.page.emulate_media(color_scheme=scheme)
            taken.append(watched.page.screenshot(full_page=True))
        watched.assert_quiet()
    assert "style=" not in "".join(str(inline_plot(plot)) for plot in plots)
    for first, second in shots.values():
        assert first == second


def test_tables_scroll_in_their_own_container(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """On a narrow screen the table is wider than the page, and scrolls by keyboard too."""
    page = open_page(bench_page, width=400).page
    sizes = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(e => [e.scrollWidth > e.clientWidth, e.tabIndex])"
    )
    assert [True, 0] in sizes
    assert all(tab == 0 for _, tab in sizes)


def test_plots_stay_readable_on_a_narrow_screen(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """The text of plots is at least 9 pixels high, whatever the width of the screen."""
    page = open_page(bench_page, width=400).page
    heights = page.evaluate(
        "[...document.querySelectorAll('svg.wb-plot text')].filter(t => t.textContent.trim().length > 1)"
        ".map(t => t.getBoundingClientRect()).map(b => Math.min(b.width, b.height))"
    )
    assert len(heights) > 5
    assert min(height for height in heights if height) >= 9
