"""Runs that were cut: by Ctrl-C, by SIGKILL at any moment; resumed, they are what they would have been."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import run_workbench, start_workbench
from workbench.bench.results.results import FILE, Results, read_results
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.bench.run.process import Interpreter, RunRequest
from workbench.errors import InvalidInputError

ROUNDS = 3


def bench(suite: Path, folder: Path, *more: str) -> tuple[str, ...]:
    return ("bench", str(suite), "-o", str(folder), "--rounds", str(ROUNDS), *more)


def figures(results: Results) -> list[tuple[Any, ...]]:
    """What must be the same however often a run was cut; times are not."""
    return [
        (a.round, a.position, a.name, a.seed, tuple(a.quality.items()))
        for a in sorted(results.runs, key=lambda a: (a.round, a.position))
    ]


def check_lines(results: Results) -> None:
    """Nothing was measured twice or lost: each round whole, of one attempt, and all lines in their place."""
    assert results.complete_rounds() == list(range(ROUNDS))
    assert len(results.runs) == 3 * ROUNDS
    assert all(len({a.attempt for a in results.runs if a.round == number}) == 1 for number in range(ROUNDS))
    assert results.torn == 0
    lines = [json.loads(line) for line in (results.folder / FILE).read_text().splitlines()]
    runs = [(a["round"], a["attempt"], a["name"]) for a in lines if a["kind"] == "name"]
    assert len(runs) == len(set(runs))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[Any, ...]], float]:
    """A suite, the figures of a run of it that nothing cut, and the seconds that this took."""
    folder = tmp_path_factory.mktemp("unbroken")
    suite = folder / "seeded_suite.py"
    suite.write_text(
        "import random\nfrom workbench.bench import Case, Suite\n"
        "suite = Suite('seeded', baseline='a', variants={'a': {'n': 1}, 'b': {'n': 2}})\n"
        "@suite.workload\ndef workload(n, *, seed):\n"
        "    draw = random.Random(seed)\n"
        "    return Case(run=lambda: sum(range(100_000)), quality=lambda r: {'error': n * (1 + draw.random())})\n"
    )
    began = time.monotonic()
    run = run_workbench(*bench(suite, folder / "run"), text=True)
    assert (run.returncode, run.stderr) == (0, "")
    return suite, figures(read_results(folder / "run")), time.monotonic() - began


def kill_and_resume(
    unbroken: tuple[Path, list[tuple[Any, ...]], float], folder: Path, draw: random.Random
) -> int:
    """Kill a run at a random moment, once or more, and resume it to its end; return how many kills met it."""
    suite, wanted, took = unbroken
    kills = 0
    for _ in range(draw.choice([1, 1, 2, 3])):
        process = start_workbench(
            *bench(suite, folder, *(["--resume"] if (folder / FILE).exists() else [])),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            process.wait(draw.uniform(0.2, took))
        except subprocess.TimeoutExpired:
            kills += 1
            process.kill()
        _, error = process.communicate(timeout=60)
        assert error == b"", error
    if not folder.exists():  # it was killed before there was anything to resume
        folder.mkdir()
    done = run_workbench(*bench(suite, folder, "--resume"), text=True)
    assert (done.returncode, done.stderr) == (0, "")
    results = read_results(folder)
    check_lines(results)
    assert figures(results) == wanted
    assert (folder / "index.html").is_file()
    return kills


def test_a_killed_run_is_gone_on_with(
    unbroken: tuple[Path, list[tuple[Any, ...]], float], tmp_path: Path
) -> None:
    """After SIGKILL at a random moment --resume gives the plan, starts and figures of a run that nothing cut."""
    kill_and_resume(unbroken, tmp_path / "run", random.Random(0))


def test_results_that_were_cut_anywhere_are_gone_on_with(
    good_suite: Path, options: Callable[..., BenchOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever a kill cut the file of results, in a line or behind it, the run becomes what it would have been."""

    def run(request: RunRequest, timeout_s: float, interpreter: Interpreter) -> dict[str, Any]:
        if request.calibrate:
            return {"error": None, "loops": 1, "values": 1, "run_s": 1.0, "took_s": 1.0}
        found = {
            "value_s": 1.0,
            "values_s": [1.0],
            "loops": 1,
            "quality": {"error": request.seed},
            "curve": [],
        }
        return {"error": None, "took_s": 1.0} | found

    monkeypatch.setattr("workbench.bench.run.rounds.run_process", run)
    whole = run_suite(options(good_suite, rounds=ROUNDS))
    data = (whole.folder / FILE).read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for size in sorted({*(end + by for end in ends for by in (-1, 0, 25))}):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / FILE).write_bytes(data[:size])
        again = run_suite(options(good_suite, rounds=ROUNDS, folder=folder, resume=True))
        check_lines(again)
        assert figures(again) == figures(whole)


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_runs_killed_fifty_times_are_gone_on_with(
    unbroken: tuple[Path, list[tuple[Any, ...]], float], tmp_path: Path
) -> None:
    """The same for fifty runs, killed at random moments, once or more each."""
    draw = random.Random(50)
    kills = sum(kill_and_resume(unbroken, tmp_path / str(number), draw) for number in range(50))
    assert kills >= 45


