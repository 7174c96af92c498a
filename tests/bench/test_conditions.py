"""What may spoil a verdict is said beside it: a busy machine, two modes, a whole run that says something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.bench_runs import write_experiment
from workbench.bench.analysis.analysis import Analysis, analyse
from workbench.bench.analysis.conditions import busy_words, two_modes
from workbench.bench.compare.gate import Limits, judge

Make = Callable[..., Analysis]
QUIET = {"value_s": 1.0, "wall_s": 1.0, "cpu_s": 1.0, "waited_s": 0.0, "load_1min": 1.0}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that writes a run and analyses it; the first variant is the baseline."""

    def write(runs: dict[str, Sequence[Any]], **more: Any) -> Analysis:
        return analyse(write_experiment(tmp_path / "run", runs, **more))

    return write


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"load_1min": 2.4}, ""),  # what is measured is a load, too
        ({"load_1min": 9.1}, "the machine was busy: the load was 9.1 on 2 cores"),
        ({"waited_s": 0.58}, "the machine was busy: processes waited for a processor for 44 %"),
        ({"cpu_s": 0.3, "voluntary_switches": 900}, ""),  # it sleeps
        ({"cpu_s": 0.3, "voluntary_switches": 1, "involuntary_switches": 50}, "the machine was busy: processes had"),
    ],
)  # fmt: skip
def test_a_busy_machine_is_said_beside_the_verdict(
    make: Make, changes: Mapping[str, Any], words: str
) -> None:
    """Time spent waiting for a processor, and a load above the cores, are said, and what a program waits for is not."""
    run = QUIET | changes
    analysis = make({"base": [run] * 6, "other": [run | {"value_s": 2.0}] * 6})
    assert busy_words(analysis.results).startswith(words)
    assert bool(busy_words(analysis.results)) == bool(words)
    assert ("measured on a busy machine" in analysis.sentences()["other"]) == bool(words)
    assert (analysis.busy in analysis.notes()) == bool(words)


def test_two_modes_are_named(make: Make) -> None:
    """A variant that takes one of two times, now this and now that, is said to."""
    times = [1.0, 1.41, 1.01, 1.4, 1.42, 1.0, 1.01, 1.4]
    analysis = make({"base": [1.0 + k / 1000 for k in range(8)], "other": times})
    words = "its times have two modes, 1 s in 4 rounds and 1.41 s in 4 rounds"
    assert words in analysis.sentences()["other"]
    assert "modes" not in analysis.sentences()["base"]


@pytest.mark.parametrize("shape", ["normal", "exponential", "standard_t"])
@pytest.mark.parametrize("count", [8, 12, 24])
def test_times_with_one_mode_seldom_seem_to_have_two(shape: str, count: int) -> None:
    """Of 1,000 sessions with one mode at most 3 in 100 are said to have two, and with two modes most are."""
    rng = np.random.default_rng(3)
    size = (1000, count)
    noise = rng.standard_t(3, size) if shape == "standard_t" else getattr(rng, shape)(size=size)
    one = np.exp(0.02 * noise)
    two = one * np.where(np.arange(count) % 2, 1.5, 1.0)
    assert sum(two_modes(row) is not None for row in one.tolist()) <= 30
    assert sum(two_modes(row) is not None for row in two.tolist()) > 700


def stepped(step: float, start: float, steps: int = 10) -> dict[str, Any]:
    """Return a run that takes a time before its steps of one time each."""
    return {
        "value_s": step,
        "steps_s": [step] * steps,
        "wall_s": start + steps * step,
        "values_s": [start + steps * step],
    }


def test_a_line_says_what_it_is_about(make: Make) -> None:
    """Where steps are faster and the whole run is slower, the line has both, and what makes the difference."""
    scaling = {"option": "n_jobs", "whole": "share", "work": "part"}
    runs = {
        "serial": [stepped(1.0, 0.1)] * 8,
        "two": [stepped(0.64, 12.0)] * 8,
        "near": [stepped(0.9, 0.1)] * 8,
    }
    variants = {"serial": {"n_jobs": 1}, "two": {"n_jobs": 2}, "near": {"n_jobs": 1}}
    sentences = make(runs, scaling=scaling, variants=variants, quality=None).sentences()
    assert sentences["two"] == (
        "1.56× faster [1.56, 1.56] per step; 1.82× slower [1.82, 1.82] over the whole run (workers start)"
    )
    assert sentences["near"] == "1.11× faster [1.11, 1.11]"


def test_the_whole_run_is_to_the_target_where_there_is_one(make: Make) -> None:
    """The time to the hardest target that both reach stands for the whole run; more steps are given as the reason."""
    fast = stepped(0.5, 0.0, 30) | {"curve": [[0.5 * k, 10.0 ** -(k / 5)] for k in range(31)]}
    slow = stepped(1.0, 0.0) | {"curve": [[1.0 * k, 10.0 ** -(k / 1.6)] for k in range(11)]}
    sentence = make({"base": [slow] * 6, "other": [fast] * 6}, targets=[1e-6], quality=None).sentences()[
        "other"
    ]
    assert sentence == "2.00× faster [2.00, 2.00] per step; 1.50× slower [1.50, 1.50] to 1e-06 (more steps)"


def test_a_budget_with_too_few_rounds_leaves_it_undecided(make: Make) -> None:
    """A run whose budget held fewer rounds than a verdict takes is undecided."""
    assert make({"base": [1.0] * 3, "other": [2.0] * 3}, rounds=None).is_undecided


def test_a_gate_is_not_firm_where_the_control_is_noisy(tmp_path: Path) -> None:
    """With a noisy control nothing passes, and only a ratio beyond its noise as well is a regression."""
    noise = [0.9, 1.12, 1.0, 0.93, 1.08, 0.95, 1.1, 1.03]
    pairs = {"one": ("base", "new")}
    found = {}
    for factor in (1.0, 1.15, 3.0):
        run = write_experiment(
            tmp_path / f"{factor}", {"base": [1.0] * 8, "new": [factor] * 8}, again=noise, quality=None
        )
        found[factor] = judge(run, pairs, Limits())
    assert [each.verdict for each in found.values()] == ["inconclusive", "inconclusive", "regression"]
    assert "not firm: the A/A control is too noisy to tell" in found[1.0].pairs[0].words
