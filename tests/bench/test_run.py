"""Runs: fresh processes in rounds, and nothing that a run does spoils the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.processes import is_gone, wait_until
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.machine.environment import PINNED
from workbench.bench.results.results import FILE, RESIDUALS, Results
from workbench.bench.run.experiment import BenchOptions, planned, run_suite
from workbench.bench.run.process import Interpreter, RunRequest
from workbench.bench.run.rounds import RoundProgress
from workbench.errors import InvalidInputError, WorkbenchError

WriteSuite = Callable[..., Path]
Options = Callable[..., BenchOptions]
GOOD = "return Case(run=lambda: sum(range(100_000)) and 1.0, quality=lambda result: {'error': result})"


def run_of(results: Results, variant: str) -> Any:
    return next(run for run in results.runs if run.variant == variant)


def test_a_tiny_suite_works_first_time(good_suite: Path, options: Options) -> None:
    """Ten lines are a suite: every round has every run once, from one seed, and the next from another."""
    told: list[RoundProgress] = []
    results = run_suite(options(good_suite, rounds=2), progress=told.append)
    assert results.complete_rounds() == [0, 1]
    assert [(a.round, a.position) for a in results.runs] == [(b, p) for b in (0, 1) for p in range(3)]
    assert all(
        sorted(a.name for a in results.runs if a.round == b) == ["A/A control", "one", "two"] for b in (0, 1)
    )
    assert {a.variant for a in results.runs if a.name == AA_CONTROL} == {"one"}
    seeds = [{a.seed for a in results.runs if a.round == number} for number in (0, 1)]
    assert [len(s) for s in seeds] == [1, 1]
    assert seeds[0] != seeds[1]
    assert all(a.quality == {"error": 1.0 + a.seed} for a in results.runs)
    assert all(a.error is None and a.value_s > 0 for a in results.runs)
    assert [(p.round, p.position, p.runs, p.rounds) for p in told[2:]] == [
        (0, 0, 3, None),  # how many rounds there will be is not decided yet
        (0, 1, 3, None),
        (0, 2, 3, None),
        (1, 0, 3, 2),
        (1, 1, 3, 2),
        (1, 2, 3, 2),
    ]
    assert [p.variant for p in told[:2]] == ["one, a first try", "two, a first try"]
    assert [p.variant for p in told[2:]] == [a.name for a in results.runs]
    first = (results.folder / FILE).read_text().splitlines()[0]
    assert json.loads(first)["schema"] == 4


@pytest.fixture
def instant_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Runs that take no time of ours, and ten seconds by their own; the list of (variant, seed) as asked for."""
    asked: list[tuple[str, int]] = []

    def run(request: RunRequest, timeout_s: float, interpreter: Interpreter) -> dict[str, Any]:
        if request.calibrate:
            return {"error": None, "loops": 1, "values": 1, "run_s": 10.0, "took_s": 0.0}
        asked.append((request.variant, request.seed))
        noise = 1.0 + 0.01 * (len(asked) % 7)
        found = {"value_s": noise, "values_s": [noise], "loops": 1, "quality": {}, "curve": []}
        return {"error": None, "took_s": 10.0} | found

    monkeypatch.setattr("workbench.bench.run.rounds.run_process", run)
    return asked


def test_order_and_seeds_follow_from_the_seed(
    instant_runs: list[tuple[str, int]], good_suite: Path, options: Options, tmp_path: Path
) -> None:
    """The same seed gives the same orders and starts again; over a square every run has every position as often."""
    runs, orders = [], []
    for number, seed in enumerate([3, 3, 4]):
        instant_runs.clear()
        results = run_suite(options(good_suite, rounds=6, seed=seed, folder=tmp_path / str(number)))
        runs.append(instant_runs.copy())
        orders.append([a.name for a in results.runs])
    assert runs[0] == runs[1] != runs[2]
    assert orders[0] == orders[1] != orders[2]
    assert len({seed for _, seed in runs[0]}) == 6
    for position in range(3):
        assert Counter(orders[0][position::3]) == {"one": 2, "two": 2, AA_CONTROL: 2}


