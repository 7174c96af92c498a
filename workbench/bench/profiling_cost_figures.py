"""The figures of what profiling costs: ratios of runs that are paired by block, each with an interval and a verdict."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.bench.plan import square_blocks
from workbench.bench.statistics import Estimate, family_confidence, log_ratio, median_interval
from workbench.bench.suite import AGAIN
from workbench.bench.verdict import (
    INCONCLUSIVE,
    SURE,
    AACheck,
    SpeedVerdict,
    check_session,
    controlled,
    judge_speed,
)
from workbench.capture.samplers import SamplerName
from workbench.text import as_percent, rounded_up

BARE, SCOPES, IN_PROCESS, PY_SPY = "bare", "scopes", "in-process", "py-spy"
PY_SPY_NATIVE = "py-spy, native frames"
DELTA = 0.01
"""The smallest cost that matters, as a share; what recording may add to a run."""
SHORT_SECONDS = 0.2


@dataclass(frozen=True)
class Way:
    """A way to run the program."""

    name: str
    recorded: bool = False
    sampler: SamplerName = "none"
    native: bool = False


@dataclass(frozen=True)
class TimedRun:
    """One run of the program."""

    block: int
    position: int
    way: str
    seconds: float
    samples: int = 0
    scopes: int = 0
    warnings: tuple[str, ...] = ()


def ways_of(native: bool) -> dict[str, Way]:
    """Return the ways by name; bare comes twice, as an A/A control. With native frames py-spy has both ways."""
    ways = [
        Way(BARE),
        Way(SCOPES, recorded=True),
        Way(IN_PROCESS, recorded=True, sampler="in-process", native=native),
        Way(PY_SPY, sampler="py-spy"),
    ]
    if native:  # six ways make a square of 36 runs, where five need 50
        ways.append(Way(PY_SPY_NATIVE, sampler="py-spy", native=True))
    ways.append(Way(AGAIN))
    return {way.name: way for way in ways}


def comparisons(native: bool) -> list[tuple[str, str]]:
    """Return which way is compared with which."""
    pairs = [(SCOPES, BARE), (IN_PROCESS, BARE), (IN_PROCESS, SCOPES), (PY_SPY, BARE)]
    return [*pairs, (PY_SPY_NATIVE, BARE)] if native else pairs


def confidence_of(native: bool) -> float:
    """Return the confidence of each interval, so that all of them hold together at 95 %."""
    return family_confidence(len(comparisons(native)), SURE)


@dataclass(frozen=True)
class CostRatio:
    """The time of one way by the time of another."""

    way: str
    base: str
    speed: SpeedVerdict

    @property
    def name(self) -> str:
        """What is divided by what."""
        return f"{self.way} / {self.base}"

    @property
    def words(self) -> str:
        """The verdict, and where there is none what would decide."""
        speed = self.speed
        if speed.kind != INCONCLUSIVE:
            return speed.kind
        if speed.reason:
            return f"{INCONCLUSIVE}: {speed.reason}"
        if speed.blocks_needed is None:
            return INCONCLUSIVE
        return f"{INCONCLUSIVE}: about {rounded_up(speed.blocks_needed):,} runs of each would decide"


@dataclass(frozen=True)
class Cost:
    """The runs of one measurement; whatever is said of it is derived from them."""

    program: tuple[str, ...]
    rate: int
    native: bool
    seed: int
    started: str
    environment: Mapping[str, object]
    planned: int
    """Blocks that there were to be."""
    runs: tuple[TimedRun, ...]
    """Of whole blocks, in their order."""

    @property
    def blocks(self) -> int:
        """How many blocks are whole."""
        return len(self.runs) // len(ways_of(self.native))

    def seconds(self) -> dict[str, list[float]]:
        """Return the seconds of each way, in the order of blocks."""
        found: dict[str, list[float]] = {name: [] for name in ways_of(self.native)}
        for run in self.runs:
            found[run.way].append(run.seconds)
        return found

    def own(self) -> dict[str, Estimate]:
        """Return the median seconds of each way, with 95 % of its own."""
        return {name: median_interval(values, SURE) for name, values in self.seconds().items()}

    def check(self) -> AACheck:
        """Return what bare differs by from itself: the method's own error."""
        seconds = self.seconds()
        return check_session(_differences(seconds[AGAIN], seconds[BARE]), DELTA)

    def ratios(self) -> list[CostRatio]:
        """Return how much longer each way takes. A void session has figures and no verdicts."""
        seconds, check, found = self.seconds(), self.check(), []
        for way, base in comparisons(self.native):
            d = _differences(seconds[way], seconds[base])
            speed = judge_speed(d, DELTA, confidence_of(self.native))
            found.append(CostRatio(way, base, controlled(speed, check)))
        return found

    def notes(self) -> list[str]:
        """Return what the figures do not say, a line each."""
        found = []
        bare = statistics.median(self.seconds()[BARE])
        if bare < SHORT_SECONDS:
            found.append(
                f"the program takes {bare:.2g} s: its start-up dominates, and the ratios are of that"
            )
        ways = ways_of(self.native)
        recorded = [run for run in self.runs if ways[run.way].recorded]
        if not any(run.scopes for run in recorded):
            found.append(
                "the program has no scopes: what is said of them is of a recorder with nothing to do"
            )
        if self.blocks % square_blocks(len(ways)):
            found.append(
                f"interrupted after {self.blocks} of {self.planned} blocks, so the order is balanced in part only"
            )
        warned = [run for run in self.runs if run.warnings]
        if warned:
            first = warned[0]
            found.append(
                f"{len(warned)} of {len(self.runs)} runs came with warnings, the first "
                f"({first.way}, block {first.block + 1}): {first.warnings[0]}"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it for machines: the conditions, the figures, and every run."""
        check = self.check()
        return {
            "kind": "profiling cost",
            "date": self.started,
            "program": list(self.program),
            "rate": self.rate,
            "native": self.native,
            "seed": self.seed,
            "blocks": self.blocks,
            "planned_blocks": self.planned,
            "delta": DELTA,
            "confidence": confidence_of(self.native),
            "ratios": [
                {"way": each.way, "base": each.base, "verdict": each.speed.kind, "words": each.words}
                | asdict(each.speed.ratio)
                | {"blocks_needed": each.speed.blocks_needed, "merged": each.speed.merged}
                for each in self.ratios()
            ],
            "check": asdict(check) | {"void": check.void},
            "seconds": {name: asdict(each) for name, each in self.own().items()},
            "notes": self.notes(),
            "environment": dict(self.environment),
            "runs": [asdict(run) for run in self.runs],
        }

    def lines(self) -> list[str]:
        """Return the figures as a table for a terminal, and what is to be known beside it."""
        own = self.own()
        rows = [("", "seconds", "95 % interval")]
        rows += [(name, f"{e.value:.3f}", f"[{e.low:.3f}, {e.high:.3f}]") for name, e in own.items()]
        sure = as_percent(confidence_of(self.native))
        ratios = [("", "ratio", f"{sure} interval", f"by {as_percent(DELTA)}")]
        for each in self.ratios():
            ratio = each.speed.ratio
            interval = f"[{ratio.low:.3f}, {ratio.high:.3f}]"
            ratios.append((each.name, f"{ratio.value:.3f} ×", interval, each.words))
        return [
            *_table(rows),
            "",
            *_table(ratios),
            "",
            self.check().words,
            *(f"note: {note}" for note in self.notes()),
        ]


def _differences(values: Sequence[float], base: Sequence[float]) -> list[float]:
    return [log_ratio(value, other) for value, other in zip(values, base, strict=True)]


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with columns below each other: names to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if column == 1 else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
