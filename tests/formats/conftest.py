"""Random profiles, for properties that hold of all of them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SUPPORT = runpy.run_path(str(Path(__file__).parents[1] / "support.py"))


@pytest.fixture(scope="session")
def profiles():
    """The strategy of random profiles."""
    return SUPPORT["random_profiles"]()
