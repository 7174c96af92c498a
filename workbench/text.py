"""Numbers, times, shares and names as text for people, and as text that is safe to draw.

One place for all of it: the same figure reads the same in a sentence, a table, a chart and the terminal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SCALES = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")),
}
"""By unit, what it is written in."""
_MAX_ORDERS = 300
"""Powers of ten beyond which a factor is as good as infinite, or as zero."""
_MAX_WHOLE, _MAX_WHOLE_SHORT = 1e15, 1e6
"""Whole numbers below it are written in full."""
_CLOSE = 1.1
"""Factors of times below it have a digit more: what matters may be 2 %."""
MAX_NAME = 80
"""Letters of a name in a sentence."""


def printable(text: str) -> str:
    """Return text with everything that does not print written as an escape, as `repr` would.

    That covers what XML forbids (control characters, lone surrogates) and what would reorder the text
    around it (right-to-left marks), so a name cannot hide its letters.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown_path(file: str) -> str:
    """Return a path below the working folder if it is there, else the file's name."""
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path.name


def for_markdown(text: str) -> str:
    """Return text in which nothing is Markdown's, and nobody is mentioned."""
    escaped = "".join(f"\\{letter}" if letter in r"\`*_{}[]<>#|&~$" else letter for letter in text)
    return escaped.replace("@", "@&#8203;")  # a space without width, without which GitHub tells that user


def json_for_markup(value: object) -> str:
    """Return compact ASCII JSON that needs no escaping in XML or HTML, and cannot end an element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def shortened(text: str, most: int) -> str:
    """Return text cut to `most` letters, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def named(name: str) -> str:
    """Return a name for a sentence: in quotation marks, and shortened."""
    return f"“{shortened(printable(name), MAX_NAME)}”"


def plural(count: int, noun: str, ending: str = "s") -> str:
    """Return a noun in the form that follows a number."""
    return noun if count == 1 else noun + ending


def as_rounds(count: int) -> str:
    """Return a number of rounds."""
    return f"{count:,} {plural(count, 'round')}"


def as_amount(amount: int, unit: str) -> str:
    """Return an amount with its unit; nanoseconds and bytes become the unit that reads best."""
    if unit not in _SCALES:
        return f"{amount:,} {unit}".rstrip()
    if amount < 0:
        return f"−{as_amount(-amount, unit)}"
    factor, name = _scale(amount, unit)
    value = amount / factor
    return f"{value:.3g} {name}" if value < 999.5 else f"{value:,.0f} {name}"


def _scale(amount: float, unit: str) -> tuple[float, str]:
    """Return the factor and the name of the unit in which an amount reads best."""
    return next(each for each in _SCALES[unit] if amount >= 0.9995 * each[0] or each[0] == 1)


def as_digits(amount: float, unit: str = "ns") -> tuple[str, str]:
    """Return nanoseconds or bytes with three digits, and the unit, for a column: 1.00 and s, 49.1 and ms."""
    if amount < 0:
        digits, name = as_digits(-amount, unit)
        return f"−{digits}", name
    factor, name = _scale(amount, unit)
    value = amount / factor
    places = 0 if factor == 1 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{places}f}", name


def as_digits_give_or_take(amount: float, off: float, unit: str = "ns") -> tuple[str, str]:
    """Return nanoseconds or bytes that may be off by some, for a column: 1.23 and s ±0.12."""
    largest = max(abs(amount), off)
    factor, name = _scale(largest, unit)
    decimals = len(as_digits(largest, unit)[0].partition(".")[2])
    text = f"{amount / factor:,.{decimals}f}".replace("-", "−")
    return text, f"{name} ±{max(off / factor, 10.0**-decimals):,.{decimals}f}"


def as_seconds(seconds: float) -> str:
    """Return seconds in the unit that reads best; a time that was never reached is said to be so."""
    if not math.isfinite(seconds):
        return "never"
    return as_amount(round(1e9 * seconds), "ns") if seconds >= 1e-6 else f"{1e9 * seconds:.3g} ns"


