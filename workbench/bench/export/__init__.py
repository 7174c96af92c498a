"""An experiment for other tools: pyperf, Bencher, github-action-benchmark, and tables (docs/comparing.md).

The A/A control validates the experiment and is no result of its own: only the table has its lines.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from workbench import outputs
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.errors import InvalidInputError, WorkbenchError, unknown_name

MAX_NAME_BYTES, MAX_MEASURE_BYTES = 1024, 64
"""Bytes that Bencher takes for the names of a benchmark and of a measure."""
UNITS = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
"""Units that github-action-benchmark turns into each other."""
FORMULA = ("=", "@", "+", "-", "\t", "\r", "\n")
"""What a formula begins with, in one spreadsheet or another, some of which leave blanks before it out."""
COLUMNS = (
    "suite", "round", "attempt", "position", "name", "variant", "seed", "error", "value_s", "loops", "values", "steps",
    "wall_s", "cpu_s", "peak_rss_bytes", "voluntary_switches", "involuntary_switches", "steal_s", "blas_threads",
    "load_1min", "took_s", "instructions",
)  # fmt: skip
"""Columns of the table that every run has, in their order; the variants' options and the figures of quality follow.

The instructions are the variant's, the same in each of its runs."""


def to_pyperf(results: Results) -> str:
    """Return pyperf's JSON, version 1.0: a benchmark for each variant, a run for each of its processes.

    A value is the seconds of one run of the case, or of one step where it has steps.
    """
    rounds = results.rounds_to_report()
    names = _names(results)
    benchmarks = []
    for variant in results.variants:
        runs = [
            {"values": _seconds(run), "metadata": _run_metadata(run)}
            for run in results.values(variant, rounds)
            if run is not None
        ]
        if runs:
            metadata: dict[str, Any] = {"name": names[variant], "unit": "second"}
            if (count := _instructions(results, variant)) is not None:
                metadata["instructions"] = count
            benchmarks.append({"metadata": metadata, "runs": runs})
    return _json({"version": "1.0", "metadata": _machine(results), "benchmarks": benchmarks})


def to_bencher(results: Results) -> str:
    """Return the Bencher Metric Format: latency in nanoseconds, peak memory in bytes, each figure of quality."""
    from workbench.bench.analysis.analysis import analyse

    names = _names(results)
    found = {}
    for comparison in analyse(results).comparisons:
        if comparison.value is None:
            continue
        measures = {"latency": _metric(comparison.value, 1e9)}
        if (count := _instructions(results, comparison.variant)) is not None:
            measures["instructions"] = {"value": count}
        for figure, estimate in _qualities(results, comparison.variant).items():
            measures[_unique(figure, measures, MAX_MEASURE_BYTES)] = _metric(estimate)
        if comparison.peak is not None:
            measures[_unique("peak-memory", measures, MAX_MEASURE_BYTES)] = _metric(comparison.peak)
        found[names[comparison.variant]] = measures
    return _json(found)


def to_github(results: Results) -> str:
    """Return what github-action-benchmark takes as `customSmallerIsBetter`: seconds, peak memory, figures of quality.

    The action compares by ratios; a figure that can be negative has none, and is left out.
    """
    from workbench.bench.analysis.analysis import analyse

    names = _names(results)
    analysis = analyse(results)
    sentences = analysis.sentences()
    found = []
    for comparison in analysis.comparisons:
        if comparison.value is None:
            continue
        name, variant = names[comparison.variant], comparison.variant
        unit, factor = next(((u, f) for u, f in UNITS if comparison.value.value * f >= 1), UNITS[-1])
        found.append(_entry(name, unit, comparison.value, factor, sentences.get(variant)))
        if (count := _instructions(results, variant)) is not None:
            found.append({"name": f"{name}: instructions", "unit": "instructions", "value": count})
        qualities = _qualities(results, variant)
        for figure, estimate in qualities.items():
            if estimate.low >= 0:
                found.append(_entry(f"{name}: {figure}", _one_line(figure), estimate, 1.0, None))
        if comparison.peak is not None:
            memory = _unique("peak memory", qualities, MAX_MEASURE_BYTES)
            found.append(_entry(f"{name}: {memory}", "MB", comparison.peak, 1e-6, None))
    return _json(found)


