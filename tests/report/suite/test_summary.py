"""The sentences of the summary: what they say of given figures, and that unknown figures leave their words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from workbench.bench import Commentary, Quotes, Scaling
from workbench.report.suite.summary import SummaryVariant, summarise, workers_of

SCALING = Scaling(option="n_jobs", whole="compute jacobian", work="columns")
COMMENTARY = Commentary(
    step="epoch",
    names={"compute jacobian": "the Jacobian", "columns": "columns", "activation": "tanh"},
    part="activation",
    part_options=("tanh",),
    quotes=Quotes(source="the source", text="tanh took 73 %.", shares={"exact": "73 %", "fast": "57 %"}),
)
BASE = SummaryVariant("exact", {"tanh": "exact", "n_jobs": 1}, 1.0, 1.1e-5, 0.624)
FAST = SummaryVariant("fast", {"tanh": "fast", "n_jobs": 1}, 0.712, 1.3e-5, 0.3)
FASTER = SummaryVariant("faster", {"tanh": "faster", "n_jobs": 1}, 0.5, 2e-5, 0.2)
TWO = SummaryVariant("exact, 2 processes", {"tanh": "exact", "n_jobs": 2}, 0.75, 1.1e-5, 0.6, 0.28)
BACK = SummaryVariant("backpropagation", {"tanh": "exact", "n_jobs": 1}, 0.25, 1.1e-5)


def sentences_of(
    variants: Sequence[SummaryVariant], commentary: Commentary = COMMENTARY, **changes: Any
) -> list[str]:
    """Return the summary of a suite with the scopes of the trainer."""
    facts = {"step": "epoch", "scaling": SCALING, "commentary": commentary} | changes
    return summarise(variants, "exact", **facts)


def test_five_sentences() -> None:
    """One on the baseline, one on the fastest of each sort, one on the best of all."""
    baseline, tanh, parallel, other, best = sentences_of([BASE, FAST, FASTER, TWO, BACK])
    assert baseline == "In the baseline, “exact”, tanh takes 62 % of the Jacobian (the source: 73 %)."
    assert tanh == (
        "Of 2 variants with another tanh, “faster” is the fastest: an epoch is 2.00× faster; tanh takes 20 % of the "
        "Jacobian; the error is 2.0·10⁻⁵ instead of 1.1·10⁻⁵."
    )
    assert parallel == (
        "“exact, 2 processes”: an epoch is 1.33× faster; tanh takes 60 % of the Jacobian; 28 % of the time of "
        "2 workers inside the Jacobian is not spent in columns; the error stays 1.1·10⁻⁵."
    )
    assert other == "“backpropagation”: an epoch is 4.00× faster; the error stays 1.1·10⁻⁵."
    assert best == "The fastest of all without a larger error is “backpropagation”: an epoch is 4.00× faster."
    worse = sentences_of([BASE, FASTER, replace(FASTER, name="c")])
    assert worse[-1] == "No variant is faster than the baseline without a larger error."


def test_a_source_is_quoted_by_a_suite_that_has_one() -> None:
    """Another suite may have a variant of the same name."""
    assert "(the source: 57 %)" in sentences_of([BASE, FAST])[1]
    assert "the source" not in " ".join(sentences_of([BASE, FAST], replace(COMMENTARY, quotes=None)))


def test_what_is_missing_leaves_its_words_out() -> None:
    """An unknown figure leaves its words out, and so does a variant that was not timed."""
    bare = [SummaryVariant(each.name, each.options) for each in (BASE, FAST, TWO, BACK)]
    assert sentences_of(bare) == sentences_of([]) == []
    assert sentences_of([bare[0], replace(bare[1], time_ratio=0.5)]) == ["“fast”: an epoch is 2.00× faster."]
    assert "instead of" not in sentences_of([FAST])[0]


def test_scopes_of_another_suite() -> None:
    """A suite's own scopes are called by their own names; without scopes, times and errors are told."""
    own = Commentary(part="inner")
    scaling = Scaling(option="workers", whole="share", work="part")
    other = replace(FAST, options={"n": 2})
    assert "“inner” takes 62 % of “share”" in sentences_of([BASE, other], own, scaling=scaling)[0]
    plain = summarise(
        [replace(BASE, share=None), replace(FAST, share=None), replace(TWO, share=None)], "exact"
    )
    assert plain[0].startswith(
        "Of 2 variants beside the baseline, “fast” is the fastest: a run is 1.40× faster;"
    )


def test_workers_are_those_of_the_option() -> None:
    """What is no number of workers is one."""
    scaling = Scaling(option="n", whole="a", work="b")
    assert [workers_of({"n": value}, scaling) for value in (4, 0, True, "4", None)] == [4, 1, 1, 1, 1]
    assert workers_of({}, scaling) == workers_of({"n": 4}, None) == 1
