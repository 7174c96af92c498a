"""What must be the same for an experiment to be resumed: the suite's source, the machine, and what is installed."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from workbench.bench.machine.environment import processor
from workbench.bench.results.lines import Fingerprint
from workbench.bench.run.origins import installed
from workbench.errors import InvalidInputError


def fingerprint(source: Path) -> Fingerprint:
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
    return Fingerprint(
        suite=hashlib.sha256(content).hexdigest(),
        machine=f"{platform.node()}, {processor()}, {os.cpu_count()} cores",
        python=sys.version.split()[0],
        packages=installed(),
    )


def digest(file: Path) -> str:
    """Return the SHA-256 of a file's content; nothing where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def changes(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Return in words what has changed between two fingerprints; empty where nothing has."""
    suite = ["the suite's file"] if before.suite != now.suite else []
    facts = [
        f"{name} ({was}, now {is_now})"
        for name, was, is_now in (
            ("machine", before.machine, now.machine),
            ("python", before.python, now.python),
        )
        if was != is_now
    ]
    return suite + facts + version_changes(before.packages, now.packages)


def version_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return in words which packages have another version, or are on one side alone."""
    return [
        f"{package} ({before.get(package, 'not there')}, now {now.get(package, 'gone')})"
        for package in sorted({*before, *now})
        if before.get(package) != now.get(package)
    ]
