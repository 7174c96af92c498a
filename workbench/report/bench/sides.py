"""What the two sides of a comparison have installed, and where they differ: that is measured with the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.results.results import Results
from workbench.text import printable

MISSING = "not there"


@dataclass(frozen=True)
class Sides:
    """The sides of a comparison."""

    names: Sequence[str]
    pythons: Sequence[str]
    packages: Sequence[int]
    """How many each side has."""
    rows: Sequence[tuple[str, Sequence[str]]]
    """Python and packages whose versions differ, with the version on each side."""


def sides_of(results: Results) -> Sides | None:
    """Return what a comparison's sides have installed; None where the run is no comparison."""
    sides = results.head.sides
    if len(sides) < 2:
        return None
    pythons = [printable(side.python) for side in sides.values()]
    packages = [
        {name: printable(version) for name, version in side.packages.items()} for side in sides.values()
    ]
    names = sorted({name for each in packages for name in each}, key=lambda name: (name.lower(), name))
    versions = [("Python", pythons)]
    versions += [(printable(name), [each.get(name, MISSING) for each in packages]) for name in names]
    rows = [(name, found) for name, found in versions if len(set(found)) > 1]
    return Sides([printable(name) for name in sides], pythons, [len(each) for each in packages], rows)
