"""How wide text is, and text cut to a width."""

from __future__ import annotations

import re
import unicodedata

CELL = 0.61
"""Width of one monospace cell over the font size; the widest common font has 0.602."""


_SEPARATOR = re.compile(r"[/\\]")
_DUNDER = re.compile(r"__\w+__\.py")


def cells(text: str) -> float:
    """Return the width of text in monospace cells, generous where no monospace font has the letter."""
    if text.isascii():
        return float(len(text))
    return sum(_cells_of(character) for character in text)


def fit(text: str, width: float, font_size: float) -> str:
    """Return text cut with an ellipsis to a width in pixels, or nothing where two letters do not fit."""
    room = width / (CELL * font_size)
    if cells(text[: int(room) + 1]) <= room:
        return text
    used = 1.0  # the ellipsis
    kept: list[str] = []
    for character in text:
        used += _cells_of(character)
        if used > room:
            break
        kept.append(character)
    return "".join(kept) + "…" if len(kept) > 1 else ""


def frame_name(name: str, file: str) -> str:
    """Return the name of a frame for people: the code of a module says of which one."""
    if name != "<module>" or not file:
        return name
    parts = _SEPARATOR.split(file)
    with_folder = _DUNDER.fullmatch(parts[-1]) is not None
    return f"{name} {'/'.join(parts[-2:] if with_folder else parts[-1:])}"


def _cells_of(character: str) -> float:
    if character.isascii():
        return 1.0
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 2.5
    # Common Latin, Greek, Cyrillic and punctuation are in the monospace fonts; the rest comes from any font.
    is_common = character < "\u0180" or "\u0370" <= character <= "\u045f" or "\u2010" <= character <= "\u203a"
    return 1.0 if is_common else 2.5
