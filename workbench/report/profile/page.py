"""The page of one profile: summary, flame graphs, timeline, tables, callers and callees. It needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from workbench.capture.samplers import PICTURE
from workbench.formats.registry import FORMATS
from workbench.outputs import OutputFolder, cannot_write
from workbench.profile import (
    BYTES,
    Allocations,
    Profile,
    ScopeResources,
    ScopeSamples,
    aggregate,
    scope_totals,
)
from workbench.render.flamegraph.flamegraph import profile_svg
from workbench.render.timeline.timeline import timeline_svg
from workbench.report.pages import render, script
from workbench.report.profile.downloads import Download, event_count, thinned, write_formats, write_images
from workbench.report.profile.facts import figures
from workbench.report.profile.line_rows import line_rows
from workbench.report.profile.lines import LinesPanel, PageLines, page_lines
from workbench.report.profile.memory_lines import memory_lines
from workbench.report.profile.memory_page import TIMES, memory_view
from workbench.report.profile.overview import RunOverview, answer, bars, columns, overview_of
from workbench.report.profile.parallelism import parallelism
from workbench.report.profile.points import counter_rows, mark_rows
from workbench.report.profile.roofline import roofline
from workbench.report.profile.run import ProfileRun, has_time, same_file, started, took
from workbench.report.profile.sampled import sampled_of, shares_by_time
from workbench.report.profile.tables import FrameTable, functions_table, scopes_table
from workbench.text import as_amount, as_size, json_for_markup, printable

PAGE = "index.html"
MAX_BOXES, MAX_BYTES = 1_000_000, 20_000_000
"""Of all timelines of a page; with the rest it stays under 30 MB."""


_PICTURES = ("scopes.svg", "samples.svg", "peak.svg", "end.svg", PICTURE)
_EARLIER_NAMES = (
    *("profile-time-order.svg", "scopes-time-order.svg", "samples-time-order.svg"),
    *("timeline.svg", "scopes-timeline.svg", "samples-timeline.svg"),
)
"""Timelines of earlier versions, which a new profile in the same folder removes."""


def page_names() -> list[str]:
    """Return the names of all files that the page of a profile may come with, its own first."""
    suffixes = [format_.suffixes[0] for format_ in FORMATS.values() if format_.write is not None]
    formats = [f"{part}{suffix}" for part in ("scopes", "samples") for suffix in suffixes]
    return [PAGE, *formats, *_PICTURES, *_EARLIER_NAMES]


@dataclass(frozen=True)
class PageSection:
    """What the recorder, or a sampler, saw."""

    key: str
    """`scopes`, `samples`, or `peak` or `end` of memory: an id on the page."""
    heading: str
    lead: str
    flame: Markup
    """The flame graph as a part of the page."""
    file: str
    """The same as a file of its own."""
    table: FrameTable
    data: Markup


@dataclass(frozen=True)
class Timeline:
    """What ran when; `note` says what is not there."""

    key: str
    chart: Markup | None
    note: str
    merged: str = ""
    """Shorter samples of it are merged, where any are."""


def write_report(run: ProfileRun, folder: str | Path) -> Path:
    """Write the page of a run, its flame graphs, speedscope files and folded stacks; return the page.

    Raises:
        InvalidInputError: Something that is not ours is in the way, or another process is writing there.
        WorkbenchError: The folder cannot be written.
    """
    folder = Path(folder)
    planned = [name for name in page_names() if not same_file(folder / name, run.inputs)]
    try:
        with OutputFolder(folder, planned) as output:
            return write_profile_page(run, output, write_formats(run, output))
    except OSError as error:
        raise cannot_write(folder, error) from None


def write_profile_page(
    run: ProfileRun,
    folder: OutputFolder,
    files: Sequence[Download] = (),
    *,
    max_boxes: int = MAX_BOXES,
    links: Sequence[tuple[str, str]] = (),
    shown: RunOverview | None = None,
) -> Path:
    """Write the page of a run with its images as files beside it; return the page.

    Args:
        run: What to show.
        folder: Where to write.
        files: Other files beside the page that it links.
        max_boxes: Spans and samples in the timeline; where there are more, short ones are put together.
        links: Text and address of pages that this one belongs to, such as an index; they are above its title.
        shown: Its overview, where that was made already.

    Raises:
        OSError: A file cannot be written.
    """
    shown = shown or overview_of(run)
    sampled = sampled_of(run.samples, run.sampler)
    sources = _sources(run, sampled, shown.resources.scopes)
    lines = page_lines(run, shown.found)
    of_memory = None if run.allocations is None else memory_lines(run, run.allocations)
    timelines = _timelines(run, max_boxes, lines)
    drawn = [(f"{s.key}.svg", f"{s.key}: flame graph", s.file) for s in sources]
    files = [*files, *write_images(drawn, folder)]
    return folder.write(PAGE, _page(run, shown, sources, of_memory or lines, timelines, files, links))


def _page(
    run: ProfileRun,
    shown: RunOverview,
    sources: Sequence[PageSection],
    lines: LinesPanel | None,
    timelines: Sequence[Timeline],
    files: Sequence[Download],
    links: Sequence[tuple[str, str]],
) -> str:
    points = [profile for profile in (run.scopes,) if profile is not None]
    when = started(run)
    memory = None if run.allocations is None else memory_view(run, run.allocations)
    rows = bars(shown) if memory is None else []
    return render(
        "profile.html",
        links=links,
        title=printable(run.title),
        program=printable(run.program) if run.program != run.title else "",
        source=printable(run.source),
        when=when.strftime("%Y-%m-%d %H:%M:%S %Z") if when is not None else "",
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        took=took(run),
        resident=_largest_resident(shown),
        answer=answer(shown) if memory is None else memory.answer,
        memory=memory,
        rows=rows,
        heads=columns(rows),
        lines=line_rows(run, shown.lines),
        sources_of_lines=lines,
        merged_samples=next((timeline.merged for timeline in timelines if timeline.merged), ""),
        figures=figures(run),
        diagnostics=[printable(" ".join(text.split())) for text in shown.warnings],
        sources=sources,
        tabs=_tabs(
            sources,
            timelines,
            has_lines=lines is not None,
            has_repeated=memory is not None and memory.repeated is not None,
        ),
        tip=shown.tip,
        parallelism=parallelism(run),
        roofline=roofline(run.scopes),
        timelines=timelines,
        counters=counter_rows(points),
        marks=mark_rows(points),
        files=files,
        script=script("profile.js"),
    )


def _largest_resident(shown: RunOverview) -> str:
    """Return the most memory that a process had, in words; nothing where it was not read."""
    sizes = [int(each.resident_bytes.max(initial=0)) for each in shown.resources.processes]
    which = "largest resident set" if len(sizes) == 1 else "largest resident set of a process"
    return f"{which} {as_size(max(sizes))}" if any(sizes) else ""


def _tabs(
    sources: Sequence[PageSection], timelines: Sequence[Timeline], *, has_lines: bool, has_repeated: bool
) -> list[tuple[str, str, str]]:
    """Return the key, the name and the panel of each tab that has anything in it."""
    tabs = (
        ("flame", "Flame graph", "flame", bool(sources)),
        ("timeline", "Timeline", "timeline", bool(timelines)),
        ("table", "Table", "table", bool(sources)),
        ("lines", "Lines", "lines-panel", has_lines),
        ("leaks", "Left behind", "leaks", has_repeated),
    )
    return [(key, text, panel) for key, text, panel, is_there in tabs if is_there]


def _sources(
    run: ProfileRun, sampled: Mapping[str, ScopeSamples], costs: Mapping[str, ScopeResources]
) -> list[PageSection]:
    sources: list[PageSection] = []
    memory = {} if run.allocations is None else {row.name: row for row in run.allocations.scopes}
    for key, heading, profile in () if run.allocations is None else _snapshots(run.allocations):
        recorded = () if run.scopes is None else scope_totals(run.scopes)
        lead = "Blocks of memory that were alive then, by what had made them, under scopes by source lines."
        sources.append(_source(key, heading, lead, run, profile, functions_table(profile, recorded)))
    if run.samples is not None and has_time(run.samples, "samples"):
        recorded = () if run.scopes is None else scope_totals(run.scopes)
        table = functions_table(run.samples, recorded, by_time=shares_by_time(run.sampler))
        heading, what = "Samples", "Every function that was sampled"
        if sampled:
            heading, what = "Samples under scopes", "Each sample under the scopes that were open"
        sampler = f", {run.sampler}" if run.sampler else ""
        lead = f"{what}: as exact as there are samples{sampler}."
        sources.append(_source("samples", heading, lead, run, run.samples, table))
    if run.scopes is not None and has_time(run.scopes, "spans"):
        table = scopes_table(run.scopes, sampled, memory, costs)
        heading, lead = "Scopes (exact)", "What the recorder saw: exact, and only what has a scope."
        if run.allocations is not None:
            heading = "Scopes (traced times)"
            lead = f"{lead} {TIMES}"
        sources.append(_source("scopes", heading, lead, run, run.scopes, table))
    return sources


def _snapshots(found: Allocations) -> Iterator[tuple[str, str, Profile]]:
    """Yield the key, the heading and the profile of the snapshots that there are."""
    for key, heading, profile in (("peak", "At the peak", found.peak), ("end", "At the end", found.end)):
        if profile is not None and has_time(profile, "samples"):
            yield key, heading, profile


def _source(
    key: str, heading: str, lead: str, run: ProfileRun, profile: Profile, table: FrameTable
) -> PageSection:
    of = "spans" if key == "scopes" else "samples"
    tree = aggregate(profile, of=of, percentiles=of == "spans")

    def drawn(*, embedded: bool) -> str:
        what = "where the memory is" if profile.unit == BYTES else "where the time goes"
        title, prefix = f"{heading}: {what}", f"wb-{key}"
        return profile_svg(
            profile, of, tree=tree, title=title, subtitle=run.title, prefix=prefix, embedded=embedded
        )

    data = Markup(json_for_markup(table.data))
    return PageSection(key, heading, lead, Markup(drawn(embedded=True)), drawn(embedded=False), table, data)


def _timelines(run: ProfileRun, max_boxes: int, lines: PageLines | None = None) -> list[Timeline]:
    def marked(profile: Profile) -> Profile:
        return profile if lines is None else lines.groups.marked(profile)

    wanted: list[tuple[str, Profile, str]] = []
    if run.together is not None:
        wanted.append(
            ("profile", marked(run.together), "scopes, and below them the samples under their scopes")
        )
    else:
        if run.scopes is not None and event_count(run.scopes):
            wanted.append(("scopes", run.scopes, "scopes, counters and marks"))
        if run.samples is not None and event_count(run.samples):
            wanted.append(("samples", marked(run.samples), "samples"))
    share = max(len(wanted), 1)
    return [
        _timeline(
            key,
            profile,
            run.title,
            what,
            max_boxes // share,
            MAX_BYTES // share,
            has_lines=lines is not None and key != "scopes",
        )
        for key, profile, what in wanted
    ]


def _timeline(
    key: str, profile: Profile, title: str, what: str, max_boxes: int, max_bytes: int, *, has_lines: bool
) -> Timeline:
    """Return a timeline of bounded size; of a profile that is too large, one that is thinned."""
    boxes = max_boxes
    while boxes:
        shown, finest_ns = thinned(profile, boxes)
        if event_count(shown) > boxes:
            break
        svg = timeline_svg(
            shown,
            title=f"Timeline: {what}",
            subtitle=title,
            prefix=f"wb-{key}-time",
            embedded=True,
            has_lines=has_lines,
        )
        if len(svg) <= max_bytes:
            finest = as_amount(finest_ns, "ns")
            note = f"What is shorter than {finest} is merged here; the recording has everything."
            is_merged = _samples_in(shown) < _samples_in(profile)
            return Timeline(key, Markup(svg), note if finest_ns else "", finest if is_merged else "")
        boxes //= 4
    return Timeline(
        key, None, "Its timeline is too large for a page: `workbench convert` writes one as a file."
    )


def _samples_in(profile: Profile) -> int:
    return sum(len(track.samples) for track in profile.tracks if track.samples is not None)
