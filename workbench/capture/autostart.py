"""The start of a profiled program, before its first line: it begins to record, waits for a sampler, or samples itself.

Called by `_workbench_autostart` in every Python that has one of our variables in its environment. Nothing that
the program can see changes but what docs/sampling.md lists.
"""

from __future__ import annotations

import os
import sys

from workbench.scopes.environment import START_VARIABLE, TRACER_VARIABLE, allow_tracer

PTH = "workbench-autostart.pth"
WAIT, PYINSTRUMENT = "wait", "pyinstrument"
"""What the variable asks for: `wait:READY:GO`, two descriptors, or `pyinstrument:RATE:FILE`."""


def start() -> bool:
    """Do what the environment asks for; return whether what was imported for it is of no use to anything else.

    Importing the recorder, as this module does, has started the recording and with it the in-process sampler.
    """
    order = os.environ.pop(START_VARIABLE, "")  # the program's children have nobody to wait for
    kind, _, rest = order.partition(":")
    try:
        if TRACER_VARIABLE in os.environ:
            allow_tracer(int(os.environ[TRACER_VARIABLE]))
        if kind == WAIT:
            ready, _, go = rest.partition(":")
            kind, _, rest = _wait(int(ready), int(go)).partition(":")
        rate, _, file = rest.partition(":")
        if kind == PYINSTRUMENT:
            _sample(int(rate), file)
            return False
    except ValueError:  # nothing that we have set
        pass
    return True


def _wait(ready: int, go: int) -> str:
    """Say that the process can be traced, and return the order that comes when it may go on."""
    try:
        os.write(ready, b"\n")
        os.close(ready)
        order = b""
        while not order.endswith(b"\n"):
            part = os.read(go, 4096)
            if not part:  # whoever started us is gone
                os._exit(1)
            order += part
        os.close(go)
    except OSError:  # descriptors of another process, whose environment this one was given
        return ""
    return order.decode("utf-8", "surrogateescape").rstrip("\n")


def _sample(rate: int, file: str) -> None:
    from workbench.capture.pyinstrument_session import sample_until_exit

    try:
        sample_until_exit(rate, file)
    except ImportError as error:
        sys.stderr.write(f"workbench: pyinstrument cannot be imported: {error}\n")


def why_not_installed() -> str | None:
    """Return in one line why programs of this interpreter do not call `start`, None: they do."""
    import site

    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    if any(os.path.isfile(f"{folder}/{PTH}") for folder in folders):  # noqa: PTH113  pathlib takes 8 ms to import
        return None
    return f"{sys.executable} has no {PTH} in its site-packages: install workbench with pip"
