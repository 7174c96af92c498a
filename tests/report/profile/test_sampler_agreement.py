"""Whether two samplers agree on a program, on profiles by hand: what is compared, and what the page says of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workbench.profile import (
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    RecordingFacts,
    ScopeSite,
    SpanRecord,
    ThreadState,
)
from workbench.report.profile.sampler_agreement import MIN_SAMPLES, Agreement, Compared, agreement_of
from workbench.report.suite.agreement import VariantAgreement, agreement_part

MS = 1_000_000
FILE = "fit.py"
WORK, PART = "main > {work}", "main > {work} > step > {part}"
Samples = Sequence[tuple[int, str]]


def frame(word: str) -> Frame:
    """Return a frame: `{name}` is a scope, `=name` native, all else Python's."""
    if word[0] == "{":
        return Frame(word[1:-1], kind=FrameKind.SCOPE)
    return Frame(word[1:], kind=FrameKind.NATIVE) if word[0] == "=" else Frame(word, f"/home/someone/{FILE}")


def sampled(
    samples: Samples, *, asleep: Samples = (), part_ms: int = 500, parts: int = 1, in_blocks: bool = False
) -> Profile:
    """Return a second of work, `part_ms` of it in parts, with samples as the in-process sampler takes them.

    Args:
        samples: How many on which stack, of a thread that runs.
        asleep: The same of one that waits.
        part_ms: How long all parts took.
        parts: How many there were.
        in_blocks: Whether those of a stack follow each other; else they are mixed.
    """
    builder = ProfileBuilder("by hand")
    scopes = [
        SpanRecord(0, 1000 * MS, 0, frame("{work}")),
        *(
            SpanRecord(i * part_ms * MS // parts, (i + 1) * part_ms * MS // parts, 1, frame("{part}"))
            for i in range(parts)
        ),
        SpanRecord(part_ms * MS, (part_ms + 1) * MS, 1, frame("{made 7}")),
    ]
    stacks = [
        (builder.stack_of(map(frame, words.split(" > "))), state)
        for own, state in ((samples, ThreadState.PYTHON), (asleep, ThreadState.SLEEPING))
        for count, words in own
        for _ in range(count)
    ]
    if not in_blocks:
        random.Random(5).shuffle(stacks)
    numbers = [stack for stack, _ in stacks]
    made = builder.samples(numbers, [10 * MS * i for i in range(len(stacks))], [10 * MS] * len(stacks))
    made = replace(
        made,
        ticks=np.ones(len(stacks), dtype=np.int32),
        state=np.array([state for _, state in stacks], dtype=np.uint8),
    )
    builder.add_track("MainThread", pid=1, tid=1, spans=builder.spans(scopes), samples=made)
    sites = [
        ScopeSite("work", FILE, 1, 9, "main", "with"),
        ScopeSite("part", FILE, 3, 8, "step", "with"),
        ScopeSite("made 7", FILE, 9, 9, "step", "with"),
    ]
    return builder.build(RecordingFacts(sites=tuple(sites))).check()


def by_py_spy(samples: Samples, **more: bool) -> Profile:
    """Return samples as py-spy's file has them: without times, states and spans."""
    made = sampled(samples, **more)
    (track,) = made.tracks
    assert track.samples is not None
    alone = replace(track.samples, ticks=None, state=None)
    return replace(made, tracks=(replace(track, spans=None, samples=alone),), recording=RecordingFacts())


def half(share: float, samples: int = 2000) -> Samples:
    """Return samples of which a share is in the part, and the rest in the work around it."""
    inside = round(share * samples)
    return [(inside, f"{PART} > kernel > =dgemm"), (samples - inside, f"{WORK} > rest")]


def rows(found: Agreement) -> dict[str, Compared]:
    return {row.name: row for row in found.rows}


def test_shares_that_two_runs_may_have_agree() -> None:
    """Scopes have the recorder's share beside both samplers', functions are the innermost ones, with their files."""
    found = agreement_of(sampled(half(0.5)), by_py_spy(half(0.53)))
    assert found.agrees is True
    assert found.samples == (2000, 2000)
    part, kernel = rows(found)["part"], rows(found)["kernel"]
    assert (part.exact, part.own.share, part.witness.share) == (0.5, 0.5, 0.53)
    assert (kernel.file, kernel.exact) == (f"/home/someone/{FILE}", None)
    assert kernel.own == part.own
    assert set(rows(found)) == {"work", "part", "kernel", "rest"}


def test_shares_that_differ_by_more_do_not() -> None:
    """What is further apart than both intervals and two points is named."""
    found = agreement_of(sampled(half(0.5)), by_py_spy(half(0.6)))
    assert found.agrees is False
    assert [row.name for row in found.rows if not row.agrees] == ["part", "kernel", "rest"]


def test_a_function_that_one_never_sees_is_a_difference() -> None:
    """Leading is what either sampler has much of."""
    found = agreement_of(sampled(half(0.5)), by_py_spy([*half(0.5), (200, f"{WORK} > strange")]))
    strange = rows(found)["strange"]
    assert (strange.own.samples, strange.agrees, found.agrees) == (0, False, False)


def test_threads_that_wait_are_not_compared() -> None:
    """Py-spy leaves them out, so they are left out of the other's shares."""
    own = sampled(half(0.5), asleep=[(5000, f"{WORK} > poll")])
    found = agreement_of(own, by_py_spy(half(0.5)))
    assert found.agrees is True
    assert "poll" not in rows(found)


def test_what_runs_outside_of_scopes_is_not_compared() -> None:
    """Imports and the program's start take as long as they do."""
    found = agreement_of(sampled([*half(0.5), (900, "main > load")]), by_py_spy(half(0.5)))
    assert found.agrees is True
    assert "load" not in rows(found)


def test_a_program_without_scopes_is_compared_by_its_functions() -> None:
    """Then all of its running threads count."""
    own, witness = (make([(1000, "main > a"), (1000, "main > b")]) for make in (sampled, by_py_spy))
    (track,) = own.tracks
    bare = replace(own, tracks=(replace(track, spans=None),), recording=RecordingFacts())
    found = agreement_of(bare, witness)
    assert (found.agrees, list(rows(found))) == (True, ["a", "b"])


def test_scopes_that_lines_do_not_decide_are_left_out() -> None:
    """One on a single line, or with a name made as the program runs, is on neither side."""
    samples = [*half(0.5), (500, f"{WORK} > {{made 7}} > other")]
    found = agreement_of(sampled(samples), by_py_spy(samples))
    assert "made 7" not in rows(found)
    assert rows(found)["other"].own.share == 0.2


def test_the_interval_of_the_witness_is_of_changes_between_its_samples() -> None:
    """What stays for long is known better than what changes at each sample, by both samplers alike."""
    wide, narrow = (
        rows(agreement_of(sampled(half(0.5), in_blocks=still), by_py_spy(half(0.5), in_blocks=still)))["part"]
        for still in (False, True)
    )
    assert wide.own == wide.witness
    assert narrow.own == narrow.witness
    assert wide.own.high - wide.own.low > 5 * (narrow.own.high - narrow.own.low)


def test_too_few_samples_tell_nothing() -> None:
    """Their intervals would hold nearly everything."""
    found = agreement_of(sampled(half(0.5)), by_py_spy(half(0.6, MIN_SAMPLES - 2)))
    assert found.agrees is None


def test_what_the_recorder_knows_of_two_runs_is_no_difference_of_samplers() -> None:
    """Where the program differed, scopes are compared without that, and functions with as much room."""
    changed = sampled(half(0.6), part_ms=600)
    found = agreement_of(sampled(half(0.5)), by_py_spy(half(0.6)), changed)
    part = rows(found)["part"]
    assert (part.exact, part.exact_witness, part.has_changed) == (0.5, 0.6, True)
    assert found.agrees is True
    as_before = agreement_of(sampled(half(0.5)), by_py_spy(half(0.5)), changed)
    assert [row.name for row in as_before.rows if not row.agrees] == ["part"]


def test_scopes_that_end_while_py_spy_reads_are_not_compared() -> None:
    """It reads the line of the frame that opened the scope last: the page names them, functions count as before."""
    found = agreement_of(sampled(half(0.5), parts=2500), by_py_spy(half(0.3)))
    assert (found.short, "part" in rows(found)) == (("part",), False)
    assert {row.name for row in found.rows if not row.agrees} == {"kernel", "rest"}
    part = agreement_part([VariantAgreement("a", found)], "a")
    assert part is not None
    assert part.line.count("Not compared by scope: “part”. ") == 1


def test_names_of_a_program_can_be_shown() -> None:
    """Whatever is in a name, the table and the line have something that can be written to a file."""
    hostile = [(300, "main > {work} > \udc80\x07")]
    found = agreement_of(sampled(half(0.5)), by_py_spy([*half(0.5), *hostile]))
    part = agreement_part([VariantAgreement("a", found)], "a")
    assert part is not None
    shown = part.line + "".join(row.name for group in part.groups for row in group.rows)
    assert shown.encode().decode().isprintable()


AGREE = agreement_of(sampled(half(0.5)), by_py_spy(half(0.5)))
DIFFER = agreement_of(sampled(half(0.5)), by_py_spy(half(0.6)))
FEW = agreement_of(sampled(half(0.5)), by_py_spy(half(0.5, 20)))


def test_one_line_says_that_they_agree() -> None:
    """The table has the baseline's rows; nothing is a warning."""
    part = agreement_part([VariantAgreement("a", AGREE), VariantAgreement("b", AGREE)], "b")
    assert part is not None
    assert part.line == (
        "The in-process sampler and py-spy agree on all variants: the shares of innermost Python functions of running "
        "threads, and of scopes that lines decide, are within both intervals plus 2 points for run-to-run change, "
        "or as much as the recorder saw of that."
    )
    assert not part.is_doubtful
    assert [group.heading.partition(":")[0] for group in part.groups] == ["b", "b"]
    assert [row.file for group in part.groups for row in group.rows] == ["", "", FILE, FILE]


def test_what_differs_is_named_and_in_the_table() -> None:
    """Of the variants that are not the baseline the table has what differs, and the line says what is not known."""
    variants = [
        VariantAgreement("a", AGREE),
        VariantAgreement("b", DIFFER),
        VariantAgreement("c", FEW),
        VariantAgreement("d", None, "no samples by py-spy: py-spy is not installed"),
    ]
    part = agreement_part(variants, "a")
    assert part is not None
    assert part.is_doubtful
    assert part.line.startswith(
        "The in-process sampler and py-spy do not agree on “b” in “part”, “kernel”, “rest”. "
        "The in-process sampler and py-spy agree on 1 of 4 variants: "
    )
    assert "On “c” there are too few samples to tell: 2,000 in-process and 20 by py-spy" in part.line
    assert part.line.endswith(
        "Two samplers cannot be compared on “d”: no samples by py-spy: py-spy is not installed."
    )
    assert part.groups[-1].heading == "b: where they differ"
    assert [row.name for row in part.groups[-1].rows] == ["part", "kernel", "rest"]


def test_no_witness_is_one_line_without_a_table() -> None:
    """It says why; where one sampler alone was wanted, nothing is said."""
    why = "no samples by py-spy: py-spy is not installed"
    part = agreement_part([VariantAgreement("a", None, why), VariantAgreement("b", None, why)], "a")
    assert part is not None
    assert (part.line, part.groups) == (f"Two samplers cannot be compared on any variant: {why}.", [])
    assert agreement_part([], "a") is None
