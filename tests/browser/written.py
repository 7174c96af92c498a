"""Pages of every kind, each written once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers.bench_runs import FINGERPRINT, write_experiment, write_training_experiment
from tests.helpers.hostile import HOSTILE
from tests.helpers.memory_runs import many_stacks, memory_run
from tests.helpers.page_profiles import hostile, merged, training, waits
from tests.helpers.recorded_runs import write_hostile_run, write_recorded_run
from workbench.report.bench.page import write_page
from workbench.report.history.page import write_runs_page
from workbench.report.profile.page import write_report
from workbench.report.profile.run import run_of_profile

Written = Callable[[str], Path]

SUITE = """
import time
from workbench import scope
from workbench.bench import Case, Commentary, Scaling, Suite
LONG = "a variant with a very long name, " + "of_words_that_do_not_break_" * 4
suite = Suite("tiny", baseline="base <&>", descriptions={"base <&>": "the first " * 20}, variants={
    "base <&>": {"n": 3}, LONG: {"n": 1}, "other": {"n": 2},
}, draw=lambda folder, title: draw(folder, title),
    scaling=Scaling(option="n", whole="compute jacobian", work="columns"),
    commentary=Commentary(step="epoch", part="activation", names={"compute jacobian": "the Jacobian"}))

@suite.workload
def workload(n, *, seed):
    def run():
        with scope("epoch"), scope("compute jacobian"), scope("columns"), scope("predict"), scope("activation"):
            return 1 / n + sum(range(n * 100_000))
    def keep(result, folder):
        (folder / "history.json").write_text('{"initial_train_mse": 1.0, "train_mse": [0.1, 0.01], '
            '"validation_mse": [0.2, 0.1], "test_mse": [0.2, 0.1], "epochs": 2, "stop_reason": "epochs used up"}')
    return Case(run=run, quality=lambda result: {"error": result}, keep=keep)

def draw(folder, title):
    from workbench.render.plots.fits import fit_plot
    if (folder / "history.json").is_file():
        fit_plot(folder / "fit.png", [0.0, 0.5, 1.0], [0.0, 1.0, 0.0], [0.1, 0.9, 0.1], title=title)
"""


def void_run(folder: Path) -> Path:
    """The page of a run whose baseline differs from itself."""
    runs = {"exact": [(1.0, 0.1)] * 7, "fast": [(0.5, 0.1)] * 7, "slow": [(1.5, 0.2)] * 7}
    return write_page(write_experiment(folder, runs, again=[(1.3, 0.1)] * 7))


def hostile_run(folder: Path) -> Path:
    """The page of a run whose names are written to do harm."""
    names = HOSTILE[:11]
    runs: dict[str, list[Any]] = {
        name: [{"value_s": 1.0 + i / 9, "quality": {names[0]: 0.1 * (i + 1)}}] * 6
        for i, name in enumerate(names)
    }
    runs["fails"] = list(names[:7])
    head = {"suite": names[0], "started": names[1], "quality": names[0]}
    return write_page(write_experiment(folder, runs, descriptions=dict.fromkeys(names, names[0]), **head))


def runs(folder: Path) -> Path:
    """The page of seven sessions on one machine, one of them void, and two on another."""
    elsewhere = {**FINGERPRINT, "machine": "another machine, " + "with a long name " * 4, "python": "3.13"}
    written = []
    for day in range(9):
        more: dict[str, Any] = {"fingerprint": elsewhere} if day > 6 else {}
        started = f"2026-01-0{day + 1}T10:15:00+00:00"
        again, scale = 1.4 if day == 2 else 1.0, 1 + 0.05 * day
        name = f"2026-01-0{day + 1}-101500"
        written.append(
            write_training_experiment(
                folder / name, seed=day, again=again, scale=scale, started=started, **more
            )
        )
    write_page(written[0])
    return write_runs_page(written, folder / "page")


def comparison(folder: Path) -> Path:
    """The page of a comparison whose sides differ in what is installed, one name and version of great length."""
    packages = {f"package-{i}": f"{i}.0" for i in range(9)}
    sides = {
        "base (1a2b3c)": {"python": "3.11.7", "packages": {**packages, "project": "1.0"}},
        "new (4d5e6f)": {"python": "3.13.1", "packages": {"project": "1.1+" + "local" * 30, "x" * 80: "1"}},
    }
    runs = {side: [(1.0 - i / 5, 0.1)] * 7 for i, side in enumerate(sides)}
    return write_page(write_experiment(folder, runs, sides=sides))


def suite(folder: Path) -> Path:
    """The index of the profiles of a suite's variants, with flame graphs and fits, as the command makes it."""
    folder.mkdir()
    (folder / "tiny_suite.py").write_text(SUITE)
    options = ["--seconds", "0.3", "--sampler", "pyinstrument", "-o", "out"]
    command = [sys.executable, "-m", "workbench", "profile", "--suite", "tiny_suite.py", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "out" / "index.html"


PAGES: dict[str, Callable[[Path], Path]] = {
    "run": lambda folder: write_page(write_training_experiment(folder)),
    "void run": void_run,
    "hostile run": hostile_run,
    "recorded run": lambda folder: write_page(write_recorded_run(folder)),
    "hostile recorded run": lambda folder: write_page(write_hostile_run(folder)),
    "runs": runs,
    "comparison": comparison,
    "profile": lambda folder: write_report(run_of_profile(training()), folder),
    "hostile profile": lambda folder: write_report(run_of_profile(hostile(), title=HOSTILE[1]), folder),
    "merged profile": lambda folder: write_report(run_of_profile(merged()), folder),
    "profile with resources": lambda folder: write_report(run_of_profile(waits()), folder),
    "memory profile": lambda folder: write_report(memory_run(many_stacks(300)), folder),
    "suite": suite,
}
"""What writes a page of each kind into a folder, by its name."""
