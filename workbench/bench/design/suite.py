"""Suites: a workload, and the variants of it that are compared."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from workbench.bench.design.axes import Axis, Combinations, check_baseline, option_name
from workbench.bench.design.case import Case
from workbench.bench.design.commentary import Commentary
from workbench.bench.design.suite_files import SHIPPED, import_suite
from workbench.bench.design.suite_tables import Residuals, Scaling, Table
from workbench.errors import InvalidInputError, unknown_name

AA_CONTROL = "A/A control"
"""The name of the second run of the baseline in each round: its difference is the method's own error."""


class Suite:
    """A workload and its variants, one of which is the baseline.

    Variants are listed by name, or made of axes, each a choice with named options::

        suite = Suite("fits", baseline="exact", variants={"exact": {"tanh": "exact"}, "fast": {"tanh": "fast"}})

        @suite.workload
        def fit(tanh, *, seed): ...

        suite = Suite("fits", baseline={"tanh": "exact", "jacobian": "columns"})

        @suite.workload(tanh=axis("exact", "fast"), jacobian=axis("columns", "backprop"))
        def fit(tanh, jacobian, *, seed): ...

    Args:
        name: What the suite is called.
        baseline: What the others are compared with: a variant's name, or its option on each axis; by default the first.
        variants: The workload's keyword arguments for each variant, by name; none where there are axes.
        descriptions: A line on each variant, for the pages.
        unavailable: Variants that cannot run on this machine, and why. They are left out, and a line says so.
        draw: Called with a folder that `Case.keep` saved into, and a title; makes `fit.png` of it.
        residuals: Called with such a folder; returns the `Residuals` that are drawn for all variants on one axis.
        quality: The figure of `Case.quality` that is compared and drawn; by default the first.
        targets: Values of `Case.curve` to be reached: the time until then is compared, too.
        target_of: What the curve's values are, in words.
        scaling: Where variants share work among workers, for what the page says of parallel scaling.
        tables: Makes tables for the page, once, in a process of its own.
        commentary: What pages say of it in its author's words: that of its profiles, and of runs of suites that ship.
        micro: Whether `Case.run` is a small kernel that may be run many times on one case, in a loop.
    """

    def __init__(
        self,
        name: str,
        *,
        baseline: str | Mapping[str, Any] | None = None,
        variants: Mapping[str, Mapping[str, Any]] | None = None,
        descriptions: Mapping[str, str] | None = None,
        unavailable: Mapping[str, str] | None = None,
        draw: Callable[[Path, str], None] | None = None,
        residuals: Callable[[Path], Residuals] | None = None,
        quality: str | None = None,
        targets: Sequence[float] = (),
        target_of: str | None = None,
        scaling: Scaling | None = None,
        tables: Callable[[], Sequence[Table]] | None = None,
        commentary: Commentary | None = None,
        micro: bool = False,
    ) -> None:
        _check_names(name)
        self.name = name
        self.baseline = ""
        self.variants: Mapping[str, Mapping[str, Any]] = {}
        self.axes: dict[str, Axis] = {}
        self.unavailable = dict(unavailable or {})
        self._left_out: dict[str, Mapping[str, Any]] = {}
        self._wanted = dict(baseline) if isinstance(baseline, Mapping) else None
        if isinstance(baseline, str) or (baseline is None and variants is not None):
            self._list(baseline, variants or {})
        elif self._wanted is None and baseline is not None:
            _check_names(baseline)
        elif variants is not None:
            raise InvalidInputError(
                f"suite {name!r} lists variants, so its baseline is one of their names, not {self._wanted!r}"
            )
        self.descriptions = dict(descriptions or {})
        self.draw = draw
        self.residuals = residuals
        self.quality = quality
        self.targets = _checked_targets(targets)
        self.target_of = target_of
        self.scaling = scaling
        self.tables = tables
        self.commentary = commentary or Commentary()
        self.micro = micro
        self.make_case: Callable[..., Case] | None = None

    def _list(self, baseline: str | None, variants: Mapping[str, Mapping[str, Any]]) -> None:
        _check_names(*variants)
        if not variants:
            raise InvalidInputError(
                f"suite {self.name!r} has no variants: list at least the baseline, or make it of axes with "
                "baseline={...} and @suite.workload(name=axis(...))"
            )
        if baseline is None:
            baseline = next(iter(variants))
        if baseline not in variants:
            raise unknown_name("baseline variant", str(baseline), variants)
        if baseline in self.unavailable:
            raise InvalidInputError(
                f"{baseline}, the baseline of suite {self.name!r}, cannot run here: {self.unavailable[baseline]}"
            )
        self.baseline = baseline
        self.variants = {
            key: dict(options) for key, options in variants.items() if key not in self.unavailable
        }
        self._left_out = {name: variants[name] for name in self.unavailable if name in variants}

    def left_out(self, wanted: Mapping[str, Collection[str]]) -> list[str]:
        """Return a line on each variant that has wanted options and cannot run on this machine."""
        return [
            f"{name} is left out: {self.unavailable[name]}"
            for name, options in self._left_out.items()
            if all(axis in options and option_name(options[axis]) in able for axis, able in wanted.items())
        ]

    @overload
    def workload(self, function: Callable[..., Case], /) -> Callable[..., Case]: ...

    @overload
    def workload(self, /, **axes: Axis) -> Callable[[Callable[..., Case]], Callable[..., Case]]: ...

    def workload(self, function: Callable[..., Case] | None = None, /, **axes: Any) -> Any:
        """Decorate the function that sets a case up: it takes a variant's options and a keyword `seed`.

        Raises:
            InvalidInputError: The axes do not fit the suite's baseline, or it lists variants already.
        """
        if function is not None:
            self.make_case = function
            return function
        if self.baseline:
            raise InvalidInputError(f"suite {self.name!r} lists its variants: it takes no axes beside them")
        strange = [name for name, each in axes.items() if not isinstance(each, Axis)]
        if strange:
            raise InvalidInputError(f"the axis {strange[0]!r} is {axes[strange[0]]!r}: write axis('a', 'b')")
        self.axes = axes
        baseline = check_baseline(axes, self._wanted)
        self.variants = made = Combinations(axes, baseline)
        self.baseline = made.baseline
        return self.workload

    def case(self, variant: str, seed: int) -> Case:
        """Set up one variant.

        Raises:
            InvalidInputError: There is no such variant, no workload, or it returns no `Case`.
        """
        if self.make_case is None:
            raise _no_workload(self.name)
        if variant not in self.variants:
            raise unknown_name("variant", variant, self.variants)
        case = self.make_case(**self.variants[variant], seed=seed)
        if not isinstance(case, Case):
            raise InvalidInputError(
                f"the workload of suite {self.name!r} returned {type(case).__name__}: return a Case"
            )
        return case


