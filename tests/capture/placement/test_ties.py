"""What ties clocks, by arithmetic on whole columns: the same as by looking at each sample on its own."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.capture.placement import Clock, ties
from workbench.capture.placement.ties import BACK_NS, Edges, Shown
from workbench.capture.placement.timeline import BEGIN

STEP = BACK_NS // 8
CLOCK = Clock(0, 1_000_000, 1_000_000, 10_000_000)


@st.composite
def threads(draw):
    """Return a thread whose edges and samples are up to some hundred milliseconds from each other."""
    changes = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), min_size=1, max_size=20))
    seen = draw(st.lists(st.tuples(st.integers(-9, 49), st.integers(0, 5)), max_size=20))
    times = sorted(time for time, _ in changes)
    stamps = sorted(time for time, _ in seen)
    return Shown(
        np.array(stamps, dtype=np.int64) * STEP,
        np.zeros(len(seen), dtype=np.int64),
        np.array([path for _, path in seen], dtype=np.int64),
        np.array([BEGIN, *(time * STEP for time in times)], dtype=np.int64),
        np.array([0, *(path for _, path in changes)], dtype=np.int64),
    )


def off_each(thread):
    """Return what `Shown.off` does, by walking along the edges from each sample."""
    late, early = [], []
    edges, paths = thread.edge_ns.tolist(), thread.true_path.tolist()
    for at, wanted in zip(thread.stamp_ns.tolist(), thread.path.tolist(), strict=True):
        here = max(i for i, edge in enumerate(edges) if edge <= at)
        if paths[here] == wanted:
            continue
        back = min((at - edges[i + 1] for i in range(here) if paths[i] == wanted), default=BACK_NS)
        ahead = min(
            (edges[i] - at for i in range(here + 1, len(edges)) if paths[i] == wanted), default=BACK_NS
        )
        if min(back, ahead) < BACK_NS:
            (late if back <= ahead else early).append(min(back, ahead))
    return late, early


@given(threads())
def test_how_far_off_samples_are(thread):
    """The nearest time at which a sample's scopes were open is found on either side, and none that is far away."""
    late, early = thread.off(CLOCK)
    assert (late.tolist(), early.tolist()) == off_each(thread)


def test_a_part_stands_for_many(monkeypatch):
    """Of more samples than are looked at every so many is, and counts as often."""
    monkeypatch.setattr(ties, "MOST_OFF", 4)
    stamps = np.arange(1, 11) * 1000
    thread = Shown(stamps, np.zeros(10, dtype=np.int64), np.ones(10, dtype=np.int64), *edges_of([0], [2]))
    assert [each.tolist() for each in thread.off(CLOCK)] == [[], []]
    thread = Shown(stamps, np.zeros(10, dtype=np.int64), np.ones(10, dtype=np.int64), *edges_of([0], [2], 1))
    late, early = thread.off(CLOCK)
    assert late.tolist() == [1000] * 3 + [4000] * 3 + [7000] * 3 + [10_000] * 3
    assert not len(early)


def edges_of(times, paths, first=0):
    return np.array([BEGIN, *times], dtype=np.int64), np.array([first, *paths], dtype=np.int64)


@given(st.lists(threads(), min_size=1, max_size=5), st.data())
def test_edges_of_many_threads(made, data):
    """At any time of any thread, what its own lines show is found, whatever the other threads do."""
    asked = data.draw(
        st.lists(st.tuples(st.integers(0, len(made) - 1), st.integers(-2, 50), st.integers(-1, 1)))
    )
    thread = np.array([number for number, _, _ in asked], dtype=np.int64)
    at = np.array([time * STEP + shift for _, time, shift in asked], dtype=np.int64)
    found = Edges.of(made).path_at(thread, at)
    for number, time, path in zip(thread.tolist(), at.tolist(), found.tolist(), strict=True):
        own = made[number]
        last = max(i for i, edge in enumerate(own.edge_ns.tolist()) if edge <= time)
        assert path == own.true_path[last]
