"""Numbers in sentences: ratios, factors and counts with as many digits as people read."""

from __future__ import annotations

import math

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_ORDERS = 300
"""Powers of ten beyond which a factor is as good as infinite, or as zero."""


def as_blocks(count: int) -> str:
    """Return a number of blocks."""
    return f"{count:,} block{'s' if count != 1 else ''}"


def as_percent(share: float, digits: int = 3) -> str:
    """Return a share of 1 as per cent."""
    return f"{100 * share:.{digits}g} %"


def as_seconds(value: float) -> str:
    """Return a time with a unit in which people read it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def as_ratio(value: float) -> str:
    """Return a ratio of times."""
    if math.isinf(value):
        return "∞"
    return f"{value:.2f}" if 0.1 <= value < 1000 or value == 0 else as_factor(math.log10(value))


def as_ratios(low: float, high: float) -> str:
    """Return an interval of ratios of times."""
    return f"[{as_ratio(low)}, {as_ratio(high)}]"


def inverse(ratio: float) -> float:
    """Return what is the ratio the other way round; of zero it is infinite."""
    return 1 / ratio if ratio > 0 else math.inf


def as_factor(orders: float) -> str:
    """Return the factor that so many powers of ten are."""
    if abs(orders) > _MOST_ORDERS:
        return "∞" if orders > 0 else "0"
    factor = 10.0**orders
    if 1e-3 <= factor < 999.5:
        return f"{factor:.3g}" if factor < 9.995 else f"{factor:.0f}"
    digits, _, exponent = f"{factor:.1e}".partition("e")
    return f"{digits}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def as_factors(low: float, high: float) -> str:
    """Return an interval of factors, from powers of ten."""
    return f"[{as_factor(low)}, {as_factor(high)}]"


def as_change(orders: float) -> str:
    """Return how much larger or smaller an error is, by a factor above 1."""
    factor = as_factor(abs(orders))
    if factor == "1":
        return "error as large"
    return f"error {factor}× {'larger' if orders > 0 else 'smaller'}"


def as_changes(orders: float, low: float, high: float) -> str:
    """Return the interval of what `as_change` says: of the same factors, so turned round where that is "smaller"."""
    is_smaller = orders < 0 and as_factor(abs(orders)) != "1"
    return as_factors(-high, -low) if is_smaller else as_factors(low, high)


def rounded_up(count: int) -> int:
    """Return a number that is known roughly with two digits that count, and not below what it was."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // unit) * unit
