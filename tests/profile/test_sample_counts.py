"""Shares of regular sampling, with the interval that one random sample in each period allows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from workbench.formats.folded import read_folded
from workbench.formats.pyspy import read_pyspy_raw
from workbench.profile import (
    Frame,
    FrameKind,
    ProfileBuilder,
    SampleCounts,
    Samples,
    ThreadState,
    aggregate,
    scope_samples,
)

FIT, REST = Frame("fit", kind=FrameKind.SCOPE), Frame("rest")
PERIOD = 1000


def sampled(threads, cpu=None, state=None):
    """Return a profile of threads of one process, each (inside, ticks) for each row: tids count from 1."""
    builder = ProfileBuilder("x")
    inside, outside = builder.stack_of([FIT]), builder.stack_of([REST])
    for tid, (tracks, each) in enumerate(threads, 1):
        at = PERIOD * np.append(0, np.cumsum([ticks for _, ticks in each]))[:-1]
        for track in range(tracks):
            rows = np.arange(track, len(each), tracks)
            ticks = np.array([each[i][1] for i in rows], dtype=np.int32)
            builder.add_track(
                f"{tid}.{track}",
                pid=1,
                tid=tid,
                samples=Samples(
                    np.array([inside if each[i][0] else outside for i in rows], dtype=np.int32),
                    at[rows],
                    PERIOD * ticks.astype(np.int64),
                    ticks,
                    ticks.astype(np.int64) * (PERIOD if cpu is None else cpu),
                    None if state is None else np.full(len(ticks), state, dtype=np.uint8),
                ),
            )
    return builder.build().check()


def half_width(changes, ticks):
    return 1.959963984540054 * math.sqrt((changes + 3.841458820694124) / 2) / ticks


def test_ticks_are_counted():
    """A thread that slept for long is one row of many ticks."""
    profile = sampled([(1, [(True, 900), (False, 100)])])
    found = scope_samples(profile)["fit"].of_all
    assert (found.samples, found.share) == (900, 0.9)
    assert found.high - found.share == pytest.approx(half_width(1, 1000))
    assert found.share - found.low == pytest.approx(half_width(1, 1000))
    tree = aggregate(profile, of="samples")
    assert tree.count.tolist() == [900, 100]


def test_changes_of_threads_add_up():
    """What two threads do at different moments is independent, and what they do at one moment is the more certain."""
    one = [(i // 5 % 2 == 0, 1) for i in range(100)]
    other = [(i // 5 % 2 == 0, 1) for i in range(3, 103)]
    found = SampleCounts.of(sampled([(1, one), (1, other)])).part(np.array([0]))
    assert found.high - found.share == pytest.approx(half_width(19 + 20, 200))
    together = SampleCounts.of(sampled([(1, one), (1, one)])).part(np.array([0]))
    assert together.high - together.share == pytest.approx(half_width(4 * 19, 200))


def test_tasks_are_one_thread():
    """A thread that goes from one task to another changes, though neither of their tracks does."""
    rows = [(i % 2 == 0, 1) for i in range(100)]
    apart = SampleCounts.of(sampled([(2, rows)])).part(np.array([0]))
    assert apart.high - apart.share == pytest.approx(half_width(99, 100))
    assert apart == SampleCounts.of(sampled([(1, rows)])).part(np.array([0]))


def test_what_was_never_seen():
    """What was not seen in n samples is at most 3/n, and what was always seen at least 1 - 3/n."""
    counts = SampleCounts.of(sampled([(1, [(True, 600)])]))
    assert counts.part(np.array([1])).high == pytest.approx(3 / 600)
    assert counts.part(np.array([0])).low == pytest.approx(1 - 3 / 600)


def test_shares_of_cpu_time():
    """A thread that slept has none; where all ticks have as much, the intervals are those of wall time."""
    rows = [(i // 7 % 3 == 0, 1) for i in range(90)]
    found = scope_samples(sampled([(1, rows)]))["fit"]
    assert found.of_cpu == pytest.approx(found.of_all)
    assert scope_samples(sampled([(1, rows)], cpu=0))["fit"].of_cpu is None


def test_the_interval_holds():
    """Over simulated programs the interval has the true share in at least 93 % of runs."""
    random = np.random.default_rng(7)
    held = total = 0
    for length in (3.3, 20.7, 0.4):  # periods for which a program does one thing
        for _ in range(200):
            begin, n = random.uniform(0, 2 * length), 500
            moments = np.arange(n) + random.uniform(size=n)
            rows = [(bool(each), 1) for each in ((moments + begin) // length) % 2 == 0]
            grid = ((np.arange(0, n, 0.01) + begin) // length) % 2 == 0
            found = SampleCounts.of(sampled([(1, rows)])).part(np.array([0]))
            held += found.low <= grid.mean() <= found.high
            total += 1
    assert held >= 0.93 * total


def test_the_interval_holds_where_the_sampler_is_late():
    """So it does where one sample of a running thread stands for many periods in which the sampler got no processor."""
    random = np.random.default_rng(8)
    held = total = 0
    for length in (3.3, 20.7):
        for _ in range(100):
            begin, ticks = random.uniform(0, 2 * length), random.geometric(0.2, size=300)
            ends = np.cumsum(ticks)
            moments = ends - random.uniform(size=300)
            inside = ((moments + begin) // length) % 2 == 0
            grid = ((np.arange(0, ends[-1], 0.05) + begin) // length) % 2 == 0
            profile = sampled(
                [(1, list(zip(inside.tolist(), ticks.tolist(), strict=True)))], state=ThreadState.PYTHON
            )
            found = SampleCounts.of(profile).part(np.array([0]))
            held += found.low <= grid.mean() <= found.high
            total += 1
    assert held >= 0.93 * total


@pytest.mark.parametrize("regular", [True, False])
def test_many_groups_at_once(regular):
    """Shares of many groups of stacks, which may overlap, are those of each of them alone."""
    draw = np.random.default_rng(4)
    builder = ProfileBuilder("x")
    stacks = np.array([builder.stack_of([Frame(f"f{i}")]) for i in range(9)], dtype=np.int32)
    for tid in (1, 2):
        chosen = stacks[draw.integers(0, 9, 300)]
        samples = builder.samples(chosen.tolist(), list(range(300)), [1] * 300)
        if regular:
            samples = replace(samples, ticks=np.ones(300, dtype=np.int32))
        builder.add_track(str(tid), pid=1, tid=tid, samples=samples)
    counts = SampleCounts.of(builder.build())
    groups = [np.flatnonzero(draw.random(9) < part) for part in (0.0, 0.2, 0.5, 1.0)]
    members = np.concatenate(groups)
    of_member = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    for at_once, group in zip(counts.parts(members, of_member, len(groups)), groups, strict=True):
        alone = counts.part(group)
        assert at_once.samples == alone.samples
        found = (at_once.share, at_once.low, at_once.high)
        assert found == pytest.approx((alone.share, alone.low, alone.high))


def test_files_that_merged_their_samples(tmp_path):
    """Intervals are those of as many samples as the file says that there were; where it does not, there are none."""
    (tmp_path / "a.raw").write_text("fit (a.py:1) 60\nrest (a.py:9) 40\n")
    (tmp_path / "a.folded").write_text("fit 60\nrest 40\n")
    counted = read_pyspy_raw(tmp_path / "a.raw")
    fit = np.array([frame.name == "fit" for frame in counted.frames])[counted.stacks.frame]
    found = SampleCounts.of(counted).part(fit)
    assert (found.samples, found.share, found.is_known) == (60, 0.6, True)
    assert (found.low, found.high) == pytest.approx((0.502, 0.691), abs=1e-3)
    unknown = SampleCounts.of(read_folded(tmp_path / "a.folded"), by_time=True).part(fit)
    assert (unknown.share, unknown.is_known, unknown.low, unknown.high) == (0.6, False, 0.0, 1.0)
    assert aggregate(read_folded(tmp_path / "a.folded"), of="samples").count.sum() == 0
