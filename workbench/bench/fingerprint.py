"""What must be the same for a run to be gone on with: the suite's source, the machine, and what is installed."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from workbench.bench.environment import processor
from workbench.errors import InvalidInputError


def fingerprint(source: Path) -> dict[str, Any]:
    """Return what tells this suite, machine and installation from others.

    Args:
        source: The suite's file.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    try:
        content = source.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"suite {source} cannot be read: {error.strerror}") from None
    return {
        "suite": hashlib.sha256(content).hexdigest(),
        "machine": f"{platform.node()}, {processor()}, {os.cpu_count()} cores",
        "python": sys.version.split()[0],
        "packages": installed(),
    }


def digest(file: Path) -> str:
    """Return the SHA-256 of a file's content; nothing where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def installed() -> dict[str, str]:
    """Return the version of each package that is installed, by name."""
    every = (
        distribution.metadata for distribution in metadata.distributions()
    )  # each is parsed when it is asked for
    return {facts["Name"]: facts["Version"] for facts in every if facts["Name"]}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what has changed between two fingerprints; empty where nothing has."""
    had = before.get("packages")
    had = had if isinstance(had, Mapping) else {}
    packages: Mapping[str, str] = now["packages"]
    suite = ["the suite's file"] if before.get("suite") != now["suite"] else []
    facts = [
        f"{name} ({before.get(name)}, now {now[name]})"
        for name in ("machine", "python")
        if before.get(name) != now[name]
    ]
    versions = [
        f"{package} ({had.get(package, 'not there')}, now {packages.get(package, 'gone')})"
        for package in sorted({*had, *packages})
        if had.get(package) != packages.get(package)
    ]
    return suite + facts + versions
