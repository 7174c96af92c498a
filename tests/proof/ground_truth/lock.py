"""Two threads that fight for the interpreter's lock, sleep, and compute with and without it, in phases.

Of each scope a counter says which part of its time was on a processor, and which was waiting for the lock: what is
neither CPU time, nor waiting for a processor by the system's count, nor the sleep that was asked for.
"""

import ctypes
import hashlib
import os
import threading
import time

import numpy as np
from threadpoolctl import threadpool_limits
from work import SECONDS, about, busy, turns

from workbench import counter, scope

NAP = 0.001
SLACK = 0.00005
"""Seconds by which the system lets a thread sleep longer, so that wake-ups come together."""
matrix = np.random.default_rng(1).normal(size=(300, 300))
block = bytes(1_000_000)
together = threading.Barrier(2)
totals = {}


def ready_ns(file):
    """Return how long a thread has waited for a processor; the lock is kept, for to take it again may be waited for."""
    text = ctypes.create_string_buffer(100)
    ctypes.pythonapi.pread(file, text, 100, ctypes.c_long(0))
    return int(text.value.split()[1])


class Known:
    """A scope whose time is added up by what the thread did in it."""

    def __init__(self, name):
        self.name, self.scope, self.slept_ns = name, scope(name), 0

    def slept(self, seconds):
        self.slept_ns += int(1e9 * (seconds + SLACK))

    def __enter__(self):
        self.file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        together.wait()
        self.ready = ready_ns(self.file)
        self.cpu, self.wall = time.thread_time_ns(), time.perf_counter_ns()
        self.scope.__enter__()
        return self

    def __exit__(self, *error):
        self.scope.__exit__(*error)
        wall, cpu = time.perf_counter_ns() - self.wall, time.thread_time_ns() - self.cpu
        ready = ready_ns(self.file) - self.ready
        os.close(self.file)
        total = totals.setdefault(self.name, [0, 0, 0, 0])
        for i, each in enumerate((wall, cpu, ready, wall - cpu - ready - self.slept_ns)):
            total[i] += each


def without_lock(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        hashlib.sha256(block).digest()


def blas(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        matrix @ matrix


def nap(seconds, known):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        time.sleep(NAP)
        known.slept(NAP)


def one():
    for _ in turns(SECONDS):
        with Known("one fights"):
            busy(about(0.1))
        with Known("no lock"):
            without_lock(about(0.05))
        with Known("sleeps") as known:
            seconds = about(0.05)
            time.sleep(seconds)
            known.slept(seconds)
        with Known("naps") as known:
            nap(about(0.1), known)
    together.abort()


def two():
    while True:
        with Known("two fights"):
            busy(about(0.1))
        with Known("alone"):
            busy(about(0.05))
        with Known("blas"):
            blas(about(0.05))
        with Known("computes"):
            busy(about(0.1))


with threadpool_limits(1):
    other = threading.Thread(target=one, name="one")
    other.start()
    try:
        two()
    except threading.BrokenBarrierError:
        other.join()
for name, (wall, cpu, ready, lock) in totals.items():
    counter(f"{name}, on_processor", cpu / wall)
    counter(f"{name}, ready", ready / wall)
    counter(f"{name}, waiting_for_lock", lock / wall)
