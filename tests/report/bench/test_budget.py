"""What a larger budget would add follows from the plan and from how long the rounds took."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.helpers.html import Page
from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import FILE, Results, read_results
from workbench.bench.run.plan import for_budget
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
    return page.partition("What a larger budget would add")[2].partition("Environment")[0]


def test_an_hour_is_said_in_rounds(make_results: Make) -> None:
    """Nine variants and the copy at 2.2 s a process: an hour holds 160 rounds, which is four times narrower."""
    found = budget(run(make_results, 10, 2.2, variants=9))
    assert found.measured == "10 rounds in 3.7 minutes, one whole square"
    assert found.larger is not None
    assert (found.larger.budget, found.larger.rounds, found.larger.narrower) == ("1h", 160, 4.0)
    text = text_of(run(make_results, 10, 2.2, variants=9, plan={"why": "5 min hold 1 whole square"}))
    assert "10 rounds in 3.7 minutes, one whole square. The plan: 5 min hold 1 whole square." in text
    assert (
        "With --budget 1h there would be about 160 rounds: intervals about 4 times narrower, as they shrink with the "
        "square root of the number of rounds, and success rates and distributions over 160 starts instead of 10."
    ) in text


@pytest.mark.parametrize(
    ("rounds", "took_s", "variants"), [(6, 0.4, 2), (10, 2.2, 9), (3, 40.0, 3), (1, 7.0, 12)]
)
def test_what_is_said_of_starts_is_what_a_plan_would_say(
    make_results: Make, rounds: int, took_s: float, variants: int
) -> None:
    """The budget that is named for 25 starts does hold that many rounds, by the rule that plans a run."""
    found = budget(run(make_results, rounds, took_s, variants))
    assert found.starts is not None
    assert found.starts.budget.endswith(("m", "h"))
    seconds = float(found.starts.budget[:-1]) * {"m": 60, "h": 3600}[found.starts.budget[-1]]
    planned = for_budget(variants + 1, seconds, took_s * (variants + 1))[0]
    assert planned >= found.starts.rounds >= 25


def test_a_slow_first_round_is_planned_for(make_results: Make) -> None:
    """A plan goes by the first round: where that one was slow, the named budget is enough for it, too."""
    runs = [{"value_s": 1.0, "quality": {"error": 0.1}, "took_s": took} for took in [10.0] + [2.0] * 5]
    found = budget(make_results({"a": runs, "b": runs}))
    assert found.first == "30 s"
    assert found.starts is not None
    assert for_budget(3, 60 * float(found.starts.budget[:-1]), 30.0)[0] >= 25
    assert budget(run(make_results, 6, 1.0)).first == ""


def test_enough_starts_ask_for_no_more(make_results: Make) -> None:
    """With 25 rounds or more the page says how many there are, and no budget for it."""
    results = run(make_results, 30, 1.0)
    assert budget(results).starts is None
    assert "want at least 25 starts; here are 30." in text_of(results)


def test_without_an_error_nothing_is_said_of_starts(make_results: Make) -> None:
    """A suite that is timed alone has no distribution over starts."""
    text = text_of(make_results({"a": [1.0] * 6, "b": [0.5] * 6}, quality=None))
    assert "times narrower" in text
    assert "starts" not in text


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
    assert "7 rounds in 21 s, one whole square and 1 more." in text
    assert "12 were planned." in text


def test_a_long_run_has_no_larger_budget(make_results: Make) -> None:
    """Where not even the largest that is offered holds twice the rounds, none is named."""
    assert budget(run(make_results, 6, LARGER[-1] / 20)).larger is None


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
