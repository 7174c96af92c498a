"""The hottest lines of a run as text: shares, what was done there, place and source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from workbench.profile import HotLine, LineWork, SampledShare
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.source_lines import source_of
from workbench.text import as_rough_share, as_share_give_or_take, printable, shortened, shown_path

WORK_WORDS = {
    LineWork.PYTHON: "Python",
    LineWork.NATIVE: "native",
    LineWork.LIBRARY: "library",
    LineWork.WAITING: "waiting",
    LineWork.WAITING_FOR_LOCK: "lock",
}
CPU = "of CPU"
MIN_WORK = 0.005
"""Of all samples: what no line has more of has no column."""
NAME = 60
MIN_SOURCE = 10
"""Columns of a terminal."""


def rows_beside(top: int) -> int:
    """Return how many rows a table has that stands below one of `top` rows."""
    return min(top, max(5, top // 3))


class LineRow(NamedTuple):
    """One of the hottest lines, as text."""

    share: str
    place: str
    source: str
    work: tuple[str, ...]
    """The shares of `work_columns`."""
    file: str = ""
    line: int = 0


def files_of_lines(lines: Sequence[HotLine]) -> list[str]:
    """Return the files of lines, the one with the most samples first."""
    shares: dict[str, float] = {}
    for line in lines:
        shares[line.file] = shares.get(line.file, 0.0) + line.of_all.share
    return sorted(shares, key=lambda file: -shares[file])


def work_columns(lines: Sequence[HotLine]) -> list[LineWork | None]:
    """Return the columns beside the share: what was done at any of the lines, and None for the CPU time, if known."""
    found: list[LineWork | None] = [
        work for work in LineWork if any(_share(line.work.get(work)) >= MIN_WORK for line in lines)
    ]
    return [*found, None] if any(line.cpu is not None for line in lines) else found


def column_words(lines: Sequence[HotLine]) -> list[str]:
    """Return the heads of `work_columns`."""
    return [CPU if work is None else WORK_WORDS[work] for work in work_columns(lines)]


def line_rows(run: ProfileRun, lines: Sequence[HotLine]) -> list[LineRow]:
    """Return lines as text."""
    columns = work_columns(lines)
    return [
        LineRow(
            as_share_give_or_take(line.of_all),
            f"{shortened(printable(shown_path(line.file)), NAME)}:{line.line}",
            source_line(run, line),
            tuple(
                as_rough_share(part.share if part is not None and part.samples else None)
                for part in (line.cpu if work is None else line.work.get(work) for work in columns)
            ),
            printable(line.file),
            line.line,
        )
        for line in lines
    ]


def _share(part: SampledShare | None) -> float:
    return 0.0 if part is None else part.share


def text_rows(run: ProfileRun, lines: Sequence[HotLine], width: int | None = None) -> Iterator[str]:
    """Return lines as rows of a table for a terminal, its head first; none without lines.

    Where a terminal of `width` columns has no space for the source beside what was done, that is left out.
    """
    rows = line_rows(run, lines)
    if not rows:
        return
    words = column_words(lines)
    of_place = max(len(row.place) for row in rows)
    if width is not None and width < 14 + 8 * len(words) + of_place + MIN_SOURCE:
        words = []
    if words:
        yield f"{'of samples':>14}" + "".join(f"{word:>8}" for word in words)
    for row in rows:
        work = "".join(f"{share:>8}" for share in row.work[: len(words)])
        yield f"{row.share:>14}{work}  {row.place:<{of_place}}  {row.source}".rstrip()


def source_line(run: ProfileRun, line: HotLine) -> str:
    """Return the text of a line, empty where it is not known."""
    return source_text(run, line.file, line.line)


def source_text(run: ProfileRun, file: str, line: int) -> str:
    """Return the text of the line of a file, from 1; empty where it is not known."""
    lines, _ = source_of(run, file)
    return shortened(printable(lines[line - 1].strip()), NAME) if 0 < line <= len(lines) else ""
