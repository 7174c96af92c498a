"""Other Pythons of this machine, with this workbench."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
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


def make_environment(python: Path, folder: Path) -> Path:
    """Return a Python with workbench in its site-packages, as pip would put it there, and the recorder compiled."""
    made = subprocess.run([python, "-m", "venv", "--without-pip", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"{python} makes no environment: {made.stderr}")
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
