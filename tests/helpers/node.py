"""Node, which runs the scripts of charts without a browser."""

from __future__ import annotations

import os
import shutil

import pytest


def node() -> str:
    """Return node, or skip the test; where CI=true it fails."""
    found = shutil.which("node")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("skipped: node is not installed")
    assert found is not None
    return found
