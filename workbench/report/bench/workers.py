"""Where the time of workers goes, from the recordings of a parallel run and of the serial one beside it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.bench.design.beside import Scaling
from workbench.profile import scope_totals, time_inside
from workbench.report.bench.recordings import Recorded


@dataclass(frozen=True)
class WorkerTime:
    """Where the time of the workers goes, in seconds of a step. The last three are its parts."""

    available_s: float
    """Workers times the time inside the whole; more where more than so many worked at a time."""
    outside_s: float
    """Of a step, by the clock: what is not inside the whole, and not shared."""
    needed_s: float
    """The work, at most as long as it takes in the serial run."""
    longer_s: float
    """What it takes more than there."""
    waiting_s: float
    change: float
    """The work's time by that in the serial run."""

    @property
    def parts(self) -> tuple[float, float, float]:
        """What the time of the workers is made of."""
        return self.needed_s, self.longer_s, self.waiting_s


def worker_time(parallel: Recorded, serial: Recorded, scaling: Scaling, workers: int) -> WorkerTime | None:
    """Return where the time of the workers goes; None where the scopes are not in the recordings."""
    ours, theirs = scope_totals(parallel.profile), scope_totals(serial.profile)
    if not {scaling.whole, scaling.work} <= ours.keys() or scaling.whole not in theirs:
        return None
    calls, serial_calls = ours[scaling.whole].calls, theirs[scaling.whole].calls
    # A serial run may do the work without a scope of its own around it.
    needed_by = scaling.work if scaling.work in theirs else scaling.whole
    whole = _inside(parallel, scaling.whole)
    worked = _inside(parallel, scaling.work)
    needed = _inside(serial, needed_by) * (calls / serial_calls) * serial.count / parallel.count
    if not (whole > 0 and worked > 0 and needed > 0):
        return None
    available = max(workers * whole, worked)
    return WorkerTime(
        available_s=available,
        outside_s=max(parallel.wall_s - whole, 0.0),
        needed_s=min(needed, worked),
        longer_s=max(worked - needed, 0.0),
        waiting_s=available - worked,
        change=worked / needed,
    )


def _inside(recorded: Recorded, name: str) -> float:
    """Return the seconds of a step inside a scope, summed over tracks; inside itself it counts once."""
    return time_inside(recorded.profile, name, within=[name])[1] / 1e9 / recorded.count
