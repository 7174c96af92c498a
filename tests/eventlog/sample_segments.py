"""A writer of segments of samples, from docs/event-log.md alone."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

PYTHON, NATIVE, SCOPE, MISSING, GENERATOR = range(5)
KEY = "77-1f"
PID = 77
BOOT = 1_000_000_000
"""When the process began."""


@dataclass(frozen=True)
class Code:
    name: str
    file: str = "/program.py"
    first_line: int = 1
    table: bytes = b"\x80\x00"
    """One entry of one instruction, on the first line."""


@dataclass(frozen=True)
class Node:
    kind: int
    a: int = 0
    b: int = 0
    code: Code | None = None


def python(name: str, file: str = "/program.py", instruction: int = 0, **more) -> Node:
    return Node(PYTHON, instruction, 0, Code(name, file, **more))


def native(module: int, address: int) -> Node:
    return Node(NATIVE, module, address)


def scope(number: int) -> Node:
    return Node(SCOPE, number)


@dataclass(frozen=True)
class Sample:
    stack: tuple[Node, ...]
    at_ns: int
    """after the sample before it"""
    ticks: int = 1
    state: int = 1
    cpu_ns: int = 0
    track: int = 0


def record(kind: int, small: int, number: int, a: int, b: int) -> bytes:
    return struct.pack("<IIQ", kind | small << 4 | number << 8, a, b)


def chunk(kind: int, number: int, content: bytes) -> bytes:
    content += bytes(-len(content) % 8)
    return struct.pack("<IIQQ", len(content) + 24, kind, number, 0) + content


def text(kind: int, number: int, content: str) -> bytes:
    raw = content.encode("utf-8", "surrogatepass")
    return struct.pack("<IIQ", len(raw) + 1, kind, number) + raw + bytes(-len(raw) % 8)


def encoded(content: str) -> tuple[bytes, int]:
    most = max(map(ord, content), default=0)
    if most < 256:
        return content.encode("latin-1"), 0
    if most < 65536:
        return content.encode("utf-16-le", "surrogatepass"), 1
    return content.encode("utf-32-le", "surrogatepass"), 2


def code_content(code: Code) -> bytes:
    (name, of_name), (file, of_file) = encoded(code.name), encoded(code.file)
    content = struct.pack("<IIII", len(name), len(file), len(code.table), of_name | of_file << 2)
    content += name + file + code.table
    return content + bytes(-len(content) % 16)


@dataclass
class List:
    """The list of one thread in one segment."""

    tid: int
    name: str = ""
    chunk_size: int = 1 << 16
    anew_after: int = 1 << 30
    """Nodes after which their numbers begin anew."""
    chunks: list[bytes] = field(default_factory=lambda: [b""])
    now: int = 0
    track: int = 0

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.codes: dict[Code, int] = {}
        self.nodes: dict[tuple[int, Node], int] = {}

    def put(self, content: bytes) -> None:
        if self.chunks[-1] and len(self.chunks[-1]) + len(content) > self.chunk_size:
            self.chunks.append(b"")
        self.chunks[-1] += content

    def start(self, now: int) -> None:
        self.now = now
        self.put(record(3, 0, self.tid, 0, now))
        raw = self.name.encode()[:12]
        a, b = struct.unpack("<IQ", raw + bytes(12 - len(raw)))
        self.put(record(4, len(raw), 0, a, b))

    def code(self, code: Code) -> int:
        if code not in self.codes:
            self.codes[code] = len(self.codes) + 1
            content = code_content(code)
            head = record(2, 0, len(content) // 16, code.first_line, self.codes[code])
            self.put(head + content)
        return self.codes[code]

    def node(self, stack: tuple[Node, ...]) -> int:
        number = 0
        for node in stack:
            if (number, node) not in self.nodes:
                b = self.code(node.code) if node.code is not None else node.b
                self.nodes[number, node] = len(self.nodes) + 1
                self.put(record(1, node.kind, number, node.a & 0xFFFFFFFF, b))
            number = self.nodes[number, node]
        return number

    def add(self, sample: Sample) -> None:
        if len(self.nodes) > self.anew_after:
            self.put(record(5, 6, 0, 0, 0))
            self._begin()
        if sample.track != self.track:
            self.track = sample.track
            self.put(record(5, 5, 0, sample.track, 0))
        node = self.node(sample.stack)
        self.now += sample.at_ns
        since, cpu, ticks = sample.at_ns, sample.cpu_ns, sample.ticks
        if since >= 1 << 32:
            self.put(record(5, 2, 0, 0, self.now))
            since = 0
        if cpu >= 1 << 32:
            self.put(record(5, 3, 0, 0, cpu))
            cpu = 0
        if ticks > 15:
            self.put(record(5, 1, 0, ticks, 0))
            ticks = 0
        self.put(record(8 + sample.state, ticks, node, since, cpu | 0xFFFFFFFF << 32))


def header(key: str = KEY, pid: int = PID, end_ns: int = 0) -> bytes:
    facts = json.dumps({"command": ["program"], "boot_id": "b"}).encode()
    head = struct.pack(
        "<8sIIQIIIIQQ", b"WBEVLOG\x01", 1, 4096, 0, 0, pid, 1, 0, int(key.partition("-")[2], 16), 10**18
    )
    head += struct.pack("<QI", end_ns, len(facts))
    return (head + bytes(128 - len(head)) + facts).ljust(4096, b"\0")


def sized(content: bytes) -> bytes:
    """Return a segment whose header states how long it is."""
    return content[:16] + struct.pack("<Q", len(content)) + content[24:]


@dataclass
class Recording:
    """A folder with a recording of one process."""

    folder: Path
    period_ns: int = 1000
    texts: bytes = b""
    modules: dict[int, str] = field(default_factory=dict)
    segments: list[dict[int, List]] = field(default_factory=list)
    before: bytes = b""
    """The first chunks of each segment of samples."""

    def state(self) -> bytes:
        return struct.pack(
            "<16Q", self.period_ns, BOOT, BOOT + 99, 99, 12, 1, 2, 9, 3, 700, 800, 4, 5, 23, 1, 0
        )

    def write(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "recording.json").write_text("{}")
        (self.folder / f"{KEY}-t0000.wblog").write_bytes(sized(header() + chunk(1, 0, self.texts)))
        for number, threads in enumerate(self.segments):
            content = header() + self.before
            if self.modules:
                content += chunk(1, 0, b"".join(text(9, n, each) for n, each in self.modules.items()))
            content += chunk(5, 0, self.state())
            lists = {n: list(each.chunks) for n, each in threads.items()}
            while any(lists.values()):  # those of different threads take turns
                for n, chunks in lists.items():
                    if chunks:
                        content += chunk(4, n, chunks.pop(0))
            (self.folder / f"{KEY}-s{number:04d}.wblog").write_bytes(sized(content + bytes(4096)))
        return self.folder
