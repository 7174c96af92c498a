"""The lines of a file of results, as they are checked when they are read (docs/results.md)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.design.suite_tables import MAX_ROWS, Scaling
from workbench.records import Above0, Count, Many, Number

SCHEMA, MIN_SCHEMA = 4, 2
"""The schema that is written, and the oldest that is read: see `translated`."""
_RENAMED = {"arm": "name", "arms": "runs", "block": "round", "blocks": "rounds"}
_Amount = Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The machine and what is installed, as `environment.environment` found them."""

    machine: str = "unknown"
    cores: Many | None = None
    usable_cores: Many | None = None
    memory_gib: Number | None = None
    system: str = "unknown"
    python: str = "unknown"
    packages: dict[str, str | None] = {}
    blas: str = "unknown"
    code_path: str = ""
    load_1min: Number | None = None


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal to resume an experiment."""

    suite: str = ""
    """SHA-256 of its file."""
    machine: str = ""
    python: str = ""
    packages: dict[str, str] = {}


class SideFields(msgspec.Struct, frozen=True):
    """A side of a comparison, and what it has installed."""

    python: str = "unknown"
    packages: dict[str, str] = {}
    suite: str = ""
    modules: dict[str, str] = {}
    """Files of the project's loaded modules, by name."""


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="experiment"):
    """The first line of a file of results: what is measured, and where."""

    schema: int = SCHEMA
    suite: str
    suite_source: str = ""
    baseline: str
    variants: dict[str, dict[str, Any]]
    runs: list[str]
    axes: dict[str, list[str]] = {}
    descriptions: dict[str, str] = {}
    quality: str | None = None
    targets: list[Number] = []
    target_of: str | None = None
    micro: bool = False
    scaling: Scaling | None = None
    delta: Above0
    margin: Above0
    seed: Count = 0
    budget_s: Above0 | None = None
    precision: Above0 | None = None
    rounds: Many | None = None
    fail_larger: Above0 | None = None
    """Of a comparison: how much its peak memory may grow, as a share, where it has a limit."""
    started: str
    pinned: dict[str, str] | None = None
    environment: Environment
    fingerprint: Fingerprint = Fingerprint()
    pairs: dict[str, tuple[str, str]] = {}
    """Of a comparison: for each variant of the suite what it is called on either side."""
    sides: dict[str, SideFields] = {}
    more_instructions: Above0 | None = None
    """Of a comparison: the share of more instructions that passes; None: they are not judged."""

    def __post_init__(self) -> None:
        """Check that the runs are variants, the baseline one of them.

        Raises:
            ValueError: They are not.
        """
        if AA_CONTROL not in self.runs or self.baseline not in self.runs:
            raise ValueError("the baseline is not among the runs")
        if not {*self.runs} <= {*self.variants, AA_CONTROL}:
            raise ValueError("a run is no variant")
        if any(not {*pair} <= {*self.runs} for pair in self.pairs.values()):
            raise ValueError("a pair names no run")


class Plan(msgspec.Struct, frozen=True, tag_field="kind", tag="plan"):
    """What was decided before it was measured."""

    rounds: Count
    why: str
    loops: dict[str, Many] = {}
    """By variant, executions in a row for one value; without variants that are not known yet."""
    values: dict[str, Many] = {}
    """By variant, values that each process keeps, behind one that it discards."""


class Run(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="run"):
    """What a run gave; see docs/results.md. None is unknown."""

    round: Count
    attempt: Count
    position: Count | None = None
    name: str
    variant: str = ""
    seed: Count | None = None
    error: str | None
    value_s: Above0 | None = None
    values_s: tuple[Above0, ...] = ()
    loops: Many = 1
    wall_s: _Amount | None = None
    cpu_s: _Amount | None = None
    waited_s: _Amount | None = None
    steps_s: tuple[Above0, ...] = ()
    curve: tuple[tuple[Number, Number], ...] = ()
    quality: dict[str, Number] = {}
    peak_rss_bytes: Count | None = None
    voluntary_switches: Count | None = None
    involuntary_switches: Count | None = None
    steal_s: _Amount | None = None
    blas_threads: Count | None = None
    load_1min: _Amount | None = None
    took_s: Above0 | None = None

    def __post_init__(self) -> None:
        """Name the variant, and check that there is a value unless it failed.

        Raises:
            ValueError: There is none.
        """
        if not self.variant:
            msgspec.structs.force_setattr(self, "variant", self.name)
        if self.error is None and self.value_s is None:
            raise ValueError("it neither failed nor has a value")

    @property
    def seconds(self) -> float:
        """The value of a run that worked."""
        assert self.value_s is not None
        return self.value_s


class Abandoned(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="abandoned"):
    """A round that was cut."""

    round: Count
    attempt: Count


class TableLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="table"):
    """A table of the suite's own; see `suite_tables.Table`."""

    title: str
    columns: Annotated[list[str], msgspec.Meta(min_length=1)]
    rows: Annotated[list[list[str | Number | None]], msgspec.Meta(max_length=MAX_ROWS)]
    note: str

    def __post_init__(self) -> None:
        """Check that each row has a cell for each column.

        Raises:
            ValueError: One has not.
        """
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row does not fit the columns")


class FunctionCount(msgspec.Struct, frozen=True):
    """The instructions of a C function, in all counted executions."""

    name: str
    library: str
    self: Count
    inclusive: Count
    """With those of what it calls, its own recursion among them."""


class Instructions(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="instructions"):
    """The instructions of a variant, counted by callgrind once, or why there are none."""

    name: str
    error: str | None
    total: Many | None = None
    """Of all counted executions."""
    loops: Many = 1
    seed: Count = 0
    threads: Count = 1
    code_path: str = ""
    """What NumPy chose on valgrind's processor."""
    valgrind: str = ""
    functions: list[FunctionCount] = []
    took_s: Above0 | None = None

    def __post_init__(self) -> None:
        """Check that there is a count unless it failed.

        Raises:
            ValueError: There is none.
        """
        if (self.error is None) != (self.total is not None):
            raise ValueError("it neither failed nor has a count")

    @property
    def count(self) -> float | None:
        """Instructions of one execution; None where there are none."""
        return self.total / self.loops if self.total is not None else None


class Sources(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="sources"):
    """The source files that runs loaded, each with the SHA-256 of its content."""

    files: dict[str, str]


Line = Plan | Run | Abandoned | TableLine | Instructions | Sources
"""What a line behind the first may be."""


def translated(line: dict[str, Any], variants: Iterable[str] = ()) -> dict[str, Any]:
    """Return a line of schema 2 or 3 as schema 4 has it; one that has its keys already stays as it is.

    Both called a run "arm", a round "block" and the A/A control "A′". Schema 2 had one number of loops and of values
    for all variants.
    """
    found = {_RENAMED.get(key, key): value for key, value in line.items()}
    if "arms" in line:
        found |= {"kind": "experiment", "runs": [_run_name(name) for name in line["arms"]]}
    if "arm" in line:
        found |= {"kind": "run", "name": _run_name(line["arm"])}
    if line.get("kind") == "plan":
        for name in ("loops", "values"):
            if isinstance(line.get(name), int):
                found[name] = dict.fromkeys(variants, line[name])
    return found


def _run_name(arm: object) -> object:
    return AA_CONTROL if arm == "A′" else arm
