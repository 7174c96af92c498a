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


@pytest.fixture(scope="session")
def nested_records():
    """The strategy of random intervals that nest."""
    return SUPPORT["nested_records"]()


@pytest.fixture(scope="session")
def rich_profiles():
    """The strategy of random profiles with all that a record can hold."""
    return SUPPORT["rich_profiles"]()


@pytest.fixture(scope="session")
def deep_profile():
    """A function that makes a profile of one span in the other."""
    return SUPPORT["deep_profile"]


@pytest.fixture(scope="session")
def by_path():
    """A function that returns the amounts of a stack tree by path of frames."""
    return SUPPORT["by_path"]


@pytest.fixture(scope="session")
def rows_of():
    """A function that returns the spans of a track as rows to be compared."""
    return SUPPORT["rows_of"]
