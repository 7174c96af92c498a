"""What this machine can do: measured, kept for each machine, and never taken for another's or from a damaged file."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.bench.machine import calibration
from workbench.bench.machine import rates as machine_rates
from workbench.bench.machine.calibration import COPY, DOUBLE, SINGLE, UNITS, Calibration, Machine, Rate
from workbench.errors import InvalidInputError, WorkbenchError

MACHINE = Machine("Some Processor", 4, "someblas 1.2")
RATES = tuple(
    Rate(what, threads, 2.0 * threads, 1.0 * threads, 3.0 * threads, 7)
    for what in UNITS
    for threads in (1, 4)
)
KNOWN = Calibration(MACHINE, RATES, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 0.1, 2048, 1 << 30, 1 << 25)


def test_every_rate_is_measured() -> None:
    """Products in both precisions and copies have a rate with one thread and with all, in an order that can be."""
    told: list[tuple[float, float | None, str]] = []
    found = machine_rates.measure(
        seconds=0.0, orders=(32,), copied_bytes=1 << 16, advance=lambda *now: told.append(now)
    )
    threads = sorted({1, calibration.this_machine().cores})
    assert {(rate.what, rate.threads) for rate in found.rates} <= {(w, t) for w in UNITS for t in threads}
    assert {rate.what for rate in found.rates} == set(UNITS)
    assert {rate.threads for rate in found.rates if rate.what == COPY} == set(threads)
    for rate in found.rates:
        assert 0 < rate.low <= rate.median <= rate.high < math.inf
        assert rate.repetitions == machine_rates.MIN_REPETITIONS
    assert (found.machine, found.order, found.copied_bytes) == (calibration.this_machine(), 32, 1 << 16)
    assert told[-1][0] == told[-1][1]


def test_a_rate_is_the_amount_over_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations (2·32³) and bytes (16 a number) in a nanosecond, by this clock, are that many 10⁹ a second."""
    clock = iter(range(10**9))
    monkeypatch.setattr(machine_rates.time, "perf_counter_ns", lambda: next(clock))
    found = machine_rates.measure(seconds=0.0, orders=(32,), copied_bytes=1 << 16)
    for rate in found.rates:
        assert rate.low == rate.median == rate.high == (2 * 32**3 if rate.what != COPY else 2 << 16)


def test_blas_has_its_threads_back() -> None:
    """What limits BLAS while it is measured is lifted after that."""
    before = calibration.numpy_blas()
    machine_rates.measure(seconds=0.0, orders=(32,), copied_bytes=1 << 16)
    assert calibration.numpy_blas() == before


@pytest.mark.parametrize(
    ("cache", "memory", "size"),
    [
        (32 << 20, 64 << 30, 64 << 20),
        (100 << 20, 64 << 30, 200 << 20),
        (900 << 20, 64 << 30, 1 << 30),
        (0, 64 << 30, 64 << 20),
        (100 << 20, 800 << 20, 100 << 20),
        (100 << 20, 0, 1 << 20),
    ],
)
def test_the_size_of_copies(cache: int, memory: int, size: int) -> None:
    """Twice the cache, within limits, and never more than an eighth of the memory there is."""
    assert machine_rates._copy_size(cache, memory) == size


def test_a_containers_memory_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A control group's limit, where there is one, is the memory there is."""
    monkeypatch.setattr(machine_rates, "_CGROUP", tmp_path)
    whole = machine_rates._memory()
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_rates._memory() > 9000
    (tmp_path / "memory.max").write_text("10000\n")
    assert machine_rates._memory() == 9000 < whole


def test_the_last_level_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is the largest that the first core has; 0 where the system says nothing, or nonsense."""
    monkeypatch.setattr(machine_rates, "_CPU", tmp_path)
    assert machine_rates.last_level_cache() == 0
    for number, text in enumerate(("48K\n", "2M\n", "nonsense\n", "1536K\n")):
        folder = tmp_path / "cpu0" / "cache" / f"index{number}"
        folder.mkdir(parents=True)
        (folder / "size").write_text(text)
    assert machine_rates.last_level_cache() == 2 << 20


def test_what_is_saved_is_loaded(own_state_folder: Path) -> None:
    """A calibration comes back as it was, in place of the one before, and leaves no other file."""
    assert calibration.load(MACHINE) is None
    calibration.save(replace(KNOWN, order=1024))
    path = calibration.save(KNOWN)
    assert calibration.load(MACHINE) == KNOWN
    assert list(own_state_folder.iterdir()) == [path]


@pytest.mark.parametrize(
    "other", [replace(MACHINE, cores=2), replace(MACHINE, blas="b 2"), replace(MACHINE, processor="p")]
)
def test_each_machine_has_its_own(other: Machine) -> None:
    """Another processor, number of cores or BLAS is another machine, and a file under its name is refused."""
    path = calibration.save(KNOWN)
    assert calibration.load(other) is None
    path.rename(calibration.calibration_file(other))
    with pytest.raises(InvalidInputError, match=r"is of another machine \(Some Processor, 4 cores"):
        calibration.load(other)


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """WORKBENCH_STATE names the folder itself, XDG_STATE_HOME the one around it; a relative one is ignored."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert calibration.state_folder() == tmp_path / "xdg" / "workbench"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert calibration.state_folder() == tmp_path / ".local" / "state" / "workbench"
    monkeypatch.setenv(calibration.VARIABLE, str(tmp_path / "own"))
    assert calibration.state_folder() == tmp_path / "own"


