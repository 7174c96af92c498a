"""Where the modules of a process were loaded from. Standard library alone, as it runs in the environments of others."""

from __future__ import annotations

import json
import sys
import sysconfig
from importlib.machinery import PathFinder
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


def misplaced() -> list[str]:
    """Return in words which loaded modules are not those that are installed, though some of their name are."""
    places = [entry for entry in sys.path if is_installed(Path(entry))]
    found = []
    for name, file in module_files().items():
        if "." in name or name == "workbench" or is_installed(file) or name in sys.stdlib_module_names:
            continue
        spec = PathFinder.find_spec(name, places)
        if spec is not None and spec.origin is not None and not file.samefile(spec.origin):
            found.append(f"{name} is imported from {file} and not from what is installed")
    return found


def project_modules() -> dict[str, str]:
    """Return the files of loaded modules that were installed from a folder or are not installed, by module."""
    from importlib import metadata  # megabytes, which would be in a run's peak

    local = set()
    for distribution in metadata.distributions():
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if str(origin.get("url", "")).startswith("file:"):
            local |= {file.parts[0].partition(".")[0] for file in distribution.files or ()}
    outside = {*loaded_files()}
    return {
        name: str(file.relative_to(sys.prefix) if file.is_relative_to(sys.prefix) else file)
        for name, file in module_files().items()
        if name.partition(".")[0] != "workbench" and (name.partition(".")[0] in local or str(file) in outside)
    }


def installed() -> dict[str, str]:
    """Return the version of each package that is installed, by name."""
    from importlib import metadata

    # Each `metadata` is parsed when it is asked for.
    every = (distribution.metadata for distribution in metadata.distributions())
    return {facts["Name"]: facts["Version"] for facts in every if facts["Name"]}


def is_installed(file: Path) -> bool:
    """Return whether a file is in a folder of installed packages."""
    return not {*INSTALLED}.isdisjoint(file.parts)
