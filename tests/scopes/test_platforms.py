"""The recorder's C code compiles for platforms that these tests do not run on."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from workbench.eventlog import read_recording

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


USE = """
import importlib.util, os, sys
sys.setdlopenflags(os.RTLD_LAZY)  # this Python lacks functions of free-threaded ones
name = "workbench.scopes._native"
finder = type("Finder", (), {"find_spec": lambda self, wanted, path, target=None:
    importlib.util.spec_from_file_location(name, sys.argv[1]) if wanted == name else None})
sys.meta_path.insert(0, finder())
import workbench
from workbench.cli.doctor import findings
from workbench.scopes import engine, sampler
with workbench.record(sys.argv[2]), workbench.scope("recorded"):
    pass
(doctor,) = [found["text"] for found in findings() if found["text"].startswith("recorder:")]
print(engine.name, sampler.why_not(), doctor, sep="\\n")
"""


def test_free_threaded_builds(tmp_path):
    """What is compiled for one refuses to be imported: the recorder in Python serves, and one line says why."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no compiler")
    built = tmp_path / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    options = ["-shared", "-fPIC", "-DPy_GIL_DISABLED=1", "-Wall", "-Wextra", "-Werror"]
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run([compiler, *options, include, *SOURCES, "-o", built], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WORKBENCH_")}
    command = [sys.executable, "-c", USE, built, tmp_path / "recording"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    engine, sampler, doctor = done.stdout.splitlines()
    why = "it needs a Python with the interpreter's lock, and this one is free-threaded"
    assert (engine, sampler) == ("python", f"the in-process sampler needs the compiled recorder: {why}")
    assert doctor.endswith(f"the native one cannot serve: {why}")
    assert [frame.name for frame in read_recording(tmp_path / "recording").frames] == ["recorded"]