def as_duration(seconds: float) -> str:
    """Return a time that somebody waits for, roughly: 40 s, 7.5 minutes, 12 hours."""
    for unit, word in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.2g} {word}" if seconds < 100 * unit else f"{seconds / unit:,.0f} {word}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def as_milliseconds(value: float | None) -> str:
    """Return a number of milliseconds with three significant digits, without the unit."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def as_share(share: float) -> str:
    """Return a share in percent, with enough digits to show that a small one is not zero."""
    percent = 100 * share
    if percent == 0 or percent >= 0.1:
        return f"{percent:.1f} %"
    return f"{percent:.2g} %" if percent >= 0.0001 else "under 0.0001 %"


def as_rough_share(share: float | None) -> str:
    """Return a share in whole percent, or with two digits where it is small."""
    if share is None:
        return "–"
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


def as_percent(share: float, digits: int = 3) -> str:
    """Return a share in percent with `digits` significant digits."""
    return f"{100 * share:.{digits}g} %"


class ShareWithInterval(Protocol):
    """A share of samples, and the interval that it may be in."""

    @property
    def share(self) -> float:
        """The share."""

    @property
    def low(self) -> float:
        """The interval's lower end."""

    @property
    def high(self) -> float:
        """Its upper end."""

    @property
    def is_known(self) -> bool:
        """Whether the interval is known."""


def as_sampled_share(part: ShareWithInterval) -> str:
    """Return a share with its interval, where that is known: 61 % [59, 63]."""
    if not part.is_known:
        return as_rough_share(part.share)
    low, high = 100 * part.low, 100 * part.high
    digits = 0 if high - low >= 1 else 1
    return f"{100 * part.share:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"


def as_off(part: ShareWithInterval) -> str:
    """Return by how much a share may be off, in percent with one digit: ±0.7; nothing where that is not known."""
    return f"±{max(50 * (part.high - part.low), 0.1):.1f}" if part.is_known else ""


def as_share_give_or_take(part: ShareWithInterval) -> str:
    """Return a share with what it may be off by, where that is known: 41 % ± 2."""
    percent, off = 100 * part.share, 50 * (part.high - part.low)
    if not part.is_known:
        return as_rough_share(part.share)
    if off >= 0.95:
        return f"{percent:.0f} % ± {off:.0f}"
    return f"{percent:.1f} % ± {max(off, 0.1):.1f}"


def as_scientific(value: float | None, digits: int = 1) -> str:
    """Return a small number with one digit or more after the point: 2.5e-8 as 2.5·10⁻⁸."""
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("inf", "∞")
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def as_number(value: float) -> str:
    """Return a number that may be anything: a whole one in full, others with six digits."""
    is_whole = math.isfinite(value) and abs(value) < _MAX_WHOLE and value == round(value)
    return f"{value:,.0f}" if is_whole else f"{value:.6g}"


def as_short_number(value: float) -> str:
    """Return a number with three significant digits; a whole one in full, a large or small one as a power of ten."""
    if isinstance(value, int) and abs(value) < _MAX_WHOLE_SHORT:
        text = f"{value:,}"
    elif value == 0:
        text = "0"
    elif 1e-3 <= abs(value) < 999.5:
        text = f"{value:.3g}"
    elif 999.5 <= abs(value) < _MAX_WHOLE_SHORT:
        text = f"{float(f'{value:.3g}'):,.0f}"
    else:
        text = as_scientific(value, 2)
    return text.replace("-", "−")


def as_size(count: int) -> str:
    """Return a number of bytes."""
    return as_amount(count, "bytes")


def as_signed_size(count: int) -> str:
    """Return a difference in bytes: +67.1 MB, −12 kB, 0 B."""
    sign = "+" if count > 0 else "−" if count < 0 else ""
    return f"{sign}{as_size(abs(count))}"


def as_ratio(value: float, digits: int = 2) -> str:
    """Return a ratio of times, with `digits` digits after the point where it is of ordinary size."""
    if math.isinf(value) or value == 0:
        return "∞" if value else "0"
    if 0.1 <= value < 999.5:
        return f"{value:.{digits}f}" if value < 9.995 else f"{value:.3g}"
    return as_factor(math.log10(value))


def inverse(ratio: float) -> float:
    """Return what is the ratio the other way round; of zero it is infinite."""
    return 1 / ratio if ratio > 0 else math.inf


def as_factor(orders: float) -> str:
    """Return a factor that is given in powers of ten."""
    if abs(orders) > _MAX_ORDERS:
        return "∞" if orders > 0 else "0"
    factor = 10.0**orders
    if 1e-3 <= factor < 999.5:
        return f"{factor:.3g}" if factor < 9.995 else f"{factor:.0f}"
    return as_scientific(factor)


Ends = tuple[float, float]
"""The ends of an interval."""


