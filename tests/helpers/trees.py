"""Small profiles and stack trees, each in a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord, StackTree, aggregate


def sampled_tree(paths: Iterable[tuple[Sequence[Frame | str], int]]) -> StackTree:
    """Return the tree of sampled stacks, given as frames or names from the root, with their own times."""
    builder = ProfileBuilder("test")
    stacks, starts, weights = [], [], []
    for path, weight in paths:
        stacks.append(builder.stack_of(Frame(each) if isinstance(each, str) else each for each in path))
        starts.append(sum(weights))
        weights.append(weight)
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(stacks, starts, weights))
    return aggregate(builder.build().check(), of="samples")


def scopes_of(*rows: tuple[int, int, int, str]) -> Profile:
    """Return a profile of one track of scopes, each given as start, end, depth and name."""
    builder = ProfileBuilder("test")
    records = [SpanRecord(s, e, d, Frame(name, kind=FrameKind.SCOPE)) for s, e, d, name in rows]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    return builder.build().check()
