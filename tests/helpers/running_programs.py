"""Programs that run until the test has seen them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY = """
import asyncio, sys, threading
from workbench import counter, mark, scope

def spin():
    return sum(i * i for i in range(20_000))

def background():
    with scope("background loop"):
        while not over.is_set():
            with scope("item"):
                spin()

async def waits():
    with scope("request"):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    over.set()

over = threading.Event()
threading.Thread(target=background, name="background").start()
counter("error", 0.5)
mark("begun")
with scope("fit"), scope("epoch"):
    asyncio.run(waits())
"""
"""Opens scopes on two threads and a task, and ends when its standard input does."""


@contextmanager
def running(
    folder: Path, source: str = BUSY, *, record: Path | None = None, sample: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run a program that prints `ready`, from there on; it is recorded into a folder if one is given."""
    script = folder / "program.py"
    script.write_text(source)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
    if record is not None:
        environment |= {"WORKBENCH_RECORD": str(record)} | (
            {"WORKBENCH_SAMPLE": "100,native"} if sample else {}
        )
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
