"""What every Python of an environment with workbench calls as it starts: it does nothing unless a program is profiled.

`setup.py` puts this file into site-packages, beside `workbench-autostart.pth` and, for CPython 3.15 and later,
`workbench-autostart.start` (PEP 829), which both call `start`. It is no module of the package, because importing the
package takes some milliseconds. pytest must not warn that it was imported before pytest was: PYTEST_DONT_REWRITE.
"""

import os
import sys

VARIABLES = frozenset({"WORKBENCH_SAMPLE", "WORKBENCH_START", "WORKBENCH_TRACER"})
SINGLE = frozenset({"threading", "_tracemalloc"})
"""Modules of which a process can have only one."""


def start() -> None:
    """Start what the environment asks for; in a virtual environment Python may call this twice."""
    if VARIABLES.isdisjoint(os.environ):
        return
    before, found_in = set(sys.modules), set(sys.path_importer_cache)
    try:
        from workbench.capture.autostart import start as begin
    except ImportError as error:
        for name in VARIABLES:  # the processes that this one starts would only say the same
            os.environ.pop(name, None)
        if sys.stderr is not None:
            sys.stderr.write(f"workbench: nothing is recorded: workbench cannot be imported ({error})\n")
        return
    if begin():
        _forget(before)
    for folder in sys.path_importer_cache.keys() - found_in:
        del sys.path_importer_cache[folder]


def _forget(before: set[str]) -> None:
    """Take the standard library's modules that we imported out of `sys.modules`.

    The program's own folder comes before the standard library, but it is not on the path yet: a module of the program
    that has the name of one of these is found as under plain Python.
    """
    for name in sys.modules.keys() - before - SINGLE:
        if name.partition(".")[0] not in ("workbench", "_workbench_autostart"):
            del sys.modules[name]
