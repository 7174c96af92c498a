"""The questions of a suite's author, answered in sentences of a run's own figures.

What share of the work is a scope, what changes it, what do parallel workers cost? A figure that is not there leaves
its words out; nothing but what a source is quoted for stands here beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.bench.design.beside import Scaling
from workbench.bench.design.commentary import Commentary, Quote
from workbench.bench.stats.intervals import Estimate
from workbench.report.suite.facts import StoryFacts
from workbench.report.tables import interval
from workbench.text import as_fine_ratio, as_ratio, as_rough_share, as_sampled_share, as_scientific, named


@dataclass(frozen=True)
class StoryVariant:
    """What is known of one variant."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    time_ratio: Estimate | float | None = None
    """Its time by the baseline's: with its interval, or of one run each."""
    error: float | None = None
    facts: StoryFacts = field(default_factory=StoryFacts)


@dataclass(frozen=True)
class Chapter:
    """One question, and the sentences that answer it."""

    question: str
    sentences: Sequence[str]


def story(
    variants: Sequence[StoryVariant],
    baseline: str,
    *,
    step: str = "run",
    error: str = "the error",
    scaling: Scaling | None = None,
    commentary: Commentary | None = None,
) -> list[Chapter]:
    """Return the questions that the figures answer.

    Args:
        variants: In the order in which they are to be told, the baseline among them.
        baseline: Its name.
        step: What times are of.
        error: What errors are of, as words.
        scaling: The option that says how many workers there are, and the names of the scopes.
        commentary: What the suite's author calls its scopes, and what a source reports of its variants.
    """
    first = next((each for each in variants if each.name == baseline), None)
    teller = _Teller(first, step, error, scaling, commentary or Commentary())
    others = [each for each in variants if each.name != baseline]
    parallel = [each for each in others if workers_of(each.options, scaling) > 1]
    changed = [each for each in others if each not in parallel and teller.has_another_part(each)]
    rest = [each for each in others if each not in parallel and each not in changed]
    chapters = [
        Chapter(f"What share of {teller.whole} is {teller.part}?", teller.about_baseline()),
        Chapter(f"What does another {teller.part} change?", _told(changed, teller.about)),
        Chapter(f"What do parallel {teller.work} cost?", _told(parallel, teller.about_parallel)),
        Chapter(
            "What else changes it?" if changed else "What does each variant change?",
            _told(rest, teller.about),
        ),
    ]
    return [chapter for chapter in chapters if chapter.sentences]


def workers_of(options: Mapping[str, Any], scaling: Scaling | None) -> int:
    """Return how many workers a variant has by its options; 1 where they do not say."""
    value = options.get(scaling.option) if scaling is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def _told(variants: Sequence[StoryVariant], tell: Callable[[StoryVariant], str]) -> list[str]:
    return [text for text in map(tell, variants) if text]


@dataclass(frozen=True)
class _Teller:
    """Tells of variants beside the baseline."""

    baseline: StoryVariant | None
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

    def has_another_part(self, variant: StoryVariant) -> bool:
        ours = self.baseline.options if self.baseline is not None else {}
        return any(variant.options.get(name) != ours.get(name) for name in self.commentary.part_options)

    def about_baseline(self) -> list[str]:
        each = self.baseline
        share = self._share(each) if each is not None else ""
        if each is None or not share:
            return []
        facts = each.facts
        text = f"In the baseline, {named(each.name)}, {share}"
        if facts.native is not None:
            text += (
                f"; {as_sampled_share(facts.native)} of {facts.samples:,} samples inside it are "
                f"at {named(facts.native_name)} in native code"
            )
        return [f"{text}."]

    def about(self, variant: StoryVariant) -> str:
        """Say what a variant changes, or nothing."""
        found = [self._speed(variant), self._share(variant), self._error(variant)]
        return self._joined(variant, list(filter(None, found)))

    def about_parallel(self, variant: StoryVariant) -> str:
        """Say what workers gain, and where their time goes."""
        facts, workers = variant.facts, workers_of(variant.options, self.scaling)
        sentences = (
            [text] if (text := self._joined(variant, list(filter(None, [self._speed(variant)])))) else []
        )
        if facts.workers_idle is not None:
            sentences.append(
                f"{as_rough_share(facts.workers_idle)} of the time of {workers} workers inside {self.whole} "
                f"is not spent in {self.work} but waiting, sending or starting."
            )
        seen = []
        if facts.sender_waits is not None:
            seen.append(
                f"the thread that shares them out waits in {as_sampled_share(facts.sender_waits)} of its samples"
            )
        if facts.outside_work is not None:
            seen.append(
                f"{as_sampled_share(facts.outside_work)} of the workers’ samples are outside of {self.work}, as when "
                "something is unpacked or handed back"
            )
        if facts.work_waits is not None:
            seen.append(f"inside {self.work} they wait in {as_sampled_share(facts.work_waits)} of them")
        if seen:
            sentences.append(f"Inside {self.whole}, {'; '.join(seen)}.")
        if sentences and not text:
            sentences[0] = f"{named(variant.name)}: {sentences[0]}"
        return " ".join(sentences)

    def _joined(self, variant: StoryVariant, found: list[str]) -> str:
        if not found:
            return ""
        return f"{named(variant.name)}: {'; '.join(found)}{self._quoted(self._quote(variant).finding)}."

    def _speed(self, variant: StoryVariant) -> str:
        ratio = variant.time_ratio
        if ratio is None:
            return ""
        value, of = (
            (ratio, "") if isinstance(ratio, float) else (ratio.value, f" {interval(ratio, as_fine_ratio)}")
        )
        digits = (as_ratio if isinstance(ratio, float) else as_fine_ratio)(value)
        return f"{'an' if self.step[0] in 'aeiou' else 'a'} {self.step} takes {digits} times as long{of}"

    def _share(self, variant: StoryVariant) -> str:
        """Say the share of the part: the recorder's, or where it has none, that of samples, as such."""
        facts, quoted = variant.facts, self._quoted(self._quote(variant).share)
        if facts.inner is not None:
            return f"{self.part} takes {as_rough_share(facts.inner)} of {self.whole}{quoted}"
        if facts.inner_samples is None:
            return ""
        words = as_sampled_share(facts.inner_samples)
        return f"{words} of {facts.samples:,} samples inside {self.whole} are in {self.part}{quoted}"

    def _quote(self, variant: StoryVariant) -> Quote:
        quotes = self.commentary.quotes
        return quotes.variants.get(variant.name, Quote()) if quotes is not None else Quote()

    def _quoted(self, words: str) -> str:
        quotes = self.commentary.quotes
        return f" ({quotes.source}: {words})" if words and quotes is not None else ""

    def _error(self, variant: StoryVariant) -> str:
        if variant.error is None or self.baseline is None or self.baseline.error is None:
            return ""
        ours, theirs = as_scientific(variant.error), as_scientific(self.baseline.error)
        return (
            f"{self.error} stays {ours}" if ours == theirs else f"{self.error} is {ours} instead of {theirs}"
        )
