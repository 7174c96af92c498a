"""A program of many kinds of work at once, whose every result is checked: `sampler_stress.py SEED SECONDS`."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time

from workbench import scope

random.seed(int(sys.argv[1]))
END = time.monotonic() + float(sys.argv[2])
sys.setswitchinterval(1e-4)
sys.setrecursionlimit(5000)


def fibonacci(n):
    with scope("fibonacci"):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def raising(n):
    if n == 0:
        raise ValueError
    try:
        raising(n - 1)
    except ValueError:
        if n < 20:
            raise
    return n


def squares(n):
    with scope("generator"):
        for i in range(n):
            yield i * i


def deep(n):
    return deep(n - 1) + 1 if n else 0


def made_code():
    space = {}
    i = random.randrange(1000)
    exec(f"def made_{i}(x):\n  for k in range(300): x += k\n  return x\n", space)
    return space[f"made_{i}"](1)


async def task(n):
    with scope(f"task {n % 7}"):
        await asyncio.sleep(0.0005)
        return sum(range(n))


async def tasks():
    return await asyncio.gather(*(task(n) for n in range(40)))


def small_stacks():
    threading.stack_size(65536)
    threads = [threading.Thread(target=deep, args=(50,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threading.stack_size(0)


def imports():
    for name in ("fractions", "decimal"):
        sys.modules.pop(name, None)
    import decimal
    import fractions

    assert fractions.Fraction(1, 3) + decimal.Decimal(0).as_integer_ratio()[0] == fractions.Fraction(1, 3)


def sort():
    values = [random.random() for _ in range(20_000)]
    values.sort()
    assert all(a <= b for a, b in itertools.pairwise(values))


def check(kind):
    if kind == "fibonacci":
        assert fibonacci(12) == 144
    elif kind == "raising":
        assert raising(30) == 30
    elif kind == "generator":
        assert sum(squares(500)) == sum(i * i for i in range(500))
    elif kind == "deep":
        assert deep(400) == 400
    elif kind == "code":
        assert made_code() == 1 + sum(range(300))
    elif kind == "tasks":
        assert asyncio.run(tasks()) == [sum(range(n)) for n in range(40)]
    elif kind == "process":
        assert subprocess.run(["/bin/true"]).returncode == 0
    elif kind == "small stacks":
        small_stacks()
    elif kind == "imports":
        imports()
    elif kind == "sort":
        sort()
    else:
        gc.collect()


KINDS = ["fibonacci", "raising", "generator", "deep", "code", "tasks", "process", "sort", "collect"]
failed = []


def work(kinds):
    try:
        while time.monotonic() < END:
            check(random.choice(kinds))
    except BaseException as error:
        failed.append(repr(error))
        raise


alarms = []
signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
workers = [
    threading.Thread(target=work, args=(kinds,))
    for kinds in ([*KINDS, "imports"], [*KINDS, "small stacks"], KINDS)
]
for worker in workers:
    worker.start()
forks = 0
while time.monotonic() < END:
    pid = os.fork()
    if pid == 0:
        os._exit(7 if sum(range(1000)) == 499500 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    forks += 1
    before = time.monotonic()
    time.sleep(0.002)
    assert time.monotonic() - before >= 0.002
    assert deep(2000) == 2000
for worker in workers:
    worker.join()
signal.setitimer(signal.ITIMER_REAL, 0)
assert not failed, failed
print("ok", forks, "forks", len(alarms), "alarms")
