"""The files that a capture leaves in its folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from workbench import __version__
from workbench.capture.collect import RANKS
from workbench.capture.load import RECORDING
from workbench.capture.program import Capture, CaptureOptions
from workbench.capture.samplers import FILES, PICTURE, TRACE
from workbench.capture.sources import SOURCES, sources_text
from workbench.errors import InvalidInputError
from workbench.eventlog.compression import compress_ended
from workbench.formats.speedscope import read_speedscope
from workbench.outputs import OutputFolder, cannot_write
from workbench.profile import Profile, SampledShare, ScopeSamples, aggregate, drop_idle, scope_table
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.report.profile.downloads import Download, write_formats
from workbench.report.profile.facts import count_spans
from workbench.report.profile.line_rows import files_of_lines
from workbench.report.profile.memory import files_of_bytes, memory_json
from workbench.report.profile.overview import RunOverview, overview_of
from workbench.report.profile.page import page_names, write_profile_page
from workbench.report.profile.ranks import capture_of_ranks, keep_rank
from workbench.report.profile.run import cost_of_capture, run_of_capture
from workbench.report.profile.sampled import sampled_of
from workbench.report.profile.source_lines import copied_sources
from workbench.report.profile.summary import SCHEMA, SUMMARY, warning_facts
from workbench.report.profile.tables import scopes_cost_ns
from workbench.scopes.environment import Member

FLAME_GRAPH = "samples.svg"
MAX_BOXES = 200_000
"""In the timeline of the page, which is to be written in a moment."""
MAX_SCOPES = 50
MAX_NATIVE, MAX_SYMBOLS, MAX_LETTERS = 8, 4, 200
"""Native functions of a scope in the summary, names of each, and letters of each name."""


def write_profile_files(
    capture: Capture,
    *,
    title: str | None = None,
    links: Sequence[tuple[str, str]] = (),
    shown: RunOverview | None = None,
) -> list[Path]:
    """Write what recorder and sampler saw, each in the formats for it, and the page; return the files written.

    Files of an earlier run that this one has nothing for are removed, so that a folder is of one run. Of the ranks of
    a parallel job each keeps what it saw, and the last to end writes the files of all.

    Args:
        capture: What they saw.
        title: The heading of the page; by default the program.
        links: Text and address of pages that this one belongs to.
        shown: Its overview, where that was made already.

    Raises:
        WorkbenchError: A file cannot be written.
    """
    folder = capture.options.folder
    run = run_of_capture(capture, title=title)
    try:
        with capture.options.held() as output:
            if output.member is not None:
                keep_rank(capture, summary(capture), output)
                if not output.lock.is_last():
                    return []
                whole = capture_of_ranks(output.path)
                options = replace(
                    whole.options, folder=folder, output_folder=output, source=capture.options.source
                )
                capture = replace(whole, options=options)
                run, shown = run_of_capture(capture, title=title), None
            shown = shown or overview_of(run)
            for file in (*page_names(), SUMMARY, SOURCES):
                output.remove(file)
            by_bytes = () if run.allocations is None else run.allocations.lines
            shown_files = [*files_of_lines(shown.found.lines), *files_of_bytes(by_bytes)]
            run = replace(run, sources=copied_sources(run, shown_files))
            cells = {cell.file: cell.name for cell in capture.cells}
            files = write_formats(run, output)
            if run.sources or cells:
                path = output.write(SOURCES, sources_text(run.sources or {}, cells))
                files.append(Download(SOURCES, "source files of the program", path.stat().st_size))
            if (output.path / TRACE).is_file():
                with suppress(InvalidInputError):  # the capture has warned of it
                    output.write(PICTURE, trace_flame_graph(output.path / TRACE, run.title))
            page = write_profile_page(run, output, files, max_boxes=MAX_BOXES, links=links, shown=shown)
            named = {"title": title} if title else {}
            output.write(SUMMARY, json.dumps(summary(capture) | named, indent=1) + "\n")
            with output.scratch() as scratch:
                compress_ended(output.path / RECORDING, scratch)
    except OSError as error:
        raise cannot_write(folder, error) from None
    images = [folder / file for file in page_names() if file.endswith(".svg") and (folder / file).is_file()]
    return [*(folder / file.file for file in files), *images, page, folder / SUMMARY]


def profile_folder(options: CaptureOptions, *more: str, member: Member | None = None) -> OutputFolder:
    """Return the folder of a profile, held for its run and its files; see `OutputFolder` for what it raises."""
    names = [*page_names(), SUMMARY, SOURCES, *FILES, *more]
    return OutputFolder(options.folder, names, recordings=[RECORDING], folders=[RANKS], member=member)


def trace_flame_graph(trace: Path, title: str) -> str:
    """Return py-spy's own file as a flame graph: its frames and entries as they are.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    return flamegraph_svg(
        aggregate(read_speedscope(trace), of="samples"), title=f"{title}: py-spy", counted="samples"
    )


