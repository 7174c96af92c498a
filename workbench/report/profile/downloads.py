"""The files beside a profile page: speedscope files, folded stacks, flame graphs and timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.errors import InvalidInputError
from workbench.formats.registry import FORMATS
from workbench.outputs import OutputFolder
from workbench.profile import Profile, thin
from workbench.report.profile.run import ProfileRun, same_file
from workbench.text import as_amount

MAX_SPANS = 8_000
"""Spans in a file for speedscope: half a megabyte, and more than a screen shows."""
MAX_WIDTH = 1 << 20
"""Pixels of the first attempt at thinning: a microsecond of a program of a second stays."""
MIN_WIDTH = 1 << 10
"""Pixels of the last attempt."""


@dataclass(frozen=True)
class Download:
    """A file beside the page."""

    file: str
    what: str
    size: int = 0
    """Bytes."""

    @property
    def is_image(self) -> bool:
        """Whether a browser shows it."""
        return self.file.endswith(".svg")


def write_formats(run: ProfileRun, folder: OutputFolder) -> list[Download]:
    """Write a run's scopes and samples for speedscope, and as folded stacks; return the files.

    Of very many scopes, short ones are merged for speedscope, with their totals. `workbench convert` writes all of
    them, and other formats.

    Raises:
        OSError: A file cannot be written.
    """
    written: list[Download] = []
    for part, whole in (("scopes", run.scopes), ("samples", run.samples)):
        for format_ in (FORMATS["speedscope"], FORMATS["folded"]):
            if whole is None or format_.write is None:
                continue
            profile, note = whole, ""
            if part == "scopes" and format_.name == "speedscope":
                profile, finest_ns = thinned(whole, MAX_SPANS)
                note = f", merged where shorter than {as_amount(finest_ns, 'ns')}" if finest_ns else ""
            name = f"{part}{format_.suffixes[0]}"
            path = folder.path / name
            if not same_file(path, run.inputs):
                unfinished = folder.unfinished(name)
                try:
                    format_.write(replace(profile, name=f"{run.title}: {part}{note}"), unfinished)
                except InvalidInputError:  # what this format cannot hold; the page has the others
                    unfinished.unlink(missing_ok=True)
                    folder.remove(name)
                    continue
                folder.keep(unfinished, name)
            what = f"{part} as {format_.what.partition(': ')[0]}{note}"
            written.append(Download(path.name, what, path.stat().st_size))
    return written


def write_images(images: Sequence[tuple[str, str, str]], folder: OutputFolder) -> list[Download]:
    """Write (file, what it is, SVG) and return the files.

    Raises:
        OSError: A file cannot be written.
    """
    written: list[Download] = []
    for file, what, svg in images:
        written.append(Download(file, what, folder.write(file, svg).stat().st_size))
    return written


def thinned(profile: Profile, max_events: int) -> tuple[Profile, int]:
    """Return a profile of so many events at most, if it may be so coarse, and the nanoseconds below which it is merged.

    Where nothing is merged, these are 0.
    """
    shown, finest_ns, width = profile, 0, MAX_WIDTH
    while width >= MIN_WIDTH and event_count(shown) > max_events:
        shown, finest_ns = thin(shown, width), max(1, (profile.end_ns - profile.start_ns) // width)
        width //= 2
    return shown, finest_ns


def event_count(profile: Profile) -> int:
    """Return how many spans, samples, values of counters and marks there are."""
    count = 0
    for track in profile.tracks:
        count += sum(len(part) for part in (track.spans, track.samples) if part is not None)
        count += sum(len(counter.at_ns) for counter in track.counters)
        count += 0 if track.marks is None else len(track.marks.at_ns)
    return count
