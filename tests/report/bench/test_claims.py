"""What the original reports holds here, or does not, by the verdicts: a point estimate decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.helpers.html import Page
from workbench.bench.analysis.analysis import analyse
from workbench.bench.design.suite import shipped_suite
from workbench.bench.results.results import Results
from workbench.report.bench.claims import ClaimRow, claim_rows
from workbench.report.bench.page import write_page

Make = Callable[..., Results]
ROUNDS = 12
WILD = [0.3, 3.0] * (ROUNDS // 2)
"""Factors that no verdict can be made of."""


def runs(seconds: float | Sequence[float], error: float | Sequence[float]) -> list[tuple[float, float]]:
    times = [seconds] * ROUNDS if isinstance(seconds, float) else seconds
    errors = [error] * ROUNDS if isinstance(error, float) else error
    return list(zip(times, errors, strict=True))


def rows_of(make_results: Make, variants: dict[str, Any], **head: Any) -> dict[str, ClaimRow]:
    results = make_results({"exact": runs(1.0, 1e-3), **variants}, **head)
    return {row.claim.variant: row for row in claim_rows(analyse(results), shipped_suite("reference"))}


@pytest.mark.parametrize(
    ("seconds", "error", "fast", "faster"),
    [
        (0.5, 1e-3, "yes", "no"),
        (0.5, 1.1e-3, "yes", "no"),
        (0.5, 1e-5, "yes", "no"),
        (0.5, 1e-1, "no", "yes"),
        (1.0, 1e-3, "no", "no"),
        (2.0, 1e-1, "no", "no"),
        (0.5, [3e-4, 3e-3] * 6, "undecided", "undecided"),
        (WILD, 1e-3, "undecided", "no"),
        (WILD, 1e-1, "no", "undecided"),
        ([0.49, 0.98] + [0.5] * 4 + [1.02] * 6, 1e-3, "undecided", "no"),
    ],
)
def test_speed_and_fit_are_claimed_together(
    make_results: Make, seconds: Any, error: Any, fast: str, faster: str
) -> None:
    """Yes where both verdicts say so, no where one excludes it, and undecided where a verdict is inconclusive."""
    rows = rows_of(make_results, {"fast": runs(seconds, error), "faster": runs(seconds, error)})
    assert rows["fast"].holds.text == fast
    assert rows["faster"].holds.text == faster
    assert rows["fast"].against == "exact"


@pytest.mark.parametrize(
    ("everywhere", "forward", "holds"),
    [
        (1e-2, 1e-3, "yes"),
        (1e-3, 1e-2, "no"),
        (1e-3, 1e-3, "no"),
        (1e-3, [0.999e-3, 1.001e-3] * 6, "no"),
        (1e-3, [1e-4, 1e-2] * 6, "undecided"),
        ([10.0 ** -(k % 5) for k in range(ROUNDS)], [10.0 ** -(k % 5 + 1) for k in range(ROUNDS)], "yes"),
    ],
)
def test_forward_only_is_paired_with_faster_everywhere(
    make_results: Make, everywhere: Any, forward: Any, holds: str
) -> None:
    """The fit is judged round by round against that of `faster`, not against the baseline's."""
    variants = {"faster": runs(0.5, everywhere), "faster, residuals only": runs(0.75, forward)}
    row = rows_of(make_results, variants)["faster, residuals only"]
    assert row.holds.text == holds
    assert row.against == "faster"
    assert row.time.text == "1.50× slower"


def test_few_rounds_decide_nothing(make_results: Make) -> None:
    """However large a difference looks, without enough rounds for an interval it is undecided."""
    variants = {
        "fast": [(0.1, 1e-3)] * 3,
        "faster": [(0.1, 1.0)] * 3,
        "faster, residuals only": [(0.1, 1e-9)] * 3,
    }
    results = make_results({"exact": [(1.0, 1e-3)] * 3, **variants})
    suite = shipped_suite("reference")
    found = {row.claim.variant: row.holds.text for row in claim_rows(analyse(results), suite)}
    assert found == {"fast": "undecided", "faster": "undecided", "faster, residuals only": "undecided"}


@pytest.mark.parametrize(("seconds", "holds"), [(0.6, "yes"), (1.3, "no"), (1.0, "no"), (WILD, "undecided")])
def test_workers_are_judged_by_being_faster_at_all(make_results: Make, seconds: Any, holds: str) -> None:
    """Two workers cannot be three times as fast; what can be judged is whether they are faster."""
    row = rows_of(make_results, {"exact, 2 processes": runs(seconds, 1e-3)})["exact, 2 processes"]
    assert row.holds.text == holds
    assert "2 workers here" in row.claim.note


def test_what_was_not_measured_has_no_row(make_results: Make) -> None:
    """A claim on a variant that was not chosen is left out, and so is one that needs another variant beside it."""
    assert list(rows_of(make_results, {"fast": runs(0.5, 1e-3), "other": runs(0.5, 1e-3)})) == ["fast"]
    assert rows_of(make_results, {"faster, residuals only": runs(0.5, 1e-3)}) == {}
    assert rows_of(make_results, {}) == {}
    other = make_results({"base": runs(1.0, 1e-3), "fast": runs(0.5, 1e-3)})
    assert claim_rows(analyse(other), shipped_suite("reference")) == []
    assert claim_rows(analyse(other), shipped_suite("steps")) == []
    assert shipped_suite("mine.py") is None


def test_a_void_session_decides_nothing_on_speed(make_results: Make) -> None:
    """A difference that the baseline shows from itself is no evidence for a claim on speed."""
    variants = {"fast": runs(0.5, 1e-3), "exact, 2 threads": runs(0.5, 1e-3)}
    rows = rows_of(make_results, variants, again=runs(1.5, 1e-3))
    assert {row.holds.text for row in rows.values()} == {"undecided"}


def test_a_variant_that_failed_is_undecided(make_results: Make) -> None:
    """There is nothing to judge by, and a dash stands for the figures."""
    row = rows_of(make_results, {"fast": ["boom"] * ROUNDS})["fast"]
    assert (row.holds.text, row.time.text, row.error.text) == ("undecided", "–", "–")


def test_the_page_has_quote_and_finding_side_by_side(make_results: Make) -> None:
    """The quoted shares stay, marked as quoted; beside each claim are speed and error with their intervals."""
    variants = {"fast": runs(0.5, 1e-3), "faster": runs(0.4, 1e-1)}
    page = Page(
        write_page(make_results({"exact": runs(1.0, 1e-3), **variants}, suite_source="reference")).read_text(
            "utf-8"
        )
    )
    notes = page.text.partition("What the original Rust version reports")[2].partition("Raw results")[0]
    assert "Quoted, not measured here" in notes
    assert all(share in notes for share in ("73 %", "57 %", "37 %"))
    assert "the original Rust version says (quoted)" in notes
    assert "2.00× faster[2.00, 2.00]" in notes
    assert "100× larger error[100, 100]" in notes
    assert "read as: faster, and the error worse" in notes
    assert len([1 for tag, a in page.tags if tag == "td" and a.get("class") == "text quoted"]) == 2
    assert len([1 for tag, a in page.tags if tag == "span" and a.get("class") == "pill holds"]) == 2
