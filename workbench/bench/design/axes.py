"""Axes: choices with named options. A variant picks one option on every axis."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from workbench.errors import InvalidInputError, unknown_name

MAX_VARIANTS = 200
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


def check_baseline(axes: Mapping[str, Axis], baseline: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the baseline's option on each axis, by name; the first of each where no baseline is given.

    Raises:
        InvalidInputError: It names no axis or option that there is, or leaves an axis out.
    """
    if baseline is None:
        return {name: next(iter(each.options)) for name, each in axes.items()}
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


class Combinations(Mapping[str, dict[str, Any]]):
    """Every combination of options by its name, the baseline first, made when it is asked for.

    A variant is named by what differs from the baseline, the baseline by all of its options.
    """

    def __init__(self, axes: Mapping[str, Axis], baseline: Mapping[str, str]) -> None:
        self.axes = axes
        self._baseline = dict(baseline)

    def __len__(self) -> int:
        return math.prod(len(each.options) for each in self.axes.values())

    def __iter__(self) -> Iterator[str]:
        return self._names(product(*(each.options for each in self.axes.values())))

    def __getitem__(self, name: str) -> dict[str, Any]:
        changed = {} if name == self.baseline else _changed(name, list(self.axes), self.axes)
        if changed is None or (not changed and name != self.baseline):
            raise KeyError(name)
        chosen = self._baseline | changed
        return {axis: self.axes[axis].options[option] for axis, option in chosen.items()}

    @property
    def baseline(self) -> str:
        """The baseline's name."""
        return _name(self._baseline)

    def chosen(self, wanted: Mapping[str, Collection[str]], plan: str) -> list[str]:
        """Return the names of those that have wanted options alone, and differ from the baseline as the plan says.

        Raises:
            InvalidInputError: They are more than can be compared.
        """
        able = {
            name: [option for option in axis.options if name not in wanted or option in wanted[name]]
            for name, axis in self.axes.items()
        }
        if plan == FULL:
            count = math.prod(map(len, able.values()))
            made: Iterable[tuple[str, ...]] = product(*able.values())
        else:
            singles = [
                tuple((self._baseline | {name: option}).values())
                for name, options in able.items()
                for option in options
                if all(self._baseline[other] in able[other] for other in able if other != name)
            ]
            count = len(set(singles))
            places = [list(axis.options).index for axis in self.axes.values()]
            made = sorted(
                set(singles), key=lambda each: [place(o) for place, o in zip(places, each, strict=True)]
            )
        if count > MAX_VARIANTS:
            raise InvalidInputError(
                f"the axes make {count} variants, more than {MAX_VARIANTS}: choose some options of an axis, "
                f"or the plan {ONE_AT_A_TIME}"
            )
        return list(self._names(made))

    def _names(self, chosen: Iterable[tuple[str, ...]]) -> Iterator[str]:
        yield self.baseline
        for options in chosen:
            changed = {
                name: option
                for name, option in zip(self.axes, options, strict=True)
                if option != self._baseline[name]
            }
            if changed:
                yield _name(changed)


def _changed(name: str, names: list[str], axes: Mapping[str, Axis]) -> dict[str, str] | None:
    """Return the options that a name lists, in the order of axes; None where it lists none."""
    for place, axis in enumerate(names):
        rest = name.removeprefix(f"{axis}=")
        for option in axes[axis].options if rest != name else ():
            if rest == option:
                return {axis: option}
            more = rest.removeprefix(f"{option}, ")
            later = _changed(more, names[place + 1 :], axes) if more != rest else None
            if later is not None:
                return {axis: option} | later
    return None


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
        InvalidInputError: There is no such axis or option, or nothing or too much is left to compare.
    """
    if plan not in PLANS:
        raise unknown_name("plan", plan, PLANS)
    there = _options_of(variants)
    wanted: dict[str, set[str]] = {}
    for name, options in choices.items():
        if name not in there:
            raise unknown_name("axis", name, sorted(there))
        wanted[name] = set(options)
        for option in options:
            if option not in there[name]:
                raise unknown_name(f"option of the axis {name!r}", option, sorted(there[name]))
    if isinstance(variants, Combinations):
        kept = variants.chosen(wanted, plan)
    else:
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


def _options_of(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the names of all options that the variants have, by the name of the axis."""
    if isinstance(variants, Combinations):
        return {name: set(axis.options) for name, axis in variants.axes.items()}
    found: dict[str, set[str]] = {}
    for options in variants.values():
        for name, option in options.items():
            found.setdefault(name, set()).add(option_name(option))
    return found


def _differences(options: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    missing = object()
    return sum(options.get(name, missing) != other.get(name, missing) for name in {*options, *other})


def _name(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={option}" for name, option in options.items())
