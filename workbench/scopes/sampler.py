"""The in-process sampler: it runs where a process records and the environment asks for samples.

`WORKBENCH_SAMPLE` is the number of samples a second, and after a comma `native` where native frames are wanted:
`100,native`. Samples go into the recording, as segments of their own (docs/event-log.md).
"""

from __future__ import annotations

import os

from workbench.scopes import engine, layout
from workbench.scopes.environment import SAMPLE_VARIABLE
from workbench.scopes.error import log_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.scopes._journal import Journal

MAX_RATE = 10_000
"""Samples per second: a period must be much longer than taking a sample."""

_sampled: Journal | None = None
"""The journal that this process's samples go to."""


def why_not() -> str | None:
    """Return why the in-process sampler cannot run here, in one line; None if it can."""
    if engine.name != "native":
        why = f": {engine.refused}" if engine.refused else ""
        return f"the in-process sampler needs the compiled recorder{why}"
    from workbench.scopes import _native

    reason = _native.sampler_why_not()
    return None if reason is None else f"the in-process sampler cannot run: {reason}"


def settings(text: str) -> tuple[float, bool] | None:
    """Return (samples per second, whether with native frames) of what WORKBENCH_SAMPLE says; None: no samples."""
    rate, _, native = text.partition(",")
    try:
        number = float(rate)
    except ValueError:
        return None
    return (number, native == "native") if 0 < number <= MAX_RATE else None


def start(journal: Journal) -> None:
    """Sample this process into a journal's recording, if it or the environment asks for it and the sampler can run."""
    global _sampled
    wanted = settings(journal.sampling or os.environ.get(SAMPLE_VARIABLE, ""))
    is_sampled = _sampled is not None and _sampled.log.pid == os.getpid()  # else it is the parent's
    if wanted is None or is_sampled or why_not() is not None:
        return
    from workbench.scopes import _native

    rate, native = wanted
    log = journal.log
    try:
        _native.sampler_start(
            f"{log.folder}/{log.key}",
            layout.MAGIC + bytes(log.header(0, 0)[len(layout.MAGIC) :]),
            round(1e9 / rate),
            native,
            log.limits.max_bytes,
            log.limits.when_full == "newest",
            journal.recorder,
        )
    except OSError as error:
        log_line(f"no samples: {error.strerror or error}")
        return
    _sampled = journal
    _register_hooks()


def stop(journal: Journal) -> None:
    """Stop sampling into a journal's recording, if that is the sampled one."""
    global _sampled
    if _sampled is not journal:
        return
    _sampled = None
    from workbench.scopes import _native

    error = _native.sampler_stop()
    journal.name_threads()
    if error and not journal.log.ended:
        log_line(f"sampling stopped before the end: {os.strerror(error)}")


_hooks_registered = False


def _register_hooks() -> None:
    """Stop the helper thread before a fork and restart it afterwards, by C functions that run no Python code."""
    global _hooks_registered
    if not _hooks_registered and hasattr(os, "register_at_fork"):
        from workbench.scopes import _native

        _hooks_registered = True
        os.register_at_fork(before=_native.sampler_pause, after_in_parent=_native.sampler_resume)
