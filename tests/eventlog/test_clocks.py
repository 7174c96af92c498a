"""Logs of several hosts on one clock."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.eventlog.clocks import offset_ns, on_one_clock
from workbench.eventlog.log_files import EVENT, OPEN, ProcessLog
from workbench.scopes import layout

WALL = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def log(key, boot, start, *, wall, clocks=(), events=(), levels=(), host="h"):
    return ProcessLog(
        key,
        1,
        start,
        wall,
        0,
        {"boot_id": boot, "host": host},
        clocks=list(clocks),
        events={1: [np.array(list(events), EVENT)]},
        open={1: [np.array(list(levels), OPEN)]},
    )


def test_one_boot_has_one_clock():
    """Logs of one boot are not moved, whatever their wall clocks are."""
    first = log("a", "x", 100, wall=WALL)
    second = log("b", "x", 200, wall=WALL + 5 * SECOND, events=[(210, 1, 0, 0, 220)])
    assert offset_ns(second, first) == 0
    assert on_one_clock([first, second])[1] is second


def test_another_boot_is_placed_by_the_wall_clock():
    """An instant that both hosts' wall clocks call the same is the same time on the first one's clock."""
    first = log("a", "x", 1000 * SECOND, wall=WALL)
    other = log(
        "b",
        "y",
        5 * SECOND,
        wall=WALL + 2 * SECOND,
        events=[(6 * SECOND, 1, 0, 0, 7 * SECOND), (0, 0, 0, 0, 0)],
        levels=[(1, 0, 8 * SECOND), (0, 0, 0)],
    )
    moved = on_one_clock([other, first])
    assert [of.key for of in moved] == ["a", "b"]
    assert moved[1].start_ns == 1002 * SECOND
    assert moved[1].events[1][0].tolist() == [(1003 * SECOND, 1, 0, 0, 1004 * SECOND), (0, 0, 0, 0, 0)]
    assert moved[1].open[1][0].tolist() == [(1, 0, 1005 * SECOND), (0, 0, 0)]
    assert other.events[1][0]["end"][0] == 7 * SECOND, "the log itself is left as it was"


def test_values_are_not_times():
    """Numbers of scopes and counters keep their bits; the time beside them is moved."""
    bits = int(np.float64(-2.5).view(np.uint64))
    flags = (layout.FLAG_VALUE, layout.FLAG_COUNTER, layout.FLAG_MARK)
    first = log("a", "x", SECOND, wall=WALL)
    other = log("b", "y", 2 * SECOND, wall=WALL, events=[(bits, 1, 0, flag, 3 * SECOND) for flag in flags])
    moved = on_one_clock([first, other])[1].events[1][0]
    assert moved["start"].tolist() == [bits] * 3
    assert moved["end"].tolist() == [2 * SECOND] * 3


def test_a_wall_clock_that_is_set_once():
    """A jump of the wall clock near an end does not move the log: the median of its pairs is used."""
    pairs = [(5 * SECOND + i * SECOND, WALL + i * SECOND) for i in range(10)]
    first = log("a", "x", 100 * SECOND, wall=WALL)
    other = log("b", "y", 5 * SECOND, wall=WALL - 3600 * SECOND, clocks=pairs)
    assert offset_ns(other, first) == 95 * SECOND


def test_without_boot_ids_the_host_tells():
    """Where the boot is not known, processes of one host share a clock and those of others do not."""
    first = log("a", "", SECOND, wall=WALL)
    same = log("b", "", 2 * SECOND, wall=WALL)
    other = log("c", "", 2 * SECOND, wall=WALL, host="other")
    assert (offset_ns(same, first), offset_ns(other, first)) == (0, -SECOND)


@pytest.mark.parametrize("wall", [0, 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("start", [1, 2**63 - 1, 2**64 - 1])
def test_hostile_times_are_left_out(wall, start):
    """Times that cannot be are moved to none that a reader takes, without an error."""
    times = [0, 1, SECOND, 2**63 - 1, 2**63, 2**64 - 1]
    first = log("a", "x", SECOND, wall=WALL)
    other = log(
        "b",
        "y",
        start,
        wall=wall,
        clocks=[(0, 0), (2**64 - 1, 1)],
        events=[(time, 1, 0, 0, time) for time in times],
        levels=[(1, 0, time) for time in times],
    )
    for moved in on_one_clock([first, other]):
        (events,) = moved.events[1]
        assert len(events) == (len(times) if moved.key == "b" else 0)
        if moved.key == "b":
            assert events["end"][0] == 0
            assert moved.start_ns > 0


def test_no_logs():
    """A recording without logs is none."""
    assert on_one_clock([]) == []
    damaged = ProcessLog("a", 0, 0, 0, 0, {})
    assert on_one_clock([damaged]) == [damaged]
