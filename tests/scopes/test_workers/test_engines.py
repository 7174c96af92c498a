"""Engines that run work in other threads and processes: all of it is in the recording, under what sent it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scopes.test_workers.conftest import BOTH
from workbench.eventlog import read_recording
from workbench.profile import durations, scope_totals

ENGINES = [
    ("joblib loky", "native"),
    ("joblib threading", "native"),
    ("joblib multiprocessing", "python"),
    pytest.param("joblib dask", "native", marks=pytest.mark.proof),
    ("pool fork", "native"),
    pytest.param("pool spawn", "python", marks=pytest.mark.proof),
    ("executor threads", "python"),
    ("executor fork", "python"),
    ("executor spawn", "native"),
    ("dask", "native"),
    pytest.param("dask threads", "python", marks=pytest.mark.proof),
]
"""Each with one recorder: what an engine does to its workers is the same for both."""


@pytest.mark.parametrize(("engine", "recorder"), ENGINES)
def test_workers_that_are_older_than_the_recording(program, read, tmp_path, engine):
    """Workers started before record into each recording whose propagated work they run, and into nothing between.

    Every scope is there once, under the path of the scope that sent it and inside its interval, and the workers'
    environment is afterwards what it was.
    """
    out = program(
        f"""
        run = engine({engine!r})
        run(plain, 4)
        for name in ("a", "b"):
            with record(name), scope("fit"), scope("map"):
                answers = run(carry(work), 12)
                assert all(folder == os.path.abspath(name) for _, folder in answers), answers
            answers = run(plain, 4)
            assert not any(folder for _, folder in answers), answers
        print(os.getpid())
        run.close()
        """,
        engine=engine,
    )
    parent = int(out)
    for name in ("a", "b"):
        found = read(tmp_path / name)
        real = found.own
        assert Counter(row.path for row in real) == Counter(
            {"fit": 1, "fit/map": 1, "fit/map/item": 12} | {f"fit/map/item/number {i}": 1 for i in range(12)}
        )
        assert {row.path for row in found if row.propagated} == {"fit", "fit/map"}
        (sender,) = (row for row in real if row.path == "fit/map")
        assert sender.pid == parent
        inside = [row for row in found if row.propagated or "item" in row.path]
        assert all(sender.start <= row.start <= row.end <= sender.end for row in inside)
        assert not any(row.unfinished for row in found)
        profile = read_recording(tmp_path / name)
        assert (scope_totals(profile)["map"].calls, len(durations(profile, "fit"))) == (1, 1)


@pytest.mark.parametrize(
    ("engine", "recorder"),
    [
        ("joblib loky", "native"),
        ("pool fork", "python"),
        ("pool spawn", "native"),
        ("executor spawn", "python"),
        pytest.param("dask", "native", marks=pytest.mark.proof),
    ],
)
def test_workers_that_inherit_the_recording(program, read, tmp_path, engine):
    """Workers started within a recording record all that they run; a later recording has what it sends itself."""
    program(
        f"""
        with record("a"), scope("fit"):
            run = engine({engine!r})
            run(plain, 4)
            run(carry(work), 4)
        with record("b"), scope("fit"):
            run(carry(work), 4)
        run.close()
        """,
        engine=engine,
    )
    first = Counter(row.path for row in read(tmp_path / "a").own)
    assert (first["plain"], first["fit/item"], first["fit"]) == (4, 4, 1)
    second = Counter(row.path for row in read(tmp_path / "b").own)
    assert second == {"fit": 1, "fit/item": 4} | {f"fit/item/number {i}": 1 for i in range(4)}


@BOTH
def test_work_that_sends_work(program, read, tmp_path):
    """Work that workers send to their own threads and processes is under the whole path."""
    program(
        """
        run = engine("executor fork")
        run(plain, 4)
        with record("r"), scope("fit"):
            run(carry(middle), 2)
        run.close()
        """,
        define="""
        def middle(i):
            with scope("middle"):
                with concurrent.futures.ThreadPoolExecutor(2) as pool:
                    list(pool.map(carry(work), range(2)))
                context = multiprocessing.get_context("spawn")
                with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                    list(pool.map(carry(work), range(2)))
        """,
        err=None,
    )
    counts = Counter(row.path for row in read(tmp_path / "r").own)
    assert counts["fit/middle"] == 2
    assert counts["fit/middle/item"] == 8
    assert not {path for path in counts if not path.startswith("fit")}


def test_programs_that_carried_work_starts(program, read, tmp_path):
    """A program that propagated work starts joins the recording, by the environment of that moment."""
    program(
        """
        import subprocess
        run = engine("executor spawn")
        run(plain, 4)
        with record("r"), scope("fit"):
            run(carry(starting), 2)
        run.close()
        """,
        define="""
        def starting(i):
            code = "from workbench import scope\\nwith scope('started'): pass"
            subprocess.run([sys.executable, "-c", code], check=True)
        """,
    )
    assert Counter(row.path for row in read(tmp_path / "r"))["started"] == 2
