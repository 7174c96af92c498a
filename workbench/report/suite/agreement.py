"""What the index page of a suite's profiles says of two samplers: one line, and one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.capture.program import Capture
from workbench.capture.samplers import IN_PROCESS, PY_SPY
from workbench.capture.warnings import warning_text
from workbench.report.profile.sampler_agreement import (
    MIN_SAMPLES,
    RUN_TO_RUN,
    Agreement,
    Compared,
    agreement_of,
)
from workbench.text import named, printable


@dataclass(frozen=True)
class VariantAgreement:
    """How the in-process sampler and py-spy agree on a variant."""

    name: str
    found: Agreement | None
    """None: one of them has no samples."""
    why: str = ""
    """What it said then."""

    def facts(self) -> dict[str, object]:
        """Return it for machines."""
        return {"agrees": None, "why": self.why} if self.found is None else self.found.facts()


@dataclass(frozen=True)
class AgreementGroup:
    """Rows of the table that belong together."""

    heading: str
    rows: Sequence[Compared]


@dataclass(frozen=True)
class AgreementPart:
    """What the page shows."""

    heading: str
    line: str
    is_doubtful: bool
    """Whether the heading is a warning."""
    groups: Sequence[AgreementGroup]


def compare(name: str, own: Capture, witness: Capture) -> VariantAgreement:
    """Return how two samplers agree on a variant, which was run under each."""
    why = _why_not(own, IN_PROCESS) or _why_not(witness, PY_SPY)
    if why or own.merged is None or witness.merged is None:
        return VariantAgreement(name, None, why)
    return VariantAgreement(name, agreement_of(own.merged, witness.merged, witness.scopes))


def _why_not(capture: Capture, sampler: str) -> str:
    """Return why there are no samples of a sampler; empty: there are."""
    if not capture.sampler.startswith(sampler):
        was_refused = capture.options.sampling.sampler in ("auto", sampler) and capture.warnings
        why = warning_text(capture.warnings[0]) if was_refused else f"{capture.sampler} was used"
    elif capture.merged is None:
        why = (
            warning_text(capture.warnings[0])
            if capture.sampling_failed and capture.warnings
            else "it took none"
        )
    else:
        return ""
    return f"no samples by {sampler}: {why}"


def agreement_part(variants: Sequence[VariantAgreement], baseline: str) -> AgreementPart | None:
    """Return the line and the table; None where no two samplers were to be compared.

    The table has all rows of the baseline, or of the first variant, and of the others those that differ.
    """
    if not variants:
        return None
    found = [(each.name, each.found) for each in variants if each.found is not None]
    agree = [name for name, each in found if each.agrees]
    differ = [(name, each) for name, each in found if each.agrees is False]
    few = [(name, each) for name, each in found if each.agrees is None]
    words = []
    if differ:
        places = "; ".join(f"{named(name)} in {_differing(each)}" for name, each in differ)
        words.append(f"The in-process sampler and py-spy do not agree on {places}.")
    if agree:
        which = "all variants" if len(agree) == len(variants) else f"{len(agree)} of {len(variants)} variants"
        words.append(
            f"The in-process sampler and py-spy agree on {which}: the shares of innermost Python functions of running "
            "threads, and of scopes that lines decide, are within both intervals plus "
            f"{100 * RUN_TO_RUN:.0f} points for run-to-run change, or as much as the recorder saw of that."
        )
    if short := list(dict.fromkeys(name for _, each in found for name in each.short)):
        words.append(
            f"Not compared by scope: {', '.join(map(named, short))}. Each time it is open for little longer than "
            "py-spy takes to read a stack, so that it may be over when its line is read."
        )
    words += [
        f"On {named(name)} there are too few samples to tell: {each.samples[0]:,} in-process and "
        f"{each.samples[1]:,} by py-spy, of at least {MIN_SAMPLES} each."
        for name, each in few
    ]
    for why in dict.fromkeys(each.why for each in variants if each.found is None):
        names = [named(each.name) for each in variants if each.why == why]
        which = "any variant" if len(names) == len(variants) else ", ".join(names)
        words.append(f"Two samplers cannot be compared on {which}: {printable(why)}.")
    heading = f"{len(agree)} of {len(variants)} variants agree"
    return AgreementPart(heading, " ".join(words), len(agree) < len(variants), _groups(found, baseline))


def _groups(found: Sequence[tuple[str, Agreement]], baseline: str) -> list[AgreementGroup]:
    if not found:
        return []
    first = next((each for each in found if each[0] == baseline), found[0])
    name, whole = printable(first[0]), first[1]
    groups = [
        AgreementGroup(f"{name}: scopes that lines decide, of the time in them", whole.scopes),
        AgreementGroup(f"{name}: innermost Python functions of running threads", whole.functions),
    ]
    groups += [
        AgreementGroup(f"{printable(name)}: where they differ", [row for row in each.rows if not row.agrees])
        for name, each in found
        if each is not whole and each.agrees is False
    ]
    return [replace(group, rows=list(map(_shown, group.rows))) for group in groups if group.rows]


def _shown(row: Compared) -> Compared:
    file = row.file.replace("\\", "/").rpartition("/")[2]
    return replace(row, name=printable(row.name), file=printable(file))


def _differing(found: Agreement) -> str:
    return ", ".join(named(row.name) for row in found.rows if not row.agrees)
