"""What a program allocated, as text for a terminal, as Markdown, and as JSON (show.schema.json)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.profile import Allocations, BytesPerCall, Frame, FrameKind, LineBytes, ScopeBytes, held
from workbench.report.profile.line_rows import NAME, rows_beside, source_text
from workbench.report.profile.run import ProfileRun
from workbench.text import (
    as_rough_share,
    as_size,
    for_markdown,
    named,
    plural,
    printable,
    shortened,
    shown_path,
)

MAX_LEAKS = 3
STEADY = 0.02
"""Part of a mean by which it may be off without its interval being shown."""
MIN_NEAR = 0.9
"""Of the peak: a snapshot with less is said to be of less."""
NOT_SEEN = "Not seen: memory of C libraries, GPUs and mapped files, and most of what packages allocate when imported."
SHARED = "*"
SHARED_WORDS = f"{SHARED} Other threads or tasks had scopes open: bytes of theirs are in net and per call."
SCOPE_HEADS = ("net", "per call", "peak", "held at end", "calls")
LINE_HEADS = ("at end", "blocks", "at peak")


def headline(found: Allocations) -> str:
    """Return one sentence: the largest traced memory, and that at the end."""
    peaks = [process.peak_bytes for process in found.processes]
    at_end = _at_end(found)
    if len(peaks) == 1:
        return f"Traced memory: peak {as_size(peaks[0])}{_holder(found)}; {at_end}."
    return (
        f"Traced memory of {len(peaks)} processes: the largest peak {as_size(max(peaks, default=0))}, all peaks "
        f"{as_size(sum(peaks))} (not at one time), {at_end}."
    )


def _at_end(found: Allocations) -> str:
    """Return how much there was at the end, and of how many processes that is where it is not of all."""
    ends = [process.end_bytes for process in found.processes if process.end_bytes is not None]
    if not ends:
        return "unknown at the end"
    if not found.ended_early:
        return f"{as_size(sum(ends))} at the end"
    if len(found.processes) == 1:
        return f"{as_size(ends[0])} at its last snapshot"
    return f"{as_size(sum(ends))} at the last snapshots of {len(ends)} of them"


def _holder(found: Allocations) -> str:
    """Return what held most at the peak, or at the snapshot nearest it: a line in a scope; empty: several processes."""
    at_peak = found.processes[0].at_peak_bytes
    if found.peak is None or not at_peak:
        return ""
    sizes: Counter[tuple[Frame, str]] = Counter()
    for each in held(found.peak):
        path = [found.peak.frames[i] for i in found.peak.stacks.path(each.stack)]
        scopes = [frame.name for frame in path if frame.kind is FrameKind.SCOPE and frame != NOT_ATTRIBUTABLE]
        sizes[each.line, scopes[-1] if scopes else ""] += each.bytes
    (line, scope), size = sizes.most_common(1)[0]
    where = place(LineBytes(line.file, line.line, line.name, 0, 0, size, 0))
    words = f", of which {as_rough_share(size / sizes.total())} is from {where}"
    words += f" in {named(scope)}" if scope else ""
    if at_peak >= MIN_NEAR * found.processes[0].peak_bytes:
        return words
    return f" (the snapshot nearest it has {as_size(at_peak)}{words})"


def leak_sentences(found: Allocations) -> list[str]:
    """Return a sentence for each of the scopes that leak most: bytes a call, and the line that holds most."""
    sentences = [_leak_sentence(row) for row in found.leaks[:MAX_LEAKS]]
    if others := found.leaks[MAX_LEAKS:]:
        leak = "scope leaks" if len(others) == 1 else "scopes leak"
        sentences.append(f"{len(others)} more {leak}: {', '.join(named(row.name) for row in others)}.")
    return sentences


def _leak_sentence(row: ScopeBytes) -> str:
    assert row.leak is not None
    line = leaking_line(row)
    blocks = "" if line is None else f"{line.end_blocks:,} {plural(line.end_blocks, 'block')}"
    holds = "" if line is None else f"; {place(line)} holds {as_size(line.end_bytes)} in {blocks}"
    leaves = f"{named(row.name)} leaves {as_per_call(row.leak.per_call)}"
    return f"Leak: {leaves} at each of its last {row.leak.calls:,} calls{holds}."


def leaking_line(row: ScopeBytes) -> LineBytes | None:
    """Return the line that holds most of what a scope leaks: of those with a block for each call, if there are any."""
    calls = 0 if row.leak is None else row.leak.calls
    often = (line for line in row.lines if line.end_blocks >= calls)
    return next(often, row.lines[0] if row.lines else None)


def as_per_call(mean: BytesPerCall) -> str:
    """Return bytes of a call, with their interval where it is wide."""
    figure, low, high = (as_size(round(value)) for value in (mean.mean, mean.low, mean.high))
    is_narrow = mean.high - mean.low <= 2 * STEADY * abs(mean.mean)
    return figure if is_narrow else f"{figure} [{low}, {high}]"


def place(line: LineBytes) -> str:
    """Return where a line is, or the function where the line is not known."""
    file = shortened(printable(shown_path(line.file)), NAME)
    return f"{file}:{line.line}" if line.line else printable(line.function or file)


def files_of_bytes(lines: Iterable[LineBytes]) -> list[str]:
    """Return the files of lines, in their order."""
    return list(dict.fromkeys(line.file for line in lines if line.line))


def scope_cells(row: ScopeBytes) -> list[str]:
    """Return the cells of a scope in the columns of `SCOPE_HEADS`."""
    mark = SHARED if row.shared_calls else ""
    held = "–" if row.held_bytes is None else as_size(row.held_bytes)
    left = [as_size(row.net_bytes) + mark, as_size(round(row.net_per_call)) + mark]
    return [*left, as_size(row.peak_bytes), held, f"{row.calls:,}"]


def memory_figures(row: ScopeBytes) -> list[tuple[str, str]]:
    """Return what is known of a scope's memory, as pairs of what a figure is and its text."""
    mark = SHARED if row.shared_calls else ""
    found = [("peak", as_size(row.peak_bytes)), ("net", as_size(row.net_bytes) + mark)]
    if row.calls > 1:
        found.append(("net per call", as_size(round(row.net_per_call)) + mark))
    if row.leak is not None and row.leak.is_leak:
        found.append(("leaks per call", as_per_call(row.leak.per_call)))
    if row.held_at_peak_bytes is not None:
        found.append(("held at peak", as_size(row.held_at_peak_bytes)))
    if row.held_bytes is not None:
        found.append(("held at end", as_size(row.held_bytes)))
    return found


