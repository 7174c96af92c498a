"""speedscope's file format: https://github.com/jlfwong/speedscope, `src/lib/file-format-spec.ts`.

A frame is its index in one shared table. Times are nanoseconds from the start of the run; every profile in
a file has the same start and end, because the viewer shifts each by its own start and threads would not
line up otherwise. What the format cannot hold and we need to read the file again is in our own
member, `workbench`, which the viewer ignores. The reader is in `_speedscope_reader.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.formats._nested_spans import events_of, with_gaps
from workbench.formats._rows import ROWS, joined, table, whole
from workbench.formats._speedscope_member import MEMBER, OurPart, OurTrack, SpeedscopeMember, waiting_rows
from workbench.formats._speedscope_reader import SCHEMA, read_speedscope
from workbench.formats.source import opened_for_writing
from workbench.profile import ROOT, FrameKind, Profile, Samples, Spans, Track
from workbench.profile.stacks import depths
from workbench.records import plain

__all__ = ["SCHEMA", "read_speedscope", "write_speedscope"]

MAX_NUMBERS = 1 << 28
"""Frames in all sampled stacks of a track together, at most: each sample states its whole stack."""
NUMBERS = 1 << 20
"""Frames of sampled stacks that are written at once."""


def write_speedscope(profile: Profile, path: str | Path | BinaryIO) -> None:
    """Write a profile: an evented profile for each track with spans, a sampled one for each with samples.

    A profile without tracks is written as one empty track, because the viewer refuses a file with none.

    Raises:
        InvalidInputError: Its sampled stacks are so deep and so many that no viewer could open the file.
        OSError: The file cannot be written.
    """
    with opened_for_writing(path) as file:
        for piece in _pieces(profile):
            file.write(piece)


def _pieces(profile: Profile) -> Iterator[bytes]:
    frames, index = _shared_frames(profile)
    parts = [
        (i, part)
        for i, track in enumerate(profile.tracks)
        for part in (track.spans, track.samples)
        if part is not None
    ]
    depth = depths(profile.stacks)
    for i, part in parts:
        if isinstance(part, Samples):
            _check_size(profile.tracks[i], part, depth)
    head = {"$schema": SCHEMA, "name": profile.name, "exporter": "workbench", "shared": {"frames": frames}}
    yield _text(head | {MEMBER: _ours(profile, index, parts)})[:-1] + b',"profiles":['
    several = len({track.pid for track in profile.tracks}) > 1
    for number, (i, part) in enumerate(parts):
        yield b"," * bool(number)
        track = profile.tracks[i]
        name = f"{track.name} (process {track.pid})" if several else track.name
        if isinstance(part, Spans):
            yield _text(_head(profile, "evented", name))[:-1] + b',"events":['
            yield from _evented(profile, index, depth, part)
        else:
            yield _text(_head(profile, "sampled", name))[:-1] + b',"samples":['
            yield from _sampled(profile, index, depth, part)
        yield b"]}"
    if not parts:
        yield _text(_head(profile, "evented", "nothing recorded") | {"events": []})
    yield b"]}\n"


def _text(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def _shared_frames(profile: Profile) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
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
    return frames, np.array(index, dtype=np.int64)


def _ours(
    profile: Profile, index: NDArray[np.int64], parts: list[tuple[int, Spans | Samples]]
) -> dict[str, Any]:
    """Return what the format cannot hold: processes, kinds, and which spans are not what they seem."""
    kinds = [0] * (int(index.max(initial=-1)) + 1)
    # What waits on one stack and runs on another is of the kind that runs; the samples that wait are listed.
    order = sorted(range(len(index)), key=lambda i: (profile.frames[i].kind is not FrameKind.IDLE, -i))
    for i in order:
        kinds[int(index[i])] = int(profile.frames[i].kind)
    of_frame = np.array(kinds, dtype=np.int8)[index]
    return plain(
        SpeedscopeMember(
            profile.start_ns,
            [FrameKind(kind) for kind in kinds],
            [OurTrack(t.name, t.pid, t.tid, t.process) for t in profile.tracks],
            [_part(profile, i, part, of_frame) for i, part in parts],
        )
    )


def _part(profile: Profile, track: int, part: Spans | Samples, kinds: NDArray[np.int8]) -> OurPart:
    if isinstance(part, Samples):
        return OurPart(track, waiting=waiting_rows(profile, part, kinds))
    carried = None if part.propagated is None else np.flatnonzero(part.propagated).tolist()
    return OurPart(track, unfinished=np.flatnonzero(part.unfinished).tolist(), carried=carried)


def _head(profile: Profile, kind: str, name: str) -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": profile.end_ns - profile.start_ns,
    }


def _evented(
    profile: Profile, index: NDArray[np.int64], depth: NDArray[np.int32], spans: Spans
) -> Iterator[bytes]:
    """Yield opens and closes in order of time, each close matching the open on top."""
    events = events_of(spans, depth[spans.stack])
    frame = index[profile.stacks.frame[spans.stack]]
    distinct, row = np.unique(frame, return_inverse=True)
    begins = table(
        [
            b',{"type":"%b","frame":%d,"at":' % (kind, number)
            for number in distinct.tolist()
            for kind in (b"O", b"C")
        ]
    )
    end = table([b"}"])
    for first in range(0, len(events.span), ROWS):
        some = slice(first, first + ROWS)
        begin = begins[2 * row[events.span[some]] + events.closes[some]]
        at = events.at_ns[some] - profile.start_ns
        text = joined([begin, whole(at), np.broadcast_to(end, (len(at), 1))])
        yield text if first else text[1:]


def _check_size(track: Track, samples: Samples, depth: NDArray[np.int32]) -> None:
    numbers = int(depth[samples.stack[samples.stack != ROOT]].sum())
    if numbers > MAX_NUMBERS:
        raise InvalidInputError(
            f"the samples of track {track.name!r} hold {numbers} frames, each stack in full, which no viewer of "
            "speedscope files can open: write folded stacks"
        )


def _sampled(
    profile: Profile, index: NDArray[np.int64], depth: NDArray[np.int32], samples: Samples
) -> Iterator[bytes]:
    """Yield the samples and weights; where nothing was seen, an empty stack has the gap's weight."""
    row, _, weight = with_gaps(samples, profile.start_ns, profile.end_ns)
    stack = np.append(samples.stack, ROOT)[row]
    frames = index[profile.stacks.frame]
    numbers = np.cumsum(np.where(stack == ROOT, 0, depth[stack]) + 1) if len(depth) else np.arange(len(stack))
    first = 0
    while first < len(stack):
        before = int(numbers[first - 1]) if first else 0
        last = max(int(np.searchsorted(numbers, before + NUMBERS)), first + 1)
        distinct, row = np.unique(stack[first:last], return_inverse=True)
        texts = [_stack_text(profile, frames, one) for one in distinct.tolist()]
        text = b"".join([texts[i] for i in row.tolist()])
        yield text if first else text[1:]
        first = last
    yield b'],"weights":['
    comma = table([b","])
    for first in range(0, len(weight), ROWS):
        some = weight[first : first + ROWS]
        text = joined([np.broadcast_to(comma, (len(some), 1)), whole(some)])
        yield text if first else text[1:]


def _stack_text(profile: Profile, frames: NDArray[np.int64], stack: int) -> bytes:
    path: list[int] = []
    parents = profile.stacks.parent
    while stack != ROOT:
        path.append(int(frames[stack]))
        stack = int(parents[stack])
    return b",[%b]" % b",".join([b"%d" % frame for frame in reversed(path)])
