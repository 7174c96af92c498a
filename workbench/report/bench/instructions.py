"""The instructions of each variant on the page of an experiment: beside their times, and by C function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.results.lines import Instructions
from workbench.report.bench.rows import BenchRow
from workbench.report.tables import NOTHING, Cell, Column, PageTable, Row, speed_cell
from workbench.text import as_share, as_short_number, printable

MAX_FUNCTIONS = 15
"""Functions of a variant that are shown: the heaviest by themselves."""


@dataclass(frozen=True)
class VariantFunctions:
    """The heaviest C functions of a variant."""

    variant: str
    table: PageTable


@dataclass(frozen=True)
class InstructionsPart:
    """What was counted."""

    table: PageTable
    functions: Sequence[VariantFunctions]
    counted: str
    """The code that was counted, as NumPy chose it; empty where it is not known."""
    timed: str
    """The code that was timed, likewise."""
    valgrind: str


def instructions_of(analysis: Analysis, rows: Sequence[BenchRow]) -> InstructionsPart | None:
    """Return the instructions of an experiment, in the order of its rows; None where none were counted."""
    results = analysis.results
    found = [(row, results.instructions[row.comparison.variant]) for row in rows
             if row.comparison.variant in results.instructions]  # fmt: skip
    if not found:
        return None
    columns = [
        Column("instructions", "of one execution, counted once"),
        Column("than the baseline", "ratio of the instructions"),
        Column("time", "ratio of the times, as above"),
        Column("executions", "counted in a row, behind as many that were not"),
        Column("threads", "of the process; they run one at a time, and are counted together"),
    ]
    table = PageTable("Instructions", "variant", columns, [_row(analysis, *each) for each in found])
    counted = [each for _, each in found if each.error is None]
    return InstructionsPart(
        table,
        [VariantFunctions(row.name, _functions(each)) for row, each in found if each.functions],
        printable(next((each.code_path for each in counted if each.code_path), "")),
        printable(results.head.environment.code_path),
        printable(found[0][1].valgrind),
    )


def _row(analysis: Analysis, row: BenchRow, found: Instructions) -> Row:
    c = row.comparison
    ratio = analysis.results.instruction_ratio(c.variant)
    is_counted = found.count is not None
    return Row(
        row.name,
        [
            Cell(as_short_number(found.count), found.count) if found.count is not None else NOTHING,
            Cell(row.instructions, ratio) if ratio is not None and not row.is_baseline else NOTHING,
            speed_cell(c.speed.ratio) if c.speed is not None else NOTHING,
            Cell(f"{found.loops:,}", found.loops) if is_counted else NOTHING,
            Cell(f"{found.threads:,}", found.threads) if is_counted else NOTHING,
        ],
        printable(f"not counted: {found.error}") if found.error is not None else "",
        is_baseline=row.is_baseline,
    )


def _functions(found: Instructions) -> PageTable:
    total = found.total or 1
    columns = [
        Column("library", is_text=True),
        Column("itself", "share of all instructions"),
        Column("with what it calls", "share of all instructions"),
    ]
    rows = [
        Row(
            printable(each.name),
            [Cell(printable(each.library))]
            + [Cell(as_share(count / total), count / total) for count in (each.self, each.inclusive)],
        )
        for each in sorted(found.functions, key=lambda each: -each.self)[:MAX_FUNCTIONS]
    ]
    return PageTable("C functions", "C function", columns, rows)
