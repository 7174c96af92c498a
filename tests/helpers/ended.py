"""Programs that end in their own ways under `workbench profile`, and what they leave."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil

from tests.helpers.processes import wait_until
from tests.helpers.profiled import ours

BUSY = """
import os, signal, subprocess, sys, threading, time
from workbench import carry, scope

def busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(500))
"""
ABOUT_FIGURES = ("the machine was busy", "not attributable by line", "threads ran at once")
"""Warnings about figures, not about how the program ended."""


class Ends:
    """Runs programs that end in their own ways, and checks what they leave."""

    def __init__(self, place):
        self.place = place
        self.mark = {"WORKBENCH_TEST_ENDS": str(place.folder)}

    def run(self, text, *options, env=None, **more):
        self.place.write("p.py", BUSY + text)
        done = self.place.profile(*options, "p.py", env=self.mark | (env or {}), **more)
        self.is_whole()
        return done

    def start(self, text, *options, **more):
        self.place.write("p.py", BUSY + text)
        return self.place.start(*options, "p.py", env=self.mark, **more)

    def complaints(self, error):
        return [line for line in ours(error) if not any(text in line for text in ABOUT_FIGURES)]

    def is_whole(self):
        """Page and facts are there, and no process that was started is."""
        assert self.place.files >= {"index.html", "profile.json"}
        wait_until(lambda: not self.left())

    def left(self):
        left = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    process.environ().items() >= self.mark.items()
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    left.append(process)
        return left

    def sampled_s(self, *path):
        """Return the sampled seconds of the stacks that have these frames in this order."""
        total = 0
        for line in (self.place.folder / "out" / "samples.folded").read_text().splitlines():
            stack, _, microseconds = line.rpartition(" ")
            frames = iter([label.partition(" (")[0] for label in stack.split(";")])  # without their files
            if all(name in frames for name in path):
                total += int(microseconds)
        return total / 1e6

    def scope_s(self, name):
        return sum(row["total_s"] for row in self.place.summary["scope_totals"] if row["name"] == name)


def stand_in(ends, text):
    """Return an environment in which a script replaces py-spy: `$SPY` is the real one, `$OUT` the file it writes."""
    spy = Path(sys.executable).parent / "py-spy"
    find = 'for word; do [ "$last" = --output ] && OUT="$word"; last="$word"; done\n'
    path = ends.place.write("stand-in", "#!/bin/sh\n" + find + text.replace("$SPY", str(spy)))
    path.chmod(0o755)
    return {"WORKBENCH_PY_SPY": str(path)}
