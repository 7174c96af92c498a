"""The recorder's C code compiles for platforms that these tests do not run on."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "workbench" / "scopes" / "native").glob("*.c"))
ZIG = [sys.executable, "-m", "ziglang", "cc"]
"""A C compiler that comes with the headers of other systems."""
COMPILERS = {
    "aarch64-linux-gnu": [[*ZIG, "-target", "aarch64-linux-gnu"], ["aarch64-linux-gnu-gcc"]],
    "aarch64-macos": [[*ZIG, "-target", "aarch64-macos"]],
    "x86_64-macos": [[*ZIG, "-target", "x86_64-macos"]],
}


def is_there(command: list[str]) -> bool:
    return (
        importlib.util.find_spec("ziglang") is not None
        if command[:4] == ZIG
        else shutil.which(command[0]) is not None
    )


@pytest.mark.parametrize("target", COMPILERS)
def test_other_platforms(tmp_path, target):
    """Without the sampler, whose code is for Linux on x86-64, and without a warning."""
    command = next((each for each in COMPILERS[target] if is_there(each)), None)
    if command is None:
        pytest.skip(f"no compiler for {target}: pip install ziglang")
    options = ["-c", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{sysconfig.get_path('include')}"]
    for source in SOURCES:
        built = tmp_path / f"{source.stem}.o"
        subprocess.run([*command, *options, source, "-o", built], check=True)
        assert built.stat().st_size > 0
