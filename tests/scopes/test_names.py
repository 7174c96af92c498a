"""Names of every kind, and recordings that fill many segments."""

from __future__ import annotations

import itertools
import threading

import pytest

from tests.helpers.hostile import HOSTILE
from workbench import record, scope
from workbench.scopes import _log


class NoRepr:
    """A name whose own text cannot be made."""

    def __repr__(self):
        raise ValueError("no text")


def test_hostile_names_come_back(recorded):
    """Any string is a name and comes back as it was; very long ones are cut, at sixteen thousand bytes."""
    names = [*HOSTILE, " ", "line\nbreak\r\n", "\udcff"]

    def body():
        for name in [*names, "é" * 10_000]:
            with scope(name):
                pass

    *found, cut = recorded(body).paths
    assert found == names
    assert cut.rstrip("\N{REPLACEMENT CHARACTER}") == "é" * 8192


@pytest.mark.parametrize(
    ("name", "text"), [(3, "3"), (None, "None"), (["a"], "['a']"), (("t",), "('t',)"), (NoRepr(), "<NoRepr>")]
)
def test_names_that_are_no_strings(recorded, name, text):
    """A name that is no string is shown as Python shows it; a scope that records never raises for it."""

    def body():
        for _ in range(2):
            with scope(name):
                pass

    assert recorded(body).paths == [text, text]


def test_hostile_names_of_threads(recorded):
    """Threads may have any name, too."""

    def work():
        with scope("work"):
            pass

    names = [name for name in HOSTILE if name]

    def body():
        for name in names:
            thread = threading.Thread(target=work, name=name)
            thread.start()
            thread.join()

    assert [i.track for i in recorded(body)] == [name[:1000] for name in names]


def test_many_scopes_over_many_segments(recorded, tmp_path, monkeypatch):
    """Scopes, depths and names that fill several segments all come back, in order and nested."""
    monkeypatch.setattr(_log, "FIRST_SEGMENT", 1 << 14)
    monkeypatch.setattr(_log, "MAX_SEGMENT_BYTES", 1 << 16)

    def body():
        for i in range(20):
            instances = [scope(f"level {n}") for n in range(50)]
            for instance in instances:
                instance.__enter__()
            for n in range(300):
                with scope(f"name {i} {n}"):
                    pass
            for instance in reversed(instances):
                instance.__exit__(None, None, None)

    found = recorded(body)
    assert len(list((tmp_path / "recording").glob("*.wblog"))) > 5
    below = "/".join(f"level {n}" for n in range(50))
    levels = ["/".join(f"level {n}" for n in range(m + 1)) for m in range(50)]
    expected = [[*levels, *(f"{below}/name {i} {n}" for n in range(300))] for i in range(20)]
    assert found.paths == list(itertools.chain(*expected))
    assert not any(interval.unfinished for interval in found)


@pytest.mark.parametrize("end", ["", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_short_process_leaves_a_few_kilobytes(run, tmp_path, read, end):
    """A process that records little leaves one file of 8 KiB with everything, killed or not."""
    run(
        f"""
        import os
        from workbench import scope
        with scope("work"), scope("inside", flops=1.0): pass
        {end}
        """,
        WORKBENCH_RECORD="r",
    )
    (segment,) = (tmp_path / "r").glob("*.wblog")
    assert segment.stat().st_size == 1 << 13
    assert segment.stat().st_blocks * 512 <= 1 << 13
    assert read(tmp_path / "r").paths == ["work", "work/inside"]


def test_segments_grow(tmp_path):
    """Files stay few: each is about twice as large as the one before, and what is allocated is used."""
    with record(tmp_path / "r"):
        for _ in range(100_000):
            with scope("work"):
                pass
    sizes = [path.stat().st_size for path in (tmp_path / "r").glob("*.wblog")]
    assert len(sizes) < 16
    assert sum(sizes) < 4 * 24 * 100_000
