"""Names, times and shares as text that is safe to draw."""

from __future__ import annotations

import json
import unicodedata

CELL = 0.61
"""Width of one monospace cell over the font size; the widest common font has 0.602."""

_TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))


def printable(text: str) -> str:
    """Return text with everything that does not print written as an escape, as `repr` would.

    That covers what XML forbids (control characters, lone surrogates) and what would reorder the text
    around it (right-to-left marks), so a name shows what it is made of and cannot hide it.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


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


def format_amount(amount: int, unit: str) -> str:
    """Return an amount with its unit; nanoseconds become the unit that reads best."""
    if unit != "ns":
        return f"{amount:,} {unit}".rstrip()
    for factor, name in _TIMES:
        if amount >= factor:
            return (
                f"{amount / factor:.3g} {name}"
                if amount < 1000 * factor
                else f"{amount / factor:,.0f} {name}"
            )
    return f"{amount} ns"


def format_share(share: float) -> str:
    """Return a share in percent, with enough digits to tell a small one from none."""
    percent = 100 * share
    if percent == 0 or percent >= 0.1:
        return f"{percent:.1f} %"
    return f"{percent:.2g} %" if percent >= 0.0001 else "under 0.0001 %"


def json_for_markup(value: object) -> str:
    """Return compact ASCII JSON that needs no escaping in XML or HTML, and cannot end an element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


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
