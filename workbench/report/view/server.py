"""A folder on loopback, for a browser: known files alone, under a secret path, with strict headers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.render.policy import content_security_policy
from workbench.report.pages import render
from workbench.report.view.files import (
    TYPES,
    VIEWER_TYPES,
    NotServedError,
    file_in,
    inside_of,
    is_plain_path,
    open_file,
)
from workbench.text import as_size, printable

LOOPBACK = "127.0.0.1"
VIEWER = ".speedscope"
"""Where speedscope's own files are: no file of the folder is there, as none with a dot in front is served."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# speedscope makes its styles as it goes, and reads profiles in a worker of its own.
VIEWER_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:"
)
SPEEDSCOPE = ".speedscope.json"
MAX_ENTRIES = 2000
GET_SPEEDSCOPE = "npm install speedscope, or set WORKBENCH_SPEEDSCOPE to its folder dist/release"


@dataclass(frozen=True)
class Served:
    """What is served."""

    folder: Path
    viewer: Path | None = None
    """The folder of speedscope's own viewer, if there is one."""
    first: str = ""
    """The file that is opened first, relative to the folder; by default `index.html`, or a list of the files."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))


def make_server(served: Served, port: int = 0) -> ThreadingHTTPServer:
    """Return a server on loopback, which serves when its `serve_forever` is called.

    Raises:
        InvalidInputError: There is no such port.
        WorkbenchError: The port is in use, or not for this user.
    """
    if not 0 <= port <= 65535:
        raise InvalidInputError(f"port {port}: choose 1 to 65535, or 0 for any that is free")
    try:
        return _Server((LOOPBACK, port), served)
    except OSError as error:
        raise WorkbenchError(
            f"cannot listen on port {port}: {os.strerror(error.errno or 0)}; choose another port"
        ) from None


def address(server: ThreadingHTTPServer) -> str:
    """Return the URL to open."""
    assert isinstance(server, _Server)
    served = server.served
    root = f"http://{LOOPBACK}:{server.server_port}/{served.token}/"
    if served.first.endswith(SPEEDSCOPE) and served.viewer is not None:
        return root + _in_viewer(served, served.first)
    return root + quote(served.first)


def find_viewer(working: Path | None = None) -> Path | None:
    """Return the folder of speedscope's viewer, where its npm package is at hand.

    Looked for in `WORKBENCH_SPEEDSCOPE`, in `node_modules` of the working folder, and in npm's global folders.
    """
    named = os.environ.get("WORKBENCH_SPEEDSCOPE")
    tail = Path("node_modules", "speedscope", "dist", "release")
    prefixes = [os.environ.get("NPM_CONFIG_PREFIX"), "/usr/local", "/usr", str(Path.home() / ".npm-global")]
    places = [Path(named)] if named else []
    places.append((working or Path.cwd()) / tail)
    places += [Path(prefix) / "lib" / tail for prefix in prefixes if prefix]
    return next((place for place in places if (place / "index.html").is_file()), None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"

    def __init__(self, where: tuple[str, int], served: Served) -> None:
        self.served = served
        super().__init__(where, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a browser closes a connection early."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30
    server_version = "workbench"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def __getattr__(self, name: str) -> Any:
        """Refuse every other method: http.server looks for `do_` and the method's name."""
        if name.startswith("do_"):
            return lambda: self._say(405, "only GET and HEAD", {"Allow": "GET, HEAD"})
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Log nothing: the terminal is the user's."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer requests that http.server itself refuses with the same headers."""
        self._say(code, message or "refused", {"Connection": "close"})

    def _answer(self, *, with_body: bool) -> None:
        try:
            self._check_host()
            self._serve(self._inside(), with_body)
        except NotServedError as refused:
            self._say(refused.code, str(refused), {})
        except OSError:  # the browser went away, or the disk failed: the answer ends here
            self.close_connection = True

    def _check_host(self) -> None:
        """Refuse a name that was made to point here (DNS rebinding)."""
        hosts = self.headers.get_all("Host") or []
        port = self.server.server_port
        if len(hosts) != 1 or hosts[0].lower() not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
            raise NotServedError(403, "this is not the name of this server")

    def _inside(self) -> str:
        """Return the path behind the token."""
        token, slash, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.served.token.encode()):
            raise NotServedError(404, "not found")
        return rest

    def _serve(self, path: str, with_body: bool) -> None:
        served = self.server.served
        parts = [unquote(part, errors="strict") for part in path.split("/")] if is_plain_path(path) else ["."]
        if parts[0] == VIEWER and served.viewer is not None and len(parts) == 2:
            file = file_in(served.viewer, parts[1:], VIEWER_TYPES)
            self._send(file, VIEWER_TYPES[file.suffix.lower()], VIEWER_POLICY, with_body)
            return
        if not parts[-1]:  # a folder
            self._send_folder(parts[:-1], with_body)
            return
        file = file_in(served.folder, parts)
        if file.name.endswith(SPEEDSCOPE) and self._wants_viewer():
            self._send_to_viewer("/".join(parts))
            return
        kind = TYPES[file.suffix.lower()]
        self._send(file, kind, _policy_of(file), with_body)

    def _wants_viewer(self) -> bool:
        """Return whether a speedscope file is to be shown: asked for by a link, or opened as a page of its own.

        The viewer's own request for the file, and a download, are not for a document.
        """
        opened = self.headers.get("Sec-Fetch-Dest") == "document" and self.server.served.viewer is not None
        return opened or urlsplit(self.path).query == "view"

    def _send_folder(self, parts: list[str], with_body: bool) -> None:
        served = self.server.served
        folder = inside_of(served.folder, parts)
        if not folder.is_dir():
            raise NotServedError(404, "not found")
        if (folder / "index.html").is_file():
            file = file_in(served.folder, [*parts, "index.html"])
            self._send(file, TYPES[".html"], _policy_of(file), with_body)
            return
        page = listing(served, parts).encode("utf-8")
        self._head(
            200,
            TYPES[".html"],
            len(page),
            _with_frames(content_security_policy(page.decode(), img_src="data:")),
        )
        if with_body:
            self.wfile.write(page)

    def _send_to_viewer(self, name: str) -> None:
        served = self.server.served
        if served.viewer is None:
            raise NotServedError(404, f"speedscope's viewer is not installed: {GET_SPEEDSCOPE}")
        self._say(302, "see speedscope", {"Location": f"/{served.token}/{_in_viewer(served, name)}"})

    def _send(self, path: Path, kind: str, policy: str, with_body: bool) -> None:
        try:
            file = open_file(path)
        except OSError:
            raise NotServedError(404, "not found") from None
        with file:
            self._head(200, kind, os.fstat(file.fileno()).st_size, policy)
            while with_body and (piece := file.read(1 << 20)):
                self.wfile.write(piece)

    def _say(self, code: int, text: str, headers: Mapping[str, str]) -> None:
        body = f"{text}\n".encode("utf-8", "replace")
        self._head(code, TYPES[".txt"], len(body), NOTHING, headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(
        self, code: int, kind: str, length: int, policy: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(code)
        own = {"Content-Type": kind, "Content-Length": str(length), "Content-Security-Policy": policy}
        for name, value in {**HEADERS, **own, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()


def listing(served: Served, parts: list[str]) -> str:
    """Return a page that lists the files of a folder that are served."""
    folder = inside_of(served.folder, parts)
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_file(), entry.name))
    except OSError:
        raise NotServedError(404, "not found") from None
    rows: list[dict[str, object]] = []
    for entry in entries[:MAX_ENTRIES]:
        try:
            if entry.is_dir():
                inside_of(served.folder, [*parts, entry.name])
                rows.append(
                    {
                        "name": f"{printable(entry.name)}/",
                        "href": f"{_quoted(entry.name)}/",
                        "size": "",
                        "viewer": "",
                    }
                )
            else:
                file = file_in(served.folder, [*parts, entry.name])
                is_speedscope = file.name.endswith(SPEEDSCOPE)
                rows.append(
                    {
                        "name": printable(entry.name),
                        "href": _quoted(entry.name),
                        "size": as_size(file.stat().st_size),
                        "viewer": f"{_quoted(entry.name)}?view" if is_speedscope and served.viewer else "",
                    }
                )
        except (NotServedError, OSError):
            continue
    return render(
        "listing.html",
        title=printable("/".join([served.folder.resolve().name, *parts])),
        rows=rows,
        above=bool(parts),
        needs=GET_SPEEDSCOPE if served.viewer is None else "",
    )


def _in_viewer(served: Served, name: str) -> str:
    file = quote(f"/{served.token}/{quote(name)}", safe="")
    return f"{VIEWER}/index.html#profileURL={file}&title={quote(Path(name).name, safe='')}"


def _quoted(name: str) -> str:
    # Without ./ a name such as javascript:x would be no name.
    return "./" + quote(name, safe="", errors="surrogateescape")


def _policy_of(path: Path) -> str:
    """Return what a file may do: run its own scripts, and reach nothing but images beside it."""
    if path.suffix.lower() not in (".html", ".svg"):
        return NOTHING
    try:
        with open_file(path) as file:
            markup = file.read().decode("utf-8", "replace")
    except OSError:
        raise NotServedError(404, "not found") from None
    return _with_frames(content_security_policy(markup, img_src="'self' data:"))


def _with_frames(policy: str) -> str:
    return f"{policy}; frame-ancestors 'none'"
