"""Running `workbench profile` as a user does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.profiled import Workbench


@pytest.fixture
def workbench_profile(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)
