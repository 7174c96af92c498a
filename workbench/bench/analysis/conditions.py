"""How busy the machine was during an experiment, which may have spoilt its verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.results import Results
from workbench.text import as_percent, as_seconds, plural

WAITED = 0.1
"""Share of their time for which processes waited for a processor, above which the machine was busy."""
LOAD = 1.25
"""Load of the minute before, for each core, above which it was: what is measured makes some load of its own."""
CPU_SHARE = 0.8
"""Share of its time with a processor below which a process was kept from it."""
MIN_VALUES_FOR_MODES, MIN_VALUES_OF_MODE = 8, 3
APART = 2.0
"""The gap between two modes by the spread within them. Of 12 values with one mode 1 to 3 in 1,000 have such a gap."""


@dataclass(frozen=True)
class MachineLoad:
    """What the machine did while an experiment ran; None is unknown."""

    waited: float | None
    """Share of their time for which processes waited for a processor."""
    load: float | None
    """The median of the load of the minute before a run."""
    cores: int | None
    cpu: float | None
    """Median of processor time by wall time: cores in use."""
    is_kept_from_processor: bool
    """Whether processes had too little of a processor and did not give it up themselves."""

    @property
    def has_waited(self) -> bool:
        """Whether processes waited for so long that the machine was busy."""
        return self.waited is not None and self.waited > WAITED

    @property
    def is_loaded(self) -> bool:
        """Whether the load was so high that it was."""
        return bool(self.load is not None and self.cores and self.load > LOAD * self.cores)


def machine_of(results: Results) -> MachineLoad:
    """Return what the machine did."""
    runs = [run for run in results.runs if run.error is None]
    waited = sum(run.waited_s or 0.0 for run in runs)
    ran = sum(sum(run.values_s) * run.loops for run in runs)
    loads = [run.load_1min for run in results.runs if run.load_1min is not None]
    shares = [run.cpu_s / run.wall_s for run in runs if run.wall_s and run.cpu_s is not None]
    forced = sum(run.involuntary_switches or 0 for run in runs)
    own = sum(run.voluntary_switches or 0 for run in runs)
    cpu = median(shares) if shares else None
    return MachineLoad(
        min(1.0, waited / ran) if ran > 0 else None,
        median(loads) if loads else None,
        results.head.environment.usable_cores,
        cpu,
        # Those that wait for something give the processor up themselves.
        cpu is not None and cpu < CPU_SHARE and forced > own,
    )


def busy_words(results: Results) -> str:
    """Return in a line how busy the machine was; nothing where it was not."""
    machine, found = machine_of(results), []
    if machine.waited is not None and machine.has_waited:
        found.append(f"processes waited for a processor for {as_percent(machine.waited, 2)} of their time")
    if machine.is_loaded:
        found.append(
            f"the load was {machine.load:.1f} on {machine.cores} {plural(machine.cores or 0, 'core')}"
        )
    if not found and machine.is_kept_from_processor:
        found.append("processes had a processor for less than their time, and did not give it up themselves")
    return f"the machine was busy: {', '.join(found)}" if found else ""


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
