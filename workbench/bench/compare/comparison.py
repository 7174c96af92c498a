"""The experiment of a comparison: its suite has the two sides as variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.bench.compare.gate import Limits
from workbench.bench.compare.sides import Side, named_runs
from workbench.bench.design.suite import AA_CONTROL, Suite
from workbench.bench.results.lines import Head
from workbench.bench.run.experiment import BenchOptions, run_head
from workbench.bench.run.fingerprint import version_changes
from workbench.bench.run.process import Interpreter
from workbench.errors import InvalidInputError, unknown_name

BASE, NEW = "base", "new"


@dataclass(frozen=True)
class Both:
    """The two sides, base first, and what is known of each."""

    sides: tuple[Side, Side]
    facts: tuple[Mapping[str, Any], Mapping[str, Any]]
    """What its suite is there."""
    notes: tuple[str, str]
    """A line on each, for the pages."""


def pairs_of(both: Both, wanted: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return for each wanted variant of the suite what it is called on either side, in results.

    Args:
        both: The two sides.
        wanted: Variants; the suite's baseline where none are named.

    Raises:
        InvalidInputError: A side has no such variant, or the sides have suites that cannot be compared.
    """
    base, new = both.facts
    for what, one, other in (
        ("name", base["name"], new["name"]),
        ("figure", base["quality"], new["quality"]),
    ):
        if one != other:
            raise InvalidInputError(
                f"the suite's {what} is {one!r} in {both.sides[0]} and {other!r} in {both.sides[1]}: "
                "compare one suite, in a file outside of the repository"
            )
    variants = list(dict.fromkeys(wanted)) or [str(base["baseline"])]
    for side, fact in zip(both.sides, both.facts, strict=True):
        for variant in variants:
            if variant not in fact["options"]:
                raise unknown_name(f"variant of {side}", variant, fact["options"])
    if len(variants) == 1:
        return {variants[0]: (both.sides[0].label, both.sides[1].label)}
    return {each: (f"{each}, {both.sides[0].label}", f"{each}, {both.sides[1].label}") for each in variants}


def comparison_head(
    bench: BenchOptions, both: Both, pairs: Mapping[str, tuple[str, str]], limits: Limits
) -> Head:
    """Return the first line of the results, and in it the pairs, and what each side has installed."""
    base = both.facts[0]
    variants = {
        name: {"side": place, **fact["options"][variant]}
        for variant, names in pairs.items()
        for name, place, fact in zip(names, (BASE, NEW), both.facts, strict=True)
    }
    notes = {name: note for names in pairs.values() for name, note in zip(names, both.notes, strict=True)}
    suite = Suite(
        str(base["name"]),
        baseline=next(iter(variants)),
        variants=variants,
        descriptions=notes,
        quality=base["quality"],
        targets=base["targets"],
        target_of=base["target_of"],
        micro=bool(base["micro"]),
    )
    sides = {
        side.label: {
            "suite": side.suite,
            "python": fact["python"],
            "packages": fact["packages"],
            "modules": fact["modules"],
        }
        for side, fact in zip(both.sides, both.facts, strict=True)
    }
    return run_head(
        suite,
        bench,
        pairs=dict(pairs),
        sides=sides,
        more_instructions=limits.instructions,
        fail_larger=limits.larger,
    )


def interpreters_of(both: Both, pairs: Mapping[str, tuple[str, str]]) -> dict[str, Interpreter]:
    """Return the interpreter of each run, by its name in results."""
    found: dict[str, Interpreter] = {}
    for place, side in enumerate(both.sides):
        names = {pair[place]: variant for variant, pair in pairs.items()}
        found |= dict.fromkeys(names, named_runs(side, names))
    return found | {AA_CONTROL: found[next(iter(pairs.values()))[0]]}


def differences(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line on the packages that differ between the sides: their change is measured too."""
    base, new = (fact["packages"] for fact in facts)
    found = version_changes(base, new)
    more = " …" if len(found) > 5 else ""
    return [f"the sides differ in what is installed: {', '.join(found[:5])}{more}"] if found else []
