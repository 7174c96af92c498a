"""Numbers, shares, changes and names as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.text import (
    as_amount,
    as_difference,
    as_difference_range,
    as_digits_give_or_take,
    as_seconds,
    as_share,
    as_size,
    json_for_markup,
    printable,
)


@pytest.mark.parametrize(
    ("write", "values", "text"),
    [
        (as_amount, (0, "ns"), "0 ns"),
        (as_amount, (999, "ns"), "999 ns"),
        (as_amount, (1_500, "ns"), "1.5 µs"),
        (as_amount, (999_700_000, "ns"), "1 s"),
        (as_amount, (41_234_567, "ns"), "41.2 ms"),
        (as_amount, (83_000_000_000, "ns"), "83 s"),
        (as_amount, (7_200_000_000_000, "ns"), "7,200 s"),
        (as_amount, (12_345, "samples"), "12,345 samples"),
        (as_amount, (0, "bytes"), "0 B"),
        (as_amount, (-1_500, "bytes"), "−1.5 kB"),
        (as_size, (999_900,), "1 MB"),
        (as_size, (412_345_678,), "412 MB"),
        (as_seconds, (75.0,), "75 s"),
        (as_seconds, (0.02,), "20 ms"),
        (as_seconds, (3e-6,), "3 µs"),
        (as_seconds, (5e-9,), "5 ns"),
        (as_share, (0,), "0.0 %"),
        (as_share, (0.412,), "41.2 %"),
        (as_share, (1,), "100.0 %"),
        (as_share, (0.0005,), "0.05 %"),
        (as_share, (1e-9,), "under 0.0001 %"),
        (as_difference, (0, 0), "same"),
        (as_difference, (5, 0), "gone"),
        (as_difference, (0, 5), "new"),
        (as_difference, (1000, 1125), "+12.5 %"),
        (as_difference, (1000, 970), "−3.0 %"),
        (as_difference, (10_000_000, 10_000_001), "same"),
        (as_difference, (10, 24), "×2.4"),
        (as_difference_range, (1.012, 1.034), "[+1.2 %, +3.4 %]"),
        (as_difference_range, (0.9, 1.0), "[−10.0 %, 0.0 %]"),
        (as_difference_range, (1.937, 2.13), "[×1.94, ×2.13]"),  # one unit in one interval
        (as_difference_range, (0.98, 2.4), "[×0.98, ×2.4]"),
        (as_difference_range, (0.98, math.inf), "[−2.0 %, new]"),
        (as_difference_range, (0.0, 2.0), "[gone, ×2]"),
        (printable, ("a\x00\n\u202e\ud800",), "a\\x00\\n\\u202e\\ud800"),
    ],
)
def test_as_text(write: Callable[..., str], values: tuple[object, ...], text: str) -> None:
    """An amount has the unit that reads best, a small share is not none, and a control is shown as what it is."""
    assert write(*values) == text


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_printable_text_prints(text: str) -> None:
    """What is drawn is printable and keeps every printable character."""
    shown = printable(text)
    assert shown.isprintable()
    assert text == shown or not text.isprintable()


@pytest.mark.parametrize(
    ("amount", "off", "digits", "unit"),
    [
        (1.234e9, 0.12e9, "1.23", "s ±0.12"),
        (0, 15e6, "0.0", "ms ±15.0"),
        (49.1e6, 1e3, "49.1", "ms ±0.1"),
        (1234e9, 5e8, "1,234", "s ±1"),
    ],
)
def test_digits_that_may_be_off(amount: float, off: float, digits: str, unit: str) -> None:
    """An amount has the digits of the larger of both, and is never said to be off by nothing; as tests/js has it."""
    assert as_digits_give_or_take(amount, off) == (digits, unit)


def test_json_ends_no_element() -> None:
    """JSON for markup has no character that XML or HTML could read, and means the same."""
    value = {"</script>": ["]]>", "&amp;", "\ud800", 5]}
    text = json_for_markup(value)
    assert not set("<>&") & set(text)
    assert json.loads(text) == value
