"""Which code is the program's own: neither installed, nor part of Python, nor the recorder."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import FrameKind, Profile
from workbench.profile.stacks import ROOT

IMPORTING = ROOT - 1
"""In the place of a frame's number: a module that is not the program's own is imported."""

_INSTALLED = re.compile(r"[/\\](?:site-packages|dist-packages)[/\\]([^/\\]+)")
_PYTHON = re.compile(r"[/\\]lib(?:64)?[/\\]python3(?:\.\d+)?[/\\]|^<(?!ipython-input-|dynamic-code>)|^$")
_INTERPRETER = re.compile(r"python[\d.]*(?:d|t)?|libpython[\d.]+\w*\.so(?:\.[\d.]+)?")
_RECORDER = re.compile(r"[/\\]workbench[/\\](?:scopes|capture)[/\\]")
_IMPORT = re.compile(r"^<frozen importlib|[/\\]importlib[/\\]")
_RUNPY = re.compile(r"^<frozen runpy>$|[/\\]runpy\.py$")
_STARTUP = re.compile(r"^<frozen (?!runpy)|[/\\](?:site|sitecustomize|_workbench_autostart)\.py$")


def is_own(file: str) -> bool:
    """Return whether a file is the program's own."""
    return not (_INSTALLED.search(file) or _PYTHON.search(file) or _RECORDER.search(file))


def is_import(file: str) -> bool:
    """Return whether a file is part of Python's import system."""
    return _IMPORT.search(file) is not None


def is_import_or_startup(file: str) -> bool:
    """Return whether a file is part of Python's import system, or of what Python runs before the program."""
    return is_import(file) or _STARTUP.search(file) is not None


def is_module_body(name: str, file: str) -> bool:
    """Return whether a frame is the body of a module that is not the program's own.

    Above the program's own code that is an import, also where a sampler leaves the import system out.
    """
    return name == "<module>" and not file.startswith("<") and file != "" and not is_own(file)


def runs_modules(file: str) -> bool:
    """Return whether a file is `runpy`, which runs a module as the program (`python -m`)."""
    return _RUNPY.search(file) is not None


def is_interpreter(module: str) -> bool:
    """Return whether the file of a native function has an interpreter's name."""
    return _INTERPRETER.fullmatch(module.rpartition("/")[2]) is not None


def package_of(file: str) -> str:
    """Return the name of the installed package that a file belongs to, or `Python` for the standard library."""
    found = _INSTALLED.search(file)
    return found[1].removesuffix(".py") if found else "Python"


def innermost_own(profile: Profile) -> NDArray[np.int64]:
    """Return (stacks,) the frame of the innermost Python function of the program's own.

    Where no function has a file, as in folded stacks, nobody knows whose it is, and all count as the program's.
    `ROOT` where there is none, `IMPORTING` where it imports a module that is not the program's own.
    """
    imports = [is_import(frame.file) for frame in profile.frames]
    bodies = [is_module_body(frame.name, frame.file) for frame in profile.frames]
    runpy = [runs_modules(frame.file) for frame in profile.frames]
    python = [frame.kind is FrameKind.PYTHON for frame in profile.frames]
    has_files = any(frame.file for frame, is_python in zip(profile.frames, python, strict=True) if is_python)
    own = [
        is_python and (is_own(frame.file) or not has_files)
        for frame, is_python in zip(profile.frames, python, strict=True)
    ]
    frames = profile.stacks.frame.tolist()
    found: list[int] = []
    for parent, frame in zip(profile.stacks.parent.tolist(), frames, strict=True):
        below = found[parent] if parent != ROOT else ROOT
        is_body = bodies[frame] and below != ROOT and not runpy[frames[parent]]
        found.append(IMPORTING if imports[frame] or is_body else frame if own[frame] else below)
    return np.array(found, dtype=np.int64)
