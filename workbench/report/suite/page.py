"""The index page of a suite's profiles: what they say in five sentences, one table, and the residuals."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workbench.bench.design.suite import Suite
from workbench.bench.design.suite_tables import Residuals
from workbench.bench.machine.environment import environment
from workbench.capture.load import SAMPLES
from workbench.capture.samplers import PICTURE, TRACE
from workbench.outputs import OutputFolder, cannot_write, held
from workbench.render.plots import ResidualCurve, residual_curves, residuals_chart
from workbench.report.pages import render
from workbench.report.profile.files import FLAME_GRAPH
from workbench.report.profile.page import PAGE
from workbench.report.profile.run import SCOPES
from workbench.report.suite.agreement import VariantAgreement, agreement_part
from workbench.report.suite.differences import DIFFERENCE, ComparedTree, difference_page
from workbench.report.suite.summary import SummaryVariant, summarise
from workbench.text import as_error, as_speed, named, printable

INDEX = "index.html"
FILES = (
    ("flame graph", FLAME_GRAPH),
    ("flame graph of scopes", "scopes.svg"),
    ("samples for speedscope", SAMPLES),
    ("scopes for speedscope", SCOPES),
    ("py-spy's own file", TRACE),
    ("py-spy's flame graph", PICTURE),
)


@dataclass(frozen=True)
class ProfiledVariant:
    """What the page shows of one variant."""

    name: str
    slug: str
    """Its folder."""
    description: str = ""
    is_baseline: bool = False
    warnings: Sequence[str] = ()
    has_steps: bool = False
    """Whether the recorder saw the scope of a step."""
    bare_ms: float | None = None
    """A step, or a run where there are no steps, without recorder and sampler."""
    error: float | None = None
    """What that run erred by: the figure that a benchmark compares."""
    share: float | None = None
    """Of the scope that the commentary asks for."""
    workers_idle: float | None = None
    """The share of the workers' time that is not work."""
    residuals: Residuals | None = None
    tree: ComparedTree | None = None
    """Its samples, to compare with the baseline's."""
    compared: VariantAgreement | None = None
    """How two samplers agree on it; None: only one was wanted."""


@dataclass(frozen=True)
class VariantRow:
    """A row of the table."""

    variant: ProfiledVariant
    speed_up: float | None
    speed: str
    """In words; empty for the baseline, and where it is unknown."""
    error: str
    """The change of its error from the baseline's, in the same way."""
    page: str
    """Addresses; empty where there is no such file."""
    difference: str
    files: Sequence[tuple[str, str]]


def page_links(suite: Suite, slugs: Mapping[str, str], name: str) -> list[tuple[str, str]]:
    """Return the links of a variant's page, or of its difference: to the index, and to the pages of all the others."""
    links = [(f"Profiles: {printable(suite.name)}", f"../{INDEX}")]
    if name != suite.baseline:
        links.append((f"difference from {printable(suite.baseline)}", DIFFERENCE))
    return links + [(printable(other), f"../{slug}/{PAGE}") for other, slug in slugs.items() if other != name]


def write_suite_page(suite: Suite, done: Sequence[ProfiledVariant], folder: Path | OutputFolder) -> Path:
    """Write the differences from the baseline and the index page; return the page.

    Raises:
        WorkbenchError: One cannot be written.
    """
    slugs = {each.name: each.slug for each in done}
    try:
        with held(folder, suite_names(slugs.values())) as output:
            for each in done:
                _write_difference(suite, each, done, slugs, output)
            return output.write(INDEX, suite_page(suite, done, output.path))
    except OSError as error:
        raise cannot_write(Path(error.filename or INDEX), error) from None


def suite_names(slugs: Iterable[str]) -> list[str]:
    """Return the names of the files that a suite's folder has, beside those in the folders of its variants."""
    return [INDEX, *(f"{slug}/{DIFFERENCE}" for slug in slugs)]


def _write_difference(
    suite: Suite,
    each: ProfiledVariant,
    done: Sequence[ProfiledVariant],
    slugs: Mapping[str, str],
    output: OutputFolder,
) -> None:
    """Write a variant's difference from the baseline, where the samples of both are known."""
    before = next((other.tree for other in done if other.is_baseline), None)
    if each.is_baseline or before is None or each.tree is None:
        return
    links = page_links(suite, slugs, each.name)
    links[1] = (f"profile of {printable(each.name)}", PAGE)
    step = _a(suite.commentary.step if each.has_steps else "run")
    output.write(f"{each.slug}/{DIFFERENCE}", difference_page(before, each.tree, step=step, links=links))


