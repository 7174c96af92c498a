"""What a process reads from its environment: the recording to join, who may trace it, and its rank in a job."""

from __future__ import annotations

import os

MAX_RANK = 1 << 24
"""Larger numbers are taken for no rank."""
FOLDER_VARIABLE = "WORKBENCH_RECORD"
ID_VARIABLE = "WORKBENCH_RECORD_ID"
TRACER_VARIABLE = "WORKBENCH_TRACER"
SAMPLE_VARIABLE = "WORKBENCH_SAMPLE"
"""`RATE` or `RATE,native`: every process that records is sampled by its own sampler; `memory`: it traces its memory."""
MEMORY = "memory"
START_VARIABLE = "WORKBENCH_START"
"""What the first process of a program does before its first line, see `workbench.capture.autostart`."""
VARIABLES = (FOLDER_VARIABLE, ID_VARIABLE, TRACER_VARIABLE, SAMPLE_VARIABLE, START_VARIABLE)
"""Variables to remove for a process that is neither recorded nor sampled."""


def set_environment(folder: str | None, identity: str | None) -> None:
    """Set the recording that processes started from now on join; None: they join none."""
    for variable, value in ((FOLDER_VARIABLE, folder), (ID_VARIABLE, identity)):
        if value is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = value


def tracing_is_restricted() -> bool:
    """Return whether a process must allow its tracer, as with Yama on Linux."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:  # noqa: PTH123
            return file.read().strip() != "0"
    except OSError:
        return False


def allow_tracer(pid: int) -> None:
    """Let the process `pid` and its descendants trace this one, if tracing is restricted."""
    if tracing_is_restricted():
        import ctypes

        pr_set_ptracer = 0x59616D61
        ctypes.CDLL(None).prctl(pr_set_ptracer, ctypes.c_ulong(pid), 0, 0, 0)


class Member:
    """A rank of a job.

    Args:
        job: A text that is the same for all ranks of the job, and for no other process.
        rank: Its number.
    """

    def __init__(self, job: str, rank: int) -> None:
        self.job, self.rank = job, rank


def member() -> Member | None:
    """Return the job and the rank of this process, or None where no launcher names a rank.

    The job is PMIx's or Open MPI's namespace, SLURM's job and step, or torchrun's run id. Without any of these it is
    the parent process and its start time.
    """
    found = os.environ.get
    for variable in ("PMIX_RANK", "OMPI_COMM_WORLD_RANK"):
        if (rank := _rank(variable)) is not None:
            name = (
                found("PMIX_NAMESPACE")
                or found("OMPI_MCA_ess_base_jobid")
                or found("OMPI_MCA_orte_ess_jobid")
            )
            return Member(f"pmix {name}" if name else _parent(), rank)
    step = f"slurm {found('SLURM_JOB_ID')}.{found('SLURM_STEP_ID')}"
    has_step = bool(found("SLURM_JOB_ID") and found("SLURM_STEP_ID"))
    slurm_rank = _rank("SLURM_PROCID")
    if (rank := _rank("PMI_RANK")) is not None:
        if name := found("PMI_JOBID"):
            return Member(f"pmi {name}", rank)
        # MPICH's launcher inside a SLURM step gives all its ranks the same variables of that step.
        return Member(step if has_step and slurm_rank == rank and not found("PMI_FD") else _parent(), rank)
    if slurm_rank is not None and has_step:
        return Member(step, slurm_rank)
    if (rank := _rank("RANK")) is not None:
        run = found("TORCHELASTIC_RUN_ID")
        meeting = f"{found('MASTER_ADDR', '')}:{found('MASTER_PORT', '')}"  # the run id of many is "none"
        return Member(f"torchelastic {run} {meeting}" if run else _parent(), rank)
    return None


def _rank(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return int(text) if int(text) <= MAX_RANK else None


def _parent() -> str:
    """Return the parent's host, pid and start time: pids are reused."""
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/stat", "rb") as file:  # noqa: PTH123  pathlib takes 8 ms to import
            started = file.read().rpartition(b")")[2].split()[19].decode("ascii", "replace")
    except (OSError, IndexError):
        started = ""
    return f"parent {os.uname().nodename} {parent} {started}"
