"""Guards above samples: one profile of what guards recorded and what a sampler saw, on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from workbench.capture.placement.clock import Clock
from workbench.capture.placement.looks import all_stamps, held_up, ticks
from workbench.capture.placement.placer import Placer
from workbench.capture.placement.places import Places
from workbench.capture.placement.tasks import TaskScopes
from workbench.capture.placement.threads import match
from workbench.capture.placement.timeline import Timeline, Timelines, opened_on
from workbench.profile import ROOT, Profile, ProfileBuilder, Samples, Track
from workbench.scopes import _pulses

NO_PLACES = Places({}, {}, frozenset(), frozenset())
EMPTY = Profile("", (), ProfileBuilder("").build().stacks, (), 0, 0)


def merge(
    sampled: Profile,
    recording: Profile | None,
    clocks: Mapping[int, Clock] | Clock,
    *,
    changes_alone: bool = True,
    until_ns: int | None = None,
    by_line: bool = True,
) -> Profile:
    """Return the recording with every sample under the innermost scope that was open on its thread.

    A Python frame that encloses a scope stays above it, one that was called within it goes below. Scopes are placed
    by the lines of the frames, where these tell, and by time where they do not; what cannot be told within the
    clock's error stands on the innermost scope that is certain, under a frame that says so. `facts["placement"]`
    counts it.

    Invariants: on every thread the sum of the samples' weights stays; spans, counters and marks stay as they are.

    Args:
        sampled: What a sampler saw, its frames with the lines that ran, each track's `tid` Python's number of the
            thread.
        recording: What the guards recorded of the same run, as `read_recording` returns it; None: nothing.
        clocks: By process, how the sampler's times stand on the recording's; or one for all.
        changes_alone: Whether the samples are the changes of the stack, each for as long as it stayed; else each is
            one look.
        until_ns: When the sampler ended, on the recording's clock: no stack is taken to have lasted longer.
        by_line: Whether lines may tell; only proofs leave them out.
    """
    builder = ProfileBuilder(recording.name if recording is not None else sampled.name)
    places = Places.of(recording) if recording is not None else NO_PLACES
    if not by_line:
        places = places.without_lines()
    recorded = recording if recording is not None else EMPTY
    own = _copied(recorded, builder)
    anchors = places.anchors(sampled)
    placer = Placer(builder, sampled, anchors, places)
    timelines = Timelines(recorded, places)
    start_up = _start_up(sampled)
    stamps = all_stamps(sampled)
    attached: dict[int, Samples] = {}
    others: list[Track] = []
    for thread in match(sampled, recorded):
        clock = clocks if isinstance(clocks, Clock) else clocks[thread.sampled.pid]
        timeline = timelines.of([recorded.tracks[i] for i in thread.own])
        if thread.sampled.samples is None:
            continue
        seen = _seen(thread.sampled.samples, start_up)
        if not len(seen):
            continue
        tasks = [recorded.tracks[i] for i in thread.tasks]
        opened = opened_on(recorded, [*(recorded.tracks[i] for i in thread.own), *tasks])
        late = np.zeros(len(seen), dtype=np.int64)
        if changes_alone:
            last = [a for a in anchors[int(seen.stack[-1])] if a.name in opened]
            lasting = _lasting(seen, places.told(last), timeline, clock, places, until_ns)
            seen = ticks(lasting, clock.gap_ns, stamps)
            late = held_up(seen.at_ns, clock.gap_ns, stamps)
        hidden = TaskScopes.of(recorded, tasks, places) if tasks else None
        placed = placer.place(seen, timeline, clock, late, hidden, opened)
        here = next((i for i in thread.own if i not in attached), None)
        if here is not None:
            attached[here] = placed
        else:
            others.append(replace(thread.sampled, samples=placed))
    for i, track in enumerate(recorded.tracks):
        spans = track.spans
        moved = None if spans is None else replace(spans, stack=own[spans.stack])
        builder.add(replace(track, spans=moved, samples=attached.get(i)))
    for track in others:
        builder.add(track)
    tally = placer.tally
    facts = {
        **recorded.facts,
        "placement": asdict(tally) | {"clocks": _stated(clocks, sampled)},
    }
    return builder.build(facts)


def _stated(clocks: Mapping[int, Clock] | Clock, sampled: Profile) -> list[dict[str, object]]:
    """Return what is known of each process's clock, for people and machines."""
    each = {track.pid: clocks for track in sampled.tracks} if isinstance(clocks, Clock) else clocks
    return [
        {
            "pid": pid,
            "known": clock.is_known,
            "error_ns": clock.error_ns if clock.is_known else None,
            "change_error_ns": clock.change_ns if clock.is_known else None,
            "gap_ns": clock.gap_ns,
            "changes": clock.changes,
            "drift_ppm": 1e6 * clock.drift,
        }
        for pid, clock in sorted(each.items())
    ]


def _copied(profile: Profile, builder: ProfileBuilder) -> NDArray[np.int32]:
    """Put a profile's stacks into a builder; return the number of each there."""
    frame = [builder.frame(each) for each in profile.frames]
    number: list[int] = []
    for parent, own in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        number.append(builder.stack(number[parent] if parent != ROOT else ROOT, frame[own]))
    return np.array(number, dtype=np.int32)


def _start_up(sampled: Profile) -> NDArray[np.bool_]:
    """Return (stacks,) whether a stack is one of the bootstrap's pulses, and none of the program."""
    ours: list[bool] = []
    for parent, frame in zip(sampled.stacks.parent.tolist(), sampled.stacks.frame.tolist(), strict=True):
        ours.append((parent != ROOT and ours[parent]) or sampled.frames[frame].file == _pulses.FILE)
    return np.array(ours, dtype=np.bool_)


def _seen(samples: Samples, leave_out: NDArray[np.bool_]) -> Samples:
    """Return the samples at which anything was seen, without the stacks that are to be left out."""
    there = samples.stack != ROOT
    there[there] = ~leave_out[samples.stack[there]]
    return Samples(samples.stack[there], samples.at_ns[there], samples.weight_ns[there])


def _lasting(
    samples: Samples,
    shown: tuple[str, ...],
    timeline: Timeline,
    clock: Clock,
    places: Places,
    until_ns: int | None,
) -> Samples:
    """Return a thread's changes with its last one lasting until the scope was left that its lines show.

    A trace of changes does not say when a thread ended.
    """
    if not len(samples) or not clock.is_known:
        return samples
    (begin,) = clock.at(samples.at_ns[-1:]).tolist()
    left = begin
    for i in range(int(timeline.at(np.array([begin]))[0]), len(timeline.edges) - 1) if shown else ():
        if places.told(each for each in timeline.states[timeline.state[i]] if not each.by_time) != shown:
            break
        left = int(timeline.edges[i + 1])
    if until_ns is not None:
        left = min(left, until_ns)
    weight = samples.weight_ns.copy()
    weight[-1] = max(int(weight[-1]), left - begin)
    return replace(samples, weight_ns=weight)
