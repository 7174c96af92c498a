"""Instructions: counted by the real callgrind, of the timed region alone, and compared like times."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.bench_runs import write_experiment
from tests.helpers.commands import run_workbench
from tests.helpers.processes import wait_until
from workbench.bench.analysis.analysis import analyse
from workbench.bench.compare.gate import FINE, INCONCLUSIVE, REGRESSION, Limits, judge
from workbench.bench.export import export
from workbench.bench.results.results import Results, read_results
from workbench.bench.run import instructions
from workbench.bench.run.callgrind import function_counts
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.errors import InvalidInputError
from workbench.report.bench.markdown import experiment_markdown
from workbench.report.bench.page import write_page
from workbench.report.bench.rows import as_text
from workbench.text import as_instructions

needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
WORK = """
def work(n):
    found = {}
    for i in range(n):
        found[str(i)] = i
    return sum(found.values())
"""
HEAD = f"""
import os
import numpy as np
from workbench.bench import Case, Curve, Suite
from workbench.scopes import _native
{WORK}
"""


def suite_of(folder: Path, variants: str, body: str) -> Path:
    """Write a suite whose workload takes `how`."""
    path = folder / "counted_suite.py"
    listed = ", ".join(f"{name!r}: {{'how': {name!r}}}" for name in variants.split())
    path.write_text(
        f"{HEAD}\nsuite = Suite('counted', variants={{{listed}}})\n"
        f"@suite.workload\ndef workload(how, *, seed):\n{body}"
    )
    return path


@needs_valgrind
def test_one_variant_agrees_with_itself_and_more_work_is_found(
    tmp_path: Path, options: Callable[..., BenchOptions]
) -> None:
    """One work has one count within 0.5 %, whatever its set-up and a curve's points cost; 5 % more work has 5 % more.

    The table, the page, Markdown and JSON have the ratio, and the page the C functions and the code that was counted.
    """
    body = """
    n = 5_250 if how == "more" else 5_000
    if how == "again":
        work(20_000)
    curve = Curve()
    data = np.linspace(0, 1, 10_500)
    def run():
        work(n)
        if how == "again":
            curve.point(lambda: float(work(10_000)))
        return np.tanh(data[: 2 * n])
    return Case(run=run, curve=curve if how == "again" else None)
"""
    results = run_suite(options(suite_of(tmp_path, "plain again more", body), instructions=True))
    assert all(each.error is None for each in results.instructions.values())
    assert results.instruction_ratio("again") == pytest.approx(1.0, abs=0.005)
    assert results.instruction_ratio("more") == pytest.approx(1.05, abs=0.005)
    functions = results.instructions["plain"].functions
    assert any("tanh" in each.name.lower() for each in functions)
    assert all(0 <= each.self <= each.inclusive <= results.instructions["plain"].total for each in functions)

    analysis = analyse(results)
    shown = as_instructions(results.instruction_ratio("more"))
    assert any(f"  {shown}  " in line for line in as_text(analysis) if "  more  " in line)
    assert any(f"| {shown} |" in line for line in experiment_markdown(analysis))
    of_more = next(each for each in analysis.to_json()["comparisons"] if each["variant"] == "more")
    assert of_more["instructions"]["ratio"] == results.instruction_ratio("more")
    page = write_page(results).read_text()
    assert "C functions of more" in page
    assert f"Counted:\n{results.instructions['plain'].code_path}." in page


@needs_valgrind
@pytest.mark.proof
def test_what_was_allocated_before_changes_nothing(
    tmp_path: Path, options: Callable[..., BenchOptions]
) -> None:
    """A variant's objects that its run does not use leave its count as it is."""
    body = """
    kept = [i * 10**9 for i in range(350 if how == "many" else 0)]
    return Case(run=lambda: sum(i * i for i in range(20_000)), steps=lambda _: [len(kept) + 1.0])
"""
    results = run_suite(options(suite_of(tmp_path, "few many", body), instructions=True))
    assert results.instruction_ratio("many") == pytest.approx(1.0, abs=0.002)


