"""Revisions compared: both sides are measured in one run, each with its own code, and nothing of it stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import projects
from tests.helpers.projects import BACKEND, PYPROJECT, SLEEPING, commit, git, make_repository, text_of
from workbench.bench.compare.gate import FINE, REGRESSION, Limits, judge
from workbench.bench.compare.revisions import CompareOptions, RevisionComparison, compare_revisions
from workbench.bench.compare.sides import OURS
from workbench.bench.export import export
from workbench.bench.run.experiment import InterruptedRunError
from workbench.bench.run.rounds import RoundProgress
from workbench.errors import InvalidInputError, WorkbenchError

SUITE = "bench/steps_suite.py"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, where we are, and a folder beside it for all that is temporary."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder: Path = make_repository(tmp_path / "repository")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def compare(tmp_path: Path, repository: Path) -> Callable[..., RevisionComparison]:
    """Compare the first commit with the last, by six rounds on this Python; nothing temporary is left, ever."""

    def run(**changes: Any) -> RevisionComparison:
        given: dict[str, Any] = {
            "suite": SUITE,
            "folder": tmp_path / "run",
            "base": "first",
            "new": "HEAD",
            "install": False,
            "rounds": 6,
        }
        hear = {name: changes.pop(name) for name in ("progress", "say", "step") if name in changes}
        try:
            return compare_revisions(CompareOptions(**(given | changes)), **hear)
        finally:
            assert not list((tmp_path / "temporary").iterdir())
            assert len(git(repository, "worktree", "list").splitlines()) == 1

    return run


def seconds(found: RevisionComparison) -> list[set[float]]:
    """Return what the runs of the base and of the new side took, by their own word."""
    runs = found.results.runs
    return [{run.value_s for run in runs if run.variant == name} for name in found.results.variants]


@pytest.mark.proof
def test_a_slower_revision_is_a_regression(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """What the new revision takes longer is found, and the run is one like any other, with the base twice."""
    new = commit(repository, project=text_of(1.5))
    found = compare()
    assert found.verdict.verdict == REGRESSION
    assert found.verdict.pairs[0].speed.estimate is not None
    assert found.verdict.pairs[0].speed.estimate.value == pytest.approx(1.5)
    base = git(repository, "rev-parse", "first")
    names = [f"base ({base[:7]})", f"new ({new[:7]})"]
    assert found.results.variants == names
    assert found.results.baseline == names[0]
    assert found.results.head.runs == [*names, "A/A control"]
    assert found.results.head.pairs == {"one": tuple(names)}
    assert found.results.head.descriptions[names[1]] == "HEAD: change project"
    assert found.results.complete_rounds() == list(range(6))
    assert {run.value_s for run in found.results.runs if run.name == names[1]} == {1.5}
    assert len({tuple(a.name for a in found.results.runs if a.round == number) for number in range(6)}) == 6
    assert export(found.results, "csv").count(b"\n") == 19


@pytest.mark.proof
def test_the_same_code_is_fine(compare: Callable[..., RevisionComparison], repository: Path) -> None:
    """Two commits that do not differ in what they do pass, after the pilot's six rounds: without noise they are enough.

    However much the budget holds, no more is measured than it takes.
    """
    commit(repository, notes="# nothing that counts\n")
    found = compare(rounds=None, budget_s=600.0)
    assert found.results.complete_rounds() == list(range(6))
    assert found.verdict.verdict == FINE


@pytest.mark.proof
def test_limits_are_stated(compare: Callable[..., RevisionComparison], repository: Path) -> None:
    """What is allowed decides: slower at ten times the error passes where both are allowed, and not where one is."""
    commit(repository, project=text_of(1.2, error=1e-2))
    found = compare(limits=Limits(slower=0.3, worse=1.5))
    assert found.verdict.verdict == FINE
    for limits in (Limits(), Limits(slower=0.3), Limits(worse=1.5)):
        assert judge(found.results, found.results.head.pairs, limits).verdict == REGRESSION


def test_named_variants_are_pairs_of_their_own(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """Each named variant is compared with itself in the other revision."""
    commit(repository, project=text_of(1.5))
    found = compare(variants=("two", "one"), rounds=2)
    assert [pair.variant for pair in found.verdict.pairs] == ["two", "one"]
    ratios = [pair.speed.estimate.value for pair in found.verdict.pairs if pair.speed.estimate is not None]
    assert ratios == pytest.approx([1.5, 1.5])
    assert len(found.results.head.runs) == 5
    assert {run.value_s for run in found.results.runs} == {1.0, 1.5, 2.0, 3.0}


@pytest.mark.proof
def test_a_slow_function_is_found_by_the_clock(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """By real times, a function that is 3× slower is a regression of that size."""
    commit(repository, bench__naps_suite=SLEEPING, project=text_of(nap=0.05))
    git(repository, "tag", "--force", "first")
    commit(repository, project=text_of(nap=0.15))
    found = compare(suite="bench/naps_suite.py", limits=Limits(slower=0.5))
    assert found.verdict.verdict == REGRESSION


def test_a_suite_outside_of_the_repository_is_one_file(
    compare: Callable[..., RevisionComparison], repository: Path, tmp_path: Path
) -> None:
    """Such a suite serves both sides, also where neither revision has one."""
    suite = shutil.copy(repository / SUITE, tmp_path / "outer_suite.py")
    commit(repository, project=text_of(1.5), bench__steps_suite=None)
    assert seconds(compare(suite=str(suite), rounds=1)) == [{1.0}, {1.5}]


def test_each_side_runs_its_own_suite_in_its_own_folder(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """A suite in the repository is each revision's own, and reads what lies beside it there."""
    read = projects.SUITE.replace("import project\n", "import project\nfrom pathlib import Path\n")
    read = read.replace("[result, result]", "[float(Path('seconds.py').read_text())] * 2")
    commit(repository, bench__steps_suite=read, seconds="1.0")
    git(repository, "tag", "--force", "first")
    commit(repository, seconds="3.0")
    (repository / "seconds.py").write_text("77.0")
    said: list[str] = []
    assert seconds(compare(say=said.append, rounds=1)) == [{1.0}, {3.0}]
    assert said == [f"1 changed file in {repository} not committed, so not measured"]


