"""Sets of profiles with known times: folders as `workbench profile --repeat` leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.helpers.trees import scopes_of
from workbench.formats.speedscope import write_speedscope

MS = 1_000_000
SCOPES = {"solve": 200.0, "load": 300.0, "fit": 500.0}
"""Milliseconds of each scope."""


def write_profile(
    folder: Path,
    scopes: Mapping[str, float],
    *,
    program: Sequence[str] = ("fit.py",),
    returncode: int = 0,
    calls: int = 1,
) -> Path:
    """Write the folder of a profile whose scopes took so many milliseconds, each in a number of calls."""
    rows, at = [], 0
    for name, ms in scopes.items():
        for _ in range(calls):
            rows.append((at, at + round(ms * MS / calls), 1, name))
            at += round(ms * MS / calls)
    folder.mkdir(parents=True)
    write_speedscope(scopes_of((0, at, 0, "run"), *rows), folder / "scopes.speedscope.json")
    facts = {"program": list(program), "seconds": at / 1e9, "returncode": returncode}
    (folder / "profile.json").write_text(json.dumps(facts))
    return folder


def write_set(
    folder: Path, count: int, *, seed: int, deviation: float = 0.01, calls: int = 1, **changes: float
) -> Path:
    """Write several profiles whose scopes vary from run to run; `changes` has factors by the name of a scope."""
    rng = np.random.default_rng(seed)
    for number in range(1, count + 1):
        scopes = {
            name: ms * changes.get(name, 1.0) * float(np.exp(rng.normal(0.0, deviation)))
            for name, ms in SCOPES.items()
        }
        write_profile(folder / str(number), scopes, calls=calls)
    return folder
