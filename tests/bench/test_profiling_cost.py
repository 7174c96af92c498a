"""What profiling costs: a suite measures it, and `cost.json` says it to a run that it may or may not be of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench import records
from workbench.bench.design.suite import load_suite
from workbench.bench.machine.environment import processor
from workbench.bench.profiling_cost import (
    BARE,
    FILE,
    IN_PROCESS,
    MEMORY,
    PY_SPY,
    PY_SPY_NATIVE,
    RUN,
    SCOPES,
    Check,
    Conditions,
    Cost,
    CostOptions,
    Ratio,
    cost_notes,
    known_cost,
    measure_cost,
    write_cost,
)
from workbench.bench.results.results import read_results
from workbench.bench.run.process import Interpreter, RunRequest
from workbench.capture.samplers import Sampling
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.system import usable_cores

PROGRAM = ("fit.py", "--epochs", "5")
UNKNOWN = "what profiling costs this program is unknown: measure it with workbench profile --cost"
SECONDS = {BARE: 2.0, SCOPES: 2.0, IN_PROCESS: 2.5, PY_SPY: 2.1, PY_SPY_NATIVE: 3.0, MEMORY: 9.0}
HERE = Conditions(processor(), usable_cores())
RATIOS = (
    Ratio(SCOPES, BARE, 1.003, 1.003, 1.003),
    Ratio(IN_PROCESS, BARE, 1.12, 1.08, 1.16),
    Ratio(PY_SPY, BARE, 1.05, 1.05, 1.05),
)
COST = Cost(PROGRAM, 100, True, "2026-11-26T10:11:12+00:00", HERE, Check(False), RATIOS)


@pytest.fixture
def options(tmp_path: Path) -> CostOptions:
    """Options for a program that is there."""
    (tmp_path / "p.py").write_text("pass")
    return CostOptions((str(tmp_path / "p.py"),), tmp_path / "out")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunRequest]:
    """The runs that are asked for; none runs, and each takes what `SECONDS` says."""
    found: list[RunRequest] = []

    def run(request: RunRequest, timeout_s: float, interpreter: Interpreter) -> dict[str, Any]:
        if request.calibrate:
            return {"error": None, "loops": 1, "values": 1, "run_s": 2.0, "took_s": 2.0}
        found.append(request)
        seconds = SECONDS[request.variant]
        if request.keep is not None:
            facts = {"seconds": seconds / 20, "scopes": 0, "warnings": []}
            (request.keep / "run.json").write_text(json.dumps(facts))
        return {"error": None, "value_s": seconds, "steps_s": [seconds], "wall_s": seconds, "took_s": seconds}

    monkeypatch.setattr("workbench.bench.run.rounds.run_process", run)
    return found


def test_each_way_has_a_few_rounds(options: CostOptions, asked: list[RunRequest]) -> None:
    """By default each way runs three times, paired by round; figures are kept in the folder of the profile."""
    results = measure_cost(options)
    assert results.variants == [BARE, SCOPES, IN_PROCESS, PY_SPY, PY_SPY_NATIVE]
    assert len(asked) == 18
    cost = records.parse((options.folder / FILE).read_bytes(), Cost)
    assert {each.way: each.value for each in cost.ratios} == pytest.approx(
        {way: seconds / 2.0 for way, seconds in SECONDS.items() if way not in (BARE, MEMORY)}
    )
    assert (cost.program, cost.rate, cost.native) == (options.program, 100, True)
    assert [note.partition(":")[0] for note in cost_notes(results)] == [
        "the program takes 0.1 s",
        "the program has no scopes",
    ]
    assert sorted(path.name for path in options.folder.iterdir()) == [".workbench.json", RUN, FILE]


def test_without_native_frames(options: CostOptions, asked: list[RunRequest]) -> None:
    """Native frames that are not wanted are measured by no way."""
    assert (
        PY_SPY_NATIVE
        not in measure_cost(replace(options, sampling=Sampling(native=False), rounds=1)).variants
    )
    assert len(asked) == 5


def test_traced_memory(options: CostOptions, asked: list[RunRequest]) -> None:
    """Of traced memory it is what tracing costs that is measured, and no sampler; of one run there is no interval."""
    traced = replace(options, sampling=Sampling("tracemalloc"), rounds=1)
    assert known_cost(options.folder, options.program, 100, "tracemalloc").sentence == (
        "what tracing memory costs this program is unknown: measure it with workbench profile --memory --cost"
    )
    assert measure_cost(traced).variants == [BARE, SCOPES, MEMORY]
    assert len(asked) == 4
    assert known_cost(options.folder, options.program, 7, "tracemalloc").sentence.startswith(
        "tracing memory makes this program 4.50 × as long (recording scopes 1.000 ×, from one run of each way, "
    )
    assert "unknown" in known_cost(options.folder, options.program, 100, "in-process").sentence


def test_what_there_is_is_kept(
    options: CostOptions, asked: list[RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted, the complete rounds are reported, and the same call resumes them."""
    from workbench.bench.run import rounds

    run = rounds.run_process

    def interrupted(*arguments: Any) -> dict[str, Any]:
        if len(asked) == 8:
            raise KeyboardInterrupt
        return run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("workbench.bench.run.rounds.run_process", interrupted)
        assert measure_cost(options).complete_rounds() == [0]
    assert (options.folder / FILE).is_file()
    assert measure_cost(options).complete_rounds() == [0, 1, 2]


