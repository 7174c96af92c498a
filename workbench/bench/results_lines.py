"""The lines of a file of results, as they are checked when they are read (docs/results.md)."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from workbench.bench.beside import MOST_ROWS
from workbench.bench.suite import AGAIN
from workbench.records import Above0, Count, Many, Number

_Pair = Annotated[list[Number], msgspec.Meta(min_length=2, max_length=2)]
_Seconds = list[Above0]
_Amount = Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)] | UnsetType | None
"""Zero or more; null where the system does not say."""


class Environment(msgspec.Struct, kw_only=True):
    """The machine and what is installed, as `environment.environment` found them."""

    machine: str = "unknown"
    cores: Many | None = None
    usable_cores: Many | None = None
    memory_gib: Number | None = None
    system: str = "unknown"
    python: str = "unknown"
    packages: dict[str, str | None] = {}
    blas: str = "unknown"
    load_1min: Number | None = None


class ScalingFields(msgspec.Struct):
    """Where work is shared; see `beside.Scaling`."""

    option: str
    whole: str
    work: str


class SideFields(msgspec.Struct):
    """A side of a comparison, and what it has installed."""

    python: str = "unknown"
    packages: dict[str, str] = {}
    suite: str = ""
    modules: dict[str, str] = {}
    """Files of the project's loaded modules, by name."""


class Head(msgspec.Struct, kw_only=True):
    """The first line of a file of results."""

    kind: str
    schema: int
    suite: str
    suite_source: str = ""
    baseline: str
    variants: dict[str, dict[str, Any]]
    arms: list[str]
    axes: dict[str, list[str]] = {}
    descriptions: dict[str, str] = {}
    quality: str | None = None
    targets: list[Number] = []
    target_of: str | None = None
    micro: bool = False
    scaling: ScalingFields | None = None
    delta: Above0
    margin: Above0
    seed: Count = 0
    budget_s: Above0 | None = None
    precision: Above0 | None = None
    blocks: Many | None = None
    started: str
    pinned: dict[str, str] | None = None
    environment: Environment
    fingerprint: dict[str, Any] = {}
    pairs: dict[str, Annotated[list[str], msgspec.Meta(min_length=2, max_length=2)]] | UnsetType = UNSET
    sides: dict[str, SideFields] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Check that the arms are variants, the baseline one of them.

        Raises:
            ValueError: They are not.
        """
        if AGAIN not in self.arms or self.baseline not in self.arms:
            raise ValueError("the baseline is not among the arms")
        if not {*self.arms} <= {*self.variants, AGAIN}:
            raise ValueError("an arm is no variant")
        for pair in () if isinstance(self.pairs, UnsetType) else self.pairs.values():
            if not {*pair} <= {*self.arms}:
                raise ValueError("a pair names no arm")


class PlanLine(msgspec.Struct, kw_only=True):
    """A plan; see `plan.Plan`."""

    kind: str
    blocks: Count
    why: str
    loops: dict[str, Many]
    values: dict[str, Many]


class ArmLine(msgspec.Struct, kw_only=True):
    """What an arm gave; see docs/results.md."""

    kind: str
    block: Count
    attempt: Count
    position: Count | UnsetType = UNSET
    arm: str
    variant: str | UnsetType = UNSET
    seed: Count | UnsetType = UNSET
    error: str | None
    value_s: Above0 | UnsetType = UNSET
    values_s: _Seconds = []
    loops: Many = 1
    wall_s: _Amount = UNSET
    cpu_s: _Amount = UNSET
    waited_s: _Amount = UNSET
    steps_s: _Seconds = []
    curve: list[_Pair] = []
    quality: dict[str, Number] = {}
    peak_rss_bytes: Count | UnsetType | None = UNSET
    voluntary_switches: Count | UnsetType | None = UNSET
    involuntary_switches: Count | UnsetType | None = UNSET
    steal_s: _Amount = UNSET
    blas_threads: Count | UnsetType | None = UNSET
    load_1min: _Amount = UNSET
    took_s: Above0 | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Name the variant, and check that there is a value unless it failed.

        Raises:
            ValueError: There is none.
        """
        if self.variant is UNSET:
            self.variant = self.arm
        if self.error is None and self.value_s is UNSET:
            raise ValueError("it neither failed nor has a value")


class AbandonedLine(msgspec.Struct, kw_only=True):
    """A block that was cut."""

    kind: str
    block: Count
    attempt: Count


class TableLine(msgspec.Struct, kw_only=True):
    """A table of the suite's own; see `beside.Table`."""

    kind: str
    title: str
    columns: Annotated[list[str], msgspec.Meta(min_length=1)]
    rows: Annotated[list[list[str | Number | None]], msgspec.Meta(max_length=MOST_ROWS)]
    note: str

    def __post_init__(self) -> None:
        """Check that each row has a cell for each column.

        Raises:
            ValueError: One has not.
        """
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row does not fit the columns")


class SourcesLine(msgspec.Struct, kw_only=True):
    """The source files that arms loaded, each with the SHA-256 of its content."""

    kind: str
    files: dict[str, str]


KINDS: dict[str, type[msgspec.Struct]] = {
    "arm": ArmLine,
    "abandoned": AbandonedLine,
    "plan": PlanLine,
    "table": TableLine,
    "sources": SourcesLine,
}
"""What a line behind the first may be, by its `kind`."""
