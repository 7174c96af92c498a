"""The source of the program's own files, with the share of samples beside each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.profile import HotLine
from workbench.report.profile.line_rows import shown_path
from workbench.report.profile.overview import RunOverview
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.source_lines import source_of
from workbench.text import as_rough_share, as_share_give_or_take, plural, printable

MAX_FILES = 20
MAX_LINES = 400
"""Of one file on the page: the lines with the most samples, and what is around them."""
AROUND = 3
"""Lines shown before and after one that has samples."""
MAX_TEXT = 200


@dataclass(frozen=True)
class SourceLine:
    """A line of source, and its share of samples as text and as per cent of the hottest line of all."""

    number: int
    text: str
    share: str = ""
    bar: float = 0.0


@dataclass(frozen=True)
class SourceFile:
    """A file of the program's own: its parts that have samples."""

    name: str
    share: str
    parts: tuple[tuple[SourceLine, ...], ...]
    note: str = ""


def source_files(shown: RunOverview) -> list[SourceFile]:
    """Return the files that have samples, the one with the most first, without those that changed since the run."""
    if shown.run.is_foreign or not shown.found.lines:
        return []
    by_file: dict[str, list[HotLine]] = {}
    for line in shown.found.lines:
        by_file.setdefault(line.file, []).append(line)
    order = sorted(by_file, key=lambda file: -sum(line.of_all.share for line in by_file[file]))
    hottest = shown.found.lines[0].of_all.share
    return [_file(shown.run, file, by_file[file], hottest) for file in order[:MAX_FILES]]


def _file(run: ProfileRun, file: str, lines: Sequence[HotLine], hottest: float) -> SourceFile:
    share = as_rough_share(sum(line.of_all.share for line in lines))
    name = printable(shown_path(file))
    source, note = source_of(run, file)
    if not source:
        return SourceFile(name, share, (), note)
    chosen = lines[:MAX_LINES]
    if len(lines) > len(chosen):
        left = len(lines) - len(chosen)
        note = f"{left:,} more {plural(left, 'line')} with fewer samples"
    by_number = {line.line: line for line in chosen}
    parts = tuple(
        _lines(source, numbers, by_number, hottest) for numbers in _parts(sorted(by_number), len(source))
    )
    return SourceFile(name, share, parts, note)


def _parts(numbers: Sequence[int], last: int) -> Iterator[range]:
    """Return ranges of lines around those given; ranges that touch are one."""
    begin = end = 0
    for number in (number for number in numbers if number <= last):
        if end and number - AROUND <= end + 1:
            end = min(number + AROUND, last)
            continue
        if end:
            yield range(begin, end + 1)
        begin, end = max(number - AROUND, 1), min(number + AROUND, last)
    if end:
        yield range(begin, end + 1)


def _lines(
    source: Sequence[str], numbers: range, by_number: dict[int, HotLine], hottest: float
) -> tuple[SourceLine, ...]:
    found = []
    for number in numbers:
        text = printable(source[number - 1].expandtabs(4))[:MAX_TEXT]
        line = by_number.get(number)
        if line is None:
            found.append(SourceLine(number, text))
        else:
            bar = round(100 * line.of_all.share / hottest, 1)
            found.append(SourceLine(number, text, as_share_give_or_take(line.of_all), bar))
    return tuple(found)
