"""One profile of a parallel job: each rank leaves what it saw, and the last to end makes the page of all.

A rank that was killed leaves its part of the recording alone; `workbench report` makes the page then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from workbench.capture.allocations import read_allocations
from workbench.capture.collect import RANKS, has_spans, rank_prefix
from workbench.capture.load import RECORDING, SAMPLES, load
from workbench.capture.program import Capture, CaptureOptions
from workbench.capture.samplers import DEFAULT_RATE, Sampling, in_process
from workbench.capture.sources import read_file
from workbench.capture.warnings import CaptureWarning, WarningCode
from workbench.errors import InvalidInputError
from workbench.eventlog import is_recording
from workbench.formats.speedscope import read_speedscope, write_speedscope
from workbench.outputs import OutputFolder
from workbench.profile import Profile, join, samples_only, without_samples
from workbench.report.profile.summary import SUMMARY, Summary, read_rank
from workbench.scopes import manifests

__all__ = ["capture_of_ranks", "is_of_ranks", "keep_rank"]


def is_of_ranks(folder: Path) -> bool:
    """Return whether a folder holds what the ranks of a parallel job recorded together."""
    manifest = manifests.read(str(folder / RECORDING)) if is_recording(folder / RECORDING) else None
    return manifest is not None and bool(manifest.job)


def keep_rank(capture: Capture, summary: Mapping[str, object], output: OutputFolder) -> None:
    """Keep what this rank saw in the folder that it shares with the others.

    Raises:
        OSError: A file cannot be written.
    """
    prefix = rank_prefix(output)
    if capture.merged is not None and not capture.one_clock:  # else they are in the recording
        name = f"{prefix}{SAMPLES}"
        unfinished = output.unfinished(name)
        assert output.member is not None
        write_speedscope(_named(samples_only(capture.merged), output.member.rank), unfinished)
        output.keep(unfinished, name)
    output.write(f"{prefix}{SUMMARY}", json.dumps(summary, indent=1) + "\n")


def capture_of_ranks(folder: Path) -> Capture:
    """Return what all ranks of a job saw, as one.

    Raises:
        InvalidInputError: The recording, or a rank's file, cannot be read.
    """
    manifest = manifests.read(str(folder / RECORDING))
    if manifest is None:
        raise InvalidInputError(f"{folder} holds no recording of a parallel job: profile again")
    found = {rank: read_rank(folder / RANKS / str(rank) / SUMMARY) for rank in manifest.ranks}
    known = {rank: facts for rank, facts in found.items() if facts is not None}
    warnings = [CaptureWarning(WarningCode.RANK_MISSING, rank=rank) for rank in found if rank not in known]
    for rank, facts in known.items():
        warnings += [replace(warning, rank=rank) for warning in facts.known_warnings()]
    recorded = load(folder / RECORDING)
    scopes, merged = without_samples(recorded), in_process.attributed(recorded)
    one_clock = merged is not None
    for rank in known:
        path = folder / RANKS / str(rank) / SAMPLES
        if path.is_file():
            samples = read_speedscope(path)
            merged = join(merged if merged is not None else scopes, samples)
    first = next(iter(known.values()), Summary())
    samplers = {facts.sampler or "none" for facts in known.values()}
    return Capture(
        options=CaptureOptions(
            program=tuple(first.program or (folder.name,)),
            folder=folder,
            sampling=Sampling(rate=first.rate or DEFAULT_RATE),
        ),
        returncode=next((code for facts in known.values() if (code := facts.returncode)), 0),
        seconds=max((facts.seconds or 0.0 for facts in known.values()), default=0.0),
        sampler=", ".join(sorted(samplers)) or "none",
        sample_count=sum(facts.samples for facts in known.values()),
        scopes=scopes if has_spans(scopes) else None,
        merged=merged,
        sampling_failed=any(facts.sampling_failed for facts in known.values()),
        warnings=tuple(warnings),
        one_clock=one_clock,
        allocations=read_allocations(folder / RECORDING, recorded, read_file),
    )


def _named(profile: Profile, rank: int) -> Profile:
    """Return a profile whose processes are named by their rank, as the recorder's are."""
    name = f"rank {rank}: "
    tracks = [
        track if track.process.startswith(name) else replace(track, process=f"{name}{track.process}")
        for track in profile.tracks
    ]
    return replace(profile, tracks=tuple(tracks))
