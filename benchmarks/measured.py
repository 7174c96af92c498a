"""What the benchmarks share: paired rounds, processes of their own, and the page of rows with their limits."""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from workbench.bench.machine.environment import environment
from workbench.bench.stats.intervals import Estimate, median_interval, paired_ratio

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "measured"
MIB = 1 << 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
Found = TypeVar("Found")


def options_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds; writes nothing")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="folder of the page")
    return parser


def in_rounds(
    works: Mapping[str, Callable[[], Found]], rounds: int, *, seed: int = 1, warm_up: int = 1
) -> dict[str, list[Found]]:
    """Return what each work returns, once a round in an order drawn for the round; rounds to warm up are left out."""
    draw = random.Random(seed)  # noqa: S311  an order is no secret
    found: dict[str, list[Found]] = {name: [] for name in works}
    for turn in range(-warm_up, rounds):
        for name in draw.sample(list(works), len(works)):
            value = works[name]()
            if turn >= 0:
                found[name].append(value)
    return found


def process(script: str | Path, *words: object) -> Any:
    """Return what a part of a script prints as JSON, run in a process of its own."""
    command = [sys.executable, str(script), *map(str, words)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def ran_part(parts: Mapping[str, Callable[..., object]]) -> bool:
    """Run the part that the command line names, and print what it returns; return whether it names one."""
    name, *words = sys.argv[1:] or [""]
    if name in parts:
        print(json.dumps(parts[name](*(int(word) if word.isdigit() else word for word in words))))
    return name in parts


def memory_mib(entry: str) -> float:
    """Return an entry of this process's memory in MiB, such as VmHWM, the peak of resident memory."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{entry}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"the system does not state {entry} of a process")


def chromium() -> str:
    """Return the system's Chromium."""
    for name in BROWSERS:
        if (found := shutil.which(name)) is not None:
            return found
    raise SystemExit(
        f"no Chromium: install the package chromium, or put one of {', '.join(BROWSERS)} on PATH"
    )


def children_cpu_s() -> float:
    """Return the CPU seconds of all processes that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


def finish(
    name: str, title: str, sections: dict[str, list[Row]], notes: list[str], options: argparse.Namespace
) -> None:
    """Print the tables, and write the page unless the run is a quick one."""
    for section, rows in sections.items():
        print(f"\n{section}\n\n{table(rows, 'what')}", flush=True)
    if not options.quick:
        write(name, title, sections, notes, options.output)
        print(f"\nwritten to {options.output}/{name}.md")


def write(name: str, title: str, sections: dict[str, list[Row]], notes: list[str], folder: Path) -> None:
    """Write the page of rows in sections, and how they were measured."""
    content = {
        "sections": {
            section: [asdict(row) | {"verdict": row.verdict} for row in rows]
            for section, rows in sections.items()
        },
        "notes": notes,
    }
    lines = []
    for section, rows in sections.items():
        lines += ["", f"## {section}", "", table(rows, "what")]
    write_page(name, title, content, [*lines, "", "## How", "", *(f"- {note}" for note in notes)], folder)


def write_page(name: str, title: str, content: dict[str, Any], lines: list[str], folder: Path) -> None:
    """Write `name`.json and the page `name`.md of a script, dated and with the machine, into a folder."""
    facts = environment()
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"date": date, "environment": facts} | content, indent=1)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    head = [
        f"# {title}",
        "",
        (
            f"{date}, {facts['machine']}, {facts['usable_cores']} cores, {facts['system']}, "
            f"Python {facts['python']}, load {facts['load_1min']}."
        ),
        f"Written by `python benchmarks/{name}.py`; the figures are in [{name}.json]({name}.json).",
    ]
    (folder / f"{name}.md").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
