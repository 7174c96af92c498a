"""The lines of a profile's page: source of the program's own files, and the shares of lines in the run and by scope."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from workbench.capture.sources import functions_in
from workbench.profile import HotLine, LineBytes, LineSamples, LineWork, Overview, Profile, SampledShare
from workbench.render.scripts import bundle
from workbench.report.pages import TEMPLATES
from workbench.report.profile.line_rows import WORK_WORDS
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.source_lines import source_of
from workbench.text import json_for_markup, printable, shown_path

Int64 = NDArray[np.int64]

MAX_FILES = 50
MAX_SCOPES = 50
MAX_ROWS = 10_000
"""Of all scopes together; the page has the most frequent lines of each."""
MAX_LINES = 400
"""Of one file: the lines with the most samples."""
MAX_WHOLE_BYTES = 1 << 20
"""Of all files whose folded lines are on the page, too; larger ones have the lines that are shown."""
AROUND = 3
"""Lines shown before and after one that has samples."""
MIN_FOLD = 4
"""Lines: fewer are shown."""
MAX_FUNCTION = 60
"""A function of more lines is folded around those that have samples."""
MAX_TEXT = 300
UNIT = 10_000
"""Shares are whole numbers of so many parts: a hundredth of a per cent."""

_LEAD = Markup(
    "The program's own code. <em>self</em> is the share of all samples in a line, or in library code that it called; "
    "<em>total</em> has the program's own functions, too."
)


@dataclass(frozen=True)
class SourceFile:
    """A file of the program's own."""

    name: str
    place: str
    note: str = ""
    lines: int = 0
    shown: tuple[tuple[int, int], ...] = ()
    """First and last line of each part that is shown; the rest is folded."""
    texts: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """The number of a line, and the text of it and of those that follow."""
    functions: tuple[tuple[str, int, int], ...] = ()
    """Name, first and last line of those that have samples."""


@dataclass(frozen=True)
class SampleGroups:
    """The samples of a run by what the page says of them: the lines that it shows, what was done, and scopes."""

    samples: LineSamples
    of_key: Int64
    """The group of each key of the samples."""
    groups: tuple[tuple[int, int, int], ...]
    """The number of a path, a `LineWork`, or -1, and the number of a set of scopes."""
    paths: tuple[tuple[int, ...], ...]
    """The row of the line on top, or -1, and then the rows of all lines on the path, in any order."""
    scope_sets: tuple[tuple[int, ...], ...]

    def marked(self, profile: Profile) -> Profile:
        """Return the profile of the samples, with their groups as their lines; see `LineSamples.marked`."""
        return self.samples.marked(profile, self.of_key)


@dataclass(frozen=True)
class LinesPanel(ABC):
    """Source files of the program with figures of their lines, as the page's script has them."""

    files: tuple[SourceFile, ...]
    left_out: int
    """Lines of the whole run that are not there."""

    @property
    def script(self) -> Markup:
        """The page's script for them."""
        return bundle(TEMPLATES / "lines.js")

    @property
    def markup(self) -> Markup:
        """`data` as the page holds it."""
        return Markup(json_for_markup({"files": [vars(file) for file in self.files], **self.data}))

    @property
    @abstractmethod
    def lead(self) -> Markup:
        """What the figures are."""

    @property
    @abstractmethod
    def data(self) -> Mapping[str, object]:
        """All but the files, for the page's script."""


@dataclass(frozen=True)
class PageLines(LinesPanel):
    """What the page has of sampled lines."""

    work: tuple[LineWork, ...]
    """What the sampler tells apart, as far as any line did it."""
    has_cpu: bool
    rows: Mapping[str | None, tuple[HotLine, ...]]
    """By scope; None: the whole run."""
    groups: SampleGroups

    @property
    def lead(self) -> Markup:
        """What the figures are."""
        return _LEAD

    @cached_property
    def data(self) -> dict[str, object]:
        """All but the files, for the page's script."""
        work_of: dict[int, int] = {work: i for i, work in enumerate(self.work)}
        number = {file.place: i for i, file in enumerate(self.files)}

        def row(line: HotLine) -> list[object]:
            parts = [line.of_all, line.total, *([line.cpu] if self.has_cpu else [])]
            parts += [line.work.get(work) for work in self.work]
            figures = [figure for part in parts for figure in _figures(part)]
            return [number[_place(line.file)], line.line, printable(line.function), *figures]

        return {
            "unit": UNIT,
            "work": [WORK_WORDS[work] for work in self.work],
            "cpu": self.has_cpu,
            "by_time": self.groups.samples.by_time,
            "paths": self.groups.paths,
            "scope_sets": self.groups.scope_sets,
            "groups": [[path, work_of.get(work, -1), scopes] for path, work, scopes in self.groups.groups],
            "run": [row(line) for line in self.rows.get(None, ())],
            "scopes": [
                [printable(scope), [row(line) for line in lines]]
                for scope, lines in self.rows.items()
                if scope is not None
            ],
        }


def _figures(part: SampledShare | None) -> tuple[int, int]:
    """Return a share and half of its interval."""
    return (0, 0) if part is None else (round(UNIT * part.share), round(UNIT * (part.high - part.low) / 2))


