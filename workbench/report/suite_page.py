"""The index page of a suite's profiles: the story, the table of variants, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.bench.environment import environment
from workbench.bench.suite import Suite
from workbench.capture.samplers import PICTURE, TRACE
from workbench.errors import WorkbenchError
from workbench.outputs import OutputFolder, held
from workbench.report.pages import render
from workbench.report.profile_files import FLAME_GRAPH, FOLDED
from workbench.report.profile_page import PAGE
from workbench.report.profile_run import SAMPLES, SCOPES
from workbench.report.story_facts import TRAINER, StoryFacts
from workbench.report.suite_agreement import VariantAgreement, agreement_part
from workbench.report.suite_differences import DIFFERENCE, Side, difference_picture
from workbench.report.suite_story import Chapter, StoryVariant, story

INDEX = "index.html"
HISTORY, FIT = "history.json", "fit.png"
EPOCH = "epoch"
"""What the trainer calls the scope of one."""
LINKS = (
    ("profile page", PAGE),
    ("flame graph", FLAME_GRAPH),
    ("difference from the baseline", DIFFERENCE),
    ("samples for speedscope", SAMPLES),
    ("scopes for speedscope", SCOPES),
    ("time order", "profile-time-order.svg"),
    ("scopes in time order", "scopes-time-order.svg"),
    ("folded stacks", FOLDED),
    ("py-spy's own file", TRACE),
    ("py-spy's flame graph", PICTURE),
    ("history", HISTORY),
    ("fit", FIT),
)


@dataclass(frozen=True)
class Profiled:
    """What the page is made of, of one variant."""

    row: dict[str, Any]
    """Its facts."""
    facts: StoryFacts = field(default_factory=StoryFacts)
    side: Side | None = None
    """What it is compared by with the baseline."""
    compared: VariantAgreement | None = None
    """How two samplers agree on it; None: there was to be one alone."""


def write_suite_page(suite: Suite, done: list[Profiled], folder: Path | OutputFolder) -> Path:
    """Write the differences from the baseline and the index page; return the page.

    Raises:
        WorkbenchError: One cannot be written.
    """
    slugs = [each.row["slug"] for each in done]
    try:
        with held(folder, suite_names(slugs)) as output:
            is_timed = _write_differences(done, output)
            return output.write(INDEX, suite_page(suite, done, is_timed=is_timed))
    except OSError as error:
        raise WorkbenchError(
            f"cannot write {error.filename or INDEX}: {error.strerror}; make room or choose another folder with -o"
        ) from None


def suite_names(slugs: Iterable[str]) -> list[str]:
    """Return the names of the files that a suite's folder has, beside those in the folders of its variants."""
    return [INDEX, *(f"{slug}/{DIFFERENCE}" for slug in slugs)]


def _write_differences(done: list[Profiled], output: OutputFolder) -> bool:
    """Write what each variant takes more and less of than the baseline; return whether all are scaled to bare times."""
    before = next((each.side for each in done if each.row["baseline"]), None)
    is_timed = True
    for row, after in ((each.row, each.side) for each in done if not each.row["baseline"]):
        if before is None or after is None:
            continue
        step = "an epoch" if row["epoch_ms"] is not None else "a run"
        picture = difference_picture(before, after, step=step, prefix="wb-change")
        folder = output.write(f"{row['slug']}/{DIFFERENCE}", picture).parent
        row["difference"] = True
        row["links"] = [(label, file) for label, file in LINKS if (folder / file).is_file()]
        is_timed = is_timed and before.is_timed and after.is_timed
    return is_timed


def _story(suite: Suite, done: list[Profiled], epochs: int) -> list[Chapter]:
    """Return what the figures of the page say; call it when the rows have their speed-ups."""
    ran = [
        StoryVariant(
            each.row["name"],
            suite.variants.get(each.row["name"], {}),
            1 / each.row["speed_up"] if each.row["speed_up"] else None,
            each.row["test_mse"],
            each.facts,
        )
        for each in done
    ]
    step = EPOCH if any(each.row["epoch_ms"] is not None for each in done) else "run"
    error = f"the test error after {epochs} epochs"
    return story(
        ran, suite.baseline, step=step, error=error, scaling=suite.scaling or TRAINER, suite=suite.name
    )


def suite_page(suite: Suite, done: list[Profiled], *, is_timed: bool = True) -> str:
    """Return the page; `is_timed` says whether the differences are scaled to times without the profiler."""
    rows = [each.row for each in done]
    baseline = next((row["bare_ms"] for row in rows if row["baseline"]), None)
    for row in rows:
        row["speed_up"] = baseline / row["bare_ms"] if baseline and row["bare_ms"] else None
    epochs = max((row["epochs"] or 0 for row in rows), default=0)
    return render(
        "profiles.html",
        title=f"Profiles: {suite.name}",
        lead="A 1-20-20-10-1 network of 681 parameters is fitted to −x·sin(10x), 1000 samples, by "
        "Levenberg-Marquardt. Every variant was profiled from the same initial weights and split."
        if suite.name == "reference"
        else "Every variant was profiled from the same seed.",
        environment=environment(),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        epochs=epochs,
        rows=rows,
        story=_story(suite, done, epochs),
        agreement=agreement_part([each.compared for each in done if each.compared], suite.baseline),
        is_timed=is_timed,
        differences=any(row["difference"] for row in rows),
        trained=any(row["train_mse"] is not None for row in rows),
        shares=any(row["forward_share"] is not None for row in rows),
        quoted=any(row["quoted"] is not None for row in rows),
        has_epochs=any(row["epoch_ms"] is not None for row in rows),
    )
