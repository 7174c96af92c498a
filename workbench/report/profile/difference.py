"""Two profiles against each other: the flame graph, and the frames whose self time changed most."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from workbench.capture.load import load
from workbench.errors import InvalidInputError
from workbench.profile import Profile, StackTree, TreeDifference, aggregate, difference
from workbench.render.flamegraph.difference import difference_svg
from workbench.text import as_difference

Of = Literal["spans", "samples"]


@dataclass(frozen=True)
class DifferenceOptions:
    """What to compare, and how."""

    before: Path
    after: Path
    of: Of | None = None
    """Spans or samples; by default spans where both have any."""
    normalised: bool = True
    """Whether the first is scaled to the total of the second, so that shares are compared and not times."""
    title: str = ""
    """The heading of the flame graph; by default the names of both."""


@dataclass(frozen=True)
class Change:
    """A frame's self time on either side, summed over all stacks that it is on top of."""

    name: str
    file: str
    before_ns: int
    after_ns: int

    @property
    def by_ns(self) -> int:
        """How much more it is after than before."""
        return self.after_ns - self.before_ns


@dataclass(frozen=True)
class Comparison:
    """What came of it."""

    options: DifferenceOptions
    of: Of
    tree: TreeDifference
    changes: list[Change]
    """The largest first."""
    warnings: tuple[str, ...] = ()
    """What the readers left out or took for something, a line each."""

    def svg(self) -> str:
        """Return the flame graph."""
        before, after = _names(self.options)
        return difference_svg(
            self.tree,
            title=self.options.title or f"{before} → {after}",
            subtitle=self.of,
            before_name=before,
            after_name=after,
        )

    def as_json(self) -> dict[str, object]:
        """Return the comparison for machines; times are nanoseconds."""
        return {
            "before": os.fspath(self.options.before),
            "after": os.fspath(self.options.after),
            "of": self.of,
            "normalised": self.options.normalised,
            "before_ns": self.tree.before.all_ns,
            "after_ns": self.tree.after.all_ns,
            "changes": [asdict(change) | {"by_ns": change.by_ns} for change in self.changes],
        }


def compare(options: DifferenceOptions) -> Comparison:
    """Return the comparison of two profiles, each a recording's folder or a file that can be read.

    Raises:
        InvalidInputError: One cannot be read, or both have nothing of the same sort.
    """
    paths = (options.before, options.after)
    profiles = [load(path) for path in paths]
    of = options.of or _common(options, profiles)
    trees = [_tree(path, p, of) for path, p in zip(paths, profiles, strict=True)]
    tree = difference(trees[0], trees[1], normalised=options.normalised)
    warnings = [
        f"{path}: {line}"
        for path, profile in zip(paths, profiles, strict=True)
        for line in profile.file.warnings
    ]
    return Comparison(options, of, tree, largest_changes(tree), tuple(warnings))


def largest_changes(tree: TreeDifference) -> list[Change]:
    """Return the self time of each frame that took any, the largest change first."""
    profile = tree.after.profile
    size = len(profile.frames)
    sums = [np.zeros(size, dtype=np.int64) for _ in range(2)]
    for total, side in zip(sums, (tree.before, tree.after), strict=True):
        np.add.at(total, profile.stacks.frame, side.self_ns)
    before, after = sums
    order = np.argsort(-np.abs(after - before), kind="stable")
    some = order[(before[order] != 0) | (after[order] != 0)]
    return [
        Change(profile.frames[i].name, profile.frames[i].file, int(before[i]), int(after[i]))
        for i in some.tolist()
    ]


def change_in_words(change: Change) -> str:
    """Return the relative change in words."""
    return as_difference(change.before_ns, change.after_ns)


def _names(options: DifferenceOptions) -> tuple[str, str]:
    """Return short names of both sides that differ where the paths do."""
    before, after = (Path(os.path.normpath(path)) for path in (options.before, options.after))
    if before.name != after.name:
        return before.name, after.name
    return (str(before), str(after)) if before != after else ("before", "after")


def _common(options: DifferenceOptions, profiles: list[Profile]) -> Of:
    has: list[set[Of]] = []
    for path, profile in zip((options.before, options.after), profiles, strict=True):
        found: set[Of] = set()
        for track in profile.tracks:
            if track.spans is not None and len(track.spans):
                found.add("spans")
            if track.samples is not None and len(track.samples):
                found.add("samples")
        if not found:
            raise InvalidInputError(f"{path} is empty: it has neither spans nor samples to compare")
        has.append(found)
    both = has[0] & has[1]
    if not both:
        one, other = (next(iter(found)) for found in has)
        raise InvalidInputError(
            f"{options.before} has {one} and {options.after} has {other}: compare two of the same sort"
        )
    return "spans" if "spans" in both else "samples"


def _tree(path: Path, profile: Profile, of: Of) -> StackTree:
    tree = aggregate(profile, of=of)
    if tree.all_ns <= 0:
        other = "samples" if of == "spans" else "spans"
        raise InvalidInputError(f"{path} has no time in {of}: record it again, or compare {other}")
    return tree
