"""The index page of a suite's profiles: the summary, the table of variants, and what is in their folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import msgspec

from workbench import records
from workbench.bench.design.suite import Suite
from workbench.bench.machine.environment import environment
from workbench.capture.samplers import PICTURE, TRACE
from workbench.outputs import OutputFolder, cannot_write, held
from workbench.profile import WorkFacts
from workbench.report.pages import render
from workbench.report.profile.files import FLAME_GRAPH
from workbench.report.profile.page import PAGE
from workbench.report.profile.run import SAMPLES, SCOPES
from workbench.report.suite.agreement import VariantAgreement, agreement_part
from workbench.report.suite.differences import DIFFERENCE, ComparedTree, difference_flame_graph
from workbench.report.suite.summary import Chapter, SummaryVariant, summarise

INDEX = "index.html"
HISTORY, FIT = "history.json", "fit.png"
MAX_HISTORY = 64 << 20
"""Bytes of a history that is read: one of a million epochs has about as many."""
LINKS = (
    ("profile page", PAGE),
    ("flame graph", FLAME_GRAPH),
    ("difference from the baseline", DIFFERENCE),
    ("samples for speedscope", SAMPLES),
    ("scopes for speedscope", SCOPES),
    ("timeline", "timeline.svg"),
    ("timeline of scopes", "scopes-timeline.svg"),
    ("py-spy's own file", TRACE),
    ("py-spy's flame graph", PICTURE),
    ("history", HISTORY),
    ("fit", FIT),
)


class ErrorHistory(msgspec.Struct, frozen=True):
    """The errors by epoch that a training suite keeps in `history.json`, among other things; empty by default."""

    initial_train_mse: records.Number | None = None
    train_mse: list[records.Number | None] = []
    validation_mse: list[records.Number | None] = []
    test_mse: list[records.Number | None] = []
    stop_reason: str = ""
    epochs: int | None = None

    @property
    def errors(self) -> list[float | None]:
        """The last mean squared errors: of training, validation and test."""
        return [
            series[-1] if series else None for series in (self.train_mse, self.validation_mse, self.test_mse)
        ]


def read_history(folder: Path, name: str = HISTORY) -> ErrorHistory:
    """Return the history that a case kept in a folder; an empty one where there is none, or another file."""
    try:
        return records.parse(records.read_inside(folder, name, MAX_HISTORY) or b"", ErrorHistory)
    except ValueError:
        return ErrorHistory()


@dataclass(frozen=True)
class ProfiledVariant:
    """What the page shows of one variant."""

    name: str
    slug: str
    """Its folder."""
    description: str = ""
    is_baseline: bool = False
    samples: int = 0
    sampler: str = "none"
    scopes: int = 0
    warnings: Sequence[str] = ()
    has_flame: bool = False
    has_fit: bool = False
    quoted: str = ""
    """What a source reports of it."""
    training: ErrorHistory = field(default_factory=ErrorHistory)
    step_ms: float | None = None
    """The median step under the profiler, by the recorder."""
    bare_ms: float | None = None
    """A step without it."""
    shares: tuple[float | None, ...] = ()
    """Of the scopes that the suite's commentary has columns for."""
    facts: WorkFacts = field(default_factory=WorkFacts)
    tree: ComparedTree | None = None
    """Its samples, to compare with the baseline's."""
    compared: VariantAgreement | None = None
    """How two samplers agree on it; None: only one was wanted."""
    has_difference: bool = False
    links: Sequence[tuple[str, str]] = ()
    """What is in its folder, and the file."""


def write_suite_page(suite: Suite, done: Sequence[ProfiledVariant], folder: Path | OutputFolder) -> Path:
    """Write the differences from the baseline and the index page; return the page.

    Raises:
        WorkbenchError: One cannot be written.
    """
    try:
        with held(folder, suite_names(each.slug for each in done)) as output:
            shown = [_with_files(each, done, suite, output) for each in done]
            return output.write(INDEX, suite_page(suite, shown))
    except OSError as error:
        raise cannot_write(Path(error.filename or INDEX), error) from None


def suite_names(slugs: Iterable[str]) -> list[str]:
    """Return the names of the files that a suite's folder has, beside those in the folders of its variants."""
    return [INDEX, *(f"{slug}/{DIFFERENCE}" for slug in slugs)]


def _with_files(
    each: ProfiledVariant, done: Sequence[ProfiledVariant], suite: Suite, output: OutputFolder
) -> ProfiledVariant:
    """Write a variant's difference from the baseline, and list what is in its folder."""
    before = next((other.tree for other in done if other.is_baseline), None)
    has_difference = False
    if not each.is_baseline and before is not None and each.tree is not None:
        has_difference = True
        step = _a(suite.commentary.step if each.step_ms is not None else "run")
        graph = difference_flame_graph(before, each.tree, step=step, prefix="wb-change")
        output.write(f"{each.slug}/{DIFFERENCE}", graph)
    folder = output.path / each.slug
    links = [(label, file) for label, file in LINKS if (folder / file).is_file()]
    return replace(each, has_difference=has_difference, links=links)


def suite_page(suite: Suite, done: Sequence[ProfiledVariant]) -> str:
    """Return the page."""
    baseline = next((each.bare_ms for each in done if each.is_baseline), None)
    speed_ups = [baseline / each.bare_ms if baseline and each.bare_ms else None for each in done]
    epochs = max((each.training.epochs or 0 for each in done), default=0)
    has_steps = any(each.step_ms is not None for each in done)
    commentary = suite.commentary
    step = commentary.step if has_steps else "run"
    trees = [each.tree for each in done if each.is_baseline or each.has_difference]
    return render(
        "profiles.html",
        title=f"Profiles: {suite.name}",
        lead=f"{commentary.lead} Every variant was profiled from the same seed.".strip(),
        commentary=commentary,
        whole=commentary.names.get(suite.scaling.whole, suite.scaling.whole) if suite.scaling else "",
        share_names=[commentary.names.get(scope, scope) for scope in commentary.shares],
        environment=environment(),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        step=step,
        a_step=_a(step),
        epochs=epochs,
        rows=list(zip(done, speed_ups, strict=True)),
        summary=_summary(suite, done, step, speed_ups, epochs),
        agreement=agreement_part([each.compared for each in done if each.compared], suite.baseline),
        is_timed=all(tree is not None and tree.is_timed for tree in trees),
        differences=any(each.has_difference for each in done),
        trained=any(each.training.errors[0] is not None for each in done),
        shares=any(each.shares for each in done),
        quoted=any(each.quoted for each in done),
        has_steps=has_steps,
    )


def _summary(
    suite: Suite,
    done: Sequence[ProfiledVariant],
    step: str,
    speed_ups: Sequence[float | None],
    epochs: int,
) -> list[Chapter]:
    """Return what the figures of the page say."""
    variants = [
        SummaryVariant(
            each.name,
            suite.variants.get(each.name, {}),
            1 / speed_up if speed_up else None,
            each.training.errors[-1],
            each.facts,
        )
        for each, speed_up in zip(done, speed_ups, strict=True)
    ]
    return summarise(
        variants,
        suite.baseline,
        step=step,
        error=f"the test error after {epochs} epochs",
        scaling=suite.scaling,
        commentary=suite.commentary,
    )


def _a(step: str) -> str:
    """Return the name of a step with its article."""
    return f"{'an' if step[0] in 'aeiou' else 'a'} {step}"