@pytest.mark.proof
@needs_valgrind
def test_what_cannot_be_counted_says_why(tmp_path: Path, options: Callable[..., BenchOptions]) -> None:
    """A crash and work in other processes leave a cell empty, with the reason; the experiment is as valid as before."""
    body = """
    def run():
        if how == "crash" and _native.on_valgrind():
            os.abort()
        if how == "process":
            os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "while [ ${i:=0} -lt 999 ]; do i=$((i+1)); done"], {}), 0)
        return work(5_000)
    return Case(run=run)
"""
    said: list[str] = []
    results = run_suite(
        options(suite_of(tmp_path, "plain crash process", body), instructions=True), say=said.append
    )
    found = results.instructions
    assert found["plain"].count is not None
    assert found["crash"].error == "killed by SIGABRT"
    assert found["process"].error == "it works in other processes, which callgrind does not count"
    assert f"the instructions of crash are not counted: {found['crash'].error}" in said
    assert analyse(results).rounds == 1
    assert "not counted: killed by SIGABRT" in write_page(results).read_text()


@needs_valgrind
@pytest.mark.proof
def test_what_is_too_slow_is_counted_when_the_experiment_is_resumed(
    tmp_path: Path, options: Callable[..., BenchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variant beyond its time has no count and says so; resumed, what has none is counted, and nothing else runs."""
    suite = suite_of(tmp_path, "plain other", "    return Case(run=lambda: work(2_000))\n")
    monkeypatch.setattr(instructions, "TIMES_SLOWER", 1e-6)
    results = run_suite(options(suite, instructions=True))
    assert results.instructions["plain"].error == "no result within 6e-05 s"
    monkeypatch.undo()
    runs = results.runs
    results = run_suite(options(suite, rounds=None, instructions=True, resume=True))
    assert results.runs == runs
    assert results.instruction_ratio("other") == pytest.approx(1.0, abs=0.005)


def test_without_valgrind_nothing_runs(tmp_path: Path) -> None:
    """One line says what to install, with exit code 2, before anything is measured."""
    suite = suite_of(tmp_path, "plain", "    return Case(run=lambda: work(1_000))\n")
    run = subprocess.run(
        [sys.executable, "-m", "workbench", "bench", str(suite), "--instructions", "-o", "out"],
        cwd=tmp_path, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr == (
        "workbench: instructions are counted by valgrind, which is not installed: apt-get install valgrind\n"
    )
    assert not (tmp_path / "out").exists()


@needs_valgrind
def test_without_the_extension_nothing_runs(
    tmp_path: Path, options: Callable[..., BenchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was not compiled, one line says so before anything is measured."""
    monkeypatch.setitem(sys.modules, "workbench.scopes._native", None)
    suite = suite_of(tmp_path, "plain", "    return Case(run=lambda: work(1_000))\n")
    with pytest.raises(InvalidInputError, match="counted by the C extension, which is not here"):
        run_suite(options(suite, instructions=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.proof
@needs_valgrind
def test_ctrl_c_keeps_the_rounds_and_the_counts_that_are_there(tmp_path: Path) -> None:
    """Interrupted while it counts, an experiment is reported with all its rounds and the counts that it has."""
    body = f"""
    def run():
        if how == "waits" and _native.on_valgrind():
            open({str(tmp_path / "now")!r}, "w").close()
            os.read(os.pipe()[0], 1)
        return work(2_000)
    return Case(run=run)
"""
    suite = suite_of(tmp_path, "plain waits", body)
    words = ["bench", str(suite), "--rounds", "1", "--no-profile", "--instructions", "-o", "out"]
    with subprocess.Popen(
        [sys.executable, "-m", "workbench", *words],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        wait_until((tmp_path / "now").exists)
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "interrupted: all is measured, and the instructions of some variants are not counted" in error
    assert out.startswith("verdict")
    results = read_results(tmp_path / "out")
    assert list(results.instructions) == ["plain"]
    assert (tmp_path / "out" / "index.html").is_file()


def counted(folder: Path, **totals: int | str) -> Results:
    """Write an experiment of two variants, and lines on their instructions; a text is the reason for none."""
    write_experiment(folder, {name: [(1.0, 1.0)] * 6 for name in ("base", "new")})
    with (folder / "results.jsonl").open("a") as file:
        for name, total in totals.items():
            line = {"kind": "instructions", "name": name, "error": None, "loops": 10}
            line |= {"error": total} if isinstance(total, str) else {"total": total}
            file.write(json.dumps(line) + "\n")
    return read_results(folder)


@pytest.mark.parametrize(
    ("new", "limit", "verdict", "words"),
    [
        (1_030, 0.02, REGRESSION, "1.030× more instructions (limit 1.020×)"),
        (1_010, 0.02, FINE, "1.010× more instructions (limit 1.020×)"),
        (1_030, None, FINE, "1.030× more instructions"),
        (500, 0.02, FINE, "2.00× fewer instructions (limit 1.020×)"),
        ("killed by SIGILL", 0.02, INCONCLUSIVE, "instructions cannot be compared: killed by SIGILL"),
        ("killed by SIGILL", None, FINE, "instructions cannot be compared: killed by SIGILL"),
    ],
)
def test_the_gate_has_a_limit_to_instructions(
    tmp_path: Path, new: int | str, limit: float | None, verdict: str, words: str
) -> None:
    """More instructions than the limit are a regression however noisy the times are; what has no count is no pass."""
    results = counted(tmp_path / "run", base=1_000, new=new)
    found = judge(results, {"one": ("base", "new")}, Limits(instructions=limit))
    assert found.verdict == verdict
    assert found.pairs[0].instructions is not None
    assert found.pairs[0].instructions.words == words


def test_exports_have_the_instructions(tmp_path: Path) -> None:
    """Each format has the instructions of one execution, and of a variant that has no count none."""
    results = counted(tmp_path / "run", base=1_230, new="killed by SIGILL")
    bencher = json.loads(export(results, "bencher"))
    assert bencher["tiny/base"]["instructions"] == {"value": 123.0}
    assert "instructions" not in bencher["tiny/new"]
    github = json.loads(export(results, "github"))
    assert [each["value"] for each in github if each["unit"] == "instructions"] == [123.0]
    pyperf = json.loads(export(results, "pyperf"))
    assert [each["metadata"].get("instructions") for each in pyperf["benchmarks"]] == [123.0, None]
    rows = list(csv.DictReader(io.StringIO(export(results, "csv").decode())))
    assert {(row["variant"], row["instructions"]) for row in rows} == {("base", "123.0"), ("new", "")}


def test_callgrinds_file_is_read(tmp_path: Path) -> None:
    """Self counts are a function's own lines, inclusive ones also its calls; levels of a recursion are one function."""
    file = tmp_path / "callgrind.1"
    file.write_text(
        "# callgrind format\nversion: 1\nevents: Ir\n\n"
        "ob=(1) /usr/lib/libone.so\nfl=(1) a.c\nfn=(1) main\n0 10\ncfn=(2) walk\ncalls=1 0\n0 65\n\n"
        "fn=(2)\n0 20\ncfn=(3) walk'2\ncalls=2 0\n0 30\ncob=(2) /usr/lib/libtwo.so\ncfn=(4) leaf\ncalls=1 0\n* 15\n\n"
        "fn=(3)\n0 30\n\nob=(2)\nfn=(4)\n+1 15\n+2\n\ntotals: 75\n"
    )
    found = {each.name: (each.library, each.self, each.inclusive) for each in function_counts(file)}
    assert found == {
        "main": ("libone.so", 10, 75),
        "walk": ("libone.so", 50, 65),
        "leaf": ("libtwo.so", 15, 15),
    }


@needs_valgrind
@pytest.mark.proof
def test_compare_finds_more_instructions_in_one_round(tmp_path: Path) -> None:
    """`workbench compare --fail-instructions` fails for 5 % more of them, where the times come to no verdict."""
    body = (
        "import work\nsuite = Suite('steps', variants={'one': {}})\n@suite.workload\ndef workload(*, seed):\n"
    )
    (tmp_path / "suite.py").write_text(
        f"from workbench.bench import Case, Suite\n{body}    return Case(run=lambda: work.work(work.N))\n"
    )

    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for n in (5_000, 5_250):
        (tmp_path / "work.py").write_text(f"N = {n}\n{WORK}")
        git("add", "suite.py", "work.py")
        git("commit", "-qm", str(n))
    words = ("--base", "HEAD~1", "--new", "HEAD", "suite.py", "--no-install", "--rounds", "1")
    run = run_workbench("compare", *words, "--fail-instructions", "2%", "-o", "out", cwd=tmp_path, text=True)
    assert run.returncode == 1
    assert run.stdout.startswith("REGRESSION 1.0")
    assert "× more instructions (limit 1.020×): one" in run.stdout
    assert run_workbench("show", "out", cwd=tmp_path, text=True).stdout.startswith("verdict")
