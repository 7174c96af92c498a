"""Callgrind's file: the instructions of each function, itself and with what it calls.

The format is in Valgrind's manual, "Callgrind Format Specification". Callgrind keeps two levels of a function's
recursion apart: `name` is the first, `name'2` all that are below. So what the first one calls holds all others.
"""

from __future__ import annotations

import re
from pathlib import Path

from workbench.bench.results.lines import FunctionCount
from workbench.errors import WorkbenchError

_NAME = re.compile(r"(c?)(ob|fn)=(?:\((\d+)\))?\s*(.*)")
_POSITION = tuple("+-*0123456789")
_RECURSION = re.compile(r"'\d+$")


def function_counts(path: Path) -> list[FunctionCount]:
    """Return what was counted of each function.

    Args:
        path: A file that counts the event `Ir` alone.

    Raises:
        WorkbenchError: There is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise WorkbenchError(f"callgrind has left no file: {error.strerror}") from None
    names: dict[tuple[str, str], str] = {}
    now = {"ob": "", "fn": ""}
    own: dict[tuple[str, str], int] = {}
    inclusive: dict[tuple[str, str], int] = {}
    is_call = False
    for line in lines:
        if match := _NAME.match(line):
            is_callee, kind, number, name = match.groups()
            if number is not None:
                name = names.setdefault((kind, number), name)
            if not is_callee:
                now[kind] = name
        elif line.startswith("calls="):
            is_call = True
        elif line.startswith(_POSITION):
            words = line.split()
            count = int(words[1]) if len(words) > 1 else 0
            first = _RECURSION.sub("", now["fn"])
            place = (first, Path(now["ob"]).name)
            if not is_call:
                own[place] = own.get(place, 0) + count
            if first == now["fn"]:
                inclusive[place] = inclusive.get(place, 0) + count
            is_call = False
    return [FunctionCount(*place, own.get(place, 0), inclusive.get(place, 0)) for place in own | inclusive]
