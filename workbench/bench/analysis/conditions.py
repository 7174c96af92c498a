"""How busy the machine was during an experiment, which may have spoilt its verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.text import as_percent, as_seconds

WAITED = 0.1
"""Share of their time for which processes waited for a processor, above which the machine was busy."""
LOAD = 1.25
"""Load of the minute before, for each core, above which it was: what is measured makes some load of its own."""
CPU_SHARE = 0.8
"""Share of its time with a processor below which a process was kept from it."""
MIN_VALUES_FOR_MODES, MIN_VALUES_OF_MODE = 8, 3
APART = 2.0
"""The gap between two modes by the spread within them. Of 12 values with one mode 1 to 3 in 1,000 have such a gap."""


def busy_words(results: Results) -> str:
    """Return in a line how busy the machine was; nothing where it was not."""
    runs = [run for run in results.runs if run.error is None]
    found = []
    waited = sum(run.waited_s or 0.0 for run in runs)
    ran = sum(sum(run.values_s) * run.loops for run in runs)
    if ran > 0 and waited > WAITED * ran:
        found.append(
            f"processes waited for a processor for {as_percent(min(1.0, waited / ran), 2)} of their time"
        )
    loads = [run.load_1min for run in results.runs if run.load_1min is not None]
    cores = results.head.environment.usable_cores
    if loads and cores and median(loads) > LOAD * cores:
        found.append(f"the load was {median(loads):.1f} on {cores} core{'s' if cores > 1 else ''}")
    if not found and _is_kept_from_processor(runs):
        found.append("processes had a processor for less than their time, and did not give it up themselves")
    return f"the machine was busy: {', '.join(found)}" if found else ""


def _is_kept_from_processor(runs: Sequence[Run]) -> bool:
    """Return whether processes had too little of a processor; those that wait for something give it up themselves."""
    shares = [run.cpu_s / run.wall_s for run in runs if run.wall_s and run.cpu_s is not None]
    forced = sum(run.involuntary_switches or 0 for run in runs)
    own = sum(run.voluntary_switches or 0 for run in runs)
    return bool(shares) and median(shares) < CPU_SHARE and forced > own


def two_modes(seconds: Sequence[float]) -> tuple[list[float], list[float]] | None:
    """Return times in two groups where the gap between them is twice as wide as they are; None where none is."""
    ordered = sorted(seconds)
    if len(ordered) < MIN_VALUES_FOR_MODES or ordered[0] <= 0:
        return None
    logs = np.log(ordered)
    inner = np.diff(logs)[MIN_VALUES_OF_MODE - 1 : len(logs) - MIN_VALUES_OF_MODE]
    place = int(np.argmax(inner)) + MIN_VALUES_OF_MODE
    width = max(float(np.ptp(np.quantile(part, (0.1, 0.9)))) for part in (logs[:place], logs[place:]))
    gap = float(inner[place - MIN_VALUES_OF_MODE])
    if gap <= max(APART * width, math.log(1.02)):
        return None
    return ordered[:place], ordered[place:]


def modes_by_run(results: Results, rounds: list[int]) -> dict[str, str]:
    """Return in words the two modes of each run's times, by name, for runs whose times have two."""
    found = {}
    for name in [*results.variants, AA_CONTROL]:
        modes = two_modes([each.seconds for each in results.values(name, rounds) if each is not None])
        if modes is not None:
            words = " and ".join(f"{as_seconds(median(mode))} in {len(mode)} rounds" for mode in modes)
            found[name] = f"its times have two modes, {words}"
    return found
