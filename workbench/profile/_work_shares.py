"""A scope's share of the work, and how much of the time of workers is none: exact, by the recorder.

`whole` names the scope around all parallel work, `work` the scope around each worker's part.
"""

from __future__ import annotations

from workbench.profile._record import Profile
from workbench.profile._scope_table import time_inside


def share_of_whole(scopes: Profile, name: str, *, whole: str, work: str) -> float | None:
    """Return a scope's share of the work; None where neither the work nor the whole has time.

    The work's time is summed over the threads and processes that did it. Without a scope of the work, the share is of
    the whole scope.
    """
    works, _ = time_inside(scopes, work, within=[work])
    part_ns, whole_ns = time_inside(scopes, name, within=[work if works else whole])
    return part_ns / whole_ns if whole_ns else None


def workers_idle(scopes: Profile, workers: int, *, whole: str, work: str) -> float | None:
    """Return the share of the workers' time inside the whole that is not work; None where scopes do not say."""
    whole_ns, _ = time_inside(scopes, whole, within=[whole])
    work_ns, _ = time_inside(scopes, work, within=[work])
    if workers < 2 or not 0 < work_ns <= workers * whole_ns:
        return None  # nothing was recorded, or more workers took part
    return 1 - work_ns / (workers * whole_ns)
