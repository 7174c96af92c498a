"""What a recording takes besides time, against the limits that the project promises."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.proof

PARTS = Path(__file__).resolve().parents[2] / "benchmarks" / "_scopes_parts.py"


def measured(part: str, *arguments: int) -> dict[str, Any]:
    command = [sys.executable, str(PARTS), part, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_closed_scope_takes_24_bytes() -> None:
    """A closed scope takes 24 bytes; headers of chunks add under 1 in 1000, and allocated blocks under 10 %."""
    found = measured("log_size", 10_000_000)
    assert found["scopes"] == 10_000_000
    assert found["record"] == 24
    assert found["used"] < 24 * 1.001
    assert found["files"] < 24 * 1.1


def test_memory_does_not_grow_with_what_is_recorded() -> None:
    """At 20 million scopes the recording process has grown by less than 64 MiB of anonymous memory."""
    assert measured("memory", 20_000_000)["mib"] < 64


def test_ten_million_scopes_are_read_within_seconds() -> None:
    """Ten million nested scopes are read into arrays within 2 s, and a quarter more for slow machines."""
    found = measured("reading", 10_000_000)
    assert found["scopes"] == 10_000_000
    assert min(found["seconds"]) < 2 * 1.25


def test_import_takes_little() -> None:
    """`import workbench` takes under 5 ms more than the bare interpreter: the median of 40 pairs of starts."""
    found = measured("importing", 40)
    assert statistics.median(found["over_ms"]) < 5
    assert found["median_inside_ms"] < 5
