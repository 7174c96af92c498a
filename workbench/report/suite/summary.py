"""The summary of a suite in five sentences: its author's questions, answered from the figures of the table.

What share of the work is a scope, what changes it, what do parallel workers cost, and what is best? A figure that is
unknown leaves its words out. Of other sources, only what the commentary quotes is said, and named as a quote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.bench.design.commentary import Commentary
from workbench.bench.design.suite_tables import Scaling
from workbench.text import as_rough_share, as_scientific, as_speed, named


@dataclass(frozen=True)
class SummaryVariant:
    """What is known of one variant."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    time_ratio: float | None = None
    """Its time by the baseline's."""
    error: float | None = None
    share: float | None = None
    """The part's share of the work, by the recorder."""
    workers_idle: float | None = None
    """The share of the workers' time that is not work."""


def workers_of(options: Mapping[str, Any], scaling: Scaling | None) -> int:
    """Return how many workers a variant has by its options; 1 where they do not say."""
    value = options.get(scaling.option) if scaling is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def summarise(
    variants: Sequence[SummaryVariant],
    baseline: str,
    *,
    step: str = "run",
    error: str = "the error",
    scaling: Scaling | None = None,
    commentary: Commentary | None = None,
) -> list[str]:
    """Return at most five sentences: on the baseline, on the fastest of each sort of variant, and on the best of all.

    Args:
        variants: In the order of the page, the baseline among them.
        baseline: Its name.
        step: What times are of.
        error: What errors are of, as words.
        scaling: The option that gives the number of workers, and the names of the scopes.
        commentary: What the suite's author calls its scopes, and what a source reports of its variants.
    """
    first = next((each for each in variants if each.name == baseline), SummaryVariant(""))
    write = _Sentences(first, step, error, scaling, commentary or Commentary())
    others = [each for each in variants if each is not first and each.time_ratio is not None]
    parallel = [each for each in others if workers_of(each.options, scaling) > 1]
    changed = [each for each in others if each not in parallel and write.has_another_part(each)]
    rest = [each for each in others if each not in parallel and each not in changed]
    sentences = [
        write.about_baseline(),
        write.about_fastest(changed, f"with another {write.part}"),
        write.about_fastest(parallel, f"with parallel {write.work}"),
        write.about_fastest(rest, "of another sort" if changed or parallel else "beside the baseline"),
        write.about_best(others),
    ]
    return list(filter(None, sentences))


def _ratio(variant: SummaryVariant) -> float:
    assert variant.time_ratio is not None
    return variant.time_ratio


@dataclass(frozen=True)
class _Sentences:
    """Writes sentences on variants beside the baseline; each is empty where its figures are unknown."""

    baseline: SummaryVariant
    step: str
    error: str
    scaling: Scaling | None
    commentary: Commentary

    @property
    def whole(self) -> str:
        return self._word(self.scaling.whole if self.scaling is not None else "")

    @property
    def work(self) -> str:
        return self._word(self.scaling.work if self.scaling is not None else "")

    @property
    def part(self) -> str:
        return self._word(self.commentary.part)

    def _word(self, scope: str) -> str:
        return self.commentary.names.get(scope) or named(scope)

    def has_another_part(self, variant: SummaryVariant) -> bool:
        ours = self.baseline.options
        return any(variant.options.get(name) != ours.get(name) for name in self.commentary.part_options)

    def about_baseline(self) -> str:
        share = self._share(self.baseline)
        return f"In the baseline, {named(self.baseline.name)}, {share}." if share else ""

    def about_fastest(self, variants: Sequence[SummaryVariant], sort: str) -> str:
        """Return what the fastest of several variants gains, and what it costs."""
        if not variants:
            return ""
        first = min(variants, key=_ratio)
        which = f"Of {len(variants)} variants {sort}, {named(first.name)} is the fastest"
        parts = [self._speed(first), self._share(first), self._idle(first), self._error(first)]
        return f"{which if len(variants) > 1 else named(first.name)}: {'; '.join(filter(None, parts))}."

    def about_best(self, variants: Sequence[SummaryVariant]) -> str:
        """Return which variant is fastest among those that err no more than the baseline."""
        limit = self.baseline.error
        known = [each for each in variants if each.error is not None]
        if limit is None or len(known) < 2:
            return ""
        good = [each for each in known if each.error is not None and each.error <= limit and _ratio(each) < 1]
        if not good:
            return "No variant is faster than the baseline without a larger error."
        best = min(good, key=_ratio)
        return f"The fastest of all without a larger error is {named(best.name)}: {self._speed(best)}."

    def _speed(self, variant: SummaryVariant) -> str:
        return f"{'an' if self.step[0] in 'aeiou' else 'a'} {self.step} is {as_speed(_ratio(variant))}"

    def _share(self, variant: SummaryVariant) -> str:
        """Return the share of the part, and what a source reports of it."""
        if not variant.share:
            return ""
        quotes = self.commentary.quotes
        quoted = quotes.shares.get(variant.name) if quotes is not None else None
        source = f" ({quotes.source}: {quoted})" if quotes is not None and quoted else ""
        return f"{self.part} takes {as_rough_share(variant.share)} of {self.whole}{source}"

    def _idle(self, variant: SummaryVariant) -> str:
        if variant.workers_idle is None:
            return ""
        workers = workers_of(variant.options, self.scaling)
        idle = as_rough_share(variant.workers_idle)
        return f"{idle} of the time of {workers} workers inside {self.whole} is not spent in {self.work}"

    def _error(self, variant: SummaryVariant) -> str:
        if variant.error is None or self.baseline.error is None:
            return ""
        ours, theirs = as_scientific(variant.error), as_scientific(self.baseline.error)
        return (
            f"{self.error} stays {ours}" if ours == theirs else f"{self.error} is {ours} instead of {theirs}"
        )
