"""Reading our own records: JSON is scanned for what no record has, then checked by types.

A record is a `msgspec.Struct`; its fields are the schema, and `__post_init__` checks that they agree.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

MAX_DEPTH = 64
"""Arrays and objects inside one another; ours have six."""
Number = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A finite number."""
Above0 = Annotated[float, msgspec.Meta(gt=0, le=sys.float_info.max)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A whole number that a float holds exactly."""
Many = Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]
Record = TypeVar("Record")


def scan(text: bytes | str, *, finite: bool = True) -> Any:
    """Return JSON as Python objects; NaN and infinities are numbers where they need not be `finite`.

    Raises:
        ValueError: It is no JSON, nests too deeply, has a key twice in one object, or NaN or infinity.
    """
    decoder = _DECODER if finite else _LENIENT_DECODER
    try:
        value = decoder.decode(text.decode("utf-8") if isinstance(text, bytes) else text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg.lower()} at character {error.pos})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no JSON (byte {error.start} is not UTF-8)") from None
    except RecursionError:
        raise ValueError("it nests too deeply") from None
    if _depth_beyond(value, MAX_DEPTH):
        raise ValueError(f"it nests more than {MAX_DEPTH} deep")
    return value


def parse(text: bytes | str, kind: type[Record]) -> Record:
    """Return a record of a kind.

    Raises:
        ValueError: It is not one; the message says what is wrong and where.
    """
    return convert(scan(text), kind)


def convert(value: Any, kind: type[Record]) -> Record:
    """Return a record of a kind from JSON that `scan` has read.

    Raises:
        ValueError: It is not one; the message says what is wrong and where.
    """
    return msgspec.convert(value, kind)


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record as JSON holds it; fields that are not set are left out."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found


def read_inside(folder: Path, name: str, most: int) -> bytes | None:
    """Return the content of a regular file inside a folder, of so many bytes at most; None where there is none.

    Nothing on the way may be a link, which could lead to any file.
    """
    path = folder / name
    parts = [path, *(each for each in path.parents if each != folder and each.is_relative_to(folder))]
    if ".." in path.relative_to(folder).parts or any(part.is_symlink() for part in parts):
        return None
    try:
        with open(path, "rb", opener=_open_regular) as file:
            content = file.read(most + 1)
    except OSError:
        return None
    return content if len(content) <= most else None


def _open_regular(path: str, flags: int) -> int:
    """Open a file for reading; a link, or what is no regular file and might never end, is an error."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no regular file")
    return handle


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON from its members.

    Raises:
        ValueError: A key is there twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {ascii(twice)[:60]} is twice in one object")
    return found


def no_constant(name: str) -> Any:
    """Refuse NaN and infinities, which JSON has not.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is no number in JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys, parse_constant=no_constant)
_LENIENT_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)


def _depth_beyond(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = (
            [
                inner
                for each in level
                for inner in (each.values() if isinstance(each, dict) else each)
                if isinstance(inner, dict | list)
            ]
            if isinstance(level[0], dict | list)
            else []
        )
        if not level:
            return False
    return True
