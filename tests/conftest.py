"""Settings for all tests."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No test asserts a time: tests pass on a busy machine.
settings.register_profile("anywhere", deadline=None, max_examples=50)
settings.load_profile("anywhere")
# In CI the examples are the same every time, so that only a change can make a test fail.
settings.register_profile("ci", settings.get_profile("anywhere"), derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


# In the background, or under nohup, these are ignored, and every program that a test ends would inherit that.
for _number, _action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _action)

_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def state_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the tests a state folder of their own, apart from this machine's calibration."""
    before = {name: os.environ.pop(name, None) for name in ("WORKBENCH_STATE", "XDG_STATE_HOME")}
    folder = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(folder / "shared")  # for fixtures of more than one test
    yield folder
    os.environ.pop("XDG_STATE_HOME", None)
    os.environ.update({name: value for name, value in before.items() if value is not None})


@pytest.fixture(autouse=True)
def own_state_folder(state_folders: Path) -> Iterator[Path]:
    """Give each test a state folder of its own, which does not exist yet."""
    shared, own = os.environ["XDG_STATE_HOME"], state_folders / str(next(_numbers))
    os.environ["XDG_STATE_HOME"] = str(own)
    yield own / "workbench"
    os.environ["XDG_STATE_HOME"] = shared


@pytest.fixture(scope="session")
def needs_py_spy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where py-spy may not trace; fail there in CI."""
    from tests.helpers.profiled import Workbench

    place = Workbench(tmp_path_factory.mktemp("py-spy"))
    place.write("p.py", "pass")
    done = place.profile("--sampler", "py-spy", "p.py")
    if done.returncode != 0:
        assert os.environ.get("CI") != "true", done.stderr
        pytest.skip(f"py-spy cannot be used here: {done.stderr}")
