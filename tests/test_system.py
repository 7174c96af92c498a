"""What is known of the machine."""

from __future__ import annotations

import os
import sys

import joblib
import pytest

from workbench import system


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which cores a process may use")
def test_usable_cores(monkeypatch) -> None:
    """The cores that this process may use are counted, not those of the machine; the variable is an upper bound."""
    assert 1 <= system.usable_cores() <= len(os.sched_getaffinity(0))
    assert system.usable_cores() == joblib.cpu_count()
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert system.usable_cores() == 1
