"""Running `workbench profile` as a user does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.profiled import Workbench, ours


@pytest.fixture
def workbench_profile(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


@pytest.fixture
def children() -> Callable[[int], dict[int, str]]:
    """Return a function that lists the living descendants of a process, with their command lines."""

    def children(pid: int) -> dict[int, str]:
        import psutil

        found = {}
        for child in psutil.Process(pid).children(recursive=True):
            try:
                if child.status() != psutil.STATUS_ZOMBIE:
                    found[child.pid] = " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                pass
        return found

    return children


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Return a function that waits until a process is gone, for ten seconds at most."""

    def gone(pid: int) -> bool:
        import psutil

        for _ in range(200):
            try:
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    return True
            except psutil.NoSuchProcess:
                return True
            time.sleep(0.05)
        return False

    return gone


@pytest.fixture(scope="session")
def needs_py_spy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where py-spy may not trace; fail there in CI."""
    place = Workbench(tmp_path_factory.mktemp("py-spy"))
    place.write("p.py", "pass")
    done = place.profile("--sampler", "py-spy", "p.py")
    if done.returncode != 0:
        assert os.environ.get("CI") != "true", done.stderr
        pytest.skip(f"py-spy cannot be used here: {done.stderr}")


@pytest.fixture
def our_lines() -> Callable[[str], list[str]]:
    return ours
