"""The server of `workbench view`: what it gives, to whom, and what it refuses."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.report.view.server import Served, address, find_viewer, make_server


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """Asks a server for paths below its token, or for anything."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.port is not None
        self.port = parts.port
        self.token = parts.path.split("/")[1]

    def raw(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return self.raw(f"/{self.token}/{path}", method, **headers)


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Return a function that serves a folder."""
    running = []

    def serve_it(folder: Path, viewer: Path | None = None, first: str = "") -> Client:
        server = make_server(Served(folder, viewer, first))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return Client(address(server))

    yield serve_it
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of every sort, beside one that is nobody's business."""
    (tmp_path / "secret.txt").write_text("secret")
    inside = tmp_path / "shown"
    (inside / "sub").mkdir(parents=True)
    (inside / "page.html").write_text("<style>b{}</style><script>1</script><b>page</b>")
    (inside / "run.speedscope.json").write_text("{}")
    (inside / "sub" / "run.folded").write_text("a 1\n")
    (inside / "sub" / "<img src=x onerror=alert(1)>.txt").write_text("odd")
    (inside / ".hidden.txt").write_text("secret")
    (inside / ".git").mkdir()
    (inside / ".git" / "config.txt").write_text("secret")
    (inside / "id_rsa").write_text("secret")
    (inside / "script.py").write_text("secret")
    (inside / "out.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "outside").symlink_to(tmp_path)
    (inside / "dotted.txt").symlink_to(inside / ".hidden.txt")
    (inside / "within.txt").symlink_to(inside / "sub" / "run.folded")
    os.mkfifo(inside / "pipe.txt")
    return inside


def test_files_by_their_types(serve: Callable[..., Client], folder: Path) -> None:
    """Known files are given with their type and length; a HEAD has no body."""
    client = serve(folder)
    page = client.get("page.html")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.body == (folder / "page.html").read_bytes()
    assert client.get("sub/run.folded").body == b"a 1\n"
    assert client.get("within.txt").body == b"a 1\n"  # a link that stays within
    head = client.get("sub/run.folded", "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "4")


def test_a_page_may_do_what_stands_in_it(serve: Callable[..., Client], folder: Path) -> None:
    """Its scripts and styles by hash, images from its folder, nothing else; other files may do nothing."""
    client = serve(folder)
    policy = client.get("page.html").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert policy.count("sha256-") == 2
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "sha256" not in client.get("run.speedscope.json").headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["page.html", "", "nothing.html", "../secret.txt"])
def test_strict_headers_on_every_answer(serve: Callable[..., Client], folder: Path, path: str) -> None:
    """Nothing is cached, sniffed, framed, referred or shared with other sites, refusals included."""
    headers = serve(folder).get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Access-Control-Allow-Origin" not in headers


REFUSED = [
    "nothing.html", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt",
    "sub/../../secret.txt", "sub/%2e%2e/%2e%2e/secret.txt", "..%5csecret.txt", "sub%2frun.folded",
    "/etc/passwd.txt", "//etc/hosts.txt", "%00", "page.html%00.txt", "%ff%fe.txt", "%252e%252e/secret.txt",
    ".hidden.txt", "%2ehidden.txt", ".git/config.txt", ".git/", "id_rsa", "script.py", "out.txt",
    "outside/secret.txt", "outside/", "dotted.txt", "pipe.txt", "sub//run.folded", "sub/./run.folded", "page.html/",
    ".speedscope/index.html", "x" * 5000 + ".txt", "sub",
]  # fmt: skip


@pytest.mark.parametrize("path", REFUSED)
def test_nothing_else_of_the_disk(serve: Callable[..., Client], folder: Path, path: str) -> None:
    """What is above, hidden, linked to elsewhere, of an unknown type, or no file is not found."""
    answer = serve(folder).get(path)
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_without_the_token_nothing_is_there(serve: Callable[..., Client], folder: Path) -> None:
    """Another token, none, or a part of it: not found, whatever the path."""
    client = serve(folder)
    for path in (
        "/",
        "/page.html",
        f"/{client.token}",
        f"/{client.token[:-1]}/page.html",
        "/x/page.html",
        "*",
    ):
        assert client.raw(path).status == 404, path
    other = serve(folder)
    assert other.token != client.token
    assert len(client.token) >= 20


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
def test_another_name_is_refused(serve: Callable[..., Client], folder: Path, host: str) -> None:
    """A name that was made to point here is refused even with the token; localhost is not."""
    client = serve(folder)
    answer = client.get("page.html", Host=host.format(port=client.port))
    assert answer.status == 403
    assert b"page" not in answer.body
    assert client.get("page.html", Host=f"localhost:{client.port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW"])
def test_only_reading(serve: Callable[..., Client], folder: Path, method: str) -> None:
    """Any method but GET and HEAD is refused, and says which there are."""
    answer = serve(folder).get("page.html", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert "page" not in answer.body.decode().replace("only GET and HEAD", "")


def test_garbage_is_answered_and_the_server_lives(serve: Callable[..., Client], folder: Path) -> None:
    """Bytes that are no request, headers without end and early ends leave the server as it was."""
    client = serve(folder)
    for sent in (b"\x00\xff\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 70_000,
                 b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b""):  # fmt: skip
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            received = connection.recv(1 << 16)
            assert b"Traceback" not in received
            assert b"<p>" not in received
    assert client.get("page.html").status == 200


def test_it_listens_on_loopback_alone(folder: Path) -> None:
    """Its socket is bound to 127.0.0.1 and to no other address of the machine."""
    with make_server(Served(folder)) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_list_where_there_is_no_page(serve: Callable[..., Client], folder: Path) -> None:
    """A folder without index.html is listed: what is served, and names as text; with one that is shown."""
    client = serve(folder)
    top = client.get("").body.decode()
    for name in ("page.html", "run.speedscope.json", "sub/"):
        assert f">{name}</a>" in top
    for name in ("hidden", "id_rsa", "script.py", "out.txt", "outside", "pipe.txt", ".git"):
        assert name not in top
    sub = client.get("sub/").body.decode()
    assert "<img" not in sub
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in sub
    href = "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.txt"
    assert f'href="./{href}"' in sub
    assert client.get(f"sub/{href}").body == b"odd"
    (folder / "sub" / "index.html").write_text("own")
    assert client.get("sub/").body == b"own"


def test_speedscope_where_it_is_installed(serve: Callable[..., Client], folder: Path, tmp_path: Path) -> None:
    """Its files stand under the token, the address of a file opens it there; without it, a line says how to get it."""
    viewer = tmp_path / "viewer"
    viewer.mkdir()
    (viewer / "index.html").write_text("speedscope")
    (viewer / "x.wasm").write_bytes(b"\0asm")
    client = serve(folder, viewer, "run.speedscope.json")
    page = client.get(".speedscope/index.html")
    assert (page.status, page.body) == (200, b"speedscope")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert client.get(".speedscope/x.wasm").headers["Content-Type"] == "application/wasm"
    for path in (
        ".speedscope/../secret.txt",
        ".speedscope/%2e%2e/secret.txt",
        ".speedscope/",
        ".speedscope/sub/x.txt",
    ):
        assert client.get(path).status == 404
    moved = client.get("run.speedscope.json?view")
    assert moved.status == 302
    assert moved.headers["Location"].startswith(f"/{client.token}/.speedscope/index.html#profileURL=")
    assert "open in speedscope" in client.get("").body.decode()
    without = serve(folder)
    answer = without.get("run.speedscope.json?view")
    assert answer.status == 404
    assert b"npm install speedscope" in answer.body
    assert "npm install speedscope" in without.get("").body.decode()


def test_addresses(folder: Path, tmp_path: Path) -> None:
    """The address is of the folder, of a file in it, or of speedscope with the file."""
    with make_server(Served(folder, first="a b.html", token="t")) as server:
        assert address(server) == f"http://127.0.0.1:{server.server_port}/t/a%20b.html"
    with make_server(Served(folder, tmp_path, "a&b.speedscope.json", "t")) as server:
        assert address(server).endswith(
            "/t/.speedscope/index.html#profileURL=%2Ft%2Fa%2526b.speedscope.json&title=a%26b.speedscope.json"
        )


def test_ports(folder: Path) -> None:
    """A port in use, or one that cannot be, is one line that names it and the option."""
    with (
        make_server(Served(folder)) as server,
        pytest.raises(WorkbenchError, match=rf"port {server.server_port}: .*in use.*choose another port"),
    ):
        make_server(Served(folder), server.server_port)
    for port in (-1, 65536):
        with pytest.raises(InvalidInputError, match=f"port {port}"):
            make_server(Served(folder), port)


def test_where_the_viewer_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable first, then node_modules of the working folder, then npm's own; else nothing."""
    monkeypatch.delenv("WORKBENCH_SPEEDSCOPE", raising=False)
    monkeypatch.setenv("NPM_CONFIG_PREFIX", str(tmp_path / "npm"))
    made = []
    for base in ("npm/lib", "here"):
        place = tmp_path / base / "node_modules" / "speedscope" / "dist" / "release"
        place.mkdir(parents=True)
        made.append(place)
    assert find_viewer(tmp_path / "here") not in made
    for place in made:
        (place / "index.html").write_text("")
        assert find_viewer(tmp_path / "here") == place
    named = tmp_path / "named"
    named.mkdir()
    (named / "index.html").write_text("")
    monkeypatch.setenv("WORKBENCH_SPEEDSCOPE", str(named))
    assert find_viewer(tmp_path / "here") == named
