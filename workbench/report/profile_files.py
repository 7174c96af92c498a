"""The files that a capture leaves in its folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from workbench.capture.program import Capture
from workbench.errors import WorkbenchError
from workbench.formats.folded import write_folded
from workbench.formats.speedscope import write_speedscope
from workbench.pictures.flamegraph import write_flamegraph
from workbench.profile import Profile, aggregate, drop_idle, spans_only

SCOPES, SAMPLES = "scopes.speedscope.json", "samples.speedscope.json"
FLAME_GRAPH, FOLDED, SUMMARY = "samples.svg", "samples.folded", "profile.json"


def write_profile_files(capture: Capture, *, title: str | None = None) -> list[Path]:
    """Write what guards and sampler saw, each in the formats for it; return the files written.

    Files of an earlier run that this one has nothing for are removed, so that a folder is of one run.

    Raises:
        WorkbenchError: A file cannot be written.
    """
    folder = capture.options.folder
    name = title or " ".join(capture.options.program)
    written: list[Path] = []
    try:
        for file in (SCOPES, SAMPLES, FLAME_GRAPH, FOLDED, SUMMARY):
            (folder / file).unlink(missing_ok=True)
        if capture.scopes is not None:
            scopes = replace(spans_only(capture.scopes), name=f"{name}: scopes")
            write_speedscope(scopes, folder / SCOPES)
            written.append(folder / SCOPES)
        if capture.samples is not None:
            written += _write_samples(capture, capture.samples, folder, name)
        (folder / SUMMARY).write_text(json.dumps(summary(capture), indent=1) + "\n")
        written.append(folder / SUMMARY)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {folder}: {error.strerror}; make room or choose another folder with -o"
        ) from None
    return written


def _write_samples(capture: Capture, samples: Profile, folder: Path, name: str) -> list[Path]:
    busy = drop_idle(samples)
    write_speedscope(replace(busy, name=f"{name}: samples"), folder / SAMPLES)
    write_folded(busy, folder / FOLDED)
    processes = len({track.pid for track in busy.tracks})
    over = f", {processes} processes" if processes > 1 else ""
    write_flamegraph(
        folder / FLAME_GRAPH,
        aggregate(busy, of="samples"),
        title=name,
        subtitle=f"{capture.sampler}, {capture.options.rate} samples a second, waiting left out{over}",
    )
    return [folder / SAMPLES, folder / FOLDED, folder / FLAME_GRAPH]


def summary(capture: Capture) -> dict[str, object]:
    """Return the facts of a capture, for machines."""
    return {
        "program": list(capture.options.program),
        "returncode": capture.returncode,
        "seconds": round(capture.seconds, 3),
        "sampler": capture.sampler,
        "rate": capture.options.rate,
        "samples": capture.sample_count,
        "sampling_failed": capture.sampling_failed,
        "scopes": sum(len(t.spans) for t in capture.scopes.tracks if t.spans is not None)
        if capture.scopes is not None
        else 0,
        "warnings": list(capture.warnings),
    }
