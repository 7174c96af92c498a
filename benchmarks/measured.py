"""What a benchmark prints and writes: rows with their limits, and the machine that they were measured on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from workbench.bench.machine.environment import environment
from workbench.bench.stats.intervals import Estimate, median_interval, paired_ratio

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "measured"


@dataclass(frozen=True)
class Row:
    """One figure, with its interval and the most that it may be."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the limit is met, missed, or inside the interval; empty without a limit."""
        if self.limit is None:
            return ""
        if self.high <= self.limit:
            return "met"
        if self.low > self.limit:
            return "missed"
        return "met, not surely" if self.value <= self.limit else "missed, not surely"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row as text: name, value with its interval, limit, verdict."""
        interval = "" if self.low == self.high else f" [{_short(self.low)}, {_short(self.high)}]"
        limit = "" if self.limit is None else f"{_short(self.limit)} {self.unit}"
        name = f"{self.name} ({self.note})" if self.note else self.name
        return name, f"{_short(self.value)}{interval} {self.unit}", limit, self.verdict


def exact(name: str, value: float, unit: str, limit: float | None = None, note: str = "") -> Row:
    """Return a row of one value that has no interval."""
    return Row(name, value, value, value, unit, limit, note)


def median(name: str, values: list[float], unit: str, limit: float | None = None, note: str = "") -> Row:
    """Return a row of the median with its 95 % order-statistic interval."""
    return _estimated(name, median_interval(values), unit, limit, note)


def ratio(
    name: str, values: list[float], base: list[float], limit: float | None = None, note: str = ""
) -> Row:
    """Return a row of the median ratio of values paired by round, with its 95 % interval."""
    return _estimated(name, paired_ratio(values, base), "×", limit, note)


def _estimated(name: str, estimate: Estimate, unit: str, limit: float | None, note: str) -> Row:
    return Row(name, estimate.value, estimate.low, estimate.high, unit, limit, note)


def table(rows: list[Row], first: str) -> str:
    """Return rows as a Markdown table that can also be read in a terminal."""
    cells = [(first, "measured [95 % interval]", "at most", "verdict"), *(row.cells for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(4)]
    lines = ["| " + " | ".join(f"{text:{widths[i]}}" for i, text in enumerate(line)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write(
    name: str,
    title: str,
    sections: dict[str, list[Row]],
    notes: list[str],
    folder: Path,
    script: str | None = None,
) -> None:
    """Write `name`.json and the page `name`.md, dated and with the machine, into a folder.

    The script that is named on the page is `name`.py where no other is given.
    """
    facts = environment()
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    content = {
        "date": date,
        "environment": facts,
        "sections": {
            section: [asdict(row) | {"verdict": row.verdict} for row in rows]
            for section, rows in sections.items()
        },
        "notes": notes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    lines = [
        f"# {title}",
        "",
        (
            f"{date}, {facts['machine']}, {facts['usable_cores']} cores, {facts['system']}, "
            f"Python {facts['python']}, load {facts['load_1min']}."
        ),
        f"Written by `python benchmarks/{script or name}.py`; the figures are in [{name}.json]({name}.json).",
    ]
    for section, rows in sections.items():
        lines += ["", f"## {section}", "", table(rows, "what")]
    lines += ["", "## How", "", *(f"- {note}" for note in notes), ""]
    (folder / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
