"""Threads that end in a long call of C, in a sleep or in Python, each in one scope for its life.

The main thread has a scope of the thread's name open from before it begins until the system no longer lists it.
"""

import hashlib
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
from work import SECONDS, about, busy, turns

from workbench import scope

MATRIX = np.random.default_rng(1).random((250, 250))
BYTES = bytes(30_000_000)


def with_decomposition():
    np.linalg.svd(MATRIX)


def with_hash():
    hashlib.sha256(BYTES)


def with_sort():
    np.sort(np.tile(MATRIX, 20), axis=None)


def with_sleep():
    time.sleep(about(0.1))


def with_python():
    busy(about(0.05))


def live(last):
    with scope("life"):
        busy(about(0.01))
        last()


number = count(1)
for _ in turns(SECONDS):
    for last in (with_decomposition, with_hash, with_sort, with_sleep, with_python):
        thread = threading.Thread(target=live, args=(last,), name=f"{last.__name__} {next(number)}")
        with scope(thread.name):
            thread.start()
            listed = Path(f"/proc/self/task/{thread.native_id}")
            thread.join()
            while listed.exists():
                time.sleep(0.0002)
