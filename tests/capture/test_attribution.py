"""Samples of a foreign sampler under scopes, by source lines alone; what lines do not decide is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from workbench.capture.attribution import attribute, attribution_of, scopes_by_line
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, RecordingFacts, ScopeSite, SpanRecord
from workbench.scopes import _carry, _decorate

FILE = "p.py"
MARK = "(not attributable by line)"


def recording(*places: tuple[str, int, int, str, str], nested: tuple[tuple[str, str], ...] = ()) -> Profile:
    """Return what was recorded of scopes: (name, first line, last line, function, use) each."""
    builder = ProfileBuilder("recording")
    records, at = [], 0
    for name in dict.fromkeys(place[0] for place in places):
        records.append(SpanRecord(at, at + 10, 0, Frame(name, kind=FrameKind.SCOPE)))
        records += [
            SpanRecord(at + 1, at + 2, 1, Frame(inner, kind=FrameKind.SCOPE))
            for outer, inner in nested
            if outer == name
        ]
        at += 10
    builder.add_track("t", pid=1, tid=1, spans=builder.spans(records))
    sites = [ScopeSite(name, FILE, first, last, function, use) for name, first, last, function, use in places]
    return builder.build(RecordingFacts(sites=tuple(sites)))


def sampled(*stacks: tuple[tuple[Any, ...], ...]) -> Profile:
    """Return a sample of each stack: (function, line) or (function, line, file) each, a line of -1 for native ones."""
    builder = ProfileBuilder("sampled")
    numbers = []
    for stack in stacks:
        frames = []
        for name, line, *file in stack:
            kind = FrameKind.NATIVE if line < 0 else FrameKind.PYTHON
            frames.append(Frame(name, file[0] if file else FILE, max(line, 0), kind))
        numbers.append(builder.stack_of(frames))
    at = [10 * i for i in range(len(numbers))]
    builder.add_track("t", pid=1, tid=1, samples=builder.samples(numbers, at, [10] * len(numbers)))
    return builder.build()


def stacks(profile: Profile) -> list[str]:
    samples = profile.tracks[0].samples
    assert samples is not None
    return [
        " / ".join(
            f"{{{f.name}}}" if f.kind is FrameKind.SCOPE else f.name
            for f in (profile.frames[i] for i in profile.stacks.path(stack))
        )
        for stack in samples.stack.tolist()
    ]


def counts(profile: Profile) -> tuple[int, int, int, int]:
    found = profile.attribution
    assert found is not None
    assert found.by == "line"
    return found.samples, found.attributed, found.outside, found.not_attributable


BLOCK = ("fit", 3, 6, "main", "with")


def test_lines_are_kept_where_time_was_spent_at_them() -> None:
    """Stacks are of functions, and samples have the lines of the program's own, unless the sampler's are others."""
    library = ("solve", 5, "/venv/lib/python3.12/site-packages/numpy/linalg.py")
    seen = sampled((("main", 4), ("f", 11), library), (("main", 4),), (library,))
    found = attribute(seen, recording(BLOCK)).check()
    samples = found.tracks[0].samples
    assert samples is not None
    assert samples.line is not None
    assert found.lines.numbers(samples.line).tolist() == [11, 4, 0]
    assert {frame.line for frame in found.frames} == {0}
    assert len(attribute(seen, recording(BLOCK), lines=False).lines.places) == 0


def test_a_block() -> None:
    """Inside its lines a sample is under the scope, around and behind it not; on the first line it is not decided."""
    seen = sampled(*((("main", line), ("work", 20)) for line in (2, 3, 4, 6, 7)))
    found = attribute(seen, recording(BLOCK)).check()
    inside, outside = "main / {fit} / work", "main / work"
    assert stacks(found) == [outside, f"main / {{{MARK}}} / work", inside, inside, outside]
    assert counts(found) == (5, 2, 2, 1)


def test_blocks_in_blocks_and_functions() -> None:
    """Blocks nest by their lines, a decorated function is inside its scope, native frames say nothing."""
    places = recording(BLOCK, ("inner", 4, 5, "main", "with"), ("step", 10, 12, "Model.step", "function"))
    seen = sampled(
        (("main", 5), ("step", 11), ("dgemm", -1)),
        (("main", 6), ("Model.step", 12)),
        (("main", 9), ("other", 11)),
    )
    found = attribute(seen, places)
    assert stacks(found) == ["main / {fit} / {inner} / {step} / step / dgemm", "main / {fit} / {step} / Model.step",
        "main / other"]  # fmt: skip
    assert counts(found) == (3, 2, 1, 0)


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (("job 1", 3, 6, "main", "some"), {3, 4, 6}),
        (("one line", 3, 3, "main", "with"), {3}),
        (("entered", 3, 3, "main", "call"), {2, 3, 4, 6, 7}),
    ],
)
def test_what_lines_do_not_decide(place: tuple[str, int, int, str, str], lines: set[int]) -> None:
    """Names of run time, blocks on one line and scopes that a call opens are not attributable."""
    seen = sampled(*((("main", line),) for line in (2, 3, 4, 6, 7)))
    found = attribute(seen, recording(place))
    expected = [f"main / {{{MARK}}}" if line in lines else "main" for line in (2, 3, 4, 6, 7)]
    assert stacks(found) == expected
    assert counts(found) == (5, 0, 5 - len(lines), len(lines))


def test_the_innermost_scope_decides() -> None:
    """A certain scope within one that is not decided attributes the sample; one around it does not."""
    places = recording(("job 1", 3, 6, "main", "some"), ("inner", 10, 12, "f", "with"))
    assert stacks(attribute(sampled((("main", 4), ("f", 11))), places)) == ["main / f / {inner}"]
    places = recording(BLOCK, ("job 1", 10, 12, "f", "some"))
    assert stacks(attribute(sampled((("main", 4), ("f", 11))), places)) == [
        f"main / {{fit}} / f / {{{MARK}}}"
    ]


def test_work_that_was_sent() -> None:
    """Which scope sent work no line says; the frames of our own wrappers are left out."""
    carry, decorate = ("__call__", 5, _carry.__file__), ("call", 5, _decorate.__file__)
    places = recording(("step", 10, 12, "f", "function"))
    found = attribute(
        sampled((("run", 1), carry, ("work", 3)), (("run", 1), carry, decorate, ("f", 11))), places
    )
    assert stacks(found) == [f"run / {{{MARK}}} / work", "run / {step} / f"]


def test_functions_made_twice() -> None:
    """Scopes at the same lines are alternatives, of which none is certain; where one is in the other, both are open."""
    same = (("one", 3, 6, "f", "with"), ("two", 3, 6, "f", "with"))
    seen = sampled((("f", 4),))
    assert stacks(attribute(seen, recording(*same))) == [f"f / {{{MARK}}}"]
    assert stacks(attribute(seen, recording(*same, nested=(("one", "two"),)))) == ["f / {one} / {two}"]


def test_counters_are_no_scopes() -> None:
    """The place of a counter, which has no spans, decides nothing."""
    places = recording(BLOCK)
    sites = (*places.recording.sites, ScopeSite("loss", FILE, 8, 8, "main", "call"))
    places = replace(places, recording=RecordingFacts(sites=sites))
    assert stacks(attribute(sampled((("main", 8),)), places)) == ["main"]


def test_without_a_recording() -> None:
    """Without scopes all samples are outside any, and functions are one frame whichever line ran."""
    found = attribute(sampled((("main", 3),), (("main", 4),)), None)
    assert stacks(found) == ["main", "main"]
    assert len(found.stacks) == 1
    assert counts(found) == (2, 0, 2, 0)


def test_samples_that_came_with_their_scopes() -> None:
    """Of samples that know their scope, those under one and outside any are counted."""
    profile = attribute(sampled((("main", 4),), (("main", 7),), ()), recording(BLOCK))
    found = attribution_of(profile)
    assert (found.samples, found.attributed, found.outside, found.by) == (2, 1, 1, "scope")


def test_scopes_that_lines_decide() -> None:
    """Blocks of several lines and decorated functions; not calls, single lines, or one place with many names."""
    made = recording(
        ("block", 2, 9, "main", "with"),
        ("whole", 20, 29, "fit", "function"),
        ("call", 31, 31, "main", "call"),
        ("line", 33, 33, "main", "with"),
        ("made 1", 40, 49, "main", "with"),
        ("made 2", 40, 49, "main", "with"),
        ("outer", 50, 59, "main", "with"),
        ("inner", 50, 59, "main", "with"),
        ("both", 60, 69, "main", "with"),
        ("both", 71, 71, "main", "with"),
        nested=(("outer", "inner"),),
    )
    assert scopes_by_line(made) == {"block", "whole", "outer", "inner"}


def test_scopes_sent_along_with_work_are_not_decided_by_lines() -> None:
    """Where they were sent to, no line shows them."""
    made = recording(("sent", 2, 9, "main", "with"), ("here", 3, 8, "main", "with"))
    (track,) = made.tracks
    assert track.spans is not None
    sent = replace(track.spans, propagated=np.array([True, False]))
    assert scopes_by_line(replace(made, tracks=(replace(track, spans=sent),))) == {"here"}
