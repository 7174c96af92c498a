"""A fixed amount of work in three functions and a thread, and the seconds that it took, in a file.

    python benchmarks/_tachyon_program.py SIZE FILE

Each function runs inside a scope of its name, so that a recording knows exactly for how long each of them ran.
"""

import hashlib
import sys
import threading
import time
from pathlib import Path

from workbench import scope

SIZE = int(sys.argv[1])
BLOCK = bytes(1 << 20)


def loop(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def call(n):
    return sum(map(hash, map(str, range(n))))


def digest(n):
    for _ in range(n):
        hashlib.sha256(BLOCK).digest()


def work():
    for _ in range(SIZE):
        with scope("loop"):
            loop(60_000)
        with scope("call"):
            call(12_000)
        with scope("digest"):
            digest(2)


def wait(until):
    until.wait()


began = time.perf_counter()
end = threading.Event()
waiting = threading.Thread(target=wait, args=(end,))
waiting.start()
work()
end.set()
waiting.join()
Path(sys.argv[2]).write_text(str(time.perf_counter() - began))
