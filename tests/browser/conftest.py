"""Opens pages and files in the system's Chromium, and keeps what it says about them.

Where Chromium, Playwright or the speedscope viewer is missing the tests are skipped with a line that says
what to install; with `CI` set they fail instead, so that nobody believes they ran.
"""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROJECT = Path(__file__).parents[2]


def missing(what: str, remedy: str) -> NoReturn:
    """Skip, or fail where CI is set."""
    message = f"{what} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@dataclass
class Watched:
    """A page, and all that it said and asked for since it was opened."""

    page: Page
    console: list[tuple[str, str]] = field(default_factory=list)
    """Kind and text of each console message."""
    errors: list[str] = field(default_factory=list)
    """Exceptions that nothing caught."""
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """Everything that should not have happened."""
        return [text for kind, text in self.console if kind == "error"] + self.errors + self.dialogs

    def assert_quiet(self) -> None:
        """Fail where the page complained."""
        assert not self.complaints, "the page complained: " + "; ".join(self.complaints)

    def watch(self) -> None:
        """Start to listen."""
        self.page.on("console", lambda message: self.console.append((message.type, message.text)))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module: other tests may not run beside its event loop, or count its processes."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright", "pip install playwright")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing("Chromium", "install the package chromium, or put one of " + ", ".join(CHROMIUM) + " on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """Return a function that opens a URL or a file, in a context of its own."""
    contexts: list[Any] = []

    def open_it(
        where: str | Path, *, width: int = 1200, height: int = 800, dark: bool = False, scripts: bool = True
    ) -> Watched:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.watch()
        watched.page.goto(where.as_uri() if isinstance(where, Path) else where)
        return watched

    yield open_it
    for context in contexts:
        context.close()


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and besides it single files by name."""

    def __init__(self, *args: Any, extra: dict[str, Path], **kwargs: Any) -> None:
        self.extra = extra
        super().__init__(*args, **kwargs)

    def translate_path(self, path: str) -> str:
        """Return the file for a path."""
        name = unquote(urlsplit(path).path).lstrip("/")
        return str(self.extra[name]) if name in self.extra else super().translate_path(path)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Return a function that serves a folder on the loopback and returns the address, without a slash."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def serve_it(folder: Path, **extra: Path) -> str:
        handler = functools.partial(_Handler, directory=str(folder), extra=extra)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve_it
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def speedscope_viewer() -> Path:
    """The folder of the speedscope viewer's static files."""
    named = os.environ.get("WORKBENCH_SPEEDSCOPE")
    folder = Path(named) if named else PROJECT / "node_modules" / "speedscope" / "dist" / "release"
    if not (folder / "index.html").is_file():
        missing(
            f"the speedscope viewer ({folder})",
            "npm install speedscope, or set WORKBENCH_SPEEDSCOPE to its folder dist/release",
        )
    return folder


@pytest.fixture
def open_in_speedscope(
    open_page: Callable[..., Watched], serve: Callable[..., str], speedscope_viewer: Path
) -> Callable[[Path], Watched]:
    """Return a function that opens a file in the real viewer and fails where the viewer does.

    The viewer draws stacks on a canvas, so the page is left in its sandwich view, whose table of names is
    text.
    """

    def open_file(path: Path) -> Watched:
        address = serve(speedscope_viewer, **{"profile-under-test": path})
        watched = open_page(f"{address}/index.html#profileURL={quote(address + '/profile-under-test')}")
        page = watched.page
        loaded = page.get_by_text("Sandwich")
        for _ in range(600):
            if loaded.count() or _import_errors(watched):
                break
            page.wait_for_timeout(50)
        assert not _import_errors(watched), "speedscope refused the file: " + "; ".join(
            _import_errors(watched)
        )
        assert loaded.count(), "speedscope showed nothing within half a minute"
        page.keyboard.press("3")
        page.locator("table:visible").nth(1).wait_for()  # a head, and the names below it
        watched.assert_quiet()
        outside = [url for url in watched.requests if not url.startswith((address, "data:", "blob:"))]
        assert not outside, f"the viewer asked the network for {outside}"
        return watched

    return open_file


def _import_errors(watched: Watched) -> list[str]:
    """Return why the viewer did not take a file: it logs the reason as an ordinary message, or asks."""
    logged = [text.splitlines()[0] for _, text in watched.console if text.startswith("Failed to load format")]
    shown = watched.page.get_by_text("Something went wrong").count()
    return watched.complaints + logged + ["something went wrong"] * bool(shown and not logged)
