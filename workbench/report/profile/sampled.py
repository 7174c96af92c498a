"""What a page says of the samples under each scope, and under none, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.profile import (
    Frame,
    FrameKind,
    OutsidePart,
    OutsideScopes,
    Profile,
    ScopeSamples,
    Where,
    outside_scopes,
    scope_samples,
)
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.source_lines import line_of
from workbench.report.tables import Note
from workbench.text import as_rough_share, as_share, as_share_give_or_take, printable, shortened

BY_TIME = ("pyinstrument", "")
"""Samplers whose samples stand for unequal times, of which shares are then: one that looks when a function is called
or returns, and whatever wrote a file that does not say."""
MAX_NATIVE = 3
MIN_NATIVE = 0.02
MAX_NAME = 24
MAX_SYMBOLS = 12
MIN_OUTSIDE = 0.01
"""So small a share outside any scope is not worth a line."""


@dataclass(frozen=True)
class SampledScopes:
    """What was sampled under scopes, and under none."""

    scopes: Mapping[str, ScopeSamples] = field(default_factory=dict)
    outside_scopes: OutsideScopes | None = None


@dataclass(frozen=True)
class OutsideWords:
    """What the page says of samples outside any scope."""

    lead: str
    parts: tuple[Note, ...]
    scope: str = ""
    """The line of Python that would name most of it."""
    around: str = ""
    """What to put it around, and what that would name."""


def sampled_of(samples: Profile | None, sampler: str) -> SampledScopes:
    """Return what was sampled, of samples of threads at work that have been attributed to scopes.

    Samples that nobody has attributed are under scopes where they came so, from a file of ours, and nothing can be said
    of those that are under none.
    """
    if samples is None:
        return SampledScopes()
    by_time = shares_by_time(sampler)
    has_scopes = any(frame.kind is FrameKind.SCOPE for frame in samples.frames)
    return SampledScopes(
        scope_samples(samples, by_time=by_time) if has_scopes else {},
        outside_scopes(samples, by_time=by_time) if samples.attribution is not None else None,
    )


def shares_by_time(sampler: str) -> bool:
    """Return whether shares are of the time that samples stand for, and not of their number."""
    return sampler in BY_TIME


def sampled_in(run: ProfileRun) -> SampledScopes:
    """Return what was sampled in a run."""
    return sampled_of(run.samples, run.sampler)


def native_note(scope: ScopeSamples) -> Note:
    """Return what was on top of a scope's samples: native functions by short names, Python, waiting."""
    shown = [part for part in scope.native[:MAX_NATIVE] if part.share >= MIN_NATIVE]
    words = [f"{as_rough_share(part.share)} {shortened(printable(part.name), MAX_NAME)}" for part in shown]
    rest = sum(part.share for part in scope.native) - sum(part.share for part in shown)
    if rest >= MIN_NATIVE:
        words.append(f"{as_rough_share(rest)} other native" if shown else f"{as_rough_share(rest)} native")
    for share, what in ((scope.python, "Python"), (scope.waiting, "waiting")):
        if share >= MIN_NATIVE:
            words.append(f"{as_rough_share(share)} {what}")
    title = "\n".join(
        f"{as_share(part.share)} {printable(symbol)}" if i == 0 else f"    and {printable(symbol)}"
        for part in shown
        for i, symbol in enumerate(part.symbols[:MAX_SYMBOLS])
    )
    return Note(", ".join(word.replace(" ", "\u00a0") for word in words), title, "native")


def outside_words(found: OutsideScopes | None) -> OutsideWords | None:
    """Return what is to be said of samples outside any scope; None where they are next to none."""
    if found is None or found.of_all.share < MIN_OUTSIDE:
        return None
    how_many = f"{as_share_give_or_take(found.of_all)} of the samples ({found.of_all.samples:,}) are outside any scope"
    if found.of_all.share == 1:
        how_many = f"All {found.of_all.samples:,} samples are outside any scope"
    lead = f"{how_many}. Of these:" if found.parts else f"{how_many}, in many places."
    words = OutsideWords(lead, tuple(_part_note(part) for part in found.parts))
    hint = found.hint
    if hint is None or hint.frame is None:
        return words
    return OutsideWords(
        words.lead,
        words.parts,
        f'with scope("{scope_name(hint.frame.name)}"):',
        f"around {_function(hint.frame)} would name {as_rough_share(hint.share * found.of_all.share)} of all samples.",
    )


def scope_name(function: str) -> str:
    """Return a name for a scope around a function: the function's own, in words."""
    own = function.rpartition(".")[2].strip("_")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", own).replace("_", " ")
    return printable(words).replace("\\", "").replace('"', "").lower() or "work"


def _part_note(part: OutsidePart) -> Note:
    share = as_rough_share(part.share)
    if part.where is Where.IMPORTS:
        return Note(f"{share} importing modules")
    if part.where is Where.NO_PYTHON or part.frame is None:
        return Note(
            f"{share} with no Python function on the stack: library threads, the interpreter's begin and end"
        )
    where = "in" if part.where is Where.FUNCTION else "between the scopes in"
    return Note(f"{share} {where} {_function(part.frame)}", printable(part.frame.file))


def _function(frame: Frame) -> str:
    file = printable(frame.file.replace("\\", "/").rpartition("/")[2])
    line = frame.line or line_of(frame.file, frame.name)
    place = f"{file}:{line}" if line and file else file
    return printable(frame.name) + (f" ({place})" if place else "")
