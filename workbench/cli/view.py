"""`workbench view`: a folder, a page or a profile in the browser, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli._progress import say
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError

if TYPE_CHECKING:
    from workbench.report.view.server import Served

EPILOG = """\b
Examples:
  workbench view profiles                 the pages of make profile
  workbench view fit.speedscope.json      in speedscope's own viewer, if it is installed
  workbench view recording                a temporary page of a recording

Only this machine can connect, under a secret path. The server shows only pages, images, profiles and text of the
folder: nothing above it, and nothing whose name begins with a dot. Ctrl-C ends it.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("--port", default=0, help="Port to listen on.  [default: any free one]")
@click.option("--no-browser", is_flag=True, help="Print the address without opening a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
@click.argument("path", type=click.Path(path_type=Path))
def command(port: int, no_browser: bool, as_json: bool, path: Path) -> None:
    """Show PATH, a folder or a profile, in the browser, from a local server."""
    from workbench.report.view.server import address, make_server

    with contextlib.ExitStack() as stack:
        stack.enter_context(_terminated())
        served = _served(path, stack)
        server = stack.enter_context(make_server(served, port))
        url = address(server)
        facts = {"url": url, "port": server.server_port, "speedscope": served.viewer is not None}
        click.echo(json.dumps(facts) if as_json else f"open {url} in a browser; Ctrl-C ends it")
        sys.stdout.flush()
        if not no_browser:
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None


def _served(path: Path, stack: contextlib.ExitStack) -> Served:
    """Return what to serve: the folder of the path, or a page that is made of it for the moment."""
    from workbench.eventlog import is_recording
    from workbench.report.profile.run import is_profile_folder
    from workbench.report.view.files import TYPES
    from workbench.report.view.server import GET_SPEEDSCOPE, SPEEDSCOPE, Served, find_viewer

    if not path.exists():
        raise InvalidInputError(f"{path} does not exist: name a folder, a page or a profile")
    viewer = find_viewer()
    if path.is_dir():
        if not (path / "index.html").is_file() and (is_recording(path) or is_profile_folder(path)):
            return Served(_page_of(path, stack), viewer)
        return Served(path, viewer)
    if path.name.endswith(SPEEDSCOPE):
        if viewer is not None and _is_plain(path):
            return Served(path.absolute().parent, viewer, first=path.name)
        say(f"speedscope's viewer is not installed: {GET_SPEEDSCOPE}; this is our own page")
    elif path.suffix.lower() in set(TYPES) - {".json", ".folded", ".txt"} and _is_plain(path):
        return Served(path.absolute().parent, viewer, first=path.name)
    return Served(_page_of(path, stack), viewer)


def _is_plain(path: Path) -> bool:
    return not path.name.startswith(".") and not path.is_symlink()


def _page_of(path: Path, stack: contextlib.ExitStack) -> Path:
    from workbench.report.profile.page import write_report
    from workbench.report.profile.run import read_run

    run = read_run(path)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workbench-view-")))
    write_report(run, folder)
    return folder


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """End as Ctrl-C does on SIGTERM and SIGHUP too, so that what was made for the moment is removed."""

    class Terminated(BaseException):
        """Not an Exception: a server reports those of a request and goes on."""

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the removal
        raise Terminated(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup
    numbers = (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    except Terminated as stop:
        raise click.exceptions.Exit(128 + int(stop.args[0])) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_browser(url: str, launch: Callable[[str], bool] | None = None) -> None:
    """Open a browser with windows; one that would take over the terminal is left alone."""
    windows = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
    if sys.platform.startswith("linux") and not windows:
        return
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):
        (launch or webbrowser.open)(url)
