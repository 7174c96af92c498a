"""A file of arrays in memory that has no name, for processes on this host to read and write.

It is a memfd: others open it through /proc/PID/fd, which asks the kernel for the same user's rights. Whatever
ends this process, nothing stays behind, and the memory is free when the last process that has it mapped ends.
A worker keeps one such file mapped from batch to batch, since mapping it anew costs a fortieth of the work. So
`close` cuts the file to nothing, which frees the memory whoever has it mapped.

A process on another host, or in another container, finds nothing under that path, or something else: so the file
begins with a secret, and who does not read it there has not got the file.
"""

from __future__ import annotations

import mmap
import os
import secrets
import select
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SECRET_BYTES = 32
_PAGE = 4096


@dataclass(frozen=True)
class Reference:
    """How another process finds the file, what it must read there, and the arrays' shapes."""

    owner: int
    """The process that made it."""
    path: str
    secret: bytes
    shapes: tuple[tuple[int, ...], ...]

    @property
    def offsets(self) -> list[int]:
        """Where each array begins, in bytes, and last where the file ends; each is on pages of its own."""
        edges = [_PAGE]
        for shape in self.shapes:
            size = int(np.prod(shape)) * np.dtype(np.float64).itemsize
            edges.append(edges[-1] + -(-size // _PAGE) * _PAGE)
        return edges

    def arrays(self, mapped: mmap.mmap) -> list[Array]:
        """Return views of the file's arrays."""
        return [
            np.frombuffer(mapped, np.float64, int(np.prod(shape)), begin).reshape(shape)
            for shape, begin in zip(self.shapes, self.offsets, strict=False)
        ]


class NoMemoryFileError(OSError):
    """The system has no such files, or not enough memory for this one."""


class MemoryFile:
    """Arrays of float64 in one such file; `arrays` are mapped here, in the order of their shapes.

    Raises:
        NoMemoryFileError: the system has no such files, or not enough memory.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._number = -1
        if not hasattr(os, "memfd_create"):
            raise NoMemoryFileError("this system has no files in memory")
        try:
            self._number = os.memfd_create("workbench-columns")
            path = f"/proc/{os.getpid()}/fd/{self._number}"
            self.reference = Reference(os.getpid(), path, secrets.token_bytes(SECRET_BYTES), tuple(shapes))
            # Taken now, so that too little memory is an error here and not a signal on first touch.
            os.posix_fallocate(self._number, 0, self.reference.offsets[-1])
            os.pwrite(self._number, self.reference.secret, 0)
            self._mapped = mmap.mmap(self._number, self.reference.offsets[-1])
        except OSError as error:
            if self._number >= 0:
                os.close(self._number)
            raise NoMemoryFileError(f"no file in memory: {error}") from error
        self.arrays = self.reference.arrays(self._mapped)

    def close(self) -> None:
        """Free the memory; where a view of `arrays` is still held here, it stays until that is gone."""
        if self._number < 0:
            return
        self.arrays = []
        try:
            self._mapped.close()
        except BufferError:
            pass  # to read beyond the end of a file that is mapped kills a process
        else:
            os.ftruncate(self._number, 0)
        os.close(self._number)
        self._number = -1


_attached: dict[bytes, list[Array]] = {}
"""The one file that this process, a worker, keeps mapped, by its secret."""
_watched: set[int] = set()
"""The owners whose end is waited for."""


def attach(reference: Reference) -> list[Array] | None:
    """Return the arrays of the file that a reference means, or None where this process cannot see it."""
    arrays = _attached.get(reference.secret)
    if arrays is None:
        mapped = _mapped(reference)
        if mapped is None:
            return None
        arrays = reference.arrays(mapped)
        _attached.clear()
        _attached[reference.secret] = arrays
        if reference.owner not in _watched:
            _watched.add(reference.owner)
            threading.Thread(target=_let_go_after, args=(reference.owner,), daemon=True).start()
    return arrays


def _let_go_after(owner: int) -> None:
    """Unmap when a process ends: if it is killed, its idle workers may outlive it by minutes."""
    try:
        number = os.pidfd_open(owner)
    except OSError:
        return
    select.select([number], [], [])
    os.close(number)
    _attached.clear()


def _mapped(reference: Reference) -> mmap.mmap | None:
    try:
        number = os.open(reference.path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        size = reference.offsets[-1]
        same = os.pread(number, SECRET_BYTES, 0) == reference.secret and os.fstat(number).st_size == size
        return mmap.mmap(number, size) if same else None
    except OSError:
        return None
    finally:
        os.close(number)