@pytest.mark.parametrize(
    ("changes", "options", "complaint"),
    [
        ({}, {"base": "nothing"}, "unknown revision 'nothing'"),
        ({}, {"suite": "bench/none.py"}, r"base \(.*\): bench/none.py is not in this revision"),
        ({"bench__steps_suite": None}, {}, r"new \(.*\): bench/steps_suite.py is not in this revision: commit it"),
        ({"project": "def ("}, {}, r"new \(.*\): suite .* cannot be imported: SyntaxError"),
        ({"project": "import no_such_thing"}, {}, r"new \(.*\): .*ModuleNotFoundError: .*'no_such_thing'"),
        ({"project": "import os; os._exit(0)"}, {}, r"new \(.*\): its suite ends the process while it is loaded"),
        ({"project": "import os; os._exit(9)"}, {}, r"new \(.*\): its suite cannot be loaded: exit code 9"),
        ({"project": "import time; time.sleep(60)"}, {"timeout_s": 2.0}, "no end within 2 s"),
        ({"project": "ERROR = 1"}, {}, r"new \(.*\) fails, so nothing is measured: AttributeError: .*'work'"),
        ({}, {"variants": ("three",)}, r"base \(.*\): unknown variant 'three': .*choose one of one, two"),
        ({}, {"suite": "/none.py"}, "suite /none.py does not exist"),
        ({}, {"new": None}, "two revisions are compared: name both"),
        ({}, {"base_python": "python3"}, "name no revisions, and nothing to install"),
        ({}, {"extras": ("numpy",)}, "numpy is installed into new environments"),
        ({}, {"rounds": 0}, "rounds 0: choose 1 or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_line(
    compare: Callable[..., RevisionComparison],
    repository: Path,
    tmp_path: Path,
    changes: dict[str, str],
    options: dict[str, Any],
    complaint: str,
) -> None:
    """Broken and missing revisions, suites, variants and options are named; nothing is measured or left."""
    commit(repository, **changes)
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        compare(**options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "results.jsonl").exists()


def test_a_suite_that_became_another_is_refused(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """Suites of two names are no two sides of one."""
    commit(repository, bench__steps_suite=projects.SUITE.replace('"steps"', '"strides"'))
    with pytest.raises(
        InvalidInputError, match=r"name is 'steps' in base .* and 'strides' in new .*: compare one"
    ):
        compare()


def test_results_that_are_there_are_not_touched(
    compare: Callable[..., RevisionComparison], tmp_path: Path
) -> None:
    """A folder that holds a run is refused before anything is checked out."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.jsonl").write_text("precious")
    with pytest.raises(WorkbenchError, match="already holds results; choose another folder"):
        compare(step=pytest.fail)
    assert (tmp_path / "run" / "results.jsonl").read_text() == "precious"


@pytest.mark.parametrize("rounds", [0, 1])
def test_ctrl_c_keeps_what_is_complete(
    compare: Callable[..., RevisionComparison], tmp_path: Path, rounds: int
) -> None:
    """An interrupt ends the run with what it has, or with nothing to report; trees are removed, and it says no more."""

    def interrupt(now: RoundProgress) -> None:
        if now.round == rounds and now.position == 1:
            raise KeyboardInterrupt

    said: list[str] = []
    if not rounds:
        with pytest.raises(InterruptedRunError, match=r"no report yet$"):
            compare(progress=interrupt, say=said.append)
        return
    found = compare(progress=interrupt, say=said.append)
    assert found.results.complete_rounds() == [0]
    assert found.verdict.exit_code == 3
    assert said == ["interrupted: what is reported is the one complete round"]


def test_code_from_the_checkout_is_refused(
    compare: Callable[..., RevisionComparison], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this Python finds the project in the user's checkout, both sides would be the same: that is said."""
    commit(repository, project=None, odd__project=text_of())
    git(repository, "tag", "--force", "first")
    suite = projects.SUITE.replace(
        "import project\n", f"import sys\nsys.path.insert(0, {str(repository / 'odd')!r})\nimport project\n"
    )
    commit(repository, bench__steps_suite=suite)
    git(repository, "tag", "--force", "first")
    with pytest.raises(
        InvalidInputError, match=r"odd/project.py is imported from your checkout and not from the rev"
    ):
        compare()


def test_a_package_below_src_is_found(compare: Callable[..., RevisionComparison], repository: Path) -> None:
    """A project in `src` runs without being installed."""
    commit(repository, project=None, src__project=text_of())
    git(repository, "tag", "--force", "first")
    commit(repository, src__project=text_of(1.5))
    assert seconds(compare(rounds=1)) == [{1.0}, {1.5}]


def test_each_revision_is_installed_into_its_own_environment(
    compare: Callable[..., RevisionComparison], repository: Path, tmp_path: Path
) -> None:
    """With an installer each side has its own packages: the project, what it needs, and none of ours."""
    probe = projects.SUITE.replace(
        "[result, result]", "[result + 10 * HAS_NUMPY + 100 * (project.__file__ in SEEN)] * 2"
    )
    probe = probe.replace(
        "import project\n",
        "import importlib.util, sys, project\n"
        "HAS_NUMPY = importlib.util.find_spec('numpy') is not None\n"
        "SEEN = [project.__file__] if 'site-packages' not in project.__file__ else []\n",
    )
    commit(repository, project=None, lib__project=text_of(), bench__steps_suite=probe, backend=BACKEND)
    (repository / "pyproject.toml").write_text(PYPROJECT)
    commit(repository)
    git(repository, "tag", "--force", "first")
    commit(repository, lib__project=text_of(1.5))
    steps: list[str] = []
    found = compare(install=True, extras=(".[bench]",), step=steps.append, rounds=1)
    assert seconds(found) == [{1.0}, {1.5}]
    assert sum(step.startswith("installing ") for step in steps) == 2
    packages = [side.packages for side in found.results.head.sides.values()]
    assert all(each["project"] == "1" and "numpy" not in each for each in packages)
    assert not (repository / "build").exists()


@pytest.mark.proof
def test_what_is_installed_is_measured(
    compare: Callable[..., RevisionComparison],
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A module of the project's name beside the suite hides no installed one; where a suite insists, it is refused."""
    commit(repository, lib__project=text_of(), project=text_of(99.0), backend=BACKEND)
    (repository / "pyproject.toml").write_text(PYPROJECT)
    commit(repository, steps_suite=projects.SUITE)
    git(repository, "tag", "--force", "first")
    commit(repository, lib__project=text_of(1.5))
    found = compare(suite="steps_suite.py", install=True, rounds=1)
    assert seconds(found) == [{1.0}, {1.5}]
    modules = [side.modules for side in found.results.head.sides.values()]
    assert all(each["project"].endswith("site-packages/project.py") for each in modules)
    commit(repository, steps_suite="import sys; sys.path.insert(0, '.')\n" + projects.SUITE)
    with pytest.raises(InvalidInputError, match=r"new .*: project is imported from .* not from what is inst"):
        compare(suite="steps_suite.py", install=True, folder=tmp_path / "other")


UV = """#!/bin/sh
echo "$1" >> {log}
test "$1" = venv && exec "$4" -m venv "$5"
python="$5"; shift 5
exec "$python" -m pip install --quiet --no-index "$@"
"""


@pytest.mark.proof
def test_uv_makes_the_environments_where_it_is_at_hand(
    compare: Callable[..., RevisionComparison],
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is first on the path under that name is asked for environments and for what goes into them."""
    uv, log = tmp_path / "bin" / "uv", tmp_path / "log"
    uv.parent.mkdir()
    uv.write_text(UV.format(log=log))
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}{os.pathsep}{os.environ['PATH']}")
    commit(repository, project=None, lib__project=text_of(), backend=BACKEND)
    (repository / "pyproject.toml").write_text(PYPROJECT)
    commit(repository)
    assert seconds(compare(base="HEAD", install=True, rounds=1)) == [{1.0}, {1.0}]
    assert log.read_text().split() == ["venv", "pip"] * 2


@pytest.mark.proof
def test_a_project_below_the_top_is_found(
    compare: Callable[..., RevisionComparison],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """In a repository of several projects the one that we are in is compared; what `--with` names must be there."""
    own = repository / "packages" / "own"
    commit(
        repository,
        project=None,
        packages__own__lib__project=text_of(),
        packages__own__backend=BACKEND,
        packages__own__steps_suite=projects.SUITE,
    )
    (own / "pyproject.toml").write_text(PYPROJECT)
    commit(repository)
    git(repository, "tag", "--force", "first")
    commit(repository, packages__own__lib__project=text_of(1.5))
    monkeypatch.chdir(own)
    found = compare(suite="steps_suite.py", install=True, extras=("./packages/own",), rounds=1)
    assert seconds(found) == [{1.0}, {1.5}]
    with pytest.raises(InvalidInputError, match=r"there is no folder ./no in this revision"):
        compare(suite="steps_suite.py", install=True, extras=("./no",), folder=tmp_path / "other")
    monkeypatch.chdir(repository)
    with pytest.raises(InvalidInputError, match=r"numpy is installed beside a project, and there is no py"):
        compare(install=True, extras=("numpy",), folder=tmp_path / "other")


def test_compiled_modules_are_not_left_out(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """A package that has compiled modules in the checkout is not compared without them."""
    (repository / "project").mkdir()
    (repository / "project.py").rename(repository / "project" / "__init__.py")
    commit(repository)
    git(repository, "tag", "--force", "first")
    (repository / "project" / f"core{EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    with pytest.raises(
        InvalidInputError, match=r"project has a compiled module, core.*: install the revisions"
    ):
        compare(rounds=1)


@pytest.mark.proof
def test_a_revision_that_cannot_be_installed_is_one_line(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """What the installer says of the cause is the line."""
    commit(repository, backend="raise ValueError('this backend is broken')")
    (repository / "pyproject.toml").write_text(PYPROJECT)
    commit(repository)
    with pytest.raises(
        InvalidInputError, match=r"new \(.*\): it cannot be installed: ValueError: this backend is br"
    ):
        compare(install=True)


def test_without_a_build_file_nothing_is_installed(
    compare: Callable[..., RevisionComparison], repository: Path
) -> None:
    """A folder of modules is no package: it runs as it is, and that is said."""
    said: list[str] = []
    assert seconds(compare(install=True, say=said.append, rounds=1)) == [{1.0}, {1.0}]
    assert [text.partition(": ")[2] for text in said] == [
        "there is no pyproject.toml or setup.py, so it runs as it is on this Python"
    ] * 2


def environment_with(folder: Path, text: str) -> str:
    """Make a virtual environment that has a module of the name `project`; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "project.py").write_text(text)
    return str(folder / "bin" / "python")


def test_two_environments_are_compared(
    compare: Callable[..., RevisionComparison], repository: Path, tmp_path: Path
) -> None:
    """The same source on two Pythons, each with its own packages."""
    (repository / "project.py").unlink()
    given = {
        "base": None, "new": None, "install": True,
        "base_python": environment_with(tmp_path / "old", text_of()),
        "new_python": os.path.relpath(environment_with(tmp_path / "young", text_of(1.5))),
    }  # fmt: skip
    found = compare(**given, rounds=1)
    assert seconds(found) == [{1.0}, {1.5}]
    version = sys.version.split()[0]
    assert found.results.variants == [f"base (Python {version})", f"new (Python {version})"]
    assert found.results.head.descriptions[found.results.baseline] == given["base_python"]


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("no/python", "base: no/python is no program: name a Python"),
        ("/bin/false", "base: /bin/false is no Python"),
        (None, "two environments are compared: name the Python of both"),
    ],
)
def test_what_is_no_python_is_refused(
    compare: Callable[..., RevisionComparison], python: str | None, complaint: str
) -> None:
    """A wrong path is named."""
    with pytest.raises(InvalidInputError, match=complaint):
        compare(base=None, new=None, install=True, base_python=python, new_python=sys.executable)


@pytest.fixture
def own(repository: Path) -> Path:
    """The repository, holding the workbench itself and a suite that times a function of it."""
    shutil.copytree(OURS, repository / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    text = projects.SUITE.replace("import project", "from workbench.scopes import own_project as project")
    commit(repository, workbench__scopes__own_project=text_of(), bench__steps_suite=text)
    git(repository, "tag", "--force", "first")
    return repository


def test_the_workbench_itself_is_compared(compare: Callable[..., RevisionComparison], own: Path) -> None:
    """Each side runs its own revision of the workbench, measured by this one's worker."""
    commit(own, workbench__scopes__own_project=text_of(1.5), workbench__bench__run__worker="raise SystemExit")
    assert seconds(compare(rounds=1)) == [{1.0}, {1.5}]


def test_a_revision_with_other_suites_is_one_line(
    compare: Callable[..., RevisionComparison], own: Path
) -> None:
    """A revision of the workbench whose suites this one cannot run is told so."""
    (own / "workbench" / "bench" / "__init__.py").write_text("")
    commit(own, workbench__bench__design__case=None)
    with pytest.raises(
        InvalidInputError, match=r"new \(.*\): its suites do not fit this workbench \(ModuleNotFoundE"
    ):
        compare()


def test_what_a_run_needs_is_the_standard_library(tmp_path: Path) -> None:
    """In an environment without any package, with nothing but a link to the workbench, a run can be run."""
    modules = "workbench.bench.run.worker, workbench.bench.run.describe"
    code = f"import json, sys, {modules}; print(json.dumps(sorted(sys.modules)))"
    (tmp_path / "workbench").symlink_to(OURS, target_is_directory=True)
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    roots = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert {name for name in roots if name not in sys.stdlib_module_names} <= {
        "workbench",
        "__main__",
        "_distutils_hack",
    }
