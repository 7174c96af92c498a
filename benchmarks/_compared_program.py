"""Work of three functions whose shares are known, or what a profiler may see or miss.

    python benchmarks/_compared_program.py calls|arrays SIZE FILE    seconds, and each function's share, into FILE
    python benchmarks/_compared_program.py sees                      a thread, a process, native code, a named part
    python benchmarks/_compared_program.py killed                    the same alone, and then kills itself

A function's share is of the thread's own clock, read around each call.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np


def loop(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def objects(n):
    return sum(map(hash, map(str, range(n))))


def tanh(data, n):
    for _ in range(n):
        np.tanh(data)


def product(data, n):
    matrix = data[:40_000].reshape(200, 200)
    for _ in range(n):
        matrix @ matrix


def sort(data, n):
    for _ in range(n):
        np.sort(data[:50_000])


def parts_of(kind):
    """Return the functions of a kind, each with what it is called with."""
    if kind == "calls":
        return {loop: (50_000,), fibonacci: (21,), objects: (15_000,)}
    data = np.random.default_rng(1).normal(size=200_000)
    return {tanh: (data, 8), product: (data, 6), sort: (data, 6)}


def measured(kind, size, file):
    parts = parts_of(kind)
    used = dict.fromkeys(parts, 0.0)
    began = time.perf_counter()
    for _ in range(size):
        for part, words in parts.items():
            start = time.thread_time()
            part(*words)
            used[part] += time.thread_time() - start
    seconds = time.perf_counter() - began
    shares = {part.__name__: each / sum(used.values()) for part, each in used.items()}
    Path(file).write_text(json.dumps({"seconds": seconds, "shares": shares}))


def in_thread():
    end = time.perf_counter() + 0.7
    while time.perf_counter() < end:
        sum(range(100_000))


def in_sleep():
    time.sleep(0.7)


def in_child():
    end = time.perf_counter() + 0.7
    while time.perf_counter() < end:
        sum(range(100_000))


def before_kill():
    end = time.perf_counter() + 1.5
    while time.perf_counter() < end:
        sum(range(100_000))


def in_part():
    if "viztracer" in sys.modules:
        from viztracer import get_tracer

        part = get_tracer().log_event("a named part")
    else:
        from workbench import scope

        part = scope("a named part")
    with part:
        before_kill()


def sees():
    data = np.random.default_rng(1).normal(size=200_000)
    for work in (in_thread, in_sleep):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    subprocess.run([sys.executable, __file__, "child"], check=True)
    tanh(data, 300)
    if len(sys.argv) > 2:
        in_part()


if __name__ == "__main__":
    if sys.argv[1] == "sees":
        sees()
    elif sys.argv[1] == "child":
        in_child()
    elif sys.argv[1] == "killed":
        before_kill()
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        measured(sys.argv[1], int(sys.argv[2]), sys.argv[3])