def test_each_measurement_has_a_folder_of_its_own(options: CostOptions, asked: list[RunRequest]) -> None:
    """What was measured before is never replaced, be it of another program or of the same; the last one counts."""
    measure_cost(options)
    other = replace(options, program=(*options.program, "x"), rounds=1)
    assert measure_cost(other).folder == options.folder / f"{RUN}-2"
    assert known_cost(options.folder, other.program, 100, "none").times == "1.000 ×"
    assert measure_cost(options).folder == options.folder / f"{RUN}-3"
    assert read_results(options.folder / RUN).complete_rounds() == [0, 1, 2]


def test_the_suite_by_itself() -> None:
    """Without a program the suite says in one line how it is run."""
    with pytest.raises(InvalidInputError, match="suite profiling needs a program"):
        load_suite("profiling")


def test_a_program_that_fails(options: CostOptions) -> None:
    """A program that fails each time is one line with its last words, and nothing stays."""
    Path(options.program[0]).write_text("raise ValueError('no data')")
    with pytest.raises(InvalidInputError, match=r"nothing is measured: .*exit code 1: ValueError: no data"):
        measure_cost(replace(options, sampling=Sampling(native=False), rounds=1))
    assert not (options.folder / RUN / "results.jsonl").exists()
    assert not (options.folder / FILE).exists()


def said(folder: Path, program: tuple[str, ...] = PROGRAM, rate: int = 100, native: bool = True) -> str:
    sampler = "in-process with native frames" if native else "py-spy"
    return known_cost(folder, program, rate, sampler).sentence


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be written it is one line with the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="choose another folder"):
        write_cost(COST, tmp_path / "file")


def test_the_last_known_cost(tmp_path: Path) -> None:
    """One sentence: the ratio of times, with the interval, the part of scopes, and when."""
    assert said(tmp_path) == UNKNOWN
    write_cost(COST, tmp_path)
    assert said(tmp_path) == (
        "profiling makes this program 1.12 × [1.08, 1.16] as long (recording scopes 1.003 × [1.003, 1.003], "
        "measured 2026-11-26)"
    )
    assert known_cost(tmp_path, PROGRAM, 100, "in-process with native frames").times == "1.12 × [1.08, 1.16]"
    assert said(tmp_path, native=False) == (
        "sampling by py-spy makes this program 1.050 × [1.050, 1.050] as long "
        "(recording scopes 1.003 × [1.003, 1.003], measured 2026-11-26)"
    )
    assert known_cost(tmp_path, PROGRAM, 7, "none").sentence == (
        "recording makes this program 1.003 × [1.003, 1.003] as long (measured 2026-11-26)"
    )
    assert "unknown" in known_cost(tmp_path, PROGRAM, 100, "pyinstrument").sentence


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "rate": ({"rate": 200}, "at 200 samples a second"),
    "arguments": ({"program": ("fit.py",)}, "with other arguments"),
    "machine": ({"environment": Conditions("Abacus 3", 4)}, "on another machine: Abacus 3, 4 cores"),
    "native frames": ({"native": False}, "without native frames"),
    "void": ({"check": Check(True)}, "in an experiment that was void"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_measured_under_other_conditions(tmp_path: Path, what: str) -> None:
    """Figures of other arguments, another rate or machine are told, and told to be so."""
    changes, words = DIFFERENT[what]
    write_cost(msgspec.structs.replace(COST, **changes), tmp_path)
    assert said(tmp_path).startswith("profiling makes this program 1.12 ×")
    assert words in said(tmp_path)


@pytest.mark.parametrize("other", [("g.py", "--epochs", "5"), ("-m", "fit")])
def test_measured_of_another_program(tmp_path: Path, other: tuple[str, ...]) -> None:
    """The figure of another program is never given as this one's."""
    write_cost(msgspec.structs.replace(COST, program=other), tmp_path)
    assert said(tmp_path).startswith(f"{UNKNOWN}; profiling makes another program, {' '.join(other)}, 1.12 ×")
    assert known_cost(tmp_path, PROGRAM, 100, "py-spy").times == ""


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"ratios": [[]]}', "[" * 9000, '{"rate": 1, "rate": 1}', "null"]
)
def test_a_file_that_is_not_ours(tmp_path: Path, content: str) -> None:
    """What is no such record says nothing."""
    (tmp_path / FILE).write_text(content)
    assert said(tmp_path) == UNKNOWN