def summary(capture: Capture) -> dict[str, object]:
    """Return the facts of a capture, for machines."""
    merged = capture.merged
    samples = None if capture.samples is None else drop_idle(capture.samples)
    sampled = sampled_of(samples, capture.sampler)
    return {
        "schema": SCHEMA,
        "program": list(capture.options.program),
        "returncode": capture.returncode if capture.options.pid is None else None,
        "attached": capture.options.pid,
        "seconds": round(capture.seconds, 3),
        "sampler": capture.sampler,
        "rate": capture.options.sampling.rate,
        "samples": capture.sample_count,
        "sampling_failed": capture.sampling_failed,
        "scopes": 0 if capture.scopes is None else count_spans(capture.scopes),
        "warnings": [warning_facts(warning) for warning in capture.warnings],
        "profiling_cost": cost_of_capture(capture).sentence,
        "workbench": __version__,
        "attribution": None if merged is None or merged.attribution is None else asdict(merged.attribution),
        "sampler_runs": [] if merged is None else [asdict(run) for run in merged.recording.samplers],
        "one_clock": capture.one_clock,
        "source": capture.options.source,
        "memory": None if capture.allocations is None else memory_json(capture.allocations),
        **_of_scopes(capture.scopes, sampled),
    }


def add_to_summary(output: OutputFolder, **facts: object) -> None:
    """Add what became known later to the facts of a capture, for machines."""
    known = json.loads((output.path / SUMMARY).read_text(encoding="utf-8"))
    output.write(SUMMARY, json.dumps(known | facts, indent=1) + "\n")


def _of_scopes(scopes: Profile | None, sampled: Mapping[str, ScopeSamples]) -> dict[str, object]:
    """Return the totals of scopes, the last values of counters, and what the scopes cost (null: unknown)."""
    if scopes is None:
        return {"scope_totals": [], "counters": [], "scopes_cost_s": None}
    cost = scopes_cost_ns(scopes)
    return {
        "scope_totals": [
            {
                "name": row.name,
                "calls": row.calls,
                "total_s": row.total_ns / 1e9,
                "self_s": row.self_ns / 1e9,
                **({} if row.gflops is None else {"gflops": row.gflops}),
                **({} if not sampled else _of_samples(sampled.get(row.name))),
            }
            for row in scope_table(scopes)[:MAX_SCOPES]
        ],
        "counters": [
            {"name": counter.name, "track": track.name, "last": _finite(float(counter.value[-1]))}
            for track in scopes.tracks
            for counter in track.counters
            if len(counter.value)
        ],
        "scopes_cost_s": None if cost is None else cost / 1e9,
    }


def _of_samples(scope: ScopeSamples | None) -> dict[str, object]:
    """Return what was sampled under a scope: its share of all samples, and what of its own was on top."""
    if scope is None:
        return {"samples": 0, "share": 0.0, "native": []}
    of_all = scope.of_all
    return {
        "samples": of_all.samples,
        "share": of_all.share,
        "share_low": of_all.low,
        "share_high": of_all.high,
        "native": [
            {
                "name": part.name,
                "share": part.share,
                "symbols": [symbol[:MAX_LETTERS] for symbol in part.symbols[:MAX_SYMBOLS]],
            }
            for part in scope.native[:MAX_NATIVE]
        ],
        "python": scope.python,
        "waiting": scope.waiting,
        "lock": scope.lock,
        **_interval("cpu_share", scope.of_cpu),
        **_interval("on_processor", scope.on_processor),
        **_interval("waiting_for_lock", scope.waiting_for_lock),
    }


def _interval(name: str, found: SampledShare | None) -> dict[str, object]:
    """Return a share with its interval, where it is known."""
    return {} if found is None else {name: found.share, f"{name}_low": found.low, f"{name}_high": found.high}


def _finite(value: float) -> float | str:
    """Return a number as JSON can say it: what is not finite is its name."""
    return value if math.isfinite(value) else str(value)
