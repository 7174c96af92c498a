"""Files of arrays, .npz without pickles, that are there whole or not at all; one line for whatever is wrong.

Every such file has a "header", JSON text that states its format and version, beside its arrays. It is read as a
typed record, see `workbench.records`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.records import convert, scan

Header = TypeVar("Header", bound=msgspec.Struct)

_DRAFT = ".draft"
_SHOWN = 200
"""Characters of a reason in a message."""
_NPY = b"\x93NUMPY"
_READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Kind:
    """What a file is, for its header and for messages about it."""

    format: str
    version: int
    name: str
    """Such as "model", in "no model file"."""
    origin: str
    """What to do where there is no such file."""
    remedy: str
    """What to do where a file is not one, or is damaged."""


def write(
    path: str | PathLike[str], kind: Kind, header: msgspec.Struct, arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write the file; one of that name is replaced whole or not at all, even where the machine stops.

    Raises:
        InvalidInputError: the directory does not exist, or may not be written to.
    """
    plain = msgspec.to_builtins(header, enc_hook=_plain)
    text = json.dumps({"format": kind.format, "version": kind.version} | plain)
    # Ctrl-C is raised in the main thread alone: so it waits until the file is whole.
    with ThreadPoolExecutor(1, "writing a file") as thread:
        thread.submit(_write, Path(path), {"header": np.array(text)} | dict(arrays)).result()


def _write(target: Path, contents: dict[str, Any]) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_native_id()}{_DRAFT}")
    try:
        try:
            with draft.open("wb") as file:
                np.savez(file, **contents)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        _sync_folder(target.parent)
    except OSError as error:
        raise InvalidInputError(
            f"cannot write {target} ({error.strerror or error}): give a path in a directory "
            "that exists and may be written to"
        ) from error


def _plain(value: Any) -> Any:
    """Return a NumPy number as one of Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be kept in a file")


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the file system can."""
    with contextlib.suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def sweep(path: str | PathLike[str]) -> None:
    """Remove drafts of the file that processes of this machine left when they were killed."""
    target = Path(path)
    with contextlib.suppress(OSError):
        for entry in target.parent.iterdir():
            if not (entry.name.startswith(f".{target.name}.") and entry.name.endswith(_DRAFT)):
                continue
            owner, _, thread = entry.name[len(target.name) + 2 : -len(_DRAFT)].partition("-")
            if owner.isdecimal() and thread.isdecimal() and _is_draft(entry) and not _is_alive(int(owner)):
                entry.unlink(missing_ok=True)


def _is_draft(path: Path) -> bool:
    """Return whether a file may be the begin of one of ours: an archive, or nothing yet."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"", b"PK\x03\x04")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def reading(path: str | PathLike[str], kind: Kind, record: type[Header]) -> Iterator[tuple[Header, Entries]]:
    """Yield the header and the arrays by name; the block may find more that is wrong, and raise as it likes.

    Raises:
        InvalidInputError: the file is missing, damaged, of another kind or of a newer version.
    """
    try:
        mode = Path(path).stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # to open a pipe may take for ever
            raise InvalidInputError("it is no regular file")
        with Path(path).open("rb") as file:
            if file.read(len(_NPY)) == _NPY:
                raise InvalidInputError("it holds a single array")
            with zipfile.ZipFile(file) as archive:
                entries = Entries(archive, os.fstat(file.fileno()).st_size)
                yield _header(str(entries["header"][()]), kind, record), entries
    except FileNotFoundError:
        raise InvalidInputError(f"no {kind.name} file {path}: check the path, or {kind.origin}") from None
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {path} ({error.strerror or error}): check that it is a readable file"
        ) from error
    except _NewerVersionError as error:
        raise InvalidInputError(f"{path} {error}: upgrade workbench to read it") from None
    except (
        EOFError, KeyError, NotImplementedError, OverflowError, RuntimeError, TypeError, ValueError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidInputError(
            f"{path} is not a whole workbench {kind.name} file ({reason[:_SHOWN]}): {kind.remedy}"
        ) from error


class Entries:
    """The arrays of a file, by name. None is read that claims to be larger than the file is."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._size = size

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return an array, or raise KeyError, ValueError or what zipfile raises."""
        entry = self._archive.getinfo(f"{name}.npy")
        if entry.file_size > self._size:
            raise InvalidInputError(f"{name} claims {entry.file_size} bytes and the file has {self._size}")
        with self._archive.open(entry) as file:
            read_header = _READ_HEADER.get(npy.read_magic(file))
            if read_header is None:
                raise InvalidInputError(f"{name} is an array of an unknown version")
            shape, by_columns, dtype = read_header(file)
            data = file.read()
        claimed = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or claimed != len(data):
            raise InvalidInputError(f"{name} claims {claimed} bytes of {dtype} and has {len(data)}")
        return np.frombuffer(bytearray(data), dtype).reshape(shape, order="F" if by_columns else "C")


class _NewerVersionError(Exception):
    pass


class _OfKind(msgspec.Struct):
    format: str
    version: int


def _header(text: str, kind: Kind, record: type[Header]) -> Header:
    """Return a file's header, or raise ValueError."""
    found = scan(text, finite=False)  # an error may be infinite, and NaN where there are no such rows
    of_kind = convert(found, _OfKind)
    if of_kind.format != kind.format:
        raise InvalidInputError(f"its format is {of_kind.format!r}")
    if of_kind.version > kind.version:
        raise _NewerVersionError(
            f"has {kind.name} format {of_kind.version}, and this workbench reads up to {kind.version}"
        )
    return convert(found, record)


def array(file: Entries, name: str, shape: tuple[int, ...], *, finite: bool = True) -> NDArray[np.float64]:
    """Return a float64 array of that shape, or raise ValueError."""
    found: NDArray[Any] = file[name]
    if found.shape != shape or found.dtype != np.float64:
        raise InvalidInputError(f"{name} are {found.dtype}, shape {found.shape}, not float64, shape {shape}")
    if finite and not np.isfinite(found).all():
        raise InvalidInputError(f"{name} hold values that are not finite")
    return found