@pytest.mark.parametrize(
    ("budget", "rounds", "why"),
    [
        (400.0, 12, "2 whole squares of 6 rounds"),
        (200.0, 6, "1 whole square of 6 rounds"),
        (110.0, 3, "no whole square of 6 rounds"),
        (20.0, 1, "no whole square"),
    ],
)
def test_the_budget_decides_on_the_rounds(
    instant_runs: list[tuple[str, int]],
    good_suite: Path,
    options: Options,
    budget: float,
    rounds: int,
    why: str,
) -> None:
    """There are whole squares where the budget holds one, by the time of the first round, and else what it holds."""
    results = run_suite(options(good_suite, rounds=None, budget_s=budget))
    assert results.complete_rounds() == list(range(rounds))
    assert results.plan is not None
    assert why in results.plan.why


def test_a_budget_that_holds_no_verdict_is_named_first(
    instant_runs: list[tuple[str, int]], good_suite: Path, options: Options
) -> None:
    """How long a verdict takes is said before the first round, once; what the budget holds is measured, and no more."""
    said: list[tuple[int, str]] = []
    given = options(good_suite, rounds=None, budget_s=70.0, profiled=True)
    results = run_suite(given, say=lambda text: said.append((len(instant_runs), text)))
    assert results.complete_rounds() == [0, 1]
    line = "6 rounds, the fewest for a verdict, need about 3 min; the budget is 70 s: 2 are measured, and no scopes"
    assert said == [(0, f"{line} are recorded")]


def test_a_budget_ends_a_run_within_its_first_round(
    instant_runs: list[tuple[str, int]], good_suite: Path, options: Options
) -> None:
    """A budget that does not hold one round ends the run once it is spent; resumed, the run has that round."""
    given = options(good_suite, rounds=None, budget_s=1e-9)
    with pytest.raises(WorkbenchError, match="is spent after 0 of 3 processes of the first round") as raised:
        run_suite(given)
    assert raised.value.exit_code == 3
    assert instant_runs == []
    assert run_suite(replace(given, resume=True)).complete_rounds() == [0]


@pytest.mark.parametrize(("precision", "rounds"), [(0.05, 6), (0.022, 12), (0.001, 24)])
def test_a_precision_ends_a_run_when_it_is_reached(
    instant_runs: list[tuple[str, int]], good_suite: Path, options: Options, precision: float, rounds: int
) -> None:
    """With a wanted half-width there are as many whole squares as the pilot's noise asks for, within the budget."""
    results = run_suite(options(good_suite, rounds=None, budget_s=750.0, precision=precision))
    assert len(results.complete_rounds()) == rounds


def test_axes_choose_the_variants(
    instant_runs: list[tuple[str, int]], write_suite: WriteSuite, options: Options
) -> None:
    """Options that are wanted on an axis leave the variants that have them, and always the baseline."""
    head = """
from workbench.bench import Case, Suite, axis
suite = Suite("s", baseline={"how": "a", "n": 1})
@suite.workload(how=axis("a", "b", "c"), n=axis(1, 2))
def workload(how, n, *, seed):
    return Case(run=int, quality=lambda r: {})
"""
    suite = write_suite("", head=head)
    results = run_suite(options(suite, axes={"how": ("b",)}))
    assert results.head.runs == ["how=a, n=1", "how=b", "how=b, n=2", AA_CONTROL]
    one_each = run_suite(options(suite, plan="one-at-a-time", folder=results.folder.with_name("other")))
    assert one_each.variants == ["how=a, n=1", "n=2", "how=b", "how=c"]
    assert any("how=b, n=2: how=b, n=2" in line for line in planned(options(suite)))
    assert not options(suite, folder=results.folder.with_name("third")).folder.exists()


