"""`workbench` as a process of its own, forked from this one: as `python -m workbench`, but for the imports.

Most of what such a process costs is importing NumPy and us. A fork has done that already, and is a process in all
else: with its own streams, folder, environment, signals and exit code. Tests that need a new interpreter, such as
those of imports, start one; where forking is not sound, all tests do.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

import workbench.cli

NEEDED = {
    "bench": (
        "workbench.bench.run.experiment",
        "workbench.bench.analysis.analysis",
        "workbench.report.bench.page",
    ),
    "compare": (
        "workbench.bench.compare.revisions",
        "workbench.bench.compare.sessions",
        "workbench.report.bench.page",
    ),
    "convert": ("workbench.capture.load", "workbench.formats.registry"),
    "export": ("workbench.bench.export",),
    "profile": ("workbench.capture.program", "workbench.report.profile.files"),
    "report": ("workbench.report.bench.page", "workbench.report.profile.files"),
    "view": ("workbench.report.view.server", "workbench.report.profile.files"),
}
"""What a command imports when it runs, by its name."""
IS_REAL = sys.platform != "linux" or bool(os.environ.get("WORKBENCH_TEST_INTERPRETERS"))
"""Whether to start an interpreter each time: where asked for, and where a fork may not use the system's libraries."""


def start_workbench(*arguments: str, **options: Any) -> subprocess.Popen[Any]:
    """Start `workbench` with these arguments; the options are those of `subprocess.Popen`."""
    if IS_REAL:
        return subprocess.Popen([sys.executable, "-m", "workbench", *arguments], **options)
    for name in NEEDED.get(arguments[0], ()) if arguments else ():
        importlib.import_module(name)
    environment = dict(options.pop("env", None) or os.environ)

    def instead() -> (
        NoReturn
    ):  # called in the child when streams and folder are set; nothing is executed behind it
        _be_workbench(arguments, environment)

    return subprocess.Popen(["workbench"], preexec_fn=instead, **options)  # noqa: PLW1509  tests have one thread


def run_workbench(*arguments: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run `workbench` with these arguments to its end; its output is returned unless it goes elsewhere."""
    given, timeout = options.pop("input", None), options.pop("timeout", 120)
    if given is not None:
        options["stdin"] = subprocess.PIPE
    for stream in ("stdout", "stderr"):
        options.setdefault(stream, subprocess.PIPE)
    with start_workbench(*arguments, **options) as process:
        try:
            out, error = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(list(arguments), process.returncode, out, error)


def _be_workbench(arguments: tuple[str, ...], environment: Mapping[str, str]) -> NoReturn:
    code: object = 1
    try:
        gc.freeze()  # what is collected later must not close a descriptor that has become another's
        faulthandler.disable()
        os.closerange(3, 1 << 16)  # that of Popen, too, which waits for it
        for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGPIPE, signal.SIG_IGN)):
            signal.signal(number, action)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        sys.argv = ["workbench", *arguments]
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
        workbench.cli.main()
    except SystemExit as stop:
        code = stop.code
    except BaseException:  # noqa: BLE001  the end of a process
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            code = 120  # as Python says it
        os._exit(code if isinstance(code, int) else 1)
