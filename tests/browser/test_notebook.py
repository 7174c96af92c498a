"""What the magics show, in real JupyterLab and in an export to HTML."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.browser.conftest import Watched
from tests.helpers.notebooks import run_notebook

pytestmark = pytest.mark.browser

CELLS = (
    "%load_ext workbench\nimport time\nfrom workbench import scope",
    """%%profile --rate 1000 timed
end = time.perf_counter() + 0.3
with scope("a scope"):
    while time.perf_counter() < end:
        pass""",
)
IMAGE, FIRST_LINE = "img[alt='flame graph']", "pre >> text=/timed: took/"
HOT = re.compile(r"% ± .* 3\s+while")


def assert_shown(page: object, limit_ms: float = 60_000) -> None:
    """Fail unless a page shows summary, flame graph and lines as they were made."""
    page.wait_for_selector(FIRST_LINE, timeout=limit_ms)
    assert page.locator("span[style*='rgba']", has_text=HOT).count() == 1
    image = page.locator(IMAGE)
    image.scroll_into_view_if_needed()
    page.wait_for_function(f"() => document.querySelector({IMAGE!r}).complete")
    size = image.evaluate(
        "e => [e.naturalHeight, e.clientHeight, e.clientWidth / e.parentElement.clientWidth]"
    )
    assert size[0] == size[1] >= 40  # so labels have the size that they were drawn in
    assert 0.9 < size[2] <= 1
    family = page.locator("pre:has-text('timed: took')").evaluate("e => getComputedStyle(e).fontFamily")
    assert "monospace" in family


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves the test's folder, and keeps all else of its own beside it."""
    pytest.importorskip("jupyterlab")
    folder = tmp_path / "jupyter"
    named = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environment = {f"JUPYTER_{name}": str(folder / name) for name in named} | {
        "HOME": str(folder),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    folder.mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=None"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        limit = time.monotonic() + 120
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\s", (folder / "log").read_text())):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < limit
            time.sleep(0.05)
        yield found[1]
    finally:
        server.kill()  # at a signal it asks its kernels to end, and waits for them
        server.wait()


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_in_jupyterlab(lab: str, tmp_path: Path, open_page: Callable[..., Watched]) -> None:
    """A cell that is run shows its profile, and so does a copy that is not trusted, and is not run."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},  # without it JupyterLab asks for the kernel
    }
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "run.ipynb")
    page = open_page(f"{lab}/lab/tree/run.ipynb", width=1400, height=1400).page
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(r"^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(r"^Run All Cells$")).click()
    assert_shown(page, 120_000)
    page.keyboard.press("Control+s")
    limit = time.monotonic() + 60
    while "timed: took" not in (tmp_path / "run.ipynb").read_text():
        assert time.monotonic() < limit
        page.wait_for_timeout(100)
    copy = nbformat.read(tmp_path / "run.ipynb", as_version=4)
    copy.cells[1].source += "\n"  # so that nothing signed it
    nbformat.write(copy, tmp_path / "copy.ipynb")
    other = open_page(f"{lab}/lab/workspaces/other/tree/copy.ipynb", width=1400, height=1400).page
    assert_shown(other, 120_000)


def test_exported(tmp_path: Path, open_page: Callable[..., Watched]) -> None:
    """An export to HTML shows the profile where no script runs, in each theme and in a narrow window."""
    notebook = run_notebook(tmp_path, *CELLS)
    for theme, width in (("light", 1400), ("dark", 400)):
        text, _ = HTMLExporter(theme=theme).from_notebook_node(notebook)
        (tmp_path / f"{theme}.html").write_text(text)
        watched = open_page(tmp_path / f"{theme}.html", width=width, scripts=False)
        assert_shown(watched.page)
