"""Which code is the program's own: neither installed, nor part of Python, nor the recorder."""

from __future__ import annotations

import re

_INSTALLED = re.compile(r"[/\\](?:site-packages|dist-packages)[/\\]([^/\\]+)")
_PYTHON = re.compile(r"[/\\]lib(?:64)?[/\\]python3(?:\.\d+)?[/\\]|^<|^$")
_RECORDER = re.compile(r"[/\\]workbench[/\\](?:scopes|capture)[/\\]")
_IMPORT = re.compile(r"^<frozen importlib|[/\\]importlib[/\\]")


def is_own(file: str) -> bool:
    """Return whether a file is the program's own."""
    return not (_INSTALLED.search(file) or _PYTHON.search(file) or _RECORDER.search(file))


def is_import(file: str) -> bool:
    """Return whether a file is part of Python's import system."""
    return _IMPORT.search(file) is not None


def package_of(file: str) -> str:
    """Return the name of the installed package that a file belongs to, or `Python` for the standard library."""
    found = _INSTALLED.search(file)
    return found[1].removesuffix(".py") if found else "Python"
