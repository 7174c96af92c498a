"""A run without what it tells of people and machines."""

from __future__ import annotations

from dataclasses import replace

from workbench.profile import Profile, Redaction
from workbench.report.profile.run import ProfileRun


def redacted(run: ProfileRun, redaction: Redaction) -> ProfileRun:
    """Return a run with users, homes, hosts and the values of its command replaced, and without its source lines.

    Raises:
        InvalidInputError: It has too many of them.
    """
    profiles = (run.scopes, run.samples, run.together)
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
    )
