"""Where a reader's bytes come from, and a writer's go: files, plain or gzipped, or pipes; never more than fits."""

from __future__ import annotations

import codecs
import contextlib
import gc
import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from workbench.errors import InvalidInputError

MOST_BYTES = 1 << 30
"""What is read of one file, and what comes out of a gzipped one, at most."""
MOST_RATIO = 200
FREE_BYTES = 64 << 20
"""So much may come out of any gzipped file; above it, `MOST_RATIO` times what went in. Traces shrink 10 to 50
times; what shrinks a thousand times was made to fill the memory."""
PIECE = 1 << 20
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """The content of a file, and what to call it in an error."""

    name: str
    data: bytes

    @property
    def stem(self) -> str:
        """The name of a profile read from it: the file's, without suffixes."""
        file = Path(self.name).name
        return file.split(".", 1)[0] or file


def read_source(source: str | Path | Source) -> Source:
    """Return a file's content, decompressed where it is gzipped; a `Source` is returned as it is.

    Raises:
        InvalidInputError: It cannot be read, is no regular file, is too large, is damaged, or expands to more than
            is sane.
    """
    if isinstance(source, Source):
        return source
    try:
        # Opened in this way a named pipe that nobody writes to does not wait.
        with open(source, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidInputError(
                    f"{source} is a pipe or a device, which may never end: copy it to a file, or give it on standard "
                    "input, as -"
                )
            return source_of(str(source), file)
    except OSError as error:
        raise InvalidInputError(f"{source} cannot be read: {error.strerror}") from None


def source_of(name: str, file: BinaryIO) -> Source:
    """Return what an open file or pipe holds, decompressed where it is gzipped; what is UTF-16 becomes UTF-8.

    Raises:
        InvalidInputError: It is too large, is damaged, or expands to more than is sane.
        OSError: It cannot be read.
    """
    pieces: list[bytes] = []
    size = 0
    while size <= MOST_BYTES and (piece := file.read(PIECE)):  # one read of the most would allocate the most
        pieces.append(piece)
        size += len(piece)
    data = b"".join(pieces)
    if size > MOST_BYTES:
        raise InvalidInputError(f"{name} is larger than {MOST_BYTES >> 20} MiB: record less, or cut it")
    if data.startswith(GZIP):
        data = _expanded(name, data)
    return Source(name, _as_utf8(name, data))


def _as_utf8(name: str, data: bytes) -> bytes:
    """Return text as UTF-8, without a byte order mark. Without one, the first letter of JSON tells UTF-16."""
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    little = data.startswith(codecs.BOM_UTF16_LE) or data[:2] in (b"{\0", b"[\0")
    if not little and not data.startswith(codecs.BOM_UTF16_BE) and data[:2] not in (b"\0{", b"\0["):
        return data
    try:
        text = data.decode("utf-16-le" if little else "utf-16-be").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{name} begins as UTF-16 does, and is none at byte {error.start} ({error.reason}): save it as UTF-8"
        ) from None
    return text.encode("utf-8", "surrogatepass")


def most_expanded(size: int) -> int:
    """Return how many bytes may come out of so many that are compressed."""
    return min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * size))


def _expanded(name: str, data: bytes) -> bytes:
    most = most_expanded(len(data))
    pieces: list[bytes] = []
    size, rest = 0, data
    while rest.startswith(GZIP):  # a file may be several, one behind the other
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(rest, PIECE)
            except zlib.error as error:
                raise InvalidInputError(f"{name} is damaged: {error} (gzip, behind byte {size})") from None
            rest = member.unconsumed_tail
            size += len(piece)
            pieces.append(piece)
            if size > most:
                raise InvalidInputError(
                    f"{name} holds {len(data)} bytes that become more than {most}: gunzip it if you trust it"
                )
            if not piece and not rest and not member.eof:
                raise InvalidInputError(f"{name} is cut off: its gzip data end behind byte {size}")
        rest = member.unused_data
    return b"".join(pieces)


@contextlib.contextmanager
def opened_for_writing(target: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a file to write to, gzipped where its name ends so; an open one is handed through.

    Raises:
        OSError: It cannot be opened, or written.
    """
    if not isinstance(target, str | Path):
        yield target
        return
    if str(target).endswith(".gz"):
        # No time and no name in the head: the same profile gives the same bytes.
        with (
            Path(target).open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=5, fileobj=raw, mtime=0) as file,
        ):
            yield cast("BinaryIO", file)
        return
    with Path(target).open("wb") as file:
        yield file


@contextlib.contextmanager
def collector_off() -> Iterator[None]:
    """Keep the cycle collector from looking through what is being built, over and over: a third of a reader's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
