"""Waiting for what other processes do, and looking which there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Return what a condition returns as soon as that is true; fail where it is not within a minute."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"nothing came of it within {seconds:g} s"
        time.sleep(0.02)
    return found


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; it may wait to be collected."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def children(pid: int) -> dict[int, str]:
    """Return the command lines of the living descendants of a process."""
    found = {}
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found[child.pid] = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            pass
    return found
