"""What a larger budget would add follows from the plan and from how long the rounds took."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.helpers.html import Page
from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import FILE, Results, read_results
from workbench.report.bench.budget import LARGER, Budget, budget_of
from workbench.report.bench.page import write_page

Make = Callable[..., Results]


def run(make_results: Make, count: int, took_s: float, variants: int = 2, **more: Any) -> Results:
    """Return a run whose processes took so long each; with the baseline's copy there is one more than variants."""
    run = {"value_s": 1.0, "quality": {"error": 0.1}, "took_s": took_s}
    return make_results({f"v{i}": [run] * count for i in range(variants)}, **more)


def budget(results: Results) -> Budget:
    found = budget_of(analyse(results))
    assert found is not None
    return found


def text_of(results: Results) -> str:
    page: str = Page(write_page(results).read_text(encoding="utf-8")).text
    return page.partition("What a larger budget would add")[2].partition("Raw results")[0]


def test_an_hour_is_said_in_rounds(make_results: Make) -> None:
    """Nine variants and the copy at 2.2 s a process: an hour holds 160 rounds, which is four times narrower."""
    found = budget(run(make_results, 10, 2.2, variants=9))
    assert found.measured == "10 rounds in 3.7 minutes"
    assert found.larger is not None
    assert (found.larger.budget, found.larger.rounds, found.larger.narrower) == ("1h", 160, 4.0)
    text = text_of(run(make_results, 10, 2.2, variants=9, plan={"why": "5 min hold 1 whole square"}))
    assert "10 rounds in 3.7 minutes. The plan: 5 min hold 1 whole square." in text
    assert (
        "With --budget 1h there would be about 160 rounds: intervals about 4 times narrower, as they shrink with the "
        "square root of the number of rounds."
    ) in text


def test_what_fixed_the_rounds_is_named(make_results: Make) -> None:
    """A number that was asked for, or a precision that was reached, is what has to change beside the budget."""
    assert budget(run(make_results, 6, 1.0, rounds=6)).fixed == "--rounds"
    reached = run(make_results, 6, 1.0, precision=0.05, budget_s=3_000)
    assert budget(reached).fixed == "--precision"
    text = text_of(reached)
    assert "With --budget 1h and a smaller --precision there would be" in text
    assert "a larger budget alone adds nothing" in text
    assert budget(run(make_results, 6, 1.0, precision=0.05, budget_s=18)).fixed == ""
    sides = {"base": {}, "new": {}}
    assert (
        budget(run(make_results, 6, 1.0, precision=0.05, budget_s=3_000, sides=sides)).fixed
        == "--fail-slower"
    )


def test_a_cut_run_says_what_was_planned(make_results: Make) -> None:
    """Where fewer rounds are complete than were planned, both numbers stand there."""
    text = text_of(run(make_results, 7, 1.0, plan={"rounds": 12}))
    assert "7 rounds in 21 s." in text
    assert "12 were planned." in text


def test_a_long_run_has_no_larger_budget(make_results: Make) -> None:
    """Where not even the largest that is offered holds twice the rounds, none is named."""
    assert budget(run(make_results, 6, LARGER["48h"] / 20)).larger is None


def test_rounds_that_do_not_say_how_long_give_no_section(make_results: Make) -> None:
    """Results without the time of their processes make a page without the section."""
    results = run(make_results, 6, 1.0)
    lines = [json.loads(line) for line in (results.folder / FILE).read_text().splitlines()]
    del lines[4]["took_s"]
    (results.folder / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    damaged = read_results(results.folder)
    assert budget_of(analyse(damaged)) is None
    assert "What a larger budget would add" not in Page(write_page(damaged).read_text(encoding="utf-8")).text


def test_a_run_without_a_plan_has_a_section(make_results: Make) -> None:
    """Nothing is said of a plan that is not there."""
    found = budget_of(analyse(replace(run(make_results, 6, 1.0), plan=None)))
    assert found is not None
    assert found.why == ""
    assert found.cut == 0
    assert math.isclose(found.larger.narrower if found.larger else 0, math.sqrt(1200 / 6))
