"""The files beside a profile page: speedscope files, folded stacks, flame graphs and timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.errors import InvalidInputError
from workbench.formats.registry import FORMATS
from workbench.outputs import OutputFolder
from workbench.profile import Profile
from workbench.report.profile.run import ProfileRun, same_file


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

    `workbench convert` writes other formats, which have every event again.

    Raises:
        OSError: A file cannot be written.
    """
    written: list[Download] = []
    for part, profile in (("scopes", run.scopes), ("samples", run.samples)):
        for format_ in (FORMATS["speedscope"], FORMATS["folded"]):
            if profile is None or format_.write is None:
                continue
            name = f"{part}{format_.suffixes[0]}"
            path = folder.path / name
            if not same_file(path, run.inputs):
                unfinished = folder.unfinished(name)
                try:
                    format_.write(replace(profile, name=f"{run.title}: {part}"), unfinished)
                except InvalidInputError:  # what this format cannot hold; the page has the others
                    unfinished.unlink(missing_ok=True)
                    folder.remove(name)
                    continue
                folder.keep(unfinished, name)
            what = f"{part} as {format_.what.partition(': ')[0]}"
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


def event_count(profile: Profile) -> int:
    """Return how many spans, samples, values of counters and marks there are."""
    count = 0
    for track in profile.tracks:
        count += sum(len(part) for part in (track.spans, track.samples) if part is not None)
        count += sum(len(counter.at_ns) for counter in track.counters)
        count += 0 if track.marks is None else len(track.marks.at_ns)
    return count
