"""The overview of a profile as text for a terminal, as Markdown, and as JSON (show.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap

from workbench.errors import unknown_name
from workbench.profile import (
    HotLine,
    LineWork,
    Overview,
    SampledFunction,
    SampledShare,
    ScopeNode,
    overview,
)
from workbench.report.profile.facts import diagnostics
from workbench.report.profile.line_rows import (
    NAME,
    column_words,
    line_rows,
    rows_beside,
    source_line,
    text_rows,
)
from workbench.report.profile.memory import memory_json, memory_markdown, memory_text
from workbench.report.profile.resources import (
    ResourceTable,
    RunResources,
    process_line,
    processes_json,
    resource_table,
    resources_of_run,
    scopes_json,
)
from workbench.report.profile.run import ProfileRun, duration_ns, took
from workbench.report.profile.sampled import Tip, shares_by_time, tip
from workbench.report.profile.tables import scopes_cost_ns
from workbench.text import (
    as_amount,
    as_digits,
    as_rough_share,
    as_share_give_or_take,
    for_markdown,
    plural,
    printable,
    shortened,
)

SCHEMA = 3
DEFAULT_TOP = 15
"""Rows that fit a terminal beside what was typed."""
MIN_SHARE = 0.02
"""Of all samples: functions and lines with less are left out."""
MIN_SCOPE = 0.01
"""Of the longest scope: scopes with less are left out."""
MIN_ANSWER, MAX_ANSWER = 0.05, 3
"""Of all samples, and how many parts: what one sentence names."""
BAR = 16


@dataclass(frozen=True)
class OverviewRow:
    """A row of the overview: a scope, or a function that was sampled."""

    depth: int
    name: str
    scope: ScopeNode | None = None
    share: SampledShare | None = None
    """Of a function, or of a scope of which samples alone are known."""
    function: SampledFunction | None = None

    @property
    def exact(self) -> ScopeNode | None:
        """The scope, where its times are known."""
        return None if self.share is not None else self.scope


@dataclass(frozen=True)
class BarRow:
    """A row of the overview as text."""

    depth: int
    name: str
    bar: float
    """Per cent of the longest scope, or of all samples."""
    wall: str
    """How long any thread was in the scope; empty where no row's differs from its total."""
    total: str
    self: str
    calls: str
    share: str
    find: str = ""
    """The name of a function, by which a search finds it."""

    def cells(self, heads: Sequence[str]) -> list[str]:
        """Return what stands in `columns`."""
        return [self.wall, self.total, self.self, self.calls][4 - len(heads) :]


@dataclass(frozen=True)
class RunOverview:
    """What is shown of a run."""

    run: ProfileRun
    found: Overview
    rows: tuple[OverviewRow, ...]
    lines: tuple[HotLine, ...]
    warnings: tuple[str, ...]
    resources: RunResources
    tip: Tip | None = None
    """Where one scope would help; None where what is shown is not the whole run."""
    top: int = DEFAULT_TOP
    """How many rows there are at most."""

    @property
    def costs(self) -> ResourceTable:
        """What the scopes of the rows cost beside time."""
        names = [row.name for row in self.rows if row.scope is not None]
        return resource_table(self.resources, names, rows_beside(self.top))


def overview_of(run: ProfileRun, *, top: int = DEFAULT_TOP, scope: str | None = None) -> RunOverview:
    """Return what is shown of a run.

    Args:
        run: Its profile.
        top: How many rows of scopes and functions there are at most.
        scope: Only what ran inside the scopes of this name.

    Raises:
        InvalidInputError: There is no such scope.
    """
    samples = run.together if run.together is not None else run.samples
    found = overview(run.scopes, samples, scope=scope, by_time=shares_by_time(run.sampler))
    if scope is not None and not found.scopes:
        every = overview(run.scopes, None).scopes
        raise unknown_name("scope", scope, sorted({node.path[-1] for node in every}))
    if scope is not None and run.allocations is not None:
        inside = {node.path[-1] for node in found.scopes}
        run = replace(run, allocations=run.allocations.within(inside))
    return RunOverview(
        run,
        found,
        tuple(_rows(found, top)),
        tuple(line for line in found.lines if line.of_all.share >= MIN_SHARE)[: rows_beside(top)],
        tuple(diagnostics(run)),
        resources_of_run(run),
        tip(run) if scope is None and run.allocations is None else None,
        top,
    )


