"""Many samples, forks and execs: no crash, no hang, no other result, and how many system calls were interrupted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.proof.test_no_harm import VERSIONS, interpreter
from workbench.eventlog import read_recording
from workbench.profile import SamplerRun

pytestmark = [pytest.mark.proof, pytest.mark.timeout(7200)]
STRESS = Path(__file__).parents[1] / "scopes" / "sampler_stress.py"
STRESS_S, STRESS_RATE = 60, 10_000
SAMPLES = {**dict.fromkeys(VERSIONS, 10_000_000), "3.14": 1_000_000, "3.15": 1_000_000}
"""Of ten million without a failure, a sample fails with a probability below 3e-7, at 95 %."""
PROCESSES = 10_000


def sampled(
    folder: Path, rate: int, program: list[str], *, python: str = sys.executable
) -> tuple[str, Sequence[SamplerRun]]:
    """Return what a program wrote, and the samplers of its processes."""
    done = subprocess.run(
        [python, "-W", "ignore", *program],
        env=os.environ | {"WORKBENCH_RECORD": str(folder), "WORKBENCH_SAMPLE": f"{rate},native"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    profile = read_recording(folder)
    profile.check()
    shutil.rmtree(folder)
    return done.stdout, profile.recording.samplers


@pytest.mark.parametrize("version", SAMPLES)
def test_millions_of_samples(version, tmp_path, record_property):
    """Threads with small stacks, exceptions, imports, processes, forks, signals: the same results."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no environment with Python {version}")
    samples = seed = unknown = 0
    while samples < SAMPLES[version]:
        seed += 1
        output, runs = sampled(
            tmp_path / "recording", STRESS_RATE, [str(STRESS), str(seed), str(STRESS_S)], python=python
        )
        assert output.startswith("ok ")
        samples += sum(run.samples for run in runs)
        unknown += sum(run.unknown for run in runs)
    record_property("samples", samples)
    record_property("of an unknown stack", unknown)


FORKS = f"""
import os
for i in range({PROCESSES}):
    child = os.fork()
    if child == 0:
        os._exit(sum(range(20_000)) % 200)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == sum(range(20_000)) % 200
"""

EXECS = f"""
import os
true = "/bin/true"
for i in range({PROCESSES} // 2):
    child = os.fork()
    if child == 0:
        sum(range(50_000))  # its own sampler has begun
        os.execv(true, [true])
    assert os.waitpid(child, 0)[1] == 0
    assert os.waitpid(os.posix_spawn(true, [true], os.environ), 0)[1] == 0
"""


@pytest.mark.parametrize("program", [FORKS, EXECS], ids=["forks", "execs"])
def test_many_processes_end_as_they_would(program, tmp_path):
    """10,000 children that are forked, and as many programs that are exec'd, end with the codes that they give."""
    sampled(tmp_path / "recording", 2000, ["-c", program])


SLEEPS = """
import ctypes, time
libc = ctypes.CDLL(None)
calls = early = 0
end = time.monotonic() + 60
while time.monotonic() < end:
    for us in (100, 500, 2000):
        calls += 1
        early += libc.usleep(us) != 0
print(calls, early)
"""


def test_interrupted_system_calls_are_counted(tmp_path, record_property):
    """Short sleeps at the default rate: what the sampler states is what the program meets."""
    output, runs = sampled(tmp_path / "recording", 100, ["-c", SLEEPS])
    calls, early = map(int, output.split())
    record_property("calls", calls)
    record_property("interrupted", early)
    assert early <= sum(run.interrupted for run in runs)
    assert early <= calls / 1000
