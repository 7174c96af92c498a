"""How far an experiment can be trusted, as a strip of short facts: each good, doubtful or bad, in words too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.analysis.conditions import machine_of
from workbench.bench.analysis.memory import is_doubtful
from workbench.bench.analysis.verdict import PASSED
from workbench.report.bench.rows import round_seconds
from workbench.text import as_duration, as_percent, as_rough_share, as_speed, plural

GOOD, DOUBTFUL, BAD, PLAIN = "good", "doubtful", "bad", "plain"


@dataclass(frozen=True)
class Health:
    """One fact."""

    kind: str
    """good, doubtful, bad, or plain where it is neither."""
    what: str
    found: str
    detail: str = ""


def health_of(analysis: Analysis) -> list[Health]:
    """Return the strip of an experiment."""
    return [control_of(analysis), *_memory(analysis), *_machine(analysis), *_extent(analysis)]


def control_of(analysis: Analysis) -> Health:
    """Return the A/A control: inside the margin, too noisy to tell, or failed."""
    check, what = analysis.check, "A/A control"
    detail = "" if check.ratio is None else as_speed(check.ratio.value, check.ratio.ends)
    if check.void:
        return Health(BAD, what, f"failed: differs by more than {as_percent(check.delta)}", detail)
    if check.state == PASSED:
        return Health(GOOD, what, f"inside the margin of {as_percent(check.delta)}", detail)
    return Health(DOUBTFUL, what, "too few rounds" if check.is_short else "too noisy to tell", detail)


def _memory(analysis: Analysis) -> Sequence[Health]:
    """Return the A/A control of memory where it has not passed."""
    check = analysis.memory_check
    if check is None or not is_doubtful(check):
        return []
    return [Health(BAD if check.void else DOUBTFUL, "A/A control of memory", check.state)]


def _machine(analysis: Analysis) -> Sequence[Health]:
    machine, found = machine_of(analysis.results), []
    if machine.load is not None:
        cores = f" on {machine.cores} {plural(machine.cores, 'core')}" if machine.cores else ""
        kind = DOUBTFUL if machine.is_loaded else GOOD
        found.append(Health(kind, "load", f"{machine.load:.1f}{cores}", "busy" if machine.is_loaded else ""))
    if machine.cpu is not None:
        is_short = machine.has_waited or machine.is_kept_from_processor
        waited = as_rough_share(machine.waited) if machine.has_waited else ""
        detail = f"waited {waited} of the time" if waited else "kept from it" if is_short else ""
        found.append(Health(DOUBTFUL if is_short else GOOD, "CPU share", as_rough_share(machine.cpu), detail))
    return found


def _extent(analysis: Analysis) -> Sequence[Health]:
    is_short = len(analysis.comparisons) > 1 and analysis.rounds < analysis.needed
    detail = f"a verdict needs {analysis.needed}" if is_short else ""
    found = [Health(DOUBTFUL if is_short else GOOD, "rounds", f"{analysis.rounds:,}", detail)]
    if took := round_seconds(analysis.results):
        found.append(Health(PLAIN, "measured for", as_duration(sum(took))))
    failed = sum(run.error is not None for run in analysis.results.runs)
    if failed:
        found.append(Health(DOUBTFUL, "failed", f"{failed:,} {plural(failed, 'run')}"))
    return found
