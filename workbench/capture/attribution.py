"""Samples of a foreign sampler under scopes, by source lines alone.

The recorder knows the lines of each `with` block and of each decorated function. A frame that runs such a line is
inside that scope. Lines do not decide where the name is made as the program runs, where the block is on one line
or is none (`enter_context(scope(...))`), on the line of the `with` itself, and which work was sent to a thread or
process: such a sample is under "not attributable by line", within the scopes that are certain. Nothing is guessed by
time. Of a name that is made as the program runs only the first site is known: at others it is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from workbench.eventlog.stack_shape import wrapper
from workbench.profile import ROOT, Attribution, Frame, FrameKind, Profile, ProfileBuilder, ScopeSite, is_own
from workbench.profile.stacks import with_any

NOT_ATTRIBUTABLE = Frame("(not attributable by line)", kind=FrameKind.SCOPE)


class Shown(NamedTuple):
    """What one frame says of a scope."""

    inside: int
    """1 where the frame is around the scope, 0 where it runs within it: a decorated function's own."""
    name: str
    """Empty: it is not decided whether there is one."""


def attribute(sampled: Profile, recording: Profile | None, *, lines: bool = True) -> Profile:
    """Return the samples under the scopes that their lines show, a Python frame that encloses a scope above it.

    Invariant: tracks, times and weights of all samples stay.

    Args:
        sampled: What a sampler saw, its Python frames with the lines that ran.
        recording: The scopes of the same run, as `read_recording` returns them; None: there are none.
        lines: Whether a sample's time was spent at the lines of its frames, and not on the way there.
    """
    builder = ProfileBuilder(sampled.name)
    sites = _sites(recording)
    shown = [_of_frame(frame, sites) for frame in sampled.frames]
    moved_stacks: dict[int, tuple[int, str, int]] = {ROOT: (ROOT, "", ROOT)}
    count = dict.fromkeys(("attributed", "outside", "not_attributable"), 0)
    for track in sampled.tracks:
        samples = track.samples
        if samples is None:
            continue
        stacks = samples.stack.tolist()
        for stack in set(stacks) - moved_stacks.keys():
            path = sampled.stacks.path(stack)
            written = [sampled.frames[i] for i in path]
            frames, kind = _with_scopes(written, [shown[i] for i in path])
            line_stack = builder.line_stack_of(frame for frame in written if lines and _has_own_line(frame))
            moved_stacks[stack] = builder.stack_of(frames), kind, line_stack
        for stack in stacks:
            if stack != ROOT:
                count[moved_stacks[stack][1]] += 1
        moved, line = (np.array([moved_stacks[stack][i] for stack in stacks], dtype=np.int32) for i in (0, 2))
        builder.add(replace(track, samples=replace(samples, stack=moved, line=line)))
    counts = Attribution(
        sum(count.values()), count["attributed"], count["outside"], count["not_attributable"]
    )
    return builder.build(attribution=counts)


def _has_own_line(frame: Frame) -> bool:
    return frame.kind is FrameKind.PYTHON and frame.line > 0 and is_own(frame.file)


def attribution_of(profile: Profile) -> Attribution:
    """Return the counts of samples of threads at work that came with the scopes that were open."""
    inside = with_any(profile.stacks, [frame.kind is FrameKind.SCOPE for frame in profile.frames])
    samples = attributed = 0
    for own in (track.samples for track in profile.tracks):
        if own is not None:
            seen = own.stack != ROOT
            samples += int(own.count[seen].sum())
            attributed += int(own.count[seen][inside[own.stack[seen]]].sum())
    return Attribution(samples, attributed, samples - attributed, by="scope")


def scopes_by_line(recording: Profile) -> frozenset[str]:
    """Return the names of scopes that lines decide wherever they are open; others are not seen at some sites."""
    named: set[str] = set()
    undecided = _carried(recording)
    for same, is_one in _of_lines(recording):
        first = same[0]
        is_seen = first.use == "function" or (first.use == "with" and first.first_line < first.last_line)
        (named if is_one and is_seen else undecided).update(site.name for site in same)
    return frozenset(named - undecided)


def _carried(recording: Profile) -> set[str]:
    """Return the names of scopes that were ever sent along with work: lines do not show them there."""
    stacks = [
        np.unique(track.spans.stack[track.spans.propagated])
        for track in recording.tracks
        if track.spans is not None and track.spans.propagated is not None
    ]
    return {recording.frames[recording.stacks.frame[i]].name for own in stacks for i in own.tolist()}


Sites = Mapping[tuple[str, str], Sequence[ScopeSite]]
"""By file and the last part of the function's name, outer sites first."""


