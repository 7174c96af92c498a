"""`workbench view` in a real browser: the page through its server, and files in speedscope's own viewer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.workspace import names, selected, show
from tests.helpers.page_profiles import training
from workbench.report.profile.page import write_report
from workbench.report.profile.run import run_of_profile
from workbench.report.view.server import Served, address, make_server

pytestmark = pytest.mark.browser


@pytest.fixture
def view() -> Iterator[Callable[..., str]]:
    """Return a function that serves a folder as `workbench view` does, and returns the address."""
    running = []

    def serve_it(folder: Path, viewer: Path | None = None, first: str = "") -> str:
        server = make_server(Served(folder, viewer, first))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        running.append((server, thread))
        return address(server)

    yield serve_it
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    """A profile's page with all its files."""
    return write_report(run_of_profile(training()), tmp_path / "out").parent


def quiet(watched: Any) -> None:
    """Fail where the page complained of anything but that there is no icon."""
    complaints = [text for text in watched.complaints if "404" not in text]
    assert not complaints, complaints


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_the_page_works_through_the_server(
    page_folder: Path, view: Callable[..., str], open_page: Callable[..., Any], how: str
) -> None:
    """Under the server's policy, sorting, choosing and the charts work as from a file."""
    url = view(page_folder)
    watched = open_page(url)
    page = watched.page
    box = page.locator("#samples .wf-box").filter(has_text="dgemm").first
    button = page.locator("#table-samples thead button", has_text="total %")
    row = page.locator("#table-samples tbody tr", has_text="train")
    for tab, target in (("flame", box), ("table", button), ("table", row)):
        show(page, tab)
        if how == "mouse":
            target.click()
        else:
            target.focus()
            page.keyboard.press("Enter")
    assert names(page, "samples") == ["train", "dgemm"]
    assert selected(page) == "train"
    show(page, "timeline")
    page.locator(".wt-canvas").first.wait_for()
    assert all(
        asked.startswith((url, "data:")) or asked.endswith("/favicon.ico") for asked in watched.requests
    )
    quiet(watched)


def test_charts_alone_work_through_the_server(
    page_folder: Path, view: Callable[..., str], open_page: Callable[..., Any]
) -> None:
    """A flame graph is live as a file of its own."""
    url = view(page_folder)
    watched = open_page(url + "scopes.svg")
    watched.page.locator(".wf-box").filter(has_text="epoch").first.click()
    watched.page.locator(".wf-crumbs b", has_text="epoch").wait_for()
    quiet(watched)


@pytest.mark.parametrize("name", ["scopes.folded", "samples.speedscope.json"])
def test_a_download(
    page_folder: Path,
    view: Callable[..., str],
    open_page: Callable[..., Any],
    speedscope_viewer: Path,
    name: str,
) -> None:
    """A file beside the page is saved under its own name, whole, also one that speedscope would open."""
    page = open_page(view(page_folder, speedscope_viewer)).page
    with page.expect_download() as saved:
        page.locator("#files summary").click()
        page.locator(f"#files a[href='{name}']").click()
    assert saved.value.suggested_filename == name
    assert Path(saved.value.path()).read_bytes() == (page_folder / name).read_bytes()


@pytest.mark.parametrize("by", ["address", "page", "list"])
def test_speedscope_opens(
    page_folder: Path,
    view: Callable[..., str],
    open_page: Callable[..., Any],
    speedscope_viewer: Path,
    by: str,
) -> None:
    """The real viewer shows the file, from the address of a file, the page's link, or the list of files."""
    if by == "list":
        (page_folder / "index.html").unlink()
    first = "scopes.speedscope.json" if by == "address" else ""
    watched = open_page(view(page_folder, speedscope_viewer, first))
    page = watched.page
    if by == "page":
        page.locator("#files summary").click()
    if by != "address":
        page.locator("a[href$='scopes.speedscope.json?view']").click()
    page.get_by_text("Sandwich").wait_for(timeout=60_000)
    page.keyboard.press("3")
    page.locator("table:visible").nth(1).wait_for()
    page.get_by_text("epoch").first.wait_for()
    quiet(watched)


def test_without_speedscope_the_link_says_how_to_get_it(
    page_folder: Path, view: Callable[..., str], open_page: Callable[..., Any]
) -> None:
    """The link is there through the server, and says what to install."""
    page = open_page(view(page_folder)).page
    page.locator("#files summary").click()
    page.locator("a.viewer").first.click()
    page.get_by_text("npm install speedscope").wait_for()


def test_another_site_cannot_read_or_frame_it(
    page_folder: Path,
    view: Callable[..., str],
    serve: Callable[..., str],
    open_page: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Even who knows the address reads nothing from another origin, and shows it in no frame."""
    url = view(page_folder)
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "index.html").write_text(f"<iframe src='{url}'></iframe>")
    page = open_page(serve(tmp_path / "evil") + "/index.html").page
    read = "url => fetch(url).then(answer => answer.text(), () => 'refused')"
    assert page.evaluate(read, url) == "refused"
    script = """url => new Promise(done => {
        const script = document.createElement('script');
        script.onload = () => done('loaded'); script.onerror = () => done('refused');
        script.src = url; document.body.append(script); })"""
    assert page.evaluate(script, url + "scopes.speedscope.json") == "refused"
    assert page.frames[1].locator(".figures").count() == 0
