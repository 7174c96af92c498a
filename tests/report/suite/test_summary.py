"""The sentences of the summary: what they say of given figures, and that unknown figures leave their words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from workbench.bench import Commentary, Scaling
from workbench.bench.design.commentary import Quote, Quotes
from workbench.bench.stats.intervals import Estimate
from workbench.profile import SampledShare, WorkFacts
from workbench.report.suite.summary import Chapter, SummaryVariant, summarise, workers_of
from workbench.text import as_sampled_share

SCALING = Scaling(option="n_jobs", whole="compute jacobian", work="columns")
COMMENTARY = Commentary(
    step="epoch",
    names={"compute jacobian": "the Jacobian", "columns": "columns", "activation": "tanh"},
    part="activation",
    part_options=("tanh",),
    quotes=Quotes(
        source="the source",
        text="tanh took 73 %.",
        variants={
            "exact": Quote(share="73 %"),
            "fast": Quote(share="57 %", finding="a good fit"),
            "exact, 2 processes": Quote(finding="3× faster"),
        },
    ),
)
TANH = SampledShare(1222, 0.611, 0.589, 0.632)
FACTS = WorkFacts(
    inner=0.624,
    samples=2000,
    inner_samples=TANH,
    native_name="DOUBLE_tanh",
    native=SampledShare(1080, 0.54, 0.518, 0.562),
)
BASE = SummaryVariant("exact", {"tanh": "exact", "n_jobs": 1}, 1.0, 1.1e-5, FACTS)
FAST = SummaryVariant("fast", {"tanh": "fast", "n_jobs": 1}, 0.712, 1.3e-5, replace(FACTS, native=None))
WORKERS = WorkFacts(
    sender_waits=SampledShare(90, 0.9, 0.85, 0.93),
    outside_work=SampledShare(20, 0.2, 0.15, 0.26),
    work_waits=SampledShare(1, 0.001, 0.0002, 0.004),
    workers_idle=0.284,
)
TWO = SummaryVariant("exact, 2 processes", {"tanh": "exact", "n_jobs": 2}, 0.66, 1.1e-5, WORKERS)
BACK = SummaryVariant(
    "exact, backpropagation", {"tanh": "exact", "n_jobs": 1, "jacobian": "backprop"}, 0.05, 1.1e-5
)


def chapters_of(
    variants: Sequence[SummaryVariant], commentary: Commentary = COMMENTARY, **changes: Any
) -> list[Chapter]:
    """Return the summary of a suite with the scopes of the trainer."""
    facts = {"step": "epoch", "scaling": SCALING, "commentary": commentary} | changes
    return list(summarise(variants, "exact", **facts).chapters)


def test_the_whole_summary() -> None:
    """Each question is answered by the figures, with their intervals, and with what a source reports."""
    chapters = chapters_of([BASE, FAST, TWO, BACK], error="the test error")
    assert [chapter.question for chapter in chapters] == [
        "What share of the Jacobian is tanh?",
        "What does another tanh change?",
        "What do parallel columns cost?",
        "What else changes it?",
    ]
    assert all(len(chapter.sentences) == 1 for chapter in chapters)
    share, tanh, columns, rest = (chapter.sentences[0] for chapter in chapters)
    assert share == (
        "In the baseline, “exact”, tanh takes 62 % of the Jacobian (the source: 73 %); "
        "54 % [52, 56] of 2,000 samples inside it are at “DOUBLE_tanh” in native code."
    )
    assert tanh == (
        "“fast”: an epoch is 1.40× faster; tanh takes 62 % of the Jacobian (the source: 57 %); "
        "the test error is 1.3·10⁻⁵ instead of 1.1·10⁻⁵ (the source: a good fit)."
    )
    assert columns == (
        "“exact, 2 processes”: an epoch is 1.52× faster (the source: 3× faster). "
        "28 % of the time of 2 workers inside the Jacobian is not spent in columns but "
        "waiting, sending or starting. Inside the Jacobian, the thread that shares out the columns waits in "
        "90 % [85, 93] of its samples; 20 % [15, 26] of the workers’ samples are outside columns, where they "
        "unpack or hand back; inside columns they wait in 0.1 % [0.0, 0.4] of them."
    )
    assert rest == "“exact, backpropagation”: an epoch is 20× faster; the test error stays 1.1·10⁻⁵."


def test_samples_where_the_recorder_has_no_share() -> None:
    """Where the recorder does not know tanh's share, the share is that of samples, with its interval."""
    unknown = replace(BASE, facts=replace(FACTS, inner=None))
    (share, _) = chapters_of([unknown, FAST], replace(COMMENTARY, quotes=None))
    assert "61 % [59, 63] of 2,000 samples inside the Jacobian are in tanh; 54 %" in share.sentences[0]