def _sites(recording: Profile | None) -> Sites:
    """Return the sites of a recording, alternatives of one site as a single one without a name.

    Functions made twice of one source have scopes of several names at the same lines, of which one is open. Where one
    of them is ever inside the other, they belong to one `with`, and all are open.
    """
    found: dict[tuple[str, str], list[ScopeSite]] = {}
    for same, is_one in [] if recording is None else _of_lines(recording):
        for site in same if is_one else [same[0]._replace(use="some")]:
            found.setdefault((site.file, _last_part(site.function)), []).append(site)
    return found


def _of_lines(recording: Profile) -> list[tuple[list[ScopeSite], bool]]:
    """Return the sites of a recording by their lines, and whether all that have the same ones are of one `with`."""
    names = {frame.name for frame in recording.frames}  # others are counters
    sites = [site for site in recording.recording.sites if site.name in names]
    nested = _nested(recording)
    by_lines: dict[tuple[object, ...], list[ScopeSite]] = {}
    for site in sites:
        by_lines.setdefault(tuple(site[1:]), []).append(site)
    return [(same, all((a.name, b.name) in nested for a, b in pairwise(same))) for same in by_lines.values()]


def _nested(recording: Profile) -> frozenset[tuple[str, str]]:
    """Return the pairs of names of which the second was ever opened within the first."""
    frame, names = recording.stacks.frame.tolist(), [each.name for each in recording.frames]
    parents = recording.stacks.parent.tolist()
    return frozenset(
        (names[frame[parent]], names[frame[stack]]) for stack, parent in enumerate(parents) if parent != ROOT
    )


def _last_part(function: str) -> str:
    return function.rpartition(".")[2]


def _of_frame(frame: Frame, sites: Sites) -> list[Shown]:
    """Return the scopes that a frame shows, outermost first."""
    if wrapper(frame.file) == "carry":
        return [Shown(1, "")]  # which scope sent the work, no line says
    if frame.kind is FrameKind.NATIVE or not frame.file:
        return []
    own = [site for site in sites.get((frame.file, _last_part(frame.name)), ()) if _is_in(site, frame)]
    # Of blocks around one line the outer one begins first; blocks on one line keep their order.
    own.sort(key=lambda site: (site.use != "function", site.first_line, -site.last_line))
    return [
        Shown(int(site.use != "function"), "" if shows is None else site.name)
        for site, shows in ((site, _shows(site, frame)) for site in own)
        if shows or (shows is None and _may_be_open(site, frame))
    ]


def _is_in(site: ScopeSite, frame: Frame) -> bool:
    """Return whether a frame runs the function of a site: samplers know its name, or the last part of it."""
    return site.function == frame.name or site.function.endswith("." + frame.name)


def _shows(site: ScopeSite, frame: Frame) -> bool | None:
    """Return whether a frame of the function is inside the scope, by its line; None: the line does not decide."""
    if site.use == "function":
        return not frame.line or site.first_line <= frame.line <= site.last_line
    if site.use != "with":
        return None
    if not frame.line or frame.line == site.first_line:
        return None
    return site.first_line < frame.line <= site.last_line


def _may_be_open(site: ScopeSite, frame: Frame) -> bool:
    """Return whether a scope that lines do not decide may be open: of a call, anywhere in its function."""
    return site.use == "call" or not frame.line or site.first_line <= frame.line <= site.last_line


def _with_scopes(frames: Sequence[Frame], shown: Sequence[Iterable[Shown]]) -> tuple[list[Frame], str]:
    """Return frames and scopes as one stack, of functions and no longer of lines, and what kind of sample it is.

    What is not decided around a scope that is certain is left out: the innermost scope decides.
    """
    found = [(i + each.inside, each.name) for i, own in enumerate(shown) for each in own]
    last = max((i for i, (_, name) in enumerate(found) if name), default=-1)
    scopes = [(at, name) for i, (at, name) in enumerate(found) if name or i > last]
    undecided = any(not name for _, name in scopes)
    merged: list[Frame] = []
    waiting, is_marked = list(reversed(scopes)), False
    for i in range(len(frames) + 1):
        while waiting and waiting[-1][0] <= i:
            _, name = waiting.pop()
            if name:
                merged.append(Frame(name, kind=FrameKind.SCOPE))
            elif not is_marked:
                merged.append(NOT_ATTRIBUTABLE)
                is_marked = True
        if i < len(frames) and not (wrapper(frames[i].file) and i + 1 < len(frames)):
            merged.append(frames[i]._replace(line=0))
    return merged, "not_attributable" if undecided else "attributed" if scopes else "outside"