def _rows(found: Overview, top: int) -> Iterator[OverviewRow]:
    """Choose scopes by their total, then the functions with the largest shares, and put them into the tree's order."""
    longest = max((node.total_ns for node in found.scopes), default=0)
    heavy = sorted(found.scopes, key=lambda node: (-node.total_ns, -_share(node), len(node.path)))
    functions = [(each, node.path) for node in found.scopes for each in node.functions]
    functions += [(each, ()) for each in found.outside]
    functions = [(each, path) for each, path in functions if each.of_all.share >= MIN_SHARE]
    functions.sort(key=lambda item: -item[0].of_all.share)
    room = min(max(top - len(functions), (top + 1) // 2), top)
    scopes = [node for node in heavy if node.total_ns >= MIN_SCOPE * longest and _share(node) >= MIN_SHARE][
        :room
    ]
    paths = {node.path for node in scopes} | {()}
    chosen: dict[tuple[str, ...], list[SampledFunction]] = {}
    left = top - len(scopes) - bool(scopes and found.outside)
    for each, path in functions:
        if path in paths and left > 0:
            chosen.setdefault(path, []).append(each)
            left -= 1
    base = min((len(node.path) for node in scopes), default=1) - 1
    for node in (node for node in found.scopes if node.path in paths):
        yield OverviewRow(len(node.path) - 1 - base, node.path[-1], node, node.of_all)
        for each in chosen.get(node.path, ()):
            yield OverviewRow(len(node.path) - base, each.name, share=each.of_all, function=each)
    outside = chosen.get((), ())
    inner = 1 if scopes else 0
    if scopes and outside:
        yield OverviewRow(0, "outside any scope", share=found.outside_share)
    for each in outside:
        yield OverviewRow(inner, _function(each), share=each.of_all, function=each)
        for part in each.parts:
            if left > 0 and len(each.parts) > 1 and part.of_all.share >= MIN_SHARE:
                yield OverviewRow(inner + 1, part.name, share=part.of_all, function=part)
                left -= 1


def _share(node: ScopeNode) -> float:
    """Return the share of a scope of which samples alone are known; 1 for others."""
    return 1.0 if node.of_all is None else node.of_all.share


def _function(function: SampledFunction) -> str:
    return f"{function.name} ({Path(function.file).name})" if function.file else function.name


def headline(shown: RunOverview) -> str:
    """Return one line on the run: how long it took, how much was sampled, and what profiling cost."""
    run = shown.run
    words = [took(run)]
    if run.allocations is not None:
        longer = f", which makes it {run.cost.times} as long" if run.cost and run.cost.times else ""
        words.append(f"memory traced{longer}: these are not the program's own times")
    if run.returncode:
        words.append(f"exit code {run.returncode}")
    if shown.found.samples:
        rate = f" at {run.rate} a second" if run.rate else ""
        words.append(f"{shown.found.samples:,} {plural(shown.found.samples, 'sample')}{rate}")
    cost = profiling_cpu_ns(run)
    if cost:
        words.append(f"profiling used {as_amount(cost, 'ns')} of CPU time")
    return f"{_cut(run.title)}: {', '.join(words)}"


def answer(shown: RunOverview) -> str:
    """Return one sentence: what most of the samples were in, or which scopes took longest by themselves."""
    parts = [
        (each.of_all.share, each.name, " › ".join(node.path[-2:]))
        for node in shown.found.scopes
        for each in node.functions
    ]
    for function in shown.found.outside:
        parts += [(each.of_all.share, each.name, function.name) for each in function.parts]
    parts = sorted((part for part in parts if part[0] >= MIN_ANSWER), reverse=True)[:MAX_ANSWER]
    if parts:
        words = [
            f"{as_rough_share(share)} {_cut(name)}{f' in {_cut(where)}' if where != name else ''}"
            for share, name, where in parts
        ]
        return f"Of {'all samples' if shown.found.samples else 'the time'}: {'; '.join(words)}."
    heavy = sorted(shown.found.scopes, key=lambda node: -node.self_ns)[:MAX_ANSWER]
    words = [f"{_cut(node.path[-1])} {as_amount(node.self_ns, 'ns')}" for node in heavy if node.self_ns > 0]
    return f"Self time: {', '.join(words)}." if words else ""


def _cut(name: str) -> str:
    return shortened(printable(name), NAME)


def profiling_cpu_ns(run: ProfileRun) -> int:
    """Return the CPU time that the recorder and the in-process sampler used, as far as it is known."""
    recording = None if run.scopes is None else scopes_cost_ns(run.scopes)
    sampling = () if run.samples is None else run.samples.recording.samplers
    return round(recording or 0) + sum(each.cpu_ns for each in sampling)


def as_text(shown: RunOverview, width: int | None = None) -> list[str]:
    """Return the overview as lines for a terminal of so many columns; None: as long as they are."""

    def folded(text: str) -> list[str]:
        return [text] if width is None else wrap(text, width, subsequent_indent="  ", break_long_words=False)

    found = [line for words in (headline(shown), answer(shown)) if words for line in folded(words)]
    if shown.run.allocations is not None:
        for line in memory_text(shown.run, shown.run.allocations, shown.top):
            found += folded(line) if not line.startswith(" ") else [line]
    if rows := bars(shown):
        found += ["", *_tree(rows, width)]
    if (costs := shown.costs).heads:
        found += ["", _estimates(costs.heads)]
        found += [f"{_estimates(cells)}  {_cut(name)}" for name, cells in costs.rows]
    if counted := process_line(shown.resources):
        found += ["", *folded(counted)]
    if shown.lines:
        found += ["", *text_rows(shown.run, shown.lines, width)]
    if shown.tip is not None:
        found += ["", *folded(f"tip: {shown.tip.scope} {shown.tip.around}")]
    if width is not None:
        found = [shortened(line, width) for line in found]
    if shown.warnings:
        found += ["", *(line for text in shown.warnings for line in folded(f"warning: {printable(text)}"))]
    return found


def _tree(rows: Sequence[BarRow], width: int | None) -> list[str]:
    """Return the tree as text; without bars and all times but the first where names would not fit beside them."""
    heads = columns(rows)
    names = ["  " * row.depth + row.name for row in rows]
    if width is not None and width < 16 + BAR + 2 + max(map(len, names)):
        first = [row.cells(heads)[0] if row.total else row.share for row in rows]
        table = zip([heads[0] if heads else "share", *first], ["", *names], strict=True)
        return [f"{cell:>14}  {name}".rstrip() for cell, name in table]
    found = [_cells(heads, heads) if heads else "     share"]
    for row, name in zip(rows, names, strict=True):
        bar = "█" * max(1, round(BAR * row.bar / 100))
        found.append(
            f"{_cells(row.cells(heads), heads)}  {name}"
            if row.total
            else f"{row.share:>14}  {bar:<{BAR}}  {name}"
        )
    return found


def _cells(cells: Sequence[str], heads: Sequence[str]) -> str:
    return "".join(f"{cell:>{max(11, len(head) + 2)}}" for cell, head in zip(cells, heads, strict=True))[1:]


def _estimates(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>15}" for cell in cells)[1:]


def columns(rows: Sequence[BarRow]) -> list[str]:
    """Return the heads of the columns of scopes, none where there are no scopes."""
    if any(row.wall for row in rows):
        return ["wall", "CPU × workers", "self", "calls"]
    return ["total", "self", "calls"] if any(row.total for row in rows) else []


def bars(shown: RunOverview) -> list[BarRow]:
    """Return the rows as text, each with its bar."""
    scopes = [row.exact for row in shown.rows if row.exact is not None]
    at_once = any(scope.wall_ns != scope.total_ns for scope in scopes)
    longest = max((scope.total_ns for scope in scopes), default=0) or 1
    found = []
    for row in shown.rows:
        scope, share = row.exact, row.share
        part = scope.total_ns / longest if scope is not None else share.share if share is not None else 0.0
        found.append(
            BarRow(
                row.depth,
                _cut(row.name),
                round(100 * part, 1),
                wall=" ".join(as_digits(scope.wall_ns)) if scope is not None and at_once else "",
                total="" if scope is None else " ".join(as_digits(scope.total_ns)),
                self="" if scope is None else " ".join(as_digits(scope.self_ns)),
                calls="" if scope is None else f"{scope.calls:,}",
                share="" if share is None else as_share_give_or_take(share),
                find=printable(row.function.name)
                if row.function is not None and row.function.is_function
                else "",
            )
        )
    return found


def as_markdown(shown: RunOverview) -> list[str]:
    """Return the overview as Markdown, for a pull request."""
    found = [f"**{for_markdown(headline(shown))}**", ""]
    if sentence := answer(shown):
        found += [for_markdown(sentence), ""]
    if rows := bars(shown):
        heads = columns(rows)
        found += [f"| | {' | '.join([*heads, 'share of samples'])} |", f"|---|{'---:|' * (len(heads) + 1)}"]
        for row in rows:
            name = "&nbsp;&nbsp;" * row.depth + for_markdown(row.name)
            found.append(f"| {name} | {' | '.join([*row.cells(heads), row.share])} |")
    if shown.run.allocations is not None:
        found += memory_markdown(shown.run, shown.run.allocations, shown.top)
    if (costs := shown.costs).heads:
        found += ["", f"| scope | {' | '.join(costs.heads)} |", f"|---|{'---:|' * len(costs.heads)}"]
        found += [f"| {for_markdown(_cut(name))} | {' | '.join(cells)} |" for name, cells in costs.rows]
    if counted := process_line(shown.resources):
        found += ["", for_markdown(counted)]
    if lines := line_rows(shown.run, shown.lines):
        heads = ["share of samples", *column_words(shown.lines)]
        found += ["", f"| line | {' | '.join(heads)} | source |", f"|---|{'---:|' * len(heads)}---|"]
        for line in lines:
            code = line.source.replace("`", "'").replace("|", "\\|")
            shares = " | ".join([line.share, *line.work])
            found.append(f"| {for_markdown(line.place)} | {shares} | {f'`{code}`' if code else ''} |")
    if shown.tip is not None:
        found += ["", f"Tip: `{shown.tip.scope}` {for_markdown(shown.tip.around)}"]
    if shown.warnings:
        found += ["", *(f"> {for_markdown(printable(line))}" for line in shown.warnings)]
    return found


def as_json(shown: RunOverview) -> dict[str, object]:
    """Return the overview for machines; its form is that of show.schema.json."""
    run = shown.run

    def functions(of: Sequence[SampledFunction]) -> list[dict[str, object]]:
        return [_json_function(each) for each in _heaviest(of, shown.top)]

    return {
        "schema": SCHEMA,
        "title": printable(run.title),
        "answer": answer(shown),
        "program": run.program or None,
        "seconds": duration_ns(run) / 1e9,
        "returncode": run.returncode,
        "sampler": run.sampler or None,
        "samples_per_s": run.rate,
        "samples": shown.found.samples,
        "profiling_cpu_s": profiling_cpu_ns(run) / 1e9,
        "scopes": [
            {
                "path": list(node.path),
                **_times(node),
                "functions": functions(node.functions),
            }
            for node in (row.scope for row in shown.rows)
            if node is not None
        ],
        "outside_scopes": [
            {**_json_function(each), "parts": functions(each.parts)}
            for each in _heaviest(shown.found.outside, shown.top)
        ],
        "tip": None if shown.tip is None else f"{shown.tip.scope} {shown.tip.around}",
        "lines": [
            {
                "file": line.file,
                "line": line.line,
                "function": line.function,
                "source": source_line(shown.run, line) or None,
                **_json_share(line.of_all),
                "total": _json_share(line.total),
                "work": {_WORK_KEYS[work]: _json_share(share) for work, share in line.work.items()},
                "cpu": None if line.cpu is None else _json_share(line.cpu),
            }
            for line in shown.lines
        ],
        "memory": None if run.allocations is None else memory_json(run.allocations, shown.top),
        "scope_resources": scopes_json(shown.resources, _heaviest_names(shown.found.scopes), shown.top),
        "processes": processes_json(shown.resources, shown.top),
        "warnings": list(shown.warnings),
    }


_WORK_KEYS = {work: work.name.lower() for work in LineWork}


def _heaviest_names(scopes: Sequence[ScopeNode]) -> list[str]:
    return [node.path[-1] for node in sorted(scopes, key=lambda node: -node.total_ns)]


def _heaviest(functions: Sequence[SampledFunction], top: int) -> list[SampledFunction]:
    return [each for each in functions if each.of_all.share >= MIN_SHARE][:top]


def _times(node: ScopeNode) -> dict[str, object]:
    """Return what is known of a scope's time: exact times and calls, or its share of all samples."""
    if node.of_all is not None:
        return {
            **dict.fromkeys(("calls", "total_s", "wall_s", "self_s")),
            "of_samples": _json_share(node.of_all),
        }
    return {
        "calls": node.calls,
        "total_s": node.total_ns / 1e9,
        "wall_s": node.wall_ns / 1e9,
        "self_s": node.self_ns / 1e9,
        "of_samples": None,
    }


def _json_function(function: SampledFunction) -> dict[str, object]:
    return {"name": function.name, "file": function.file or None, **_json_share(function.of_all)}


def _json_share(share: SampledShare) -> dict[str, object]:
    known = share.is_known
    return {
        "share": share.share,
        "low": share.low if known else None,
        "high": share.high if known else None,
        "samples": share.samples if known else None,
    }
