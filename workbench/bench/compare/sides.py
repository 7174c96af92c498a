"""The two sides of a comparison: the interpreter of each side, and its suite there.

A side has its own packages and none of ours: beside them stands a folder that holds nothing but a link to the
workbench, which needs only the standard library for a run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import pairwise
from pathlib import Path
from typing import Any

import workbench
from workbench.bench.design.suite_files import BEHIND_INSTALLED, is_file
from workbench.bench.run.origins import is_installed
from workbench.bench.run.process import HERE, Interpreter, run_kept
from workbench.errors import InvalidInputError

OURS = Path(workbench.__file__).resolve().parent
SIDE_SUITE = OURS / "bench" / "compare" / "side" / "workbench_side.py"
SIDE = "WORKBENCH_SIDE"
LENT = ("bench/run/worker.py", "bench/run/counted.py", "bench/run/describe.py", "bench/run/origins.py")
"""What runs of this workbench where the workbench itself is compared: both sides are measured in one way."""
OLDEST_PYTHON = (3, 11)
PROJECT_FILES = ("pyproject.toml", "setup.py")


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    label: str
    """What it is called in results: "base (1a2b3c4)"."""
    interpreter: Interpreter
    suite: str
    """The suite's name or file there."""

    def __str__(self) -> str:
        return self.label


def own_environment(paths: Sequence[Path], shim: Path | None, *, installed: bool = False) -> dict[str, str]:
    """Return the variables by which a side finds modules: the paths, then what `shim` links to.

    Args:
        paths: Folders of sources; none where what is installed is measured.
        shim: From `make_shim`.
        installed: Whether what is installed comes before the suite's own folder.
    """
    parts = [*paths, *([shim] if shim is not None else [])]
    # The working folder would come first, and in a source tree hide what is installed.
    found = {"PYTHONPATH": os.pathsep.join(map(str, parts)), "PYTHONSAFEPATH": "1"}
    return found | ({BEHIND_INSTALLED: "1"} if installed else {})


def make_shim(folder: Path) -> Path:
    """Make the folder in which a side finds the workbench and nothing else."""
    folder.mkdir()
    (folder / OURS.name).symlink_to(OURS, target_is_directory=True)
    return folder


def is_workbench(tree: Path) -> bool:
    """Return whether a source tree is the workbench's own, which then must not be hidden by ours."""
    return (tree / "workbench" / "bench" / "run" / "worker.py").is_file()


def lend_worker(tree: Path) -> None:
    """Copy the modules that execute and describe a run into a temporary tree of the workbench's own."""
    for name in LENT:
        shutil.copyfile(OURS / name, tree / "workbench" / name)


def source_side(label: str, project: Path, folder: Path, suite: str, shim: Path | None) -> Side:
    """Return the side of a project's source tree that runs on this Python as it is, without being installed."""
    sources = [path for path in (project / "src", project) if path.is_dir()]
    return Side(label, Interpreter(sys.executable, own_environment(sources, shim), folder), suite)


def installed_side(
    label: str, project: Path, folder: Path, suite: str, shim: Path | None, venv: Path, extras: Sequence[str]
) -> Side:
    """Return the side of a project that is installed into a new virtual environment, by uv where it is at hand.

    Args:
        label: Its name.
        project: The project's folder.
        folder: Working folder of its runs.
        suite: Its suite.
        shim: From `make_shim`; None where the tree is the workbench's own.
        venv: The folder to make.
        extras: What is installed: requirements, from `requirements_in`.

    Raises:
        InvalidInputError: It cannot be installed.
    """
    python = venv / "bin" / "python"
    uv = shutil.which("uv")
    make = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    _run(label, "a virtual environment cannot be made", [*make, str(venv)])
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if uv:
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    own = [] if any(extra.partition("[")[0] == str(project) for extra in extras) else [str(project)]
    _run(label, "it cannot be installed", [*install, *own, *extras])
    environment = own_environment([], shim, installed=True)
    return Side(label, Interpreter(str(python), environment, folder), suite)


def project_in(tree: Path, folder: Path, suite: str) -> Path | None:
    """Return the folder of the project that is compared: the nearest above the working folder, else above the suite."""
    for start in (folder, Path(suite).parent if is_file(suite) else folder):
        for each in (start, *start.parents):
            if each.is_relative_to(tree) and any((each / file).is_file() for file in PROJECT_FILES):
                return each
    return None


def requirements_in(
    label: str, extras: Sequence[str], project: Path, folder: Path, tree: Path, repository: Path
) -> list[str]:
    """Return what is to be installed, too, as pip takes it: folders are those of the revision.

    A folder is looked for in the project, where `.` is the project itself, in the working folder, and at the top.

    Raises:
        InvalidInputError: A folder is not there, or one is no requirement.
    """
    found = []
    for extra in extras:
        name, bracket, more = extra.partition("[")
        if extra.startswith("-") or not name.strip():
            raise InvalidInputError(
                f"{extra!r} cannot be installed: name a package, a folder, or .[EXTRA] of the project"
            )
        is_folder = name.startswith((".", "/")) or ("/" in name and "://" not in name and "@" not in name)
        if is_folder:
            given = Path(name)
            if given.is_absolute() and given.is_relative_to(repository):
                given = given.relative_to(repository)
            places = [project] if name == "." else [place / given for place in (folder, tree, project)]
            there = [place.resolve() for place in places if place.is_dir()]
            if not there:
                raise InvalidInputError(f"{label}: there is no folder {name} in this revision")
            name = str(there[0])
        found.append(f"{name}{bracket}{more}")
    return found