FAILURES = [
    ("os._exit(7)", "exit code 7"),
    ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    ("os.kill(os.getpid(), signal.SIGRTMIN + 1)", "killed by signal 35"),
    ("raise ValueError('two\\nlines \\x1b[31m' + 'x' * 5000)", "ValueError: two lines [31mxxx"),
    ("raise KeyError", "KeyError"),
    ("sys.exit('no more')", "exit code 1: no more"),
    ("print('é' * 3_000_000); print('e' * 3_000_000, file=sys.stderr); os.write(2, b'\\xff end'); os._exit(3)",
 "exit code 3: \ufffd end"),
    ("return 5", "the workload of suite 'tiny' returned int: return a Case"),
    ("return Case(run=lambda: 1 / 0, quality=lambda r: {})", "ZeroDivisionError: division by zero"),
    ("return Case(run=int, quality=lambda r: [1])", "quality returned list: return a mapping"),
    ("return Case(run=int, quality=lambda r: {'e': float('nan')})", "quality 'e' is nan: it must be a finite"),
    ("return Case(run=int, quality=lambda r: {'e': 'good'})", "quality 'e' is 'good': it must be a number"),
    ("return Case(run=int, quality=lambda r: {}, steps=lambda r: [0.5, 0.0])", "steps holds 0.0"),
    ("return Case(run=int, quality=lambda r: {}, keep=lambda r, folder: 1 / 0)", "ZeroDivisionError"),
]  # fmt: skip
"""What a workload does, and how the message of it begins."""


def test_a_run_that_fails_is_a_result(write_suite: WriteSuite, options: Options) -> None:
    """A crash, an exception or a mistake in one variant is a line with its message, and the run goes on."""
    head = f"""
import os, signal, sys
from workbench.bench import Case, Suite
suite = Suite("tiny", baseline="one", variants={{str(how): {{"how": how}} for how in ("one", *range({len(FAILURES)}))}})
"""
    body = f"if how == 'one':\n    {GOOD}\n"
    for number, (fails, _) in enumerate(FAILURES):
        body += f"if how == {number}:\n{textwrap.indent(fails, '    ')}\n"
    said: list[str] = []
    results = run_suite(options(write_suite(body, head=head)), say=said.append)
    assert results.complete_rounds() == [0]
    assert [run.error for run in results.runs if run.variant == "one"] == [None, None]
    for number, (_, message) in enumerate(FAILURES):
        error = run_of(results, str(number)).error
        assert error.startswith(message)
        assert error.isprintable()
        assert len(error) < 600
        assert f"round 1, {number}: {error}" in said
    assert len([text for text in said if "runs are looped" not in text]) == len(FAILURES)


def test_what_a_workload_prints_is_not_taken_for_its_result(
    write_suite: WriteSuite, options: Options
) -> None:
    """Output of a run goes nowhere, however much, and cannot be mistaken for a result."""
    suite = write_suite(
        "print('{\"error\": \"no\"}' * 200_000)\nprint('x' * 3_000_000, file=sys.stderr)\n" + GOOD
    )
    assert [run.error for run in run_suite(options(suite)).runs] == [None, None, None]


def test_a_run_that_hangs_is_ended(write_suite: WriteSuite, options: Options, tmp_path: Path) -> None:
    """After the timeout a run and the processes that it started are killed, and the run goes on."""
    suite = write_suite(
        f"if how == 'one':\n    {GOOD}\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    results = run_suite(options(suite, timeout_s=3.0))
    assert run_of(results, "two").error == "no result within 3 s"
    assert run_of(results, "one").error is None
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: is_gone(pid))


