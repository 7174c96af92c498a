"""Several experiments with one suite: each is a session, which counts as one value.

Experiments differ by more than the code: heat, neighbours, updates. Rounds of one experiment do not show that, other
experiments do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workbench.bench.analysis.analysis import Analysis, VariantComparison, analyse
from workbench.bench.analysis.verdict import SURE, SpeedVerdict, judge_speed
from workbench.bench.results.results import FILE, Results, read_results
from workbench.bench.stats.intervals import min_count
from workbench.errors import InvalidInputError

MIN_SESSIONS = min_count(SURE)
"""Sessions whose interval is sure enough: 6."""


@dataclass(frozen=True)
class Session:
    """One experiment among several."""

    label: str
    results: Results

    @cached_property
    def analysis(self) -> Analysis:
        """What it says by itself."""
        return analyse(self.results)

    @cached_property
    def comparisons(self) -> dict[str, VariantComparison]:
        """The same by variant; of a comparison of revisions by side, whatever these are called there."""
        return {self.names.get(each.variant, each.variant): each for each in self.analysis.comparisons}

    @property
    def names(self) -> dict[str, str]:
        """Of a comparison of revisions: for each of its variants the name that it has in all such experiments."""
        pairs = self.results.head.pairs
        return {
            name: side if len(pairs) == 1 else f"{variant}, {side}"
            for variant, pair in pairs.items()
            for name, side in zip(pair, ("base", "new"), strict=True)
        }

    @property
    def baseline(self) -> str:
        """The variant that the others are compared with."""
        return self.names.get(self.results.baseline, self.results.baseline)

    @property
    def machine(self) -> str:
        """Where it was measured."""
        return self.results.machine


def read_sessions(path: Path, leave_out: Callable[[str], None] | None = None) -> list[Results]:
    """Return the experiments of one side: those in a folder, or the one in an experiment's own folder.

    Args:
        path: The folder.
        leave_out: Is told of each experiment in a folder that cannot be read, or has no complete round; without it
            the first that cannot be read is an error.

    Raises:
        InvalidInputError: There are none, or one cannot be read.
    """
    if path.name == FILE or (path / FILE).is_file():
        return [read_results(path)]
    folders = sorted(file.parent for file in path.glob(f"*/{FILE}"))
    if not folders:
        raise InvalidInputError(
            f"{path} holds no results: name the folder of an experiment, or a folder of such folders"
        )
    found = []
    for folder in folders:
        try:
            results = read_results(folder)
            if leave_out is not None:
                results.rounds_to_report()
            found.append(results)
        except InvalidInputError as error:
            if leave_out is None:
                raise
            leave_out(str(error))
    return found


def check_one_suite(runs: Sequence[Results]) -> None:
    """Refuse experiments with different suites, and one that is named twice.

    Raises:
        InvalidInputError: They are not, or it is.
    """
    suites = sorted({run.head.suite for run in runs})
    if len(suites) > 1:
        raise InvalidInputError(
            f"the experiments have different suites, {' and '.join(suites)}: name experiments with one suite"
        )
    folders = [run.folder.resolve() for run in runs]
    twice = [folder for folder in folders if folders.count(folder) > 1]
    if twice:
        raise InvalidInputError(f"{twice[0]} is named twice: name different experiments")


def sound(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions that are not void."""
    return [session for session in sessions if not session.analysis.check.void]


def compared(sessions: Sequence[Session], variant: str) -> list[VariantComparison]:
    """Return what the sessions that are not void say of a variant."""
    found = [session.comparisons.get(variant) for session in sound(sessions)]
    return [each for each in found if each is not None and each.value is not None]


def between_sessions(sessions: Sequence[Session], variant: str) -> SpeedVerdict | None:
    """Return the verdict on the median of the sessions' ratios, each one value in the order of time; None of few."""
    ratios = [each.speed.ratio.value for each in compared(sessions, variant) if each.speed is not None]
    if len(ratios) < MIN_SESSIONS:
        return None
    return judge_speed([math.log(ratio) for ratio in ratios], sessions[0].results.head.delta, SURE)