def _check_names(*names: object) -> None:
    strange = [name for name in names if not isinstance(name, str) or not name.strip() or name == AA_CONTROL]
    if strange:
        raise InvalidInputError(f"{strange[0]!r} is no name of a suite or variant: give other text")


def _checked_targets(targets: Sequence[Any]) -> tuple[float, ...]:
    for value in targets:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidInputError(f"target {value!r} is no number that can be reached: give finite numbers")
    return tuple(sorted({float(value) for value in targets}, reverse=True))


def load_suite(name: str) -> Suite:
    """Return a suite that ships, by name, or the one named `suite` in a Python file or module.

    Raises:
        InvalidInputError: There is no such suite, file or module, or it has no suite that can be run.
    """
    suite = getattr(import_suite(name), "suite", None)
    if not isinstance(suite, Suite):
        raise InvalidInputError(f"{name} has no suite: define `suite = Suite(...)` at its top level")
    if suite.make_case is None:
        raise _no_workload(suite.name)
    if next(iter(suite.variants), None) is None:  # their number may be too large for len()
        raise InvalidInputError(
            f"suite {suite.name!r} has a baseline of options and no axes: @suite.workload(tanh=axis('exact', 'fast'))"
        )
    return suite


def shipped_suite(name: str) -> Suite | None:
    """Return a suite that ships; None for any other, whose code is not run to show what it has measured."""
    return load_suite(name) if name in SHIPPED else None


def folder_names(variants: Iterable[str]) -> dict[str, str]:
    """Return for each variant a name that is safe as a folder and in a link, and its own."""
    taken: dict[str, str] = {}
    for variant in variants:
        slug = re.sub(r"[^a-z0-9]+", "-", variant.lower())[:60].strip("-") or "variant"
        name, number = slug, 1
        while name in taken.values():
            number += 1
            name = f"{slug}-{number}"
        taken[variant] = name
    return taken


def _no_workload(suite: str) -> InvalidInputError:
    return InvalidInputError(f"suite {suite!r} has no workload: decorate a function with @suite.workload")