def _line_cells(line: LineBytes) -> list[str]:
    return [as_size(line.end_bytes), f"{line.end_blocks:,}", as_size(line.peak_bytes)]


def memory_text(run: ProfileRun, found: Allocations, top: int) -> Iterator[str]:
    """Return what was allocated as lines for a terminal; rows of tables begin with a space."""
    yield headline(found)
    yield from leak_sentences(found)
    yield NOT_SEEN
    rows = found.scopes[:top]
    if rows:
        yield ""
        yield _row(SCOPE_HEADS, "")
        for row in rows:
            yield _row(scope_cells(row), shortened(printable(row.name), NAME))
        if any(row.shared_calls for row in rows):
            yield SHARED_WORDS
    lines = found.lines[: rows_beside(top)]
    if lines:
        yield ""
        yield _row(LINE_HEADS, "")
        for line in lines:
            yield _row(_line_cells(line), f"{place(line)}  {source_text(run, line.file, line.line)}")


def _row(cells: Sequence[str], name: str) -> str:
    return f"{''.join(f'{cell:>12}' for cell in cells)}  {name}".rstrip()


def memory_markdown(run: ProfileRun, found: Allocations, top: int) -> Iterator[str]:
    """Return what was allocated as Markdown."""
    yield ""
    for sentence in (headline(found), *leak_sentences(found), NOT_SEEN):
        yield for_markdown(sentence)
    if rows := found.scopes[:top]:
        yield from ("", f"| | {' | '.join(SCOPE_HEADS)} |", f"|---|{'---:|' * len(SCOPE_HEADS)}")
        for row in rows:
            cells = " | ".join(map(for_markdown, scope_cells(row)))
            yield f"| {for_markdown(shortened(printable(row.name), NAME))} | {cells} |"
        if any(row.shared_calls for row in rows):
            yield from ("", for_markdown(SHARED_WORDS))
    if lines := found.lines[: rows_beside(top)]:
        yield from (
            "",
            f"| line | {' | '.join(LINE_HEADS)} | source |",
            f"|---|{'---:|' * len(LINE_HEADS)}---|",
        )
        for line in lines:
            code = source_text(run, line.file, line.line).replace("`", "'").replace("|", "\\|")
            cells = " | ".join(_line_cells(line))
            yield f"| {for_markdown(place(line))} | {cells} | {f'`{code}`' if code else ''} |"


def memory_json(found: Allocations, top: int = 50) -> dict[str, object]:
    """Return what was allocated for machines; its form is that of show.schema.json."""
    return {
        "processes": [asdict(process) for process in found.processes],
        "scopes": [
            {
                "name": row.name,
                "calls": row.calls,
                "shared_calls": row.shared_calls,
                "net_bytes": row.net_bytes,
                "peak_bytes": row.peak_bytes,
                "held_bytes": row.held_bytes,
                "held_blocks": row.held_blocks,
                "held_at_peak_bytes": row.held_at_peak_bytes,
                "leak": None if row.leak is None else asdict(row.leak) | {"is_leak": row.leak.is_leak},
                "lines": [asdict(line) for line in row.lines],
            }
            for row in found.scopes[:top]
        ],
        "lines": [asdict(line) for line in found.lines[:top]],
        "threads": [
            {"pid": track.pid, "name": track.name, "held_bytes": int(track.samples.weight_ns.sum())}
            for track in (() if found.end is None else found.end.tracks)
            if track.samples is not None
        ],
    }
