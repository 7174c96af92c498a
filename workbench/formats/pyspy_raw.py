"""py-spy's `raw` output: folded stacks whose frames are `name (file.py:12)`, with counts of samples.

It knows no times. With lines (the default) a function is as many frames as lines of it were seen; they are kept.
"""

from __future__ import annotations

import re
from pathlib import Path

from workbench.formats._source import Source, read_source
from workbench.formats.folded import read_lines
from workbench.profile import Frame, FrameKind, Profile

_LABEL = re.compile(r"(.+) \(([^()]+?)(?::(\d{1,9}))?\)", re.DOTALL)
_PYTHON = (".py", ".pyx", ".ipynb", ">")


def read_pyspy_raw(source: str | Path | Source, *, period_ns: int = 10_000_000) -> Profile:
    """Read a capture as the samples of one track.

    Args:
        source: The file.
        period_ns: What a sample stands for, which the file does not say; 10 ms is py-spy's default.

    Raises:
        InvalidInputError: It cannot be read, or a line has no count; the line says which.
    """
    return read_lines(read_source(source), period_ns, _frame, "pyspy-raw")


def looks_like_raw(data: bytes) -> bool:
    """Return whether most frames of the first lines are labelled as py-spy labels them."""
    head = data[:65536].decode("utf-8", errors="replace").split("\n")[:50]
    labels = [label for line in head for label in line.rpartition(" ")[0].split(";") if label]
    return sum(_LABEL.fullmatch(label) is not None for label in labels) * 2 > len(labels)


def _frame(label: str) -> Frame:
    match = _LABEL.fullmatch(label)
    if match is None:  # a process, a thread, or what has no file
        return Frame(label, "", 0, FrameKind.NATIVE if label.startswith("0x") else FrameKind.PYTHON)
    name, file, line = match[1], match[2], int(match[3] or 0)
    return Frame(name, file, line, FrameKind.PYTHON if file.endswith(_PYTHON) else FrameKind.NATIVE)
