"""The lines of a memory run's page: source of the program's own files, and the bytes of lines, by scope too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from workbench.profile import Allocations, FrameKind, LineBytes, Profile, line_bytes
from workbench.profile.row_selection import sample_rows
from workbench.profile.stacks import with_any
from workbench.report.profile.lines import MAX_FILES, MAX_LINES, LinesPanel, source_files
from workbench.report.profile.run import ProfileRun
from workbench.text import printable

MAX_SCOPES = 20
"""Those that hold most: each takes a pass over all stacks."""
_LEAD = Markup(
    "The program's own code. Bytes are those that a line had made, itself or in library code that it called, and that "
    "were alive <em>at the peak</em>, in the snapshot nearest it, and <em>at the end</em>."
)


@dataclass(frozen=True)
class MemoryLines(LinesPanel):
    """What the page has of lines that allocated memory."""

    rows: Mapping[str | None, tuple[LineBytes, ...]]
    """By scope; None: the whole run."""

    @property
    def lead(self) -> Markup:
        """What the figures are."""
        return _LEAD

    @property
    def data(self) -> dict[str, object]:
        """All but the files, for the page's script."""
        number = {file.place: i for i, file in enumerate(self.files)}

        def row(line: LineBytes) -> list[object]:
            return [
                *(number[printable(line.file)], line.line, printable(line.function)),
                *(line.peak_bytes, 0, line.end_bytes, 0),
            ]

        return {
            "bytes": True,
            "unit": 1,
            "work": [],
            "cpu": False,
            "groups": [],
            "run": [row(line) for line in self.rows[None]],
            "scopes": [
                [printable(scope), [row(line) for line in lines]]
                for scope, lines in self.rows.items()
                if scope is not None
            ],
        }


def memory_lines(run: ProfileRun, found: Allocations) -> MemoryLines | None:
    """Return the lines of a memory run for its page; None where none of the program's own is known."""
    every = [line for line in found.lines if line.line]
    if not every:
        return None
    by_file: dict[str, list[LineBytes]] = {}
    for line in sorted(every, key=lambda line: -_most(line)):
        by_file.setdefault(line.file, []).append(line)
    order = sorted(by_file, key=lambda file: -sum(map(_most, by_file[file])))[:MAX_FILES]
    chosen = {file: by_file[file][:MAX_LINES] for file in order}
    kept = {(line.file, line.line) for lines in chosen.values() for line in lines}
    rows: dict[str | None, tuple[LineBytes, ...]] = {None: _among(kept, every)}
    for scope in sorted(found.scopes, key=lambda row: -max(row.held_bytes or 0, row.held_at_peak_bytes or 0)):
        if len(rows) <= MAX_SCOPES:
            lines = line_bytes(_inside(found.end, scope.name), _inside(found.peak, scope.name))
            rows[scope.name] = _among(kept, lines)
    return MemoryLines(source_files(run, chosen), len(every) - len(rows[None]), rows)


def _most(line: LineBytes) -> int:
    return max(line.peak_bytes, line.end_bytes)


def _among(kept: set[tuple[str, int]], lines: Sequence[LineBytes]) -> tuple[LineBytes, ...]:
    return tuple(line for line in lines if (line.file, line.line) in kept)


def _inside(profile: Profile | None, scope: str) -> Profile | None:
    """Return what was made inside a scope."""
    if profile is None:
        return None
    wanted = [frame.kind is FrameKind.SCOPE and frame.name == scope for frame in profile.frames]
    inside = np.append(with_any(profile.stacks, wanted), False)  # the last is what `ROOT` looks up
    tracks = tuple(
        replace(track, samples=track.samples and sample_rows(track.samples, inside[track.samples.stack]))
        for track in profile.tracks
    )
    return replace(profile, tracks=tracks)