@pytest.mark.proof
def test_ctrl_c_and_resume(unbroken: tuple[Path, list[tuple[Any, ...]], float], tmp_path: Path) -> None:
    """What Ctrl-C cuts is named with the way to go on; a run that is complete already is only reported again."""
    suite, wanted, _ = unbroken
    folder = tmp_path / "run"
    process = start_workbench(
        *bench(suite, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not (folder.exists() and _runs(folder) > 4):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert "resume it with --resume" in error
    for _ in range(2):
        done = run_workbench(*bench(suite, folder, "--resume"), text=True)
        assert (done.returncode, done.stderr) == (0, "")
        check_lines(read_results(folder))
        assert figures(read_results(folder)) == wanted


def _runs(folder: Path) -> int:
    path = folder / FILE
    return path.read_text().count('"kind": "run"') if path.exists() else 0


def test_another_suite_is_not_gone_on_with(
    good_suite: Path, options: Callable[..., BenchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed suite, machine or package is named and refused, unless told; then it is said once."""
    run_suite(options(good_suite))
    good_suite.write_text(good_suite.read_text() + "# changed\n")
    with pytest.raises(InvalidInputError, match=r"the suite's file changed; begin anew, or force it"):
        run_suite(options(good_suite, resume=True))
    said: list[str] = []
    run_suite(options(good_suite, resume=True, force=True), say=said.append)
    assert said == ["going on although something has changed: the suite's file"]
    monkeypatch.setattr("workbench.bench.run.fingerprint.processor", lambda: "another one")
    with pytest.raises(InvalidInputError, match=r"the suite's file, machine \(.*another one.*\) changed"):
        run_suite(options(good_suite, resume=True))


def test_a_changed_helper_is_named(
    write_suite: Callable[..., Path], options: Callable[..., BenchOptions], tmp_path: Path
) -> None:
    """A module that a run loaded, if only while it ran, is a condition of the run like the suite's own file."""
    helper = tmp_path / "helper_of_runs.py"
    helper.write_text("N = 100_000")
    suite = write_suite("import helper_of_runs as helper\nreturn Case(run=lambda: sum(range(helper.N)))")
    assert set(run_suite(options(suite)).sources) >= {str(helper), str(suite)}
    helper.write_text("N = 200_000")
    with pytest.raises(InvalidInputError, match=r"conditions: .*helper_of_runs\.py changed; begin anew"):
        run_suite(options(suite, resume=True))


def test_the_number_of_rounds_is_not_changed(good_suite: Path, options: Callable[..., BenchOptions]) -> None:
    """Another number of rounds than the run was begun with is refused, and not left out of account."""
    run_suite(options(good_suite, rounds=2))
    with pytest.raises(InvalidInputError, match=r"rounds 3: .* was begun with 2 rounds, .*leave it out"):
        run_suite(options(good_suite, rounds=3, resume=True))


def test_a_run_of_another_suite_is_named(
    good_suite: Path, options: Callable[..., BenchOptions], write_suite: Callable[..., Path]
) -> None:
    """A folder with a run of another suite is not mixed with this one."""
    run_suite(options(good_suite))
    other = write_suite("return 5", name="other_suite.py")
    other.write_text(other.read_text().replace('"tiny"', '"other"'))
    with pytest.raises(InvalidInputError, match="has suite 'tiny', not 'other'"):
        run_suite(options(other, resume=True))


def test_a_workload_that_is_not_seeded_is_told(
    write_suite: Callable[..., Path], options: Callable[..., BenchOptions]
) -> None:
    """Where the baseline gives two results from one seed it is said, once, with the remedy."""
    suite = write_suite(
        "return Case(run=lambda: time.sleep(2e-4) or time.perf_counter(), quality=lambda r: {'error': r})"
    )
    said: list[str] = []
    run_suite(options(suite, rounds=2), say=said.append)
    assert len(said) == 1
    assert said[0].startswith("one gave error ")
    assert "from the same seed: take all randomness from the workload's `seed`" in said[0]


def test_a_figure_that_is_not_always_given_is_told(
    write_suite: Callable[..., Path], options: Callable[..., BenchOptions], tmp_path: Path
) -> None:
    """Where the baseline gives a figure in one run and not in the other that is said, and the run goes on."""
    mark = tmp_path / "given"
    suite = write_suite(
        f"import pathlib\nmark = pathlib.Path({str(mark)!r})\n"
        "def quality(result):\n"
        "    given = mark.exists()\n    mark.touch()\n"
        "    return {'error': 1.0} if given else {'error': 1.0, 'other': 2.0}\n"
        "return Case(run=lambda: time.sleep(2e-4), quality=quality)"
    )
    said: list[str] = []
    for seed in range(4):  # whichever of the two copies comes first
        mark.unlink(missing_ok=True)
        results = run_suite(options(suite, seed=seed, folder=tmp_path / str(seed)), say=said.append)
        assert results.complete_rounds() == [0]
    assert said
    assert all(text.startswith("one gave other 2 and then none from the same seed") for text in said)
