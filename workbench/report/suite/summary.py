"""The summary of a suite: its author's questions, answered in sentences from the figures of one experiment.

What share of the work is a scope, what changes it, what do parallel workers cost? A figure that is unknown leaves its
words out. Of other sources, only what the commentary quotes is said, and named as a quote.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.bench.design.commentary import Commentary, Quote
from workbench.bench.design.suite_tables import Scaling
from workbench.bench.stats.intervals import Estimate
from workbench.profile import Profile, WorkFacts, work_facts
from workbench.report.profile.sampled import shares_by_time
from workbench.text import (
    as_rough_share,
    as_sampled_share,
    as_scientific,
    as_speed,
    named,
)


@dataclass(frozen=True)
class SummaryVariant:
    """What is known of one variant."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    time_ratio: Estimate | float | None = None
    """Its time by the baseline's: with its interval, or from one run of each."""
    error: float | None = None
    facts: WorkFacts = field(default_factory=WorkFacts)


@dataclass(frozen=True)
class Chapter:
    """One question, and the sentences that answer it."""

    question: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class SuiteSummary:
    """What the figures of a suite say."""

    brief: Sequence[str]
    """At most five sentences: on the baseline, on the fastest of each sort of variant, and on the best of all."""
    chapters: Sequence[Chapter]
    """All variants, by the question that they answer."""


def variant_facts(
    options: Mapping[str, Any],
    scopes: Profile | None,
    samples: Profile | None,
    *,
    sampler: str,
    scaling: Scaling | None,
    part: str,
) -> WorkFacts:
    """Return what the scopes of a variant, and the samples under them, say of its work.

    Args:
        options: The variant's.
        scopes: What the recorder knows of it.
        samples: Its samples under their scopes; without them nothing is said.
        sampler: Who took them.
        scaling: The names of the scopes, and the option that gives the number of workers.
        part: The scope whose share is asked for.
    """
    if scaling is None or samples is None:
        return WorkFacts()
    return work_facts(
        samples,
        scopes,
        whole=scaling.whole,
        work=scaling.work,
        part=part,
        workers=workers_of(options, scaling),
        by_time=shares_by_time(sampler),
    )


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
) -> SuiteSummary:
    """Return what the figures answer.

    Args:
        variants: In the order of the page, the baseline among them.
        baseline: Its name.
        step: What times are of.
        error: What errors are of, as words.
        scaling: The option that gives the number of workers, and the names of the scopes.
        commentary: What the suite's author calls its scopes, and what a source reports of its variants.
    """
    first = next((each for each in variants if each.name == baseline), None)
    write = _Sentences(first, step, error, scaling, commentary or Commentary())
    others = [each for each in variants if each.name != baseline]
    parallel = [each for each in others if workers_of(each.options, scaling) > 1]
    changed = [each for each in others if each not in parallel and write.has_another_part(each)]
    rest = [each for each in others if each not in parallel and each not in changed]
    what_else = "What else changes it?" if changed else "What does each variant change?"
    chapters = [
        Chapter(f"What share of {write.whole} is {write.part}?", [write.about_baseline()]),
        Chapter(f"What does another {write.part} change?", list(map(write.about, changed))),
        Chapter(f"What do parallel {write.work} cost?", list(map(write.about_parallel, parallel))),
        Chapter(what_else, list(map(write.about, rest))),
    ]
    found = [Chapter(each.question, list(filter(None, each.sentences))) for each in chapters]
    plain = replace(write, commentary=replace(write.commentary, quotes=None))
    brief = [
        write.share_of_baseline(),
        plain.about_fastest(changed, f"with another {write.part}"),
        plain.about_fastest(parallel, f"with parallel {write.work}"),
        plain.about_fastest(rest, "of another sort" if changed or parallel else "beside the baseline"),
        plain.about_best(others),
    ]
    return SuiteSummary(list(filter(None, brief)), [chapter for chapter in found if chapter.sentences])


def _ratio(variant: SummaryVariant) -> float:
    """Return a variant's time by the baseline's."""
    ratio = variant.time_ratio
    return math.inf if ratio is None else ratio if isinstance(ratio, float) else ratio.value


