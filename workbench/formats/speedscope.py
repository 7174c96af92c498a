"""speedscope's file format: https://github.com/jlfwong/speedscope, `src/lib/file-format-spec.ts`.

A frame is its index in one shared table. Times are nanoseconds from the start of the run; every profile in
a file has the same start and end, because the viewer shifts each by its own start and threads would not
line up otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workbench.profile import Profile, Samples, Spans, Track

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def write_speedscope(profile: Profile, path: str | Path) -> None:
    """Write a profile: an evented profile for each track with spans, a sampled one for each with samples.

    A profile without tracks is written as one empty track, because the viewer refuses a file with none.
    """
    Path(path).write_text(json.dumps(speedscope(profile), separators=(",", ":")), encoding="utf-8")


def speedscope(profile: Profile) -> dict[str, Any]:
    """Return the content of a speedscope file."""
    frames, index = _shared_frames(profile)
    profiles: list[dict[str, Any]] = []
    for track in profile.tracks:
        if track.spans is not None:
            profiles.append(_evented(profile, index, track, track.spans))
        if track.samples is not None:
            profiles.append(_sampled(profile, index, track, track.samples))
    if not profiles:
        profiles.append(_head(profile, "evented", "nothing recorded") | {"events": []})
    return {
        "$schema": SCHEMA,
        "name": profile.name,
        "exporter": "workbench",
        "shared": {"frames": frames},
        "profiles": profiles,
    }


def _shared_frames(profile: Profile) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the table of frames, and for each frame of the profile its place in it.

    Frames that differ in their kind alone are one here, because the format has no kinds.
    """
    places: dict[tuple[str, str, int], int] = {}
    index = [
        places.setdefault((name or "(no name)", file, max(line, 0)), len(places))
        for name, file, line, _ in profile.frames
    ]
    frames: list[dict[str, Any]] = []
    for name, file, line in places:
        frames.append({"name": name})
        if file:
            frames[-1]["file"] = file
        if line:
            frames[-1]["line"] = line
    return frames, index


def _head(profile: Profile, kind: str, name: str) -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": profile.end_ns - profile.start_ns,
    }


def _name(profile: Profile, track: Track) -> str:
    several = len({t.pid for t in profile.tracks}) > 1
    return f"{track.name} (process {track.pid})" if several else track.name


def _evented(profile: Profile, index: list[int], track: Track, spans: Spans) -> dict[str, Any]:
    frame = [index[i] for i in profile.stacks.frame[spans.stack].tolist()]
    return _head(profile, "evented", _name(profile, track)) | {"events": list(_events(profile, spans, frame))}


def _events(profile: Profile, spans: Spans, frame: list[int]) -> Iterator[dict[str, Any]]:
    """Yield opens and closes in order of time, each close matching the open on top."""
    parent = profile.stacks.parent[spans.stack].tolist()
    stack = spans.stack.tolist()
    start = (spans.start_ns - profile.start_ns).tolist()
    end = (spans.end_ns - profile.start_ns).tolist()
    opened: list[int] = []
    for i in range(len(spans)):
        # The span below is the nearest open one that this one's stack stands on.
        while opened and (stack[opened[-1]] != parent[i] or end[opened[-1]] < start[i]):
            top = opened.pop()
            yield {"type": "C", "at": end[top], "frame": frame[top]}
        yield {"type": "O", "at": start[i], "frame": frame[i]}
        opened.append(i)
    while opened:
        top = opened.pop()
        yield {"type": "C", "at": end[top], "frame": frame[top]}


def _sampled(profile: Profile, index: list[int], track: Track, samples: Samples) -> dict[str, Any]:
    """Return one sampled profile; where nothing was seen, an empty stack has the gap's weight."""
    paths = {
        stack: [index[frame] for frame in profile.stacks.path(stack)]
        for stack in np.unique(samples.stack).tolist()
    }
    stacks: list[list[int]] = []
    weights: list[int] = []
    now = profile.start_ns
    for stack, at, weight in zip(
        samples.stack.tolist(), samples.at_ns.tolist(), samples.weight_ns.tolist(), strict=True
    ):
        if at > now:
            stacks.append([])
            weights.append(at - now)
        stacks.append(paths[stack])
        weights.append(weight)
        now = max(now, at) + weight
    if profile.end_ns > now:
        stacks.append([])
        weights.append(profile.end_ns - now)
    return _head(profile, "sampled", _name(profile, track)) | {"samples": stacks, "weights": weights}
