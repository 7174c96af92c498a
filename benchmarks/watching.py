"""What `workbench watch` uses while a program records a million events a second, and what the program notices.

    python benchmarks/watching.py               three minutes
    python benchmarks/watching.py --quick       two rounds, no limits; writes nothing

The program opens and closes a million scopes a second. Its log keeps the newest gigabyte, and is as long when watching
begins. In each round the program's CPU time for an event is measured without and with `watch`, which draws on a
pseudo-terminal.
"""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from measured import exact, finish, in_rounds, median, options_of, ratio

PROGRAM = """
import sys, time
from workbench import record, scope

with record(sys.argv[1], when_full="newest"):
    begin, done = time.perf_counter(), 0
    while True:
        for _ in range(10_000):
            with scope("work"):
                pass
        done += 10_000
        late = done / 1e6 - (time.perf_counter() - begin)
        if late > 0:
            time.sleep(late)
        print(done, time.process_time(), flush=True)
"""
FULL_BYTES = 900 << 20
SECONDS = 10.0
SETTLED = 5.0
"""Seconds after the first screen: the first refresh, and the wait that it causes, are no part of the figure."""
MAX_CPU, MAX_RATIO = 0.05, 1.02


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[int]:
    """Watch a recording on a pseudo-terminal that somebody reads; give the process's number once it is drawn."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "workbench", "watch", str(folder)]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    drawn = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError):
            while b"SCOPES CLOSED" not in os.read(master, 1 << 16):
                pass
            drawn.set()
            while os.read(master, 1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()
    try:
        if not drawn.wait(60):
            raise SystemExit("watch drew nothing within a minute")
        yield process.pid
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


class Program:
    """The program, and how far it is."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.now = (0, 0.0)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if not line.endswith("\n"):
                return
            done, used = line.split()
            self.now = int(done), float(used)

    def cost_ns(self, seconds: float) -> float:
        """Return the CPU nanoseconds for an event, measured for so long."""
        done, used = self.now
        time.sleep(seconds)
        return 1e9 * (self.now[1] - used) / (self.now[0] - done)


def main() -> None:
    """Measure in rounds, and write the page."""
    options = options_of(__doc__).parse_args()
    seconds = 2.0 if options.quick else SECONDS
    used: list[float] = []
    first: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "recording"
        program = Program(folder)
        try:
            while sum(path.stat().st_size for path in folder.glob("*.wblog")) < FULL_BYTES:
                time.sleep(0.5)

            def watched() -> float:
                with watching(folder) as pid:
                    first.append(cpu_s(pid))
                    time.sleep(SETTLED)
                    before, began = cpu_s(pid), time.perf_counter()
                    cost = program.cost_ns(seconds)
                    used.append((cpu_s(pid) - before) / (time.perf_counter() - began))
                    return cost

            works = {"bare": lambda: program.cost_ns(seconds), "watched": watched}
            found = in_rounds(works, 2 if options.quick else 7)
        finally:
            program.process.kill()
            program.process.wait()
    limit = None if options.quick else MAX_CPU
    sections = {
        "watch": [
            median("CPU seconds of watch for a second", used, "s", limit),
            median("CPU seconds until the first screen, with imports", first, "s"),
        ],
        "the program": [
            ratio("CPU time for an event, watched", found["watched"], found["bare"], MAX_RATIO),
            exact("a million events a second, bytes of the log", 24e6, "B/s"),
        ],
    }
    notes = [__doc__.partition("\n\n")[2].rpartition("\n\n")[2].replace("\n", " ").strip()]
    finish("watching", "Watching a program that records a million events a second", sections, notes, options)


if __name__ == "__main__":
    main()