def test_a_failed_save_keeps_the_old_one(monkeypatch: pytest.MonkeyPatch, own_state_folder: Path) -> None:
    """Where the disk is full the file is what it was, and the error is one line."""
    path = calibration.save(KNOWN)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkbenchError, match=r"cannot write to .*: No space left on device; name another"):
        calibration.save(replace(KNOWN, order=1))
    assert calibration.load(MACHINE) == KNOWN
    assert list(own_state_folder.iterdir()) == [path]


def test_a_file_that_cannot_be_read() -> None:
    """A folder in its place is one line too."""
    calibration.calibration_file(MACHINE).mkdir(parents=True)
    with pytest.raises(InvalidInputError, match=r"cannot be read \(Is a directory\); calibrate"):
        calibration.load(MACHINE)


DAMAGES: list[tuple[dict[str, Any], str]] = [
    ({"format": "other"}, "it is no calibration"),
    ({"version": 2}, "its version is 2"),
    ({"machine": None}, "$.machine"),
    ({"machine": {}}, "missing required field `processor`"),
    ({"measured": "yesterday"}, "Invalid RFC3339"),
    ({"measured": "2026-01-01"}, "Invalid RFC3339"),
    ({"load": -1}, ">= 0.0"),
    ({"load": math.nan}, "NaN is no number"),
    ({"order": "many"}, "Expected `int`"),
    ({"rates": 3}, "Expected `array`"),
    ({"rates": [{}]}, "missing required field"),
]


@pytest.mark.parametrize(("change", "words"), DAMAGES)
def test_damaged_files(change: dict[str, Any], words: str) -> None:
    """What cannot be is named in one line with the remedy."""
    path = calibration.save(KNOWN)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidInputError) as refused:
        calibration.load(MACHINE)
    assert "\n" not in str(refused.value)
    assert words in str(refused.value)
    assert str(refused.value).endswith("; calibrate this machine")


@pytest.mark.parametrize(
    "change",
    [
        {"what": "other"},
        {"threads": 0},
        {"low": 0},
        {"low": 2.5},
        {"high": 1.5},
        {"high": math.inf},
        {"median": math.nan},
    ],
)
def test_rates_that_cannot_be(change: dict[str, Any]) -> None:
    """A rate below zero, out of order, not finite or of nothing known is no roof."""
    path = calibration.save(KNOWN)
    content = json.loads(path.read_text())
    content["rates"][0] |= {"median": 2.0, "low": 1.0, "high": 3.0} | change
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInputError, match="is damaged"):
        calibration.load(MACHINE)


@given(cut=st.integers(0, 2000), noise=st.binary(max_size=20))
def test_no_damage_is_a_traceback(cut: int, noise: bytes) -> None:
    """Wherever a file is cut and whatever follows, it is read as it was, or refused."""
    path = calibration.save(KNOWN)
    path.write_bytes(path.read_bytes()[:cut] + noise)
    try:
        found = calibration.load(MACHINE)
    except InvalidInputError:
        return
    assert found == KNOWN


def test_what_makes_rates_unsure() -> None:
    """A busy machine, and copies that fit into the cache, are said; an idle one with large copies needs no words."""
    assert KNOWN.warnings() == []
    assert "was not idle (load 3.0)" in replace(KNOWN, load=3.0).warnings()[0]
    assert "less than the cache of 32 MiB" in replace(KNOWN, copied_bytes=1 << 20).warnings()[0]


def test_rates_are_found() -> None:
    """By what and how many threads; what was not measured is none."""
    rate = KNOWN.rate(SINGLE, 4)
    assert rate is not None
    assert (rate.what, rate.threads) == (SINGLE, 4)
    assert KNOWN.rate(DOUBLE, 2) is None
    assert KNOWN.threads() == [1, 4]


def test_a_blas_that_cannot_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its threads can neither be told nor set, products are measured as they are, and nobody says one thread."""
    monkeypatch.setattr(machine_rates, "numpy_blas", lambda: None)
    found = machine_rates.measure(seconds=0.0, orders=(32,), copied_bytes=1 << 16)
    cores = found.machine.cores
    assert {rate.threads for rate in found.rates if rate.what != COPY} == {cores}
    assert {rate.threads for rate in found.rates if rate.what == COPY} == {1, cores}


def test_numpys_own_blas_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several libraries it is the one that NumPy brought, whichever was loaded first."""
    scipys, numpys = (
        {
            "user_api": "blas",
            "internal_api": "openblas",
            "version": version,
            "filepath": f"/site/{owner}.libs/b.so",
        }
        for owner, version in (("scipy", "1"), ("numpy", "2"))
    )
    threads = {"user_api": "openmp", "internal_api": "openmp", "version": None, "filepath": "/lib/gomp.so"}
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [threads, scipys, numpys])
    assert calibration.numpy_blas() == numpys
    assert calibration._blas() == "openblas 2"
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [threads, scipys])
    assert calibration.numpy_blas() == scipys, "a system's one serves both"
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [threads])
    assert calibration.numpy_blas() is None
    assert calibration._blas(), "NumPy says itself what it was built with"