def to_csv(results: Results) -> str:
    """Return a table: a line for each run of each round, failed ones among them, in the order in which they ran."""
    variants: Mapping[str, Mapping[str, Any]] = results.head.variants
    options = list(dict.fromkeys(name for chosen in variants.values() for name in chosen))
    figures = list(dict.fromkeys(name for run in results.runs for name in run.quality))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    titles = [*(f"option: {name}" for name in options), *(f"quality: {name}" for name in figures)]
    table.writerow([*COLUMNS, *titles])
    for run in results.runs:
        fields = msgspec.structs.asdict(run) | {"suite": results.head.suite}
        fields |= {"values": len(run.values_s), "steps": len(run.steps_s)}
        fields["instructions"] = _instructions(results, run.variant)
        if run.error is not None:
            fields |= {"loops": None, "values": None, "steps": None}
        chosen = variants.get(run.variant, {})
        table.writerow(
            map(
                _cell,
                [fields.get(name) for name in COLUMNS]
                + [chosen.get(name) for name in options]
                + [run.quality.get(name) for name in figures],
            )
        )
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a cell of a table: text that a spreadsheet would take for a formula gets an apostrophe before it."""
    text = value if value is None or isinstance(value, int | float) else str(value)
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text


FORMATS: Mapping[str, Callable[[Results], str]] = {
    "pyperf": to_pyperf,
    "bencher": to_bencher,
    "github": to_github,
    "csv": to_csv,
}


def export(results: Results, to: str) -> bytes:
    """Return an experiment in another tool's format.

    Raises:
        InvalidInputError: The format is not known, or no round is complete.
    """
    if to not in FORMATS:
        raise unknown_name("format", to, FORMATS)
    # JSON is ASCII; a table keeps what no encoding has, such as half of a surrogate pair, in Python's notation.
    return FORMATS[to](results).encode("utf-8", "backslashreplace")


def write_export(content: bytes, path: Path) -> None:
    """Write a file, whole or not at all; a device or a named pipe is written to.

    Raises:
        InvalidInputError: A file that workbench did not write is in the way.
        WorkbenchError: It cannot be written.
    """
    try:
        outputs.export(path, lambda file: file.write_bytes(content))
    except OSError as error:
        raise WorkbenchError(f"cannot write {path}: {error.strerror}; choose another file") from None


def _names(results: Results) -> dict[str, str]:
    names: dict[str, str] = {}
    for variant in results.variants:
        names[variant] = _unique(f"{results.head.suite}/{variant}", names.values(), MAX_NAME_BYTES)
    return names


def _unique(name: str, taken: Iterable[str], longest: int) -> str:
    """Return a name in one line and not too long, with a number where it is taken."""
    there, line, number = set(taken), _one_line(name), 1
    found = _cut(line, longest)
    while found in there:
        number += 1
        found = f"{_cut(line, longest - len(f' {number}'))} {number}"
    return found


def _cut(text: str, longest: int) -> str:
    return text.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore").strip()


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "unnamed"


def _seconds(run: Run) -> list[float]:
    """Return what the run's value was made of: its steps but the first, which is discarded, or its values."""
    return list(run.steps_s[1:] or run.steps_s or run.values_s) or [run.seconds]


def _run_metadata(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = {"loops": run.loops}
    if run.peak_rss_bytes:
        found["mem_max_rss"] = run.peak_rss_bytes
    if run.load_1min is not None:
        found["load_avg_1min"] = run.load_1min
    return found


def _machine(results: Results) -> dict[str, Any]:
    """Return facts of the machine under pyperf's names."""
    environment = results.head.environment
    facts = {
        "cpu_model_name": environment.machine,
        "platform": environment.system,
        "python_version": environment.python,
    }
    found: dict[str, Any] = {name: _one_line(str(value)) for name, value in facts.items() if value}
    if environment.cores is not None:
        found["cpu_count"] = environment.cores
    return found


def _instructions(results: Results, variant: str) -> float | None:
    counted = results.instructions.get(variant)
    return counted.count if counted is not None else None


def _qualities(results: Results, variant: str) -> dict[str, Any]:
    """Return the median and interval of each figure that the variant gave in every round that it ran."""
    from workbench.bench.stats.intervals import median_interval

    runs = [run.quality for run in results.values(variant, results.rounds_to_report()) if run is not None]
    figures = [name for name in (runs[0] if runs else ()) if all(name in quality for quality in runs)]
    return {name: median_interval([quality[name] for quality in runs]) for name in figures}


def _metric(estimate: Any, factor: float = 1.0) -> dict[str, float]:
    metric = {"value": estimate.value * factor}
    if _is_sure(estimate):
        metric |= {"lower_value": estimate.low * factor, "upper_value": estimate.high * factor}
    return metric


def _entry(name: str, unit: str, estimate: Any, factor: float, sentence: str | None) -> dict[str, Any]:
    """Return one entry: the value, its interval as `± half its width` that the action can convert, and words."""
    entry: dict[str, Any] = {"name": name, "unit": unit, "value": _short(estimate.value * factor)}
    rounds = f"median of {estimate.count} round{'s' if estimate.count != 1 else ''}"
    if _is_sure(estimate):
        half = max(estimate.high - estimate.value, estimate.value - estimate.low) * factor
        entry["range"] = f"± {half:.3g}"
        low, high = _short(estimate.low * factor), _short(estimate.high * factor)
        rounds += f", {estimate.confidence:.1%} interval {low:g} to {high:g} {unit}"
    entry["extra"] = f"{rounds}\n{sentence}" if sentence else rounds
    return entry


def _is_sure(estimate: Any) -> bool:
    """Return whether there were rounds enough for an interval: a range that promises less is not exported."""
    from workbench.bench.stats.intervals import reaches

    return reaches(estimate.confidence, 0.95)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _json(content: object) -> str:
    try:
        return json.dumps(content, indent=1, allow_nan=False) + "\n"
    except ValueError:
        raise InvalidInputError("the results hold a number too large to be exported: measure again") from None
