"""py-spy's `raw` output: folded stacks whose frames are `name (file.py:12)`, with counts of samples.

It knows no times. With lines (the default) a function is as many frames as lines of it were seen; they are kept.
"""

from __future__ import annotations

from pathlib import Path

from workbench.formats._source import Source, read_source
from workbench.formats.folded import LABEL, PYTHON_FILES, read_lines
from workbench.profile import Frame, FrameKind, Profile


def read_pyspy_raw(source: str | Path | Source, *, period_ns: int = 10_000_000) -> Profile:
    """Read a capture as the samples of one track.

    Args:
        source: The file.
        period_ns: What a sample stands for, which the file does not say; 10 ms is py-spy's default.

    Raises:
        InvalidInputError: It cannot be read, or a line has no count; the line says which.
    """
    line = f"counts are taken as samples of {period_ns / 1e6:g} ms each, which the file does not say"
    return read_lines(read_source(source), period_ns, _frame, "pyspy-raw", [line])


def _frame(label: str) -> Frame:
    match = LABEL.fullmatch(label)
    if match is None:  # a process, a thread, or what has no file
        return Frame(label, "", 0, FrameKind.NATIVE if label.startswith("0x") else FrameKind.PYTHON)
    name, file, line = match[1], match[2], int(match[3] or 0)
    return Frame(name, file, line, FrameKind.PYTHON if file.endswith(PYTHON_FILES) else FrameKind.NATIVE)