def python_side(label: str, python: str, suite: str, shim: Path) -> Side:
    """Return the side of an environment that the user has made.

    Raises:
        InvalidInputError: There is no such Python, or it is too old.
    """
    found = shutil.which(python)
    if found is None:
        raise InvalidInputError(f"{label}: {python} is no program: name a Python, such as .venv/bin/python")
    # Not resolved: a virtual environment is known by the link to its Python.
    path = str(Path(found).absolute())
    version = _run(label, f"{python} is no Python", [path, "-c", "import sys; print(*sys.version_info[:2])"])
    if tuple(map(int, version.split())) < OLDEST_PYTHON:
        raise InvalidInputError(
            f"{label}: {python} is Python {'.'.join(version.split())}: it takes 3.11 or later"
        )
    return Side(
        label, replace(HERE, python=path, environment=own_environment([], shim, installed=True)), suite
    )


def describe(side: Side, variants: Sequence[str], timeout_s: float) -> dict[str, Any]:
    """Return what the side's suite is in its own environment; the named variants, or the baseline, are set up there.

    Raises:
        InvalidInputError: The suite is not there, cannot be loaded or set up, or lacks a variant.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        answer = Path(scratch, "answer.json")
        words = [
            side.interpreter.python,
            "-m",
            "workbench.bench.run.describe",
            side.suite,
            str(answer),
            *variants,
        ]
        _run(side.label, "its suite cannot be loaded", words, side.interpreter, timeout_s)
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InvalidInputError(f"{side}: its suite ends the process while it is loaded") from None
    if found["error"] is not None:
        raise InvalidInputError(f"{side}: {' '.join(str(found['error']).split())}")
    return found


def check_origin(side: Side, misplaced: Sequence[str]) -> None:
    """See to it that a side imports what is installed there.

    Raises:
        InvalidInputError: Some module is another one; `misplaced` says which.
    """
    if misplaced and BEHIND_INSTALLED in side.interpreter.environment:
        raise InvalidInputError(f"{side}: {misplaced[0]}: leave sys.path alone in the suite")


def check_checkout(side: Side, files: Sequence[str], tree: Path, checkout: Path, lent: Path | None) -> None:
    """See to it that a revision's runs import nothing from the user's checkout, which is the same on both sides.

    Args:
        side: The revision's.
        files: Of all modules that its suite has loaded.
        tree: The revision's.
        checkout: The user's.
        lent: The folder of the workbench where that is lent to the side, and may lie in the checkout.

    Raises:
        InvalidInputError: They do, or need compiled modules that are in the checkout alone.
    """
    for file in map(Path, files):
        if (
            file.is_relative_to(checkout)
            and not is_installed(file)
            and not (lent and file.is_relative_to(lent))
        ):
            raise InvalidInputError(
                f"{side}: {file.relative_to(checkout)} is imported from your checkout and not from the revision: "
                "install the revisions, or keep the package in the top folder or in src"
            )
    folders = {
        file.parent for file in map(Path, files) if file.name == "__init__.py" and file.is_relative_to(tree)
    }
    installed = [Path(entry) for entry in sys.path if is_installed(Path(entry))]
    for folder in sorted(folders) if BEHIND_INSTALLED not in side.interpreter.environment else ():
        inside = folder.relative_to(tree)
        for there in (checkout / inside, *(place / folder.name for place in installed)):
            for suffix in EXTENSION_SUFFIXES:
                for compiled in there.glob(f"*{suffix}"):
                    if not (folder / compiled.name).exists():
                        raise InvalidInputError(
                            f"{side}: {folder.name} has a compiled module, {compiled.name}, which is built when it "
                            "is installed: install the revisions"
                        )


def named_runs(side: Side, variants: Mapping[str, str]) -> Interpreter:
    """Return a side's interpreter for runs that are asked for by their names in the results."""
    known = {SIDE: json.dumps({"suite": side.suite, "variants": dict(variants)})}
    return replace(side.interpreter, environment=dict(side.interpreter.environment) | known)


def suite_in(tree: Path, suite: str, repository: Path, label: str) -> str:
    """Return a suite's file in a revision's tree where it lies in the repository, else what it is for both sides.

    Raises:
        InvalidInputError: The revision does not have it.
    """
    if not is_file(suite):
        return suite
    path = Path(suite).resolve()
    if not path.is_relative_to(repository):
        return str(path)
    inside = path.relative_to(repository)
    if not (tree / inside).is_file():
        raise InvalidInputError(
            f"{label}: {inside} is not in this revision: commit it there, or copy it out of the repository, "
            "and both sides run that copy"
        )
    return str(tree / inside)


def _run(
    label: str,
    failed: str,
    command: list[str],
    interpreter: Interpreter = HERE,
    timeout_s: float | None = None,
) -> str:
    """Run a helper program to its end and return what it printed; nothing of it stays behind."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaint:
        environment = os.environ | dict(interpreter.environment)
        code = run_kept(command, environment, interpreter.folder, timeout_s, stdout=out, stderr=complaint)
        if code is None:
            raise InvalidInputError(f"{label}: {failed}: no end within {timeout_s:g} s")
        if code:
            complaint.seek(0)
            why = _reason(complaint.read().decode(errors="replace")) or f"exit code {code}"
            raise InvalidInputError(f"{label}: {failed}: {why}")
        out.seek(0)
        return out.read().decode(errors="replace")


def _reason(complaint: str) -> str:
    """Return the line that says what went wrong: before the end of what a build said, or pip's first, or the last."""
    lines = [" ".join(line.split()) for line in complaint.splitlines() if line.strip()]
    for before, line in pairwise(lines):
        if "[end of output]" in line:
            return before
    errors = [line for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or [""])[0].removeprefix("ERROR: ")[:500]
