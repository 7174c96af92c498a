"""Compressing the log of a process that has ended: mostly small differences of times, a fifth of its size afterwards.

Segments of events and samples are compressed one by one, in place, each in one step. Those of texts stay as they are,
as their headers say whether a process has ended.
"""

from __future__ import annotations

import gzip
import os
import zlib
from contextlib import suppress
from pathlib import Path

from workbench.scopes import layout

MAX_SEGMENT = 64 << 20
"""Bytes of a segment that are read: four times the largest that is written."""
MIN_SEGMENT = 1 << 15
"""Bytes: with less there is little to gain."""
LEVEL = 1
"""Of gzip: level 6 is 4× slower and saves 5 % more."""
PIECE = 1 << 20
"""Bytes that are expanded at once."""


def compress_ended(recording: Path, scratch: Path) -> None:
    """Compress what the ended processes of a recording have logged; where that fails it stays as it is.

    Args:
        recording: Its folder.
        scratch: A folder on the same file system, for unfinished files.
    """
    for first in recording.glob(f"*-t0000{layout.SUFFIX}"):
        with suppress(OSError):
            if _has_ended(first):
                key = first.name.removesuffix(f"-t0000{layout.SUFFIX}")
                for path in sorted(recording.glob(f"{key}-[es]*{layout.SUFFIX}")):
                    _compress(path, scratch / path.name)


def _has_ended(first: Path) -> bool:
    """Return whether a process's first segment has the time at which it ended its log."""
    with first.open("rb") as file:
        header = file.read(layout.HEADER_SIZE)
    return (
        len(header) == layout.HEADER_SIZE
        and header.startswith(layout.MAGIC)
        and layout.HEADER_END_NS.unpack_from(header, layout.HEADER_END_NS_AT) != (0,)
    )


def _compress(segment: Path, unfinished: Path) -> None:
    if segment.is_symlink() or not MIN_SEGMENT <= segment.stat().st_size <= MAX_SEGMENT:
        return
    content = segment.read_bytes()
    if not content.startswith(layout.MAGIC):
        return
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(gzip.compress(content, LEVEL, mtime=0))
    unfinished.replace(segment)


def expanded(content: bytes) -> bytes:
    """Return a compressed segment as it was, as far as it is not damaged."""
    stream = zlib.decompressobj(wbits=31)
    pieces: list[bytes] = []
    size = 0
    with suppress(zlib.error):
        while content and size < MAX_SEGMENT:
            pieces.append(stream.decompress(content, PIECE))
            size += len(pieces[-1])
            content = stream.unconsumed_tail
    return b"".join(pieces)