def test_intervals_of_speed_are_said() -> None:
    """A ratio that was measured in blocks comes with its interval."""
    ratio = Estimate(0.7123, 0.70, 0.72, 0.99, 24)
    (_, tanhs) = chapters_of([BASE, replace(FAST, time_ratio=ratio)], step="step")
    assert "a step is 1.40× faster [1.39, 1.43];" in tanhs.sentences[0]


def test_five_sentences() -> None:
    """One on the baseline, one on the fastest of each sort, one on the best of all; each has figures of the table."""
    faster = replace(FAST, name="faster", time_ratio=0.5, error=2e-5)
    brief = summarise(
        [BASE, FAST, faster, TWO, BACK], "exact", step="epoch", scaling=SCALING, commentary=COMMENTARY
    ).brief
    assert len(brief) == 5
    assert brief[0] == "In the baseline, “exact”, tanh takes 62 % of the Jacobian (the source: 73 %)."
    assert brief[1].startswith(
        "Of 2 variants with another tanh, “faster” is the fastest: an epoch is 2.00× faster; "
    )
    assert brief[1].endswith("the error is 2.0·10⁻⁵ instead of 1.1·10⁻⁵.")
    assert brief[2].startswith("“exact, 2 processes”: an epoch is ")
    assert brief[3].startswith(f"“{BACK.name}”: an epoch is ")
    assert brief[4].startswith("The fastest of all without a larger error is ")
    worse = summarise([BASE, faster, replace(faster, name="c")], "exact", step="epoch").brief
    assert worse[-1] == "No variant is faster than the baseline without a larger error."


def test_a_source_is_quoted_by_a_suite_that_has_one() -> None:
    """Another suite may have a variant of the same name."""
    chapters = chapters_of([BASE, FAST, TWO], replace(COMMENTARY, quotes=None))
    assert "the source" not in " ".join(text for chapter in chapters for text in chapter.sentences)


def test_what_is_missing_leaves_its_words_out() -> None:
    """An unknown figure leaves its words out, and a question without an answer is not asked."""
    bare = [SummaryVariant(each.name, each.options) for each in (BASE, FAST, TWO, BACK)]
    assert chapters_of(bare) == []
    assert chapters_of([]) == []
    timed = chapters_of([bare[0], replace(bare[1], time_ratio=0.5)], replace(COMMENTARY, quotes=None))
    assert [list(chapter.sentences) for chapter in timed] == [["“fast”: an epoch is 2.00× faster."]]
    half = chapters_of(
        [bare[0], replace(bare[2], facts=replace(WORKERS, sender_waits=None, outside_work=None))]
    )
    assert half[0].sentences[0].startswith("“exact, 2 processes”: 28 %")
    assert "shares out" not in half[0].sentences[0]
    no_base = chapters_of([FAST])
    assert "instead of" not in no_base[0].sentences[0]


def test_scopes_of_another_suite() -> None:
    """A suite's own scopes are called by their own names."""
    base = replace(BASE, options={"n": 1})
    other = SummaryVariant("b", {"n": 2}, 0.8, None, FACTS)
    own = Commentary(part="activation", part_options=("tanh",))
    chapters = chapters_of([base, other], own, scaling=Scaling(option="workers", whole="share", work="part"))
    assert [chapter.question for chapter in chapters] == [
        "What share of “share” is “activation”?",
        "What does each variant change?",
    ]
    assert "“activation” takes 62 %" in chapters[1].sentences[0]


def test_workers_are_those_of_the_option() -> None:
    """What is no number of workers is one."""
    scaling = Scaling(option="n", whole="a", work="b")
    assert [workers_of({"n": value}, scaling) for value in (4, 0, True, "4", None)] == [4, 1, 1, 1, 1]
    assert workers_of({}, scaling) == workers_of({"n": 4}, None) == 1


def test_narrow_intervals_have_a_digit_more() -> None:
    """An interval is never of one figure twice because it was rounded."""
    assert as_sampled_share(SampledShare(9, 0.333, 0.3311, 0.3352)) == "33.3 % [33.1, 33.5]"