def test_what_a_run_leaves_running_is_ended(
    write_suite: WriteSuite, options: Options, tmp_path: Path
) -> None:
    """A child that outlives its run, and holds its streams, neither keeps us waiting nor runs beside the next."""
    suite = write_suite(
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path)!r} + '/pid-' + how, 'w').write(str(child.pid))\n" + GOOD
    )
    results = run_suite(options(suite))
    assert [run.error for run in results.runs] == [None, None, None]
    for how in ("one", "two"):
        pid = int((tmp_path / f"pid-{how}").read_text())
        wait_until(lambda pid=pid: is_gone(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")
def test_a_session_of_its_own_is_ended_too(write_suite: WriteSuite, options: Options, tmp_path: Path) -> None:
    """A daemon that a run has started, in a session of its own and without a parent, does not outlive it."""
    start = "import os; os.fork() and os._exit(0); print(os.getpid(), flush=True); os.execvp('sleep', ['sleep', '600'])"
    suite = write_suite(
        f"start = [sys.executable, '-c', {start!r}]\n"
        "started = subprocess.Popen(start, stdout=subprocess.PIPE, start_new_session=True)\n"
        f"open({str(tmp_path)!r} + '/pid-' + how, 'wb').write(started.stdout.readline())\n"
        "if how == 'two': os._exit(3)\n" + GOOD
    )
    results = run_suite(options(suite))
    assert run_of(results, "two").error == "exit code 3"
    for how in ("one", "two"):
        pid = int((tmp_path / f"pid-{how}").read_text())
        wait_until(lambda pid=pid: is_gone(pid))


@pytest.mark.parametrize("body", ["return 5", "raise ValueError('boom')"])
def test_a_suite_of_which_nothing_works_is_refused(
    write_suite: WriteSuite, options: Options, body: str
) -> None:
    """Where every variant fails in the first round the run ends with one message, and leaves the folder free."""
    said: list[str] = []
    given = options(write_suite(body), rounds=3)
    with pytest.raises(InvalidInputError, match="every variant of suite 'tiny' failed") as caught:
        run_suite(given, say=said.append)
    assert "boom" in str(caught.value) or "return a Case" in str(caught.value)
    assert not said
    assert run_suite(options(write_suite(GOOD))).complete_rounds() == [0]


def test_a_named_figure_must_be_given(write_suite: WriteSuite, options: Options) -> None:
    """A suite that names a figure of quality which its cases do not give is told so."""
    head = (
        "from workbench.bench import Case, Suite\n"
        "suite = Suite('s', baseline='one', variants={'one': {'how': 1}}, quality='eror')\n"
    )
    with pytest.raises(InvalidInputError, match="unknown quality 'eror': did you mean 'error'"):
        run_suite(options(write_suite(GOOD, head=head)))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"rounds": 0}, "rounds 0"),
        ({"rounds": None, "budget_s": 0.0}, "budget 0 s"),
        ({"budget_s": float("inf")}, "budget inf s"),
        ({"timeout_s": -1.0}, "timeout -1 s"),
        ({"seed": -1}, "seed -1"),
        ({"precision": 2.0}, "precision 2"),
        ({"delta": 0.0}, "delta 0"),
        ({"margin": -1.0}, "margin -1"),
        ({"axes": {"who": ("one",)}}, "unknown axis 'who': did you mean 'how'"),
        ({"axes": {"how": ("tow",)}}, "unknown option of the axis 'how' 'tow': did you mean 'two'"),
        ({"resume": True}, "does not exist: to resume"),
    ],
)
def test_options_that_cannot_be_are_refused(
    good_suite: Path, options: Options, tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    """Wrong options are named before anything is written."""
    with pytest.raises(InvalidInputError, match=complaint):
        run_suite(options(good_suite, **changes))
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_refused_before_anything_runs(good_suite: Path, options: Options) -> None:
    """A folder that holds results is not measured into again."""
    results = run_suite(options(good_suite))
    with pytest.raises(WorkbenchError, match="already holds results"):
        run_suite(options(good_suite))
    assert (
        len((results.folder / FILE).read_text().splitlines()) == 1 + 2 + 1 + 3
    )  # the head, two plans, the sources, and the runs


def test_runs_are_pinned_and_not_recorded(
    write_suite: WriteSuite, options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """BLAS has one thread in a run, whatever the caller's environment, and no run records its scopes."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.setenv("WORKBENCH_RECORD", str(tmp_path / "recording"))
    suite = write_suite("""
        import numpy, scipy.linalg, threadpoolctl
        def run():
            (numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum()
            return threadpoolctl.threadpool_info()
        def quality(pools):
            recorded = {"WORKBENCH_RECORD", "WORKBENCH_RECORD_ID", "WORKBENCH_TRACER"} & os.environ.keys()
            return {"pools": len(pools), "threads": max(p["num_threads"] for p in pools), "recorded": len(recorded)}
        return Case(run=run, quality=quality)
    """)
    results = run_suite(options(suite))
    assert results.head.pinned == PINNED
    for run in results.runs:
        assert run.quality["pools"] >= 1
        assert (run.quality["threads"], run.quality["recorded"]) == (1, 0)
    assert not (tmp_path / "recording").exists()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"


def test_steps_give_the_value_where_there_are_any(write_suite: WriteSuite, options: Options) -> None:
    """A run with steps is worth the median of its steps but the first, which warms up."""
    suite = write_suite("return Case(run=int, quality=lambda r: {}, steps=lambda r: [9.0, 1.0, 2.0, 3.0])")
    runs = run_suite(options(suite)).runs
    assert [run.value_s for run in runs] == [2.0, 2.0, 2.0]
    assert runs[0].steps_s == (9.0, 1.0, 2.0, 3.0)


def test_the_first_round_is_kept_and_drawn_inside_the_runs_folder(
    write_suite: WriteSuite, options: Options, tmp_path: Path
) -> None:
    """Each variant keeps its first result in a folder of its own, and its residuals; drawing may fail."""
    head = """
from workbench.bench import Case, Residuals, Suite
def draw(folder, title):
    if title == "a b":
        raise OSError("no pen")
    (folder / "fit.png").write_text(title)
def residuals(folder):
    return Residuals([0.0, 1.0], [1.0, len((folder / "kept").read_text())])
names = ("../../../x", "a/b", "a b")
suite = Suite("s", baseline="../../../x", variants={n: {"how": n} for n in names}, draw=draw, residuals=residuals)
"""
    body = """
        return Case(run=lambda: how, quality=lambda r: {}, keep=lambda r, folder: (folder / "kept").write_text(r))
    """
    said: list[str] = []
    results = run_suite(options(write_suite(body, head=head), rounds=2), say=said.append)
    for variant in results.head.variants:
        folder = results.fit_folder(variant)
        assert folder.resolve().parent == (tmp_path / "run" / "fits").resolve()
        assert (folder / "kept").read_text() == variant
    assert (results.fit_folder("a/b") / "fit.png").read_text() == "a/b"
    with np.load(results.fit_folder("a/b") / RESIDUALS) as kept:
        assert (kept["x"].tolist(), kept["residual"].tolist()) == ([0.0, 1.0], [1.0, 3.0])
    assert said[1:] == ["the suite's draw failed for a b: OSError: no pen"]
    assert "runs are looped on one set-up" in said[0]


def test_a_workload_may_change_its_folder(
    write_suite: WriteSuite, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a case keeps and what is drawn goes into the run's folder, wherever its code went, by a relative name."""
    (tmp_path / "elsewhere").mkdir()
    head = f"""
import os
from workbench.bench import Case, Suite
def go(): os.chdir({str(tmp_path / "elsewhere")!r})
def draw(folder, title): go(); (folder / "fit.png").write_text("x")
suite = Suite("s", variants={{"one": {{"how": 1}}, "two": {{"how": 2}}}}, draw=draw)
go()
"""
    body = "return Case(run=go, keep=lambda result, folder: (folder / 'kept').write_text('kept'))"
    suite = write_suite(body, head=head)
    monkeypatch.chdir(tmp_path)
    results = run_suite(options(suite.name, folder=Path("run")))
    assert {file.name for file in results.fit_folder("one").iterdir()} == {"kept", "fit.png"}
    assert (tmp_path / "run" / FILE).is_file()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_options_that_json_cannot_hold_are_kept_as_text(write_suite: WriteSuite, options: Options) -> None:
    """A variant may have any Python object for an option: the results name it."""
    head = (
        "import math\nfrom workbench.bench import Case, Suite\n"
        "suite = Suite('s', baseline='one', variants={'one': {'how': math.sqrt, 'tol': math.inf, 'k': (1, None)}})\n"
    )
    suite = write_suite("", head=head)
    suite.write_text(suite.read_text() + "@suite.workload\ndef w(how, tol, k, *, seed):\n    " + GOOD)
    kept = run_suite(options(suite)).head.variants["one"]
    assert kept == {"how": "<built-in function sqrt>", "tol": "inf", "k": [1, None]}


def test_a_full_disk_is_one_line(good_suite: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a result cannot be written the run ends with the reason, and what is written stays."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkbenchError, match="No space left on device; make room"):
        run_suite(options(good_suite))


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_no_run_outlives_a_run_that_is_killed(write_suite: WriteSuite, tmp_path: Path) -> None:
    """A kill of the run, which nothing can catch, ends the run too: nothing burns on in the background."""
    suite = write_suite(
        f"part = {str(tmp_path / 'part')!r}\n"
        "open(part, 'w').write(str(os.getpid()))\n"
        f"os.rename(part, {str(tmp_path / 'pid')!r})\n"
        "time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "bench", str(suite), "-o", str(tmp_path / "run")],
        stdout=subprocess.DEVNULL,
    )
    wait_until((tmp_path / "pid").exists)
    process.kill()
    process.wait()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: is_gone(pid))
