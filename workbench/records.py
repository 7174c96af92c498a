"""Records of our own that are read back: JSON, scanned once for what no record has, then checked by its types.

A record is a `msgspec.Struct`; its fields say what is there, and `__post_init__` what fits together.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, TypeVar

import msgspec

MAX_DEPTH = 64
"""Arrays and objects inside one another; ours have six."""
Number = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A finite number."""
Above0 = Annotated[float, msgspec.Meta(gt=0, le=sys.float_info.max)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A whole number that a float holds, too."""
Many = Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]
Record = TypeVar("Record")


def scan(text: bytes | str) -> Any:
    """Return JSON as Python objects.

    Raises:
        ValueError: It is no JSON, nests too deeply, has a key twice in one object, or NaN or infinity.
    """
    try:
        value = _DECODER.decode(text.decode("utf-8") if isinstance(text, bytes) else text)
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
        ValueError: It is none, with what is wrong and where.
    """
    return convert(scan(text), kind)


def convert(value: Any, kind: type[Record]) -> Record:
    """Return a record of a kind from JSON that `scan` has read.

    Raises:
        ValueError: It is none, with what is wrong and where.
    """
    return msgspec.convert(value, kind)


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record as JSON holds it; fields that are not set are left out."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found


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
