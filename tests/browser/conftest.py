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
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

import pytest

from tests.browser.written import PAGES, Written

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

# First the one without a window of its own: a page costs it a fifth of what it costs a whole Chromium.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
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
        for event, hear in self._ears.items():
            self.page.on(event, hear)

    def leave(self) -> None:
        """Listen no more."""
        for event, hear in self._ears.items():
            self.page.remove_listener(event, hear)

    def __post_init__(self) -> None:
        """Make the listeners, which are given back as the same objects."""
        self._ears: dict[str, Callable[[Any], None]] = {
            "console": lambda message: self.console.append((message.type, message.text)),
            "pageerror": lambda error: self.errors.append(str(error)),
            "request": lambda request: self.requests.append(request.url),
            "dialog": self._dismiss,
        }

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@dataclass
class Pages:
    """The pages of one browser: a page that a test is done with is emptied, and is the next test's.

    To make a page costs several times what it costs to load one of ours into it. Whatever a test that fails has done
    to its pages, no other test sees: they are all closed.
    """

    browser: Browser
    contexts: dict[bool, BrowserContext] = field(default_factory=dict)
    """With scripts, and without."""
    free: dict[bool, list[Page]] = field(default_factory=lambda: {True: [], False: []})

    def take(self, *, width: int, height: int, dark: bool, scripts: bool) -> Page:
        """Return an empty page of this size and kind."""
        if scripts not in self.contexts:
            self.contexts[scripts] = self.browser.new_context(java_script_enabled=scripts)
        page = self.free[scripts].pop() if self.free[scripts] else self.contexts[scripts].new_page()
        page.bring_to_front()  # a page behind another one draws once in a second
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(media="null", color_scheme="dark" if dark else "light")
        return page

    def give_back(self, page: Page, *, scripts: bool) -> None:
        """Empty a page, with the mouse outside of it."""
        page.mouse.move(-1, -1)
        page.goto("about:blank")
        self.free[scripts].append(page)

    def close_all(self) -> None:
        """Close the pages, those that are in use too."""
        for context in self.contexts.values():
            context.close()
        self.contexts.clear()
        self.free = {True: [], False: []}


class _Running:
    """The browser while tests of this folder run: others may not run beside its event loop, or count its processes."""

    stack = ExitStack()
    pages: Pages | None = None
    failed = False
    """Whether the test that runs has failed."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Close the browser behind the last test of this folder, or of those that are known to come."""
    if nextitem is None or not nextitem.path.is_relative_to(Path(__file__).parent):
        _Running.pages = None
        _Running.stack.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Note whether a test fails."""
    _Running.failed = call.excinfo is not None or (_Running.failed and call.when != "setup")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return a function that writes the page of a name, when it is asked for first."""
    return functools.cache(lambda name: PAGES[name](tmp_path_factory.mktemp("page") / "out"))


@pytest.fixture
def pages() -> Pages:
    """The pages of the browser, which is started for the first test that asks."""
    if _Running.pages is None:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            missing("Playwright", "pip install playwright")
        found = next(filter(None, map(shutil.which, CHROMIUM)), None)
        if found is None:
            missing(
                "Chromium", "install the package chromium, or put one of " + ", ".join(CHROMIUM) + " on PATH"
            )
        playwright = _Running.stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        _Running.stack.callback(browser.close)
        _Running.pages = Pages(browser)
    return _Running.pages


@pytest.fixture
def open_page(pages: Pages) -> Iterator[Callable[..., Watched]]:
    """Return a function that opens a URL or a file in a page, which is empty and not watched before."""
    opened: list[tuple[Watched, bool]] = []

    def open_it(
        where: str | Path, *, width: int = 1200, height: int = 800, dark: bool = False, scripts: bool = True
    ) -> Watched:
        watched = Watched(pages.take(width=width, height=height, dark=dark, scripts=scripts))
        opened.append((watched, scripts))
        watched.watch()
        watched.page.goto(where.as_uri() if isinstance(where, Path) else where)
        return watched

    yield open_it
    for watched, scripts in opened:
        watched.leave()
        if not _Running.failed:
            pages.give_back(watched.page, scripts=scripts)
    if _Running.failed:
        pages.close_all()


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
