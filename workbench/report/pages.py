"""Filling the HTML templates: one environment, escaping on, and the filters that pages share."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import jinja2
from markupsafe import Markup

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("workbench.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """Return a template filled with values, all of which are escaped unless they are markup."""
    return _ENVIRONMENT.get_template(template).render(**values)


def percent(share: float | None) -> str:
    """Format a share as a percentage."""
    return "–" if share is None else f"{100 * share:.0f} %"


def scientific(value: float | None) -> str:
    """Format a small number with one digit behind the point: 2.5e-8 as 2.5·10⁻⁸."""
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("inf", "∞")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


_MOST_ORDERS = 300


def power(orders: float) -> str:
    """Format a difference of log10 as the factor that it is."""
    if abs(orders) > _MOST_ORDERS:
        return "∞" if orders > 0 else "0"
    factor = 10.0**orders
    return f"{factor:.3g}" if 1e-3 <= factor < 999.5 else scientific(factor)


def milliseconds(value: float | None) -> str:
    """Format milliseconds with three significant digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def image_data(path: Path) -> Markup | None:
    """Return a PNG as a data URL, so that a page needs no other file; None where there is none."""
    if not path.is_file():
        return None
    return Markup("data:image/png;base64,") + base64.b64encode(path.read_bytes()).decode()


_ENVIRONMENT.filters.update(percent=percent, scientific=scientific, power=power, milliseconds=milliseconds)
