"""What a program can see of itself is the same in every CPython at hand, recorded and sampled or not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.other_pythons import make_environment, others

FACTS = Path(__file__).parent / "facts.py"


@pytest.fixture(scope="module", params=[pytest.param(path, id=version) for version, path in others().items()])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python with workbench."""
    return make_environment(request.param, tmp_path_factory.mktemp("environment"))


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
