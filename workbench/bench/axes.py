"""Axes: choices with named options. A variant picks one option on every axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from workbench.errors import InvalidInputError, unknown_name

MOST_VARIANTS = 200
FULL, ONE_AT_A_TIME = "full", "one-at-a-time"
PLANS = (FULL, ONE_AT_A_TIME)


@dataclass(frozen=True)
class Axis:
    """A choice, by the names of its options."""

    options: Mapping[str, Any]


def axis(*options: Any, **named: Any) -> Axis:
    """Return an axis: `axis("exact", "fast")`, or with names of their own `axis(serial=1, two=2)`.

    Raises:
        InvalidInputError: There are no options, or two of one name.
    """
    found: dict[str, Any] = {}
    for name, option in [*((option_name(option), option) for option in options), *named.items()]:
        if name in found:
            raise InvalidInputError(f"an axis has two options named {name!r}: name them, axis(a=..., b=...)")
        found[name] = option
    if not found:
        raise InvalidInputError("an axis has no options: axis('exact', 'fast')")
    return Axis(found)


def option_name(option: Any) -> str:
    """Return what an option is called: text as it is, a function by its name, anything else as Python writes it."""
    if isinstance(option, str):
        return option
    name = getattr(option, "__name__", None)
    return name if isinstance(name, str) else repr(option)


def check_baseline(axes: Mapping[str, Axis], baseline: Mapping[str, Any]) -> dict[str, str]:
    """Return the baseline's option on each axis, by name.

    Raises:
        InvalidInputError: It names no axis or option that there is, or leaves an axis out.
    """
    for name in baseline:
        if name not in axes:
            raise unknown_name("axis of the baseline", str(name), axes)
    missing = [name for name in axes if name not in baseline]
    if missing:
        raise InvalidInputError(
            f"the baseline says nothing of the axis {missing[0]!r}: give it one of its options"
        )
    chosen = {name: option_name(option) for name, option in baseline.items()}
    for name, option in chosen.items():
        if option not in axes[name].options:
            raise unknown_name(f"option of the axis {name!r}", option, axes[name].options)
    return {name: chosen[name] for name in axes}


def combinations(axes: Mapping[str, Axis], baseline: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return every combination by its name, the baseline first: the options on each axis, by name.

    A variant is named by what differs from the baseline, the baseline by all of its options.

    Raises:
        InvalidInputError: There are more than can be compared.
    """
    count = 1
    for each in axes.values():
        count *= len(each.options)
    if count > MOST_VARIANTS:
        raise InvalidInputError(
            f"the axes make {count} variants, more than {MOST_VARIANTS}: leave out options"
        )
    found = {_name(baseline): dict(baseline)}
    for options in product(*(each.options for each in axes.values())):
        chosen = dict(zip(axes, options, strict=True))
        if chosen != baseline:
            found[_name({name: chosen[name] for name in axes if chosen[name] != baseline[name]})] = chosen
    return found


def chosen_variants(
    variants: Mapping[str, Mapping[str, Any]],
    baseline: str,
    choices: Mapping[str, Iterable[str]],
    plan: str = FULL,
) -> list[str]:
    """Return the variants that a choice of options leaves; the baseline always stays.

    Args:
        variants: Their options by name of the axis.
        baseline: The baseline's name.
        choices: The options wanted on some axes, by name.
        plan: "full", or "one-at-a-time" for those that differ from the baseline on one axis alone.

    Raises:
        InvalidInputError: There is no such axis or option, or nothing is left to compare.
    """
    if plan not in PLANS:
        raise unknown_name("plan", plan, PLANS)
    names = {key for options in variants.values() for key in options}
    wanted: dict[str, set[str]] = {}
    for name, options in choices.items():
        if name not in names:
            raise unknown_name("axis", name, sorted(names))
        there = {option_name(each[name]) for each in variants.values() if name in each}
        for option in options:
            if option not in there:
                raise unknown_name(f"option of the axis {name!r}", option, sorted(there))
        wanted[name] = set(options)
    kept = [
        variant
        for variant, options in variants.items()
        if variant == baseline
        or (
            all(name in options and option_name(options[name]) in able for name, able in wanted.items())
            and (plan == FULL or _differences(options, variants[baseline]) <= 1)
        )
    ]
    if choices and kept == [baseline] and len(variants) > 1:
        raise InvalidInputError(
            "the choice leaves the baseline alone: choose options that some variant has, "
            + ", ".join(f"{name}={'|'.join(sorted(options))}" for name, options in wanted.items())
        )
    return kept


def _differences(options: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    missing = object()
    return sum(options.get(name, missing) != other.get(name, missing) for name in {*options, *other})


def _name(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={option}" for name, option in options.items())
