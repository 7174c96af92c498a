"""Small projects in git repositories, with a suite that times them, for comparisons of their revisions.

A step's seconds are what the project says of itself, so that results are the same on any machine.
"""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

SUITE = """
from workbench.bench import Case, Suite
import project

suite = Suite("steps", baseline="one", variants={"one": {"how": 1}, "two": {"how": 2}})

@suite.workload
def workload(how, *, seed):
    return Case(
        run=lambda: project.work(how),
        steps=lambda result: [result, result],
        quality=lambda result: {"error": project.ERROR},
    )
"""
SLEEPING = """
from workbench.bench import Case, Suite
import project

suite = Suite("naps", baseline="one", variants={"one": {}})

@suite.workload
def workload(*, seed):
    return Case(run=project.nap, quality=lambda result: {})
"""
PROJECT = """
import time
SECONDS, ERROR, NAP = {seconds}, {error}, {nap}
def work(how):
    return SECONDS * how
def nap():
    time.sleep(NAP)
"""
# A build backend of a few lines in the project itself, so that installing needs no network.
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "project"
version = "1"
"""
BACKEND = """
import zipfile
NAME = "project-1-py3-none-any.whl"
META = "Metadata-Version: 2.1\\nName: project\\nVersion: 1\\nProvides-Extra: bench\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: backend\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(folder + "/" + NAME, "w") as wheel:
        wheel.write("lib/project.py", "project.py")
        wheel.writestr("project-1.dist-info/METADATA", META)
        wheel.writestr("project-1.dist-info/WHEEL", WHEEL)
        wheel.writestr("project-1.dist-info/RECORD", "")
    return NAME
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody, whatever is configured here."""
    who = {
        f"GIT_{role}_{field}": "somebody" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")
    }
    environment = os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    run = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def text_of(seconds: float = 1.0, error: float = 1e-3, nap: float = 0.0) -> str:
    """Return a project's module."""
    return PROJECT.format(seconds=seconds, error=error, nap=nap)


def commit(repository: Path, **files: str | None) -> str:
    """Write files, by names without .py in which __ is a slash, or remove them; return the commit."""
    for name, text in files.items():
        path = repository / (name.replace("__", "/") + ".py")
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    git(repository, "add", "--all")
    git(
        repository,
        "commit",
        "--quiet",
        "--allow-empty",
        "--message",
        f"change {', '.join(files) or 'nothing'}",
    )
    return git(repository, "rev-parse", "HEAD")


def make_repository(folder: Path) -> Path:
    """Make a repository of a project of one module, its suite in bench/, and one commit, tagged `first`."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, project=text_of(), bench__steps_suite=SUITE)
    git(folder, "tag", "first")
    return folder