def keep_live_links(folder: OutputFolder) -> None:
    """Take links out of a variant's page that lead nowhere: to the difference or a variant that is not there.

    Raises:
        OSError: The page cannot be written.
    """
    page = folder.path / PAGE
    if not page.is_file():
        return
    head, found, rest = page.read_text(encoding="utf-8").partition("</nav>")

    def kept(link: re.Match[str]) -> str:
        return link[0] if (folder.path / link[1]).is_file() else ""

    live = re.sub(r'<a href="([^"]+)">[^<]*</a>', kept, head)
    if found and live != head:
        folder.write(PAGE, live + found + rest)


def suite_page(suite: Suite, done: Sequence[ProfiledVariant], folder: Path) -> str:
    """Return the page, which links what is in `folder`."""
    commentary = suite.commentary
    step = commentary.step if any(each.has_steps for each in done) else "run"
    rows = _rows(done, folder)
    compared = [
        SummaryVariant(
            row.variant.name,
            suite.variants.get(row.variant.name, {}),
            1 / row.speed_up if row.speed_up else None,
            row.variant.error,
            row.variant.share,
            row.variant.workers_idle,
        )
        for row in rows
    ]
    summary = summarise(
        compared,
        suite.baseline,
        step=step,
        error=f"the {suite.quality or 'error'}",
        scaling=suite.scaling,
        commentary=commentary,
    )
    curves = _curves(done)
    return render(
        "profiles.html",
        title=f"Profiles: {suite.name}",
        lead=f"{commentary.lead} Every variant ran from the same seed.".strip(),
        suite=suite,
        commentary=commentary,
        whole=commentary.names.get(suite.scaling.whole, suite.scaling.whole) if suite.scaling else "",
        part=commentary.names.get(commentary.part, commentary.part),
        environment=environment(),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        step=step,
        rows=rows,
        summary=summary,
        residuals=residuals_chart(curves),
        alike=[_alike(each.labels) for each in curves if len(each.labels) > 1],
        agreement=agreement_part([each.compared for each in done if each.compared], suite.baseline),
        has_shares=any(each.share is not None for each in done),
        has_errors=any(each.error is not None for each in done),
    )


def _rows(done: Sequence[ProfiledVariant], folder: Path) -> list[VariantRow]:
    """Return the rows, the fastest first, and at the end those whose time is unknown."""
    baseline = next((each for each in done if each.is_baseline), None)
    base_ms = baseline.bare_ms if baseline is not None else None
    base_error = baseline.error if baseline is not None else None

    def linked(each: ProfiledVariant, file: str) -> str:
        return f"{each.slug}/{file}" if (folder / each.slug / file).is_file() else ""

    def row(each: ProfiledVariant) -> VariantRow:
        speed_up = base_ms / each.bare_ms if base_ms and each.bare_ms else None
        return VariantRow(
            each,
            speed_up,
            "" if each.is_baseline or speed_up is None else as_speed(1 / speed_up),
            "" if each.is_baseline else _error_change(each.error, base_error),
            linked(each, PAGE),
            linked(each, DIFFERENCE),
            [(what, path) for what, file in FILES if (path := linked(each, file))],
        )

    rows = list(map(row, done))
    return sorted(rows, key=lambda row: -(row.speed_up or 0.0))


def _error_change(error: float | None, of_baseline: float | None) -> str:
    if not error or not of_baseline or error < 0 or of_baseline < 0:
        return ""
    return as_error(math.log10(error / of_baseline))


def _curves(done: Sequence[ProfiledVariant]) -> list[ResidualCurve]:
    """Return the residuals of all variants, the baseline's first."""
    ordered = sorted(done, key=lambda each: not each.is_baseline)
    return residual_curves({each.name: each.residuals for each in ordered if each.residuals is not None})


def _alike(names: Sequence[str]) -> str:
    """Return a sentence on variants that have the same residuals."""
    first, *others = map(named, names)
    return f"As {first}: {', '.join(others)}."


def _a(step: str) -> str:
    """Return the name of a step with its article."""
    return f"{'an' if step[0] in 'aeiou' else 'a'} {step}"
