"""What is said of the samples under each scope, and where one more scope would help."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.profile import (
    WAITING_FOR_GIL,
    FrameKind,
    Profile,
    ScopeSamples,
    scope_hint,
    scope_samples,
)
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.source_lines import line_of
from workbench.report.tables import Note
from workbench.text import as_rough_share, as_share, printable, shortened

BY_TIME = ("pyinstrument", "")
"""Samplers whose samples stand for unequal times, of which shares are then: one that looks when a function is called
or returns, and whatever wrote a file that does not say."""
MAX_NATIVE = 3
MIN_NATIVE = 0.02
MAX_NAME = 24
MAX_SYMBOLS = 12


@dataclass(frozen=True)
class Tip:
    """Where a scope would help."""

    scope: str
    """The line of Python that opens it."""
    around: str
    """What to put it around, and what that would name."""


def sampled_of(samples: Profile | None, sampler: str) -> dict[str, ScopeSamples]:
    """Return by scope what was sampled, of samples of threads at work that have been attributed to scopes."""
    if samples is None or not any(frame.kind is FrameKind.SCOPE for frame in samples.frames):
        return {}
    return scope_samples(samples, by_time=shares_by_time(sampler))


def shares_by_time(sampler: str) -> bool:
    """Return whether shares are of the time that samples stand for, and not of their number."""
    return sampler in BY_TIME


def tip(run: ProfileRun) -> Tip | None:
    """Return where one scope would name most of the samples that are outside any.

    Of samples that nobody has attributed nothing is known of those that are under none.
    """
    if run.samples is None or run.samples.attribution is None:
        return None
    found = scope_hint(run.samples, by_time=shares_by_time(run.sampler))
    if found is None:
        return None
    share = as_rough_share(found.share)
    return Tip(
        f'with scope("{scope_name(found.function)}"):',
        f"around {_function(found.function, found.file)} would name {share} of all samples.",
    )


def native_note(scope: ScopeSamples) -> Note:
    """Return what was on top of a scope's samples: native functions by short names, Python, waiting."""
    shown = [part for part in scope.native[:MAX_NATIVE] if part.share >= MIN_NATIVE]
    words = [f"{as_rough_share(part.share)} {shortened(printable(part.name), MAX_NAME)}" for part in shown]
    rest = sum(part.share for part in scope.native) - sum(part.share for part in shown)
    if rest >= MIN_NATIVE:
        words.append(f"{as_rough_share(rest)} other native" if shown else f"{as_rough_share(rest)} native")
    for share, what in (
        (scope.python, "Python"),
        (scope.waiting, "waiting"),
        (scope.lock, WAITING_FOR_GIL.name),
    ):
        if share >= MIN_NATIVE:
            words.append(f"{as_rough_share(share)} {what}")
    title = "\n".join(
        f"{as_share(part.share)} {printable(symbol)}" if i == 0 else f"    and {printable(symbol)}"
        for part in shown
        for i, symbol in enumerate(part.symbols[:MAX_SYMBOLS])
    )
    return Note(", ".join(word.replace(" ", "\u00a0") for word in words), title, "native")


def scope_name(function: str) -> str:
    """Return a name for a scope around a function: the function's own, in words."""
    own = function.rpartition(".")[2].strip("_")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", own).replace("_", " ")
    return printable(words).replace("\\", "").replace('"', "").lower() or "work"


def _function(function: str, file: str) -> str:
    name = printable(file.replace("\\", "/").rpartition("/")[2])
    line = line_of(file, function)
    return f"{printable(function)} ({name}:{line})" if line else f"{printable(function)} ({name})"
