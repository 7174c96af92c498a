"""What explains an experiment: the suite's tables, and a recording with samples of each variant.

Each variant has one more run after all rounds, from the seed of the first, which is not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench import records
from workbench.bench.results.lines import TableLine
from workbench.bench.results.results import Results
from workbench.bench.results.writer import ResultsWriter
from workbench.bench.run.process import RunRequest, run_process
from workbench.bench.run.rounds import RoundProgress
from workbench.outputs import OutputFolder

if TYPE_CHECKING:  # a run that is not recorded does not pay for it
    from workbench.capture.samplers import SamplerName


def add_tables(results: Results, output: OutputFolder, timeout_s: float, say: Callable[[str], None]) -> None:
    """Append the suite's tables to the results, or log why they cannot be made."""
    source = results.head.suite_source
    found = run_process(RunRequest(source, results.baseline, 0, tables=True), timeout_s)
    if found["error"] is not None:
        say(f"the suite's tables failed: {found['error']}")
        return
    lines = []
    for table in found["tables"]:
        try:
            lines.append(records.convert({"kind": "table"} | table, TableLine))
        except ValueError as error:
            say(f"the suite's tables failed: the table {table['title']!r} cannot be shown: {error}")
            return
    writer = ResultsWriter(output, results.head, resumed=True)
    try:
        for line in lines:
            writer.append(line)
    finally:
        writer.close()


def record_variants(
    results: Results,
    output: OutputFolder,
    timeout_s: float,
    progress: Callable[[RoundProgress], None],
    say: Callable[[str], None],
    *,
    sampler: SamplerName = "auto",
) -> None:
    """Record and sample a run of each variant that has no recording yet; those of programs without scopes are not kept.

    Where it cannot be sampled as it should be one line says so, and the scopes serve.
    """
    from workbench.bench.run.recorded import SAMPLES_FILE  # a run that is not recorded does not pay for it
    from workbench.capture.load import RECORDING

    rounds, runs = len(results.complete_rounds()), len(results.head.runs)
    seed = results.runs[0].seed or 0
    told: set[str] = set()
    for variant in results.variants:
        folder = results.recording_folder(variant)
        if folder.exists():
            continue
        progress(RoundProgress(rounds, rounds, 0, runs, f"recording {variant}"))
        with output.scratch() as scratch:
            run = scratch / "run"
            request = RunRequest(results.head.suite_source, variant, seed, record=run, sampler=sampler)
            found = run_process(request, timeout_s)
            if found["error"] is not None:
                say(f"{variant} failed when it was recorded: {found['error']}")
                continue
            if not found["scopes"]:
                return  # nor are there any in the others
            if found["said"] and found["said"] not in told:
                told.add(found["said"])
                say(f"samples for the page: {found['said']}")
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            if (run / SAMPLES_FILE).is_file():
                file = results.samples_file(variant)
                output.keep(run / SAMPLES_FILE, file.relative_to(results.folder).as_posix())
            (run / RECORDING).rename(folder)