def as_speed(ratio: float, interval: Ends | None = None) -> str:
    """Return a ratio of times, new by old, in words: 1.25× faster, 1.18× slower, or same speed.

    Its interval follows in brackets: "1.25× faster [1.20, 1.31]", "1.020× faster [1.050× faster, 1.010× slower]".
    """
    return " ".join(filter(None, speed_parts(ratio, interval)))


def as_error(orders: float, interval: Ends | None = None) -> str:
    """Return a change of an error, given in powers of ten: 3.1× smaller error, 1.02× larger error, or same error.

    Its interval follows in brackets, as that of `as_speed`.
    """
    return " ".join(filter(None, error_parts(orders, interval)))


def as_instructions(ratio: float) -> str:
    """Return a ratio of instructions, new by old, in words: 1.25× fewer, 1.050× more, or as many."""
    return _direction(ratio, None, 1.0, _factor_from_1, ("fewer", "more"))[0] or "as many"


def speed_parts(ratio: float, interval: Ends | None) -> tuple[str, str]:
    """Return the figure of `as_speed` and its interval apart."""
    figure, ends = _direction(ratio, interval, 1.0, _factor_from_1, ("faster", "slower"))
    return figure or "same speed", ends


def memory_parts(ratio: float, interval: Ends | None) -> tuple[str, str]:
    """Return a ratio of memory, new by old, in words, and its interval: 1.25× larger, [1.24, 1.26]."""
    figure, ends = _direction(ratio, interval, 1.0, _factor_from_1, ("smaller", "larger"))
    return figure or "same", ends


def _factor_from_1(ratio: float) -> str:
    factor = max(ratio, inverse(ratio))
    return as_ratio(factor, 3 if factor < _CLOSE else 2)


def error_parts(orders: float, interval: Ends | None) -> tuple[str, str]:
    """Return the figure of `as_error` and its interval apart."""

    def factor_of(value: float) -> str:
        return as_ratio(10.0 ** abs(value)) if abs(value) <= _MAX_ORDERS else "∞"

    figure, ends = _direction(orders, interval, 0.0, factor_of, ("smaller", "larger"))
    return f"{figure or 'same'} error", ends


def _direction(
    value: float,
    ends: Ends | None,
    neutral: float,
    factor_of: Callable[[float], str],
    words: tuple[str, str],
) -> tuple[str, str]:
    """Return a factor with its direction, nothing where it is 1, and an interval of factors.

    Args:
        value: What is said.
        ends: The interval, if there is one.
        neutral: The value that says that nothing has changed.
        factor_of: Writes a value as a factor from 1 on.
        words: For what is below `neutral`, and above.
    """

    def way(each: float) -> str:
        return "" if factor_of(each) in ("1", "1.00", "1.000") else words[each > neutral]

    def said(each: float) -> str:
        return f"{factor_of(each)}× {way(each)}" if way(each) else ""

    if ends is None or not any(map(way, ends)):
        return said(value), ""
    if way(value) and {*map(way, ends)} <= {way(value), ""}:
        low, high = ends if value > neutral else reversed(ends)
        return said(value), f"[{factor_of(low)}, {factor_of(high)}]"
    if all(factor_of(end) == "∞" for end in ends):
        return said(value), "[unbounded]"
    first, last = (said(end) or "same" for end in ends)
    return said(value), f"[{first}, {last}]"


def as_difference(before: float, after: float) -> str:
    """Return how an amount has changed: +12.5 %, −3 %, ×2.4, new, gone."""
    if before <= 0 or after <= 0:
        return "same" if before == after else "gone" if after <= 0 else "new"
    ratio = after / before
    if ratio >= 2:
        return f"×{ratio:.3g}"
    percent = 100 * (ratio - 1)
    digits = f"{abs(percent):.1f}"
    return "same" if digits == "0.0" else f"{'+' if percent > 0 else '−'}{digits} %"


def as_difference_range(low: float, high: float) -> str:
    """Return the interval of a change, from the ends of its ratio, in one unit: [+1.2 %, +3.4 %], [×1.94, ×2.13].

    An end of zero or infinity is that something is gone or new: [−2.0 %, new].
    """
    are_factors = any(2 <= end < math.inf for end in (low, high))

    def words(end: float) -> str:
        if end == math.inf:
            return "new"
        said = as_difference(1.0, end)
        return f"×{end:.3g}" if are_factors and end > 0 else "0.0 %" if said == "same" else said

    return f"[{words(low)}, {words(high)}]"


def rounded_up(count: int) -> int:
    """Return a rough number rounded up to two significant digits."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // unit) * unit
