"""Where the modules of a process were loaded from. Standard library alone, as it runs in the environments of others."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

INSTALLED = ("site-packages", "dist-packages")


def loaded_files() -> list[str]:
    """Return the files of all loaded modules that are neither the standard library's nor of an installed package."""
    standard = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    return [
        str(file)
        for file in module_files().values()
        if not any(file.is_relative_to(folder) for folder in standard) and not is_installed(file)
    ]


def module_files() -> dict[str, Path]:
    """Return the file of each loaded module that has one, by the module's name, in the order of names."""
    found: dict[str, Path] = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            found[name] = Path(file).resolve()
    return found


def is_installed(file: Path) -> bool:
    """Return whether a file is in a folder of installed packages."""
    return not {*INSTALLED}.isdisjoint(file.parts)
