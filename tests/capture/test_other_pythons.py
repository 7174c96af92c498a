"""What a program can see of itself is the same in every CPython at hand, recorded and sampled or not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
FACTS = Path(__file__).parent / "facts.py"
ROOTS = (
    Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions",
    Path("/usr/local"),
    Path("/usr"),
)


def others() -> dict[str, Path]:
    """Return the Pythons from 3.11 on, by their versions, but the one that runs the tests."""
    found: dict[str, Path] = {}
    for root in ROOTS:
        folders = sorted(root.iterdir()) if root.name == "versions" and root.is_dir() else [root]
        for folder in folders:
            for minor in range(11, 20):
                python = folder / "bin" / f"python3.{minor}"
                if minor != sys.version_info[1] and python.exists():
                    found.setdefault(f"3.{minor}", python)
    return found


@pytest.fixture(scope="module", params=[pytest.param(path, id=version) for version, path in others().items()])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python with workbench in its site-packages, as pip would put it there, and the recorder compiled."""
    folder = tmp_path_factory.mktemp("environment")
    made = subprocess.run(
        [request.param, "-m", "venv", "--without-pip", folder], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"{request.param} makes no environment: {made.stderr}")
    python = folder / "bin" / "python"
    ask = "import sysconfig as s; print(s.get_path('purelib'), s.get_path('include'), s.get_config_var('EXT_SUFFIX'))"
    packages, include, suffix = subprocess.check_output([python, "-c", ask], text=True).split()
    shutil.copytree(
        PACKAGE, Path(packages) / "workbench", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    for file in (PACKAGE / "capture" / "startup").iterdir():
        if file.is_file():
            shutil.copy(file, packages)
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is not None:  # else the Python recorder serves, as it would there
        sources = sorted((PACKAGE / "scopes" / "native").glob("*.c"))
        target = Path(packages) / "workbench" / "scopes" / f"_native{suffix}"
        command = [
            compiler,
            "-shared",
            "-fPIC",
            "-O1",
            "-fvisibility=hidden",
            f"-I{include}",
            *sources,
            "-o",
            target,
        ]
        subprocess.run(command, capture_output=True, check=True)
    return python


def run(python: Path, folder: Path, *words: str, **variables: str) -> tuple[str, str, int]:
    """Run a program, and return what it wrote and its exit code."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("WORKBENCH_", "PYTHON"))
    }
    done = subprocess.run(
        [python, *words],
        cwd=folder,
        env=kept | variables,
        input="typed",
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    "words", [("facts.py", "a b", "-x"), ("-m", "facts"), ("-P", "-X", "dev", "facts.py")]
)
def test_a_program_finds_what_python_gives_it(
    environment: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Under the recorder and the sampler every fact is that of Python alone, and something was recorded."""
    shutil.copy(FACTS, tmp_path)
    plain = run(environment, tmp_path, *words)
    assert plain[1:] == ("", 0)
    recorded = {"WORKBENCH_RECORD": str(tmp_path / "r"), "WORKBENCH_SAMPLE": "100,native"}
    found = run(environment, tmp_path, *words, **recorded)
    assert found[0].splitlines() == plain[0].splitlines()
    assert found == plain
    assert list((tmp_path / "r").glob("*.wblog"))