@dataclass(frozen=True)
class _Sentences:
    """Writes sentences on variants beside the baseline; each is empty where its figures are unknown."""

    baseline: SummaryVariant | None
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
        ours = self.baseline.options if self.baseline is not None else {}
        return any(variant.options.get(name) != ours.get(name) for name in self.commentary.part_options)

    def share_of_baseline(self) -> str:
        each = self.baseline
        share = self._share(each) if each is not None else ""
        return f"In the baseline, {named(each.name)}, {share}." if each is not None and share else ""

    def about_baseline(self) -> str:
        share = self.share_of_baseline()
        facts = self.baseline.facts if self.baseline is not None else WorkFacts()
        if not share or facts.native is None:
            return share
        return (
            f"{share[:-1]}; {as_sampled_share(facts.native)} of {facts.samples:,} samples inside it are "
            f"at {named(facts.native_name)} in native code."
        )

    def about_fastest(self, variants: Sequence[SummaryVariant], sort: str) -> str:
        """Return what the fastest of several variants gains, and what it costs."""
        timed = [each for each in variants if each.time_ratio is not None]
        if not timed:
            return ""
        first = min(timed, key=_ratio)
        which = f"Of {len(timed)} variants {sort}, {named(first.name)} is the fastest"
        return f"{which if len(timed) > 1 else named(first.name)}: {self._costs(first)}."

    def about_best(self, variants: Sequence[SummaryVariant]) -> str:
        """Return which variant is fastest among those that err no more than the baseline."""
        limit = self.baseline.error if self.baseline is not None else None
        known = [each for each in variants if each.time_ratio is not None and each.error is not None]
        if limit is None or len(known) < 2:
            return ""
        good = [each for each in known if each.error is not None and each.error <= limit and _ratio(each) < 1]
        if not good:
            return "No variant is faster than the baseline without a larger error."
        best = min(good, key=_ratio)
        return f"The fastest of all without a larger error is {named(best.name)}: {self._speed(best)}."

    def _costs(self, variant: SummaryVariant) -> str:
        return "; ".join(filter(None, (self._speed(variant), self._share(variant), self._error(variant))))

    def about(self, variant: SummaryVariant) -> str:
        """Return what a variant changes."""
        return self._joined(variant, self._speed(variant), self._share(variant), self._error(variant))

    def about_parallel(self, variant: SummaryVariant) -> str:
        """Return what workers gain, and where their time goes."""
        facts, workers = variant.facts, workers_of(variant.options, self.scaling)
        speed = self._joined(variant, self._speed(variant))
        sentences = [speed] if speed else []
        if facts.workers_idle is not None:
            sentences.append(
                f"{as_rough_share(facts.workers_idle)} of the time of {workers} workers inside {self.whole} "
                f"is not spent in {self.work} but waiting, sending or starting."
            )
        seen = []
        if facts.sender_waits is not None:
            waits = as_sampled_share(facts.sender_waits)
            seen.append(f"the thread that shares out the {self.work} waits in {waits} of its samples")
        if facts.outside_work is not None:
            outside = as_sampled_share(facts.outside_work)
            seen.append(
                f"{outside} of the workers’ samples are outside {self.work}, where they unpack or hand back"
            )
        if facts.work_waits is not None:
            seen.append(f"inside {self.work} they wait in {as_sampled_share(facts.work_waits)} of them")
        if seen:
            sentences.append(f"Inside {self.whole}, {'; '.join(seen)}.")
        if sentences and not speed:
            sentences[0] = f"{named(variant.name)}: {sentences[0]}"
        return " ".join(sentences)

    def _joined(self, variant: SummaryVariant, *parts: str) -> str:
        found = "; ".join(filter(None, parts))
        return f"{named(variant.name)}: {found}{self._quoted(self._quote(variant).finding)}." if found else ""

    def _speed(self, variant: SummaryVariant) -> str:
        ratio = variant.time_ratio
        if ratio is None:
            return ""
        said = as_speed(ratio) if isinstance(ratio, float) else as_speed(ratio.value, (ratio.low, ratio.high))
        return f"{'an' if self.step[0] in 'aeiou' else 'a'} {self.step} is {said}"

    def _share(self, variant: SummaryVariant) -> str:
        """Return the share of the part: the recorder's, else that of samples, named as such."""
        facts, quoted = variant.facts, self._quoted(self._quote(variant).share)
        if facts.inner is not None:
            return f"{self.part} takes {as_rough_share(facts.inner)} of {self.whole}{quoted}"
        if facts.inner_samples is None:
            return ""
        words = as_sampled_share(facts.inner_samples)
        return f"{words} of {facts.samples:,} samples inside {self.whole} are in {self.part}{quoted}"

    def _quote(self, variant: SummaryVariant) -> Quote:
        quotes = self.commentary.quotes
        return quotes.variants.get(variant.name, Quote()) if quotes is not None else Quote()

    def _quoted(self, words: str) -> str:
        quotes = self.commentary.quotes
        return f" ({quotes.source}: {words})" if words and quotes is not None else ""

    def _error(self, variant: SummaryVariant) -> str:
        if variant.error is None or self.baseline is None or self.baseline.error is None:
            return ""
        ours, theirs = as_scientific(variant.error), as_scientific(self.baseline.error)
        return (
            f"{self.error} stays {ours}" if ours == theirs else f"{self.error} is {ours} instead of {theirs}"
        )
