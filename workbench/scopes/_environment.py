"""What processes hand on to those that they start: the recording to join, and who may trace them."""

from __future__ import annotations

import os

FOLDER_VARIABLE = "WORKBENCH_RECORD"
ID_VARIABLE = "WORKBENCH_RECORD_ID"
TRACER_VARIABLE = "WORKBENCH_TRACER"
SAMPLE_VARIABLE = "WORKBENCH_SAMPLE"
"""`RATE` or `RATE,native`: every process that records is sampled by its own sampler."""
START_VARIABLE = "WORKBENCH_START"
"""What the first process of a program does before its first line, see `workbench.capture.autostart`."""
VARIABLES = (FOLDER_VARIABLE, ID_VARIABLE, TRACER_VARIABLE, SAMPLE_VARIABLE, START_VARIABLE)
"""What a process that is to be neither recorded nor sampled is not given."""


def set_environment(folder: str | None, identity: str | None) -> None:
    """Name the recording that processes started from now on join; None: they join none."""
    for variable, value in ((FOLDER_VARIABLE, folder), (ID_VARIABLE, identity)):
        if value is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = value


def tracing_is_restricted() -> bool:
    """Return whether a process has to allow who traces it: Yama, on Linux."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:  # noqa: PTH123
            return file.read().strip() != "0"
    except OSError:
        return False


def allow_tracer(pid: int) -> None:
    """Let the process `pid` and its descendants trace this one, where tracing is restricted."""
    if tracing_is_restricted():
        import ctypes

        pr_set_ptracer = 0x59616D61
        ctypes.CDLL(None).prctl(pr_set_ptracer, ctypes.c_ulong(pid), 0, 0, 0)
