"""Programs that run already, for `workbench profile --pid`, and what Linux says of them before and after."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.helpers.processes import wait_until

PYTHONS = "WORKBENCH_ATTACH_PYTHONS"
"""Commands, with colons between, each of which becomes a Python 3.14 or later with workbench: ways for the tests."""
OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
"""Signals 32 and 33: glibc handles them from a process's first second thread on."""
BEGIN = """\
import hashlib, os, sys, threading, time
from workbench import scope

def goes_on():
    return not os.path.exists("stop")

def work():
    with scope("work"):
        digest = hashlib.sha256()
        for i in range(2000):
            digest.update(b"%d" % i)
        return digest.hexdigest()

expected = work()
"""
END = """
print("done")
sys.exit(7)
"""
PROGRAMS = {
    "threads": """
def loop():
    while goes_on():
        assert work() == expected

threads = [threading.Thread(target=loop) for _ in range(3)]
for each in threads:
    each.start()
os.mkdir("ready")
while goes_on():
    with scope("main loop"):
        assert work() == expected
for each in threads:
    each.join()
""",
    "forks": """
if (long := os.fork()) == 0:
    while goes_on():
        work()
    os._exit(0)
os.mkdir("ready")
lasting = []
while goes_on():
    with scope("main loop"):
        if (pid := os.fork()) == 0:
            os._exit(work() != expected)
        assert os.waitpid(pid, 0)[1] == 0
        if len(lasting) < 3:
            lasting.append(os.fork())
            if lasting[-1] == 0:
                while goes_on():
                    work()
                os._exit(0)
for pid in [long, *lasting]:
    assert os.waitpid(pid, 0)[1] == 0
""",
    "asyncio": """
import asyncio

async def loop():
    while goes_on():
        with scope("main loop"):
            assert work() == expected
            await asyncio.sleep(0)

async def main():
    await asyncio.gather(*(loop() for _ in range(3)))

os.mkdir("ready")
asyncio.run(main())
""",
    "NumPy": """
import numpy as np
a = np.random.default_rng(1).normal(size=(100, 100))
product = a @ a
os.mkdir("ready")
while goes_on():
    with scope("main loop"):
        work()
        assert (a @ a == product).all()
""",
}


@dataclass(frozen=True)
class State:
    """What of a process is to be as before."""

    threads: int
    descriptors: tuple[str, ...]
    logs: tuple[str, ...]
    """Files of recordings that it has mapped."""
    signals: int
    """Bits of the signals that it handles."""
    environment: bytes


def state_of(pid: int) -> State:
    """Return the state of a process."""
    proc = Path(f"/proc/{pid}")
    status = (proc / "status").read_text()
    caught = re.search(r"^SigCgt:\s+(\w+)", status, re.MULTILINE)
    threads = re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)
    assert caught is not None
    assert threads is not None
    return State(
        int(threads[1]),
        tuple(sorted(str(each.readlink()) for each in (proc / "fd").iterdir())),
        tuple(line for line in (proc / "maps").read_text().splitlines() if ".wblog" in line),
        int(caught[1], 16) & ~OF_THE_C_LIBRARY,
        (proc / "environ").read_bytes(),
    )


class Running:
    """A program that runs until `end`."""

    def __init__(self, folder: Path, text: str, python: Sequence[str] = (sys.executable,)) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        (folder / "program.py").write_text(BEGIN + text + END)
        self.process = subprocess.Popen(
            [*python, "-W", "error", str(folder / "program.py")],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: (folder / "ready").exists() or self.process.poll() is not None)
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        (self.folder / "stop").touch()
        self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[str, str, int]:
        """Let it end; return what it wrote, and its exit code."""
        (self.folder / "stop").touch()
        out, error = self.process.communicate(timeout=120)
        return out, error, self.process.returncode

    def processes(self) -> list[int]:
        """Return it and the processes that it has forked."""
        found, left = [], [self.pid]
        while left:
            found.append(left.pop())
            for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
                left += map(int, task.read_text().split())
        return found


def pythons() -> dict[str, tuple[str, ...]]:
    """Return Pythons with workbench at hand, by name: that of the tests, and those that the environment names."""
    named = [tuple(shlex.split(each)) for each in os.environ.get(PYTHONS, "").split(":") if each]
    ask = 'import sys; print(f"Python {sys.version_info[0]}.{sys.version_info[1]}")'
    found = [(sys.executable,), *named]
    return {subprocess.check_output([*words, "-c", ask], text=True).strip(): words for words in found}
