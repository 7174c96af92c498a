"""The files beside a profile page: every format that can be written, and the images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


def parts_of(run: ProfileRun) -> list[tuple[str, Profile]]:
    """Return the profiles that a run's files are of, by the first part of the files' names."""
    parts: list[tuple[str, Profile]] = []
    if run.scopes is not None:
        parts.append(("scopes", replace(run.scopes, name=f"{run.title}: scopes")))
    if run.samples is not None:
        parts.append(("samples", replace(run.samples, name=f"{run.title}: samples")))
    return parts


def write_formats(
    run: ProfileRun,
    folder: OutputFolder,
    *,
    among: Collection[str] | None = None,
    most_events: int | None = None,
) -> list[Download]:
    """Write a run's scopes and samples in every format that can be written; return the files.

    Args:
        run: What to write.
        folder: Where to.
        among: Names of formats; by default all.
        most_events: A format that is not smaller than the events themselves is left out beyond so many; by
            default there is no limit.

    Raises:
        OSError: A file cannot be written.
    """
    written: list[Download] = []
    for part, profile in parts_of(run):
        for format_ in FORMATS.values():
            if format_.write is None or (among is not None and format_.name not in among):
                continue
            many = most_events is not None and event_count(profile) > most_events
            if many and format_.name not in ("speedscope", "folded"):
                continue
            name = f"{part}{format_.suffixes[0]}"
            path = folder.path / name
            if not same_file(path, run.inputs):
                unfinished = folder.unfinished(name)
                try:
                    format_.write(profile, unfinished)
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
