"""A run without what it tells of people and machines."""

from __future__ import annotations

from dataclasses import replace

from workbench.profile import Allocations, LineBytes, Profile, Redaction
from workbench.report.profile.run import ProfileRun


def redacted(run: ProfileRun, redaction: Redaction) -> ProfileRun:
    """Return a run with users, homes, hosts and the values of its command replaced, and without its source lines.

    Raises:
        InvalidInputError: It has too many of them.
    """
    traced = () if run.allocations is None else (run.allocations.end, run.allocations.peak)
    profiles = (run.scopes, run.samples, run.together, *traced)
    for profile in profiles:
        if profile is not None:
            redaction.learn(profile)
    for command in (run.program, run.title):
        redaction.learn_command(command)

    def of(profile: Profile | None) -> Profile | None:
        return None if profile is None else redaction.profile(profile)

    # A sentence on an unknown cost names the command in short, of which no part is known to be a value.
    known = run.cost is not None and run.cost.times
    return replace(
        run,
        title=redaction.command(run.title),
        program=redaction.command(run.program),
        scopes=of(run.scopes),
        samples=of(run.samples),
        together=of(run.together),
        warnings=tuple(map(redaction.text, run.warnings)),
        source=redaction.text(run.source),
        cost=replace(run.cost, sentence=redaction.text(run.cost.sentence)) if run.cost and known else None,
        old=redaction.text(run.old),
        sources={},
        allocations=None if run.allocations is None else _allocations(run.allocations, redaction),
    )


def _allocations(found: Allocations, redaction: Redaction) -> Allocations:
    def lines(rows: tuple[LineBytes, ...]) -> tuple[LineBytes, ...]:
        return tuple(
            replace(row, file=redaction.text(row.file), function=redaction.text(row.function)) for row in rows
        )

    return replace(
        found,
        end=None if found.end is None else redaction.profile(found.end),
        peak=None if found.peak is None else redaction.profile(found.peak),
        processes=tuple(replace(row, command=redaction.command(row.command)) for row in found.processes),
        scopes=tuple(
            replace(row, name=redaction.text(row.name), lines=lines(row.lines)) for row in found.scopes
        ),
        lines=lines(found.lines),
    )