def page_lines(run: ProfileRun, found: Overview) -> PageLines | None:
    """Return the lines of a run for its page; None where it has none, or is somebody else's."""
    samples, every = found.line_samples, found.lines
    if samples is None or not every or run.is_foreign:
        return None
    by_file: dict[str, list[HotLine]] = {}
    for line in every:
        by_file.setdefault(line.file, []).append(line)
    order = sorted(by_file, key=lambda file: -sum(line.of_all.share for line in by_file[file]))[:MAX_FILES]
    chosen = {file: by_file[file][:MAX_LINES] for file in order}
    kept = {(line.file, line.line) for lines in chosen.values() for line in lines}
    rows = _rows(samples, every, kept)
    return PageLines(
        source_files(run, chosen),
        len(every) - len(rows[None]),
        tuple(work for work in samples.known if any(line.work[work].samples for line in rows[None])),
        samples.cpu is not None,
        rows,
        _groups(samples, rows),
    )


def source_files(
    run: ProfileRun, chosen: Mapping[str, Sequence[HotLine | LineBytes]]
) -> tuple[SourceFile, ...]:
    """Return the files of lines, in their order, each with the parts around its lines."""
    files: list[SourceFile] = []
    left = MAX_WHOLE_BYTES
    for file, lines in chosen.items():
        files.append(_file(run, file, lines, left))
        left -= sum(len(text) + 1 for _, part in files[-1].texts for text in part)
    return tuple(files)


def _groups(samples: LineSamples, rows: Mapping[str | None, tuple[HotLine, ...]]) -> SampleGroups:
    row_of = {(line.file, line.line): i for i, line in enumerate(rows[None])}
    of_place = [row_of.get((place.file, place.line), -1) for place in samples.places]
    scope_of = {scope: i for i, scope in enumerate(scope for scope in rows if scope is not None)}
    paths: dict[tuple[int, ...], int] = {}
    sets: dict[tuple[int, ...], int] = {}
    groups: dict[tuple[int, int, int], int] = {}
    of_key = []
    for path, work, scopes in zip(samples.paths, samples.work, samples.scopes, strict=True):
        shown = {of_place[place] for place in path} - {-1}
        lines = (of_place[path[-1]] if path else -1, *sorted(shown))
        names = tuple(sorted(scope_of[scope] for scope in scopes if scope in scope_of))
        group = (
            paths.setdefault(lines, len(paths)),
            work,
            sets.setdefault(names, len(sets)),
        )
        of_key.append(groups.setdefault(group, len(groups)))
    return SampleGroups(samples, np.array(of_key, dtype=np.int64), tuple(groups), tuple(paths), tuple(sets))


def _rows(
    samples: LineSamples, every: Sequence[HotLine], kept: set[tuple[str, int]]
) -> dict[str | None, tuple[HotLine, ...]]:
    """Return the lines of the run and of its most frequent scopes, as many as the page can have."""
    scopes: list[str | None] = [None, *samples.scope_names()[:MAX_SCOPES]]
    found: dict[str | None, tuple[HotLine, ...]] = {}
    left = MAX_ROWS
    for scope in scopes:
        if scope is None:
            found[scope] = tuple(line for line in every if (line.file, line.line) in kept)[:left]
        else:
            found[scope] = samples.lines(scope, kept)[:left]
        left -= len(found[scope])
    return found


def _place(file: str) -> str:
    return printable(file)


def _file(run: ProfileRun, file: str, lines: Sequence[HotLine | LineBytes], left: int) -> SourceFile:
    name, place = printable(shown_path(file)), _place(file)
    source, note = source_of(run, file)
    if not source:
        return SourceFile(name, place, note)
    numbers = sorted({line.line for line in lines if line.line <= len(source)})
    names = {line.function for line in lines}
    functions = tuple(each for each in functions_in(source) if each[0] in names)
    shown = _shown(numbers, functions, len(source))
    texts = [printable(text.expandtabs(4))[:MAX_TEXT] for text in source]
    is_whole = sum(len(text) + 1 for text in texts) <= left
    parts = ((1, len(source)),) if is_whole else shown
    return SourceFile(
        name,
        place,
        note,
        len(source),
        shown,
        tuple((first, tuple(texts[first - 1 : last])) for first, last in parts),
        tuple((printable(function), first, last) for function, first, last in functions),
    )


def _shown(
    numbers: Sequence[int], functions: Sequence[tuple[str, int, int]], last: int
) -> tuple[tuple[int, int], ...]:
    """Return the parts of a file that are shown: functions with samples, of long ones what is around the samples."""
    wanted = []
    for number in numbers:
        wanted.append((max(number - AROUND, 1), min(number + AROUND, last)))
        around = [(begin, end) for _, begin, end in functions if begin <= number <= end]
        if around:
            begin, end = max(around)  # the innermost
            wanted.append((begin, end if end - begin < MAX_FUNCTION else begin))
    found: list[tuple[int, int]] = []
    for begin, end in sorted(wanted):
        if found and begin - found[-1][1] <= MIN_FOLD:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin if begin > MIN_FOLD else 1, end))
    if found and last - found[-1][1] < MIN_FOLD:
        found[-1] = (found[-1][0], last)
    return tuple(found)
