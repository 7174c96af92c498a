"""The content of files for readers, and files for writers: plain, gzipped or pipes, within limits of memory."""

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

MAX_BYTES = 1 << 30
"""Bytes of one file, and of what a gzipped one expands to."""
MAX_RATIO = 200
"""How many times its size a gzipped file expands to. Traces shrink 10 to 50 times, a file made to fill the memory a
thousand times."""
FREE_BYTES = 64 << 20
"""Bytes that any gzipped file may expand to, whatever its ratio."""
MAX_VALUES = 1 << 26
"""Arrays and objects in a file of JSON. An empty one takes two letters there, and thirty times as much in memory."""
MAX_LINES = 1 << 25
"""Lines of folded stacks: each is an object of some hundred bytes."""
MAX_PARTS = 1 << 23
"""Samples, places, functions and strings of a pprof file: each is an object of some hundred bytes."""
MAX_TRACKS = 1 << 17
"""Threads of a file, or operations side by side: a track takes some kilobytes."""
PIECE = 1 << 20
"""Bytes that are read or expanded at once."""
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
        # Without O_NONBLOCK, opening a named pipe without a writer would wait.
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
    """Return what an open file or pipe holds, decompressed where it is gzipped; UTF-16 becomes UTF-8.

    Raises:
        InvalidInputError: It is too large, is damaged, or expands to more than is sane.
        OSError: It cannot be read.
    """
    pieces: list[bytes] = []
    size = 0
    while size <= MAX_BYTES and (piece := file.read(PIECE)):  # a single read would allocate MAX_BYTES
        pieces.append(piece)
        size += len(piece)
    data = b"".join(pieces)
    if size > MAX_BYTES:
        raise InvalidInputError(f"{name} is larger than {MAX_BYTES >> 20} MiB: record less, or cut it")
    if data.startswith(GZIP):
        data = _expanded(name, data)
    return Source(name, _as_utf8(name, data))


def _as_utf8(name: str, data: bytes) -> bytes:
    """Return text as UTF-8, without a byte order mark. Without one, UTF-16 is known by the first letter of JSON."""
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    little = data.startswith(codecs.BOM_UTF16_LE) or data[:2] in (b"{\0", b"[\0")
    if not little and not data.startswith(codecs.BOM_UTF16_BE) and data[:2] not in (b"\0{", b"\0["):
        return data
    try:
        text = data.decode("utf-16-le" if little else "utf-16-be").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{name} begins as UTF-16 and is not UTF-16 at byte {error.start} ({error.reason}): save it as UTF-8"
        ) from None
    return text.encode("utf-8", "surrogatepass")


def max_expanded(size: int) -> int:
    """Return how many bytes a number of compressed bytes may expand to."""
    return min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * size))


def _expanded(name: str, data: bytes) -> bytes:
    most = max_expanded(len(data))
    pieces: list[bytes] = []
    size, rest = 0, data
    while rest.startswith(GZIP):  # several may follow each other
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(rest, PIECE)
            except zlib.error as error:
                raise InvalidInputError(f"{name} is damaged: {error} (gzip, after byte {size})") from None
            rest = member.unconsumed_tail
            size += len(piece)
            pieces.append(piece)
            if size > most:
                raise InvalidInputError(
                    f"{name} holds {len(data)} bytes that become more than {most}: gunzip it if you trust it"
                )
            if not piece and not rest and not member.eof:
                raise InvalidInputError(f"{name} is cut off: its gzip data end after byte {size}")
        rest = member.unused_data
    return b"".join(pieces)


@contextlib.contextmanager
def opened_for_writing(target: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a file to write to, gzipped where its name ends so; an open file is passed through.

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
def reading(given: str | Path | Source, what: str) -> Iterator[Source]:
    """Give a reader the content of a file that should be a `what`, such as "a Chrome trace".

    A ValueError of the reader becomes an InvalidInputError that names the file. The cycle collector is off: it takes a
    third of a reader's time, and finds nothing in what is being built.
    """
    source = read_source(given)
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield source
    except InvalidInputError:
        raise
    except ValueError as error:
        raise InvalidInputError(f"{source.name} is not {what}: {error}") from None
    finally:
        if was_on:
            gc.enable()


def check_tracks(count: int) -> None:
    """Refuse a file of more threads than there is memory for.

    Raises:
        ValueError: There are more than `MAX_TRACKS`.
    """
    if count > MAX_TRACKS:
        raise ValueError(f"it has more than {MAX_TRACKS} threads, or operations at once: cut it")
