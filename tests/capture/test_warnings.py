"""What makes the figures of a run less sure than they look is said, a line each; and nothing where there is nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import system
from workbench.capture import program, warnings
from workbench.capture.program import CaptureOptions, run_program
from workbench.capture.samplers import Sampling
from workbench.capture.warnings import (
    CaptureWarning,
    Cause,
    WarningCode,
    attribution_warning,
    load_warning,
    running_at_once,
    sample_warnings,
    warning_text,
)
from workbench.errors import Remedy
from workbench.profile import Attribution, Frame, FrameKind, Profile, ProfileBuilder

MS = 1_000_000
WORK = Frame("work", "w.py")
WAIT = Frame("wait", "threading.py", kind=FrameKind.IDLE)
FIT = Frame("fit", kind=FrameKind.SCOPE)


COUNTS = Attribution(1000, attributed=900, outside=100, by="scope")


def threads(*paths: list[list[Frame]], late: int = 0) -> Profile:
    """Return a profile of threads that are seen each 10 ms, each a little later than the one before."""
    builder = ProfileBuilder("made")
    for i, stacks in enumerate(paths):
        at = [10 * MS * k + late * i for k in range(len(stacks))]
        samples = builder.samples([builder.stack_of(path) for path in stacks], at, [10 * MS] * len(stacks))
        builder.add_track(f"t{i}", pid=i % 2, tid=i, samples=samples)
    return builder.build(attribution=COUNTS)


def test_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load above the cores is said with its figure, of a run that is more than its start-up."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    warning = load_warning(4.1, 10)
    assert warning is not None
    assert "load average 4.1 on 4 cores" in warning_text(warning)
    assert load_warning(4.0, 10) is None
    assert load_warning(9.0, 0.5) is None
    assert load_warning(None, 10) is None


def test_no_load_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that does not know its load is not said to be busy."""

    def unknown() -> tuple[float, float, float]:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", unknown)
    assert system.load_average() is None


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"not_attributable": 11}, "1.1 % of the samples are not attributable by line"),
        ({"not_attributable": 10}, None),
        ({"samples": 20, "not_attributable": 4}, None),
        ({}, None),
    ],
)
def test_attribution(counts: dict[str, int], said: str | None) -> None:
    """More than 1 % that lines do not decide is said; few samples say nothing."""
    warning = attribution_warning(replace(COUNTS, **counts))
    refused = attribution_warning(replace(COUNTS, **counts), could_be_inside=False)
    assert refused is None or refused.remedies == ()
    assert (warning is None) == (said is None)
    assert warning is None or (said or "") in warning_text(warning)


def test_threads_that_run_at_once() -> None:
    """At each moment threads of all processes count that were seen, and did not wait, in a scope or not."""
    idle = [[FIT, WAIT]] * 60
    profile = threads([[WORK]] * 60, [[FIT, WORK]] * 30 + [[WORK, WAIT]] * 30, idle, [[]] * 60, late=MS)
    running = running_at_once(profile).tolist()
    assert running[2:28] == [2] * 26
    assert running[32:58] == [1] * 26
    assert not len(running_at_once(threads(idle)))
    assert not len(running_at_once(ProfileBuilder("none").build()))


def test_more_threads_than_cores() -> None:
    """Where more threads than cores ran at most moments it is said how many, and what to do."""
    busy = threads(*[[[WORK]] * 60] * 3, late=MS)
    (warning,) = sample_warnings(busy, 2)
    assert "3 threads ran at once" in warning_text(warning)
    assert "on 2 cores" in warning_text(warning)
    assert sample_warnings(busy, 3) == []
    assert sample_warnings(threads(*[[[WORK]] * 20] * 3), 2) == []  # too few samples
    mostly_one = threads([[WORK]] * 100, [[WORK]] * 40, [[WORK]] * 40, late=MS)
    assert sample_warnings(mostly_one, 2) == []


def test_samples_without_times_say_nothing_of_threads_at_once() -> None:
    """py-spy does not say when its samples were taken, so that nothing is concluded from them."""
    busy = threads(*[[[WORK]] * 60] * 3)
    foreign = replace(busy, attribution=replace(COUNTS, by="line"))
    assert sample_warnings(foreign, 2) == []


def test_one_long_sample_among_short_ones() -> None:
    """A sample of an hour beside samples of a nanosecond does not make a moment of every nanosecond."""
    builder = ProfileBuilder("made")
    stack = builder.stack_of([WORK])
    samples = builder.samples([stack] * 4, [0, 1, 2, 3], [1, 1, 1, 3600 * 10**9])
    builder.add_track("t", pid=1, tid=1, samples=samples)
    assert len(running_at_once(builder.build())) <= warnings.MAX_MOMENTS + 1


def test_a_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load is read before the program starts; the line is said once, and kept with the capture."""
    loads = iter([1000.25])
    monkeypatch.setattr(program, "load_average", lambda: next(loads))
    monkeypatch.setattr(warnings, "MIN_SECONDS", 0.0)
    script = tmp_path / "p.py"
    script.write_text("from workbench import scope\nwith scope('work'): pass\n")
    said: list[CaptureWarning] = []
    options = CaptureOptions((str(script),), tmp_path / "out", sampling=Sampling("none"))
    capture = run_program(options, say=said.append)
    assert capture.returncode == 0
    assert said == list(capture.warnings)
    assert [(each.code, each.values["load"]) for each in said] == [(WarningCode.BUSY, 1000.25)]
    script.write_text("import sys; sys.exit(3)\n")
    loads = iter([1000.25])
    nothing = run_program(options, say=said.append)
    assert (nothing.returncode, nothing.warnings) == (3, ())  # there is no time to be longer than it need be


def test_the_text_of_a_warning() -> None:
    """Causes come first, each with its remedies in the words of whoever shows it; numbers have their nouns."""
    cause = Cause("py-spy failed", (Remedy.ANOTHER_RATE, Remedy.SAMPLE_IN_PROCESS))
    warning = CaptureWarning(WarningCode.SCOPES_ONLY, causes=(cause, Cause("no more")), rank=2)
    expected = "rank 2: py-spy failed; {}, or {}; no more; only scopes are recorded"
    assert warning_text(warning) == expected.format(*(each.value for each in cause.remedies))
    assert warning_text(warning, lambda each: each.name) == expected.format(
        "ANOTHER_RATE", "SAMPLE_IN_PROCESS"
    )
    once = CaptureWarning(WarningCode.BEHIND, {"times": 1})
    assert warning_text(once) == "py-spy fell over a second behind 1 time"
