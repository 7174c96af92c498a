"""An experiment as Markdown, for a job summary or a pull request: the verdict first, then what it rests on.

It fits the comments of GitHub, and no text of a suite is taken for Markdown, a mention or a link to an issue.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.analysis.verdict import PASSED
from workbench.bench.compare.gate import INCONCLUSIVE, ORDER, PairVerdict, Verdict, recorded_verdict
from workbench.bench.results.results import Results
from workbench.report.bench.headlines import headlines_of
from workbench.report.bench.health import BAD, DOUBTFUL, health_of
from workbench.report.bench.rows import HEADS, cells, filled, left_out, notes_of, round_seconds, rows_of
from workbench.text import as_duration, as_rounds, as_seconds, for_markdown, printable, rounded_up, shortened

MAX_BYTES, MAX_TABLE_BYTES = 60_000, 40_000
"""Of the whole, and of its table: a comment on GitHub may have 65,536 characters."""
MAX_LETTERS = 300
"""Of a cell or a line."""
Row = Sequence[str]


def experiment_markdown(analysis: Analysis, top: int | None = None) -> list[str]:
    """Return the lines of an experiment with at most `top` variants; a comparison begins with its verdict."""
    verdict = recorded_verdict(analysis.results)
    if verdict is None:
        rows = rows_of(analysis)
        heads = [line.text for line in headlines_of(analysis, rows)]
        notes = [*left_out(analysis, top), *notes_of(analysis, top), _health(analysis)]
        return _fitted(heads, [HEADS, *map(cells, rows[:top])], notes)
    times = {each.variant: as_seconds(each.value.value) for each in analysis.comparisons if each.value}
    pairs = analysis.results.head.pairs
    table: list[Row] = [("verdict", "variant", "base", "new", "time", "error", "memory")]
    for pair in _ordered(verdict)[:top]:
        base, new = pairs[pair.variant]
        verdict_cell, variant, *found = _cells(pair)
        table.append((verdict_cell, variant, times.get(base, "–"), times.get(new, "–"), *found))
    kept = [
        f"{c.variant}: {'; '.join(said)}" for c in analysis.comparisons if (said := analysis.reservations(c))
    ]
    notes = [*_sides(analysis.results), *analysis.notes(), *kept, _health(analysis)]
    if verdict.verdict == INCONCLUSIVE:
        notes.append(f"What to do next: {_next(verdict, analysis)}.")
    return _fitted([_headline(verdict)], table, notes)


def verdict_markdown(verdict: Verdict) -> list[str]:
    """Return the lines of a verdict on stored experiments."""
    table = [("verdict", "variant", "time", "error", "memory"), *map(_cells, _ordered(verdict))]
    notes = [verdict.note] if verdict.note is not None else []
    if verdict.verdict == INCONCLUSIVE and not notes:
        notes.append("What to do next: store more experiments of both sides, or measure both sides together.")
    return _fitted([_headline(verdict)], table, notes)


def error_markdown(error: str) -> list[str]:
    """Return the lines of a comparison that came to no verdict."""
    return _fitted(["NO VERDICT: nothing could be compared"], [], [error])


def _headline(verdict: Verdict) -> str:
    """Return the verdict in one sentence."""
    decisive = [pair for pair in verdict.pairs if pair.verdict == verdict.verdict]
    if len(verdict.pairs) == 1 or all(pair.speed.estimate is None for pair in verdict.pairs):
        return verdict.lines[0]
    return f"{verdict.verdict.upper()} in {len(decisive)} of {len(verdict.pairs)} variants"


def _ordered(verdict: Verdict) -> list[PairVerdict]:
    return sorted(verdict.pairs, key=lambda pair: ORDER.index(pair.verdict))


def _cells(pair: PairVerdict) -> Row:
    found = (pair.speed, pair.instructions, pair.failures)
    speed = "; ".join(each.words for each in found if each is not None)
    error = pair.quality.words if pair.quality is not None else "–"
    return pair.verdict, pair.variant, speed, error, pair.memory.words if pair.memory is not None else ""


def _sides(results: Results) -> list[str]:
    """Return a line on each side: what it is, and its last commit or its Python."""
    names = next(iter(results.head.pairs.values()))
    notes = results.head.descriptions
    return [": ".join(filter(None, (name, notes.get(name, "")))) for name in names]


def _health(analysis: Analysis) -> str:
    """Return in a line what the strip of the page says, but for the A/A control, and where it was measured."""
    signs = {DOUBTFUL: " (doubtful)", BAD: " (bad)"}
    facts = [
        f"{each.what} {each.found}{', ' if each.detail else ''}{each.detail}{signs.get(each.kind, '')}"
        for each in health_of(analysis)[1:]
    ]
    environment = analysis.results.head.environment
    return "; ".join([*facts, f"{environment.machine}, Python {environment.python}"])


def _next(verdict: Verdict, analysis: Analysis) -> str:
    """Return what would decide a comparison."""
    findings = [each for pair in verdict.pairs for each in pair.findings if each.verdict == INCONCLUSIVE]
    if any(pair.failures in findings for pair in verdict.pairs if pair.failures is not None):
        return "find out why the new side fails; the page has the messages"
    if analysis.check.state != PASSED and not analysis.check.is_short:
        return "measure again, on a machine that does nothing else: here the same program differs from itself"
    needed = [each.rounds_needed for each in findings if each.rounds_needed is not None]
    if not needed:
        return "measure for longer, on a quieter machine, or allow a larger slowdown"
    rounds, took = rounded_up(max(needed)), round_seconds(analysis.results)
    time = f" (≈ {as_duration(rounds * fmean(took))})" if took else ""
    return f"measure for longer: about {as_rounds(rounds)}{time} would decide"


def _fitted(heads: Sequence[str], table: Sequence[Row], notes: Sequence[str]) -> list[str]:
    """Return all of it in lines that a comment has room for, and how much was left out."""
    lines = [f"### {_plain(heads[0])}", *(f"**{_plain(head)}**" for head in heads[1:]), ""]
    left = 0
    for i, row in enumerate(filled(table) if table else []):
        line = f"| {' | '.join(map(_plain, row))} |"
        if _size([*lines, line]) > MAX_TABLE_BYTES:
            left += 1
            continue
        lines += [line] if i else [line, "|---" * len(row) + "|"]
    lines += [""] if table else []
    for note in notes:
        line = f"- {_plain(note)}"
        if _size([*lines, line]) > MAX_BYTES:
            left += 1
        else:
            lines.append(line)
    return [*lines, f"- {left:,} lines left out here are on the page"] if left else lines


def _plain(text: str) -> str:
    return for_markdown(shortened(printable(text), MAX_LETTERS))


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-8", "replace")) + 1 for line in lines)
