"""`cost.json`: what is in it, and what is said of it to a run that it may or may not be of."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbench.bench.environment import processor
from workbench.bench.profiling_cost_figures import IN_PROCESS, SCOPES, Cost, TimedRun, ways_of
from workbench.bench.profiling_cost_file import FILE, known_cost, write_cost
from workbench.bench.suite import AGAIN
from workbench.errors import WorkbenchError
from workbench.system import usable_cores

PROGRAM = ("fit.py", "--epochs", "5")
UNKNOWN = "what profiling costs this program is unknown: measure it with workbench profile --cost"
SECONDS = {
    "bare": 2.0,
    "scopes": 2.006,
    "py-spy, native frames": 2.2,
    "in-process": 2.24,
    "py-spy": 2.1,
    AGAIN: 2.0,
}


def cost_of(*, native: bool = True, again: float = 2.0, **changes: Any) -> Cost:
    """Return a cost of twelve blocks; the ratio of both to bare is 1.08, 1.12 or 1.16 in four blocks each."""
    seconds = SECONDS | {AGAIN: again}
    runs = [
        TimedRun(
            block, place, name, seconds[name] + (0.08 * (block % 3 - 1) if name == IN_PROCESS else 0.0), 9, 9
        )
        for block in range(12)
        for place, name in enumerate(ways_of(native))
    ]
    conditions = {"machine": processor(), "usable_cores": usable_cores()}
    cost = Cost(PROGRAM, 100, native, 0, "2026-11-26T10:11:12+00:00", conditions, 12, tuple(runs))
    return replace(cost, **changes)


def said(folder: Path, program: tuple[str, ...] = PROGRAM, rate: int = 100, native: bool = True) -> str:
    sampler = "in-process with native frames" if native else "py-spy"
    return known_cost(folder, program, rate, sampler).sentence


def test_the_file_says_all(tmp_path: Path) -> None:
    """Conditions, ratios with interval and verdict, medians, the method's own error and every run; plain JSON."""
    cost = cost_of()
    path = write_cost(cost, tmp_path / "new")
    assert path == tmp_path / "new" / FILE

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    facts = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert facts["program"] == list(PROGRAM)
    assert (facts["rate"], facts["native"], facts["date"]) == (100, True, cost.started)
    assert facts["confidence"] == pytest.approx(0.99)
    both = next(each for each in facts["ratios"] if (each["way"], each["base"]) == (IN_PROCESS, "bare"))
    assert (both["low"], both["value"], both["high"]) == pytest.approx((1.08, 1.12, 1.16))
    assert both["verdict"] == "slower"
    assert len(facts["runs"]) == 72
    assert facts["runs"][1] == {
        "block": 0, "position": 1, "way": SCOPES, "seconds": 2.006, "samples": 9, "scopes": 9, "warnings": [],
    }  # fmt: skip
    assert facts["check"]["void"] is False
    assert facts["environment"]["usable_cores"] == usable_cores()
    assert facts["seconds"]["bare"]["value"] == 2.0


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be written it is one line with the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="choose another folder with -o"):
        write_cost(cost_of(), tmp_path / "file")


def test_the_last_known_cost(tmp_path: Path) -> None:
    """One sentence: how many times as long, with the interval, the part of scopes, and when."""
    assert said(tmp_path) == UNKNOWN
    write_cost(cost_of(), tmp_path)
    assert said(tmp_path) == (
        "profiling makes this program 1.12 × [1.08, 1.16] as long (recording scopes 1.003 ×, measured 2026-11-26)"
    )
    assert known_cost(tmp_path, PROGRAM, 100, "in-process with native frames").times == "1.12 ×"
    assert said(tmp_path, native=False) == (
        "sampling by py-spy makes this program 1.050 × [1.050, 1.050] as long "
        "(recording scopes 1.003 ×, measured 2026-11-26)"
    )
    assert known_cost(tmp_path, PROGRAM, 7, "none").sentence == (
        "recording makes this program 1.003 × [1.003, 1.003] as long (measured 2026-11-26)"
    )
    assert "unknown" in known_cost(tmp_path, PROGRAM, 100, "pyinstrument").sentence


DIFFERENT = {
    "rate": ({"rate": 200}, ["at 200 samples a second"]),
    "arguments": ({"program": ("fit.py",)}, ["with other arguments"]),
    "machine": (
        {"environment": {"machine": "Abacus 3", "usable_cores": 4}},
        ["on another machine: Abacus 3, 4 cores"],
    ),
    "cores": ({"environment": {"machine": processor(), "usable_cores": 4096}}, ["4096 cores"]),
    "native frames": ({"native": False}, ["without native frames"]),
    "void": ({"again": 2.2}, ["in a session that was void"]),
    "all": (
        {"rate": 50, "program": ("fit.py", "x"), "environment": {"machine": "Abacus 3", "usable_cores": 1}},
        ["with other arguments, at 50 samples a second, on another machine: Abacus 3, 1 cores"],
    ),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_measured_under_other_conditions(tmp_path: Path, what: str) -> None:
    """Figures of other arguments, another rate or machine are told, and told to be so."""
    changes, words = DIFFERENT[what]
    write_cost(cost_of(**changes), tmp_path)
    sentence = said(tmp_path)
    assert sentence.startswith("profiling makes this program 1.12 ×")
    assert all(word in sentence for word in words)


@pytest.mark.parametrize("other", [("g.py", "--epochs", "5"), ("-m", "fit")])
def test_measured_of_another_program(tmp_path: Path, other: tuple[str, ...]) -> None:
    """The figure of another program is never given as this one's."""
    write_cost(cost_of(program=other), tmp_path)
    sentence = said(tmp_path)
    assert sentence.startswith(f"{UNKNOWN}; profiling makes another program, {' '.join(other)}, 1.12 ×")
    assert known_cost(tmp_path, PROGRAM, 100, "py-spy").times == ""


def _without(facts: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != key}


DAMAGED = {
    "empty": lambda facts: "",
    "cut": lambda facts: json.dumps(facts)[:900],
    "a list": lambda facts: "[]",
    "a number": lambda facts: "3",
    "deep": lambda facts: "[" * 100_000,
    "no ratios": lambda facts: json.dumps(facts | {"ratios": []}),
    "ratios of nothing": lambda facts: json.dumps(facts | {"ratios": [3]}),
    "not a number": lambda facts: json.dumps(facts | {"ratios": [r | {"value": math.nan} for r in facts["ratios"]]}),
    "negative": lambda facts: json.dumps(facts | {"ratios": [r | {"low": -1} for r in facts["ratios"]]}),
    "infinite": lambda facts: json.dumps(facts | {"rate": math.inf}),
    "huge": lambda facts: json.dumps(facts | {"ratios": [r | {"value": 10**400} for r in facts["ratios"]]}),
    "no program": lambda facts: json.dumps(facts | {"program": []}),
    "program is text": lambda facts: json.dumps(facts | {"program": "fit.py"}),
    **{f"without {key}": lambda facts, key=key: json.dumps(_without(facts, key))
       for key in ("ratios", "program", "rate", "native", "date", "environment", "check")},
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_none(tmp_path: Path, what: str) -> None:
    """A file that is cut, or that somebody else wrote, is as if there were none: a profile is never lost for it."""
    path = write_cost(cost_of(), tmp_path)
    path.write_text(DAMAGED[what](json.loads(path.read_text())))
    assert said(tmp_path) == UNKNOWN


def test_a_folder_in_its_place_is_none(tmp_path: Path) -> None:
    """What cannot be read is as if there were none."""
    (tmp_path / FILE).mkdir()
    assert said(tmp_path) == UNKNOWN
