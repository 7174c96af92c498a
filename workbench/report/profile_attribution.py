"""What is known of the samples of a run: how many are under scopes, and what the sampler could not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from workbench.capture.attribution import Attribution
from workbench.pictures._text import format_share
from workbench.profile import Profile

MAX_COUNT = 1 << 60
"""Larger numbers are none that a capture writes."""
STATED = {
    "unknown": "stack unknown",
    "cut": "native stack cut",
    "interrupted": "system calls interrupted",
}
"""What the in-process sampler counts, by its key in each of `facts["sampler"]`, one for each process."""
OLD_TRACE = "py-spy.chrometrace.json"


def attribution_in(profile: Profile | None) -> Attribution | None:
    """Return the counts that a profile states, None where it states none, or none that make sense."""
    stated = None if profile is None else profile.facts.get("attribution")
    if not isinstance(stated, Mapping):
        return None
    counts = {
        field.name: _count(stated.get(field.name)) for field in fields(Attribution) if field.name != "by"
    }
    found = Attribution(**counts, by=str(stated.get("by", "line")))
    parts = found.attributed + found.outside + found.not_attributable
    return found if found.samples and parts <= found.samples else None


def attribution_words(found: Attribution) -> str:
    """Return how many samples are outside any scope, and how many lines do not decide."""
    words = f"{format_share(found.outside / found.samples)} outside any scope"
    if found.not_attributable:
        words += f"; {format_share(found.not_attributable / found.samples)} not attributable by line"
    return words


def sampling_words(profile: Profile | None) -> str:
    """Return what the in-process sampler states of itself, over all processes; empty where it states nothing."""
    stated = None if profile is None else profile.facts.get("sampler")
    runs = [run for run in stated if isinstance(run, Mapping)] if isinstance(stated, list) else []
    if not runs:
        return ""
    return ", ".join(f"{what}: {sum(_count(run.get(key)) for run in runs):,}" for key, what in STATED.items())


def old_trace(folder: Path, *, has_placement: bool = False) -> str:
    """Return a line where the samples of a folder are of a version that attributed py-spy's by a clock, or nothing."""
    if not (folder / OLD_TRACE).is_file() and not has_placement:
        return ""
    return (
        f"{folder} was made by workbench 0.1.0, which attributed py-spy's samples by time: "
        "profile again for samples that are taken under their scopes"
    )


def _count(value: object) -> int:
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT
    return value if known and isinstance(value, int) else 0
