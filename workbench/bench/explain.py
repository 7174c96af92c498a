"""What explains a run, and is not measured: the suite's tables, and where the time of each variant goes.

Each variant runs twice more, behind all blocks, from the seed of the first block: with its guards recorded, and with
a sampler beside them. A sampler stops the program at each look, so that the times of scopes are taken without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.bench.arm import ArmRequest, run_arm_process
from workbench.bench.blocks import Progress
from workbench.bench.results import Results
from workbench.bench.results_writer import ResultsWriter
from workbench.outputs import OutputFolder

if TYPE_CHECKING:  # a run that is not sampled does not pay for it
    from workbench.capture.samplers import SamplerName


def add_tables(results: Results, output: OutputFolder, timeout_s: float, say: Callable[[str], None]) -> None:
    """Append the suite's tables to a run's results; where they cannot be made that is said."""
    source = results.head["suite_source"]
    found = run_arm_process(ArmRequest(source, results.baseline, 0, tables=True), timeout_s)
    if found["error"] is not None:
        say(f"the suite's tables failed: {found['error']}")
        return
    writer = ResultsWriter(output, results.head, resumed=True)
    try:
        for line in found["tables"]:
            writer.append(line)
    finally:
        writer.close()


def record_variants(
    results: Results,
    output: OutputFolder,
    timeout_s: float,
    progress: Callable[[Progress], None],
    say: Callable[[str], None],
) -> None:
    """Record a run of each variant that has no recording yet; those of programs without guards are not kept."""
    blocks = len(results.complete_blocks())
    seed = int(results.arms[0]["seed"])
    for variant in results.variants:
        folder = results.recording_folder(variant)
        if folder.exists():
            continue
        arms = len(results.head["arms"])
        progress(Progress(blocks, blocks, 0, arms, f"recording {variant}"))
        with output.scratch() as scratch:
            partial = scratch / "recording"
            request = ArmRequest(results.head["suite_source"], variant, seed, record=partial)
            found = run_arm_process(request, timeout_s)
            if found["error"] is not None:
                say(f"{variant} failed when its scopes were recorded: {found['error']}")
                continue
            if not any(partial.glob("*-e*.wblog")):
                return  # there are no guards in it, nor in the others
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            partial.rename(folder)


def sample_variants(
    results: Results,
    output: OutputFolder,
    timeout_s: float,
    progress: Callable[[Progress], None],
    say: Callable[[str], None],
    *,
    sampler: SamplerName = "auto",
) -> None:
    """Sample a run of each variant that has a recording and no samples yet; where that cannot be, one line says so.

    The recordings alone serve then. A file of samples is there when it is whole.
    """
    blocks, arms = len(results.complete_blocks()), len(results.head["arms"])
    seed = int(results.arms[0]["seed"])
    told: set[str] = set()
    for variant in results.variants:
        file = results.samples_file(variant)
        if file.exists() or not results.recording_folder(variant).exists():
            continue
        progress(Progress(blocks, blocks, 0, arms, f"sampling {variant}"))
        partial = output.unfinished(file.name)
        request = ArmRequest(results.head["suite_source"], variant, seed, sample=partial, sampler=sampler)
        found = run_arm_process(request, timeout_s)
        if found["error"] is not None:
            say(f"{variant} failed when it was sampled: {found['error']}")
            continue
        if found["said"] and found["said"] not in told:
            told.add(found["said"])
            say(f"samples for the page: {found['said']}")
        if partial.stat().st_size:
            output.keep(partial, file.relative_to(results.folder).as_posix())
        elif not found["samples"] and found["impossible"]:
            return  # nor will there be any of the others
