"""Starting, ending and resuming this process's recording, also in a forked child."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from workbench.scopes import _journal, engine, scope_cost
from workbench.scopes._journal import Journal
from workbench.scopes._log import LogWriter
from workbench.scopes.environment import SAMPLE_VARIABLE, TRACER_VARIABLE, allow_tracer
from workbench.scopes.error import RecordingError, log_line
from workbench.scopes.manifests import Manifest


def start(folder: str, manifest: Manifest, *, sampling: str = "") -> Journal:
    """Record this process into a folder, instead of what it recorded until now.

    Args:
        folder: Of the recording.
        manifest: Its manifest.
        sampling: How it and its forked children are sampled, as WORKBENCH_SAMPLE says it; by default that decides.

    Raises:
        RecordingError: Its log cannot be written there.
    """
    log = None
    try:
        log = LogWriter(folder, manifest.identity, manifest.limits)
        journal = Journal(log)
        journal.sampling = sampling
        memory = _memory()
        if memory is None:
            scope_cost.write(journal)
        else:  # a scope's cost grows with the stack there: one figure says nothing
            memory.begin(journal.recorder, journal.log)
    except OSError as error:
        if log is not None:
            log.end()
        raise RecordingError(f"cannot record into {folder}: {error.strerror or error}") from None
    _register_hooks()
    activate(journal)
    _sample(journal)
    return journal


def end(journal: Journal | None = None) -> None:
    """End a recording, by default the active one. Open scopes stay in the log as unfinished."""
    active = _journal.active
    journal = journal or active
    if journal is None or journal.log.pid != os.getpid():
        return  # a forked child has a log of its own
    sampler = sys.modules.get("workbench.scopes.sampler")  # whatever the program did to its environment
    if journal.log.ended:  # it was full, or failed
        if sampler is not None:
            sampler.stop(journal)
        return
    if journal is active:
        activate(None)
        if (memory := _memory()) is not None:
            memory.finish(journal.recorder)
        else:
            with suppress(OSError):  # the disk is full; what was recorded is there
                scope_cost.write(journal)
    if sampler is not None:
        sampler.stop(journal)
    journal.forget()
    journal.log.end()


def _memory() -> Any:
    """Return the module that traces memory, which `engine` has loaded; None where memory is not traced."""
    return sys.modules.get("workbench.scopes._memory")


def _sample(journal: Journal) -> None:
    """Sample this process too if it is to be."""
    if journal.sampling or SAMPLE_VARIABLE in os.environ:
        from workbench.scopes import sampler as _sampler

        _sampler.start(journal)


def resume(journal: Journal | None) -> None:
    """Resume a recording that another one had replaced for a while."""
    if journal is None or (journal.log.ended and journal.log.pid == os.getpid()):
        return
    if journal.log.pid == os.getpid():
        activate(journal)
    else:  # forked since then: only the parent writes to the parent's log
        activate(_successor(journal))


def activate(journal: Journal | None) -> None:
    """Make scopes write to a journal's recorder; None: they do nothing."""
    _journal.active = journal
    engine.activate(journal.recorder if journal is not None else None)


def _successor(parent: Journal) -> Journal | None:
    log = parent.log
    try:
        journal = Journal(LogWriter(log.folder, log.recording_id, log.limits))
    except OSError as error:
        log_line(f"not recording process {os.getpid()}: {error}")
        return None
    journal.log.inherited = True
    journal.sampling = parent.sampling
    if (memory := _memory()) is not None:
        memory.begin(journal.recorder, journal.log)
    return journal


_ends_at_exit = _continues_in_children = False


def _register_hooks() -> None:
    global _ends_at_exit, _continues_in_children
    if not _ends_at_exit:
        _ends_at_exit = True
        import atexit

        atexit.register(end)
    if not _continues_in_children and hasattr(os, "register_at_fork"):
        _continues_in_children = True
        os.register_at_fork(after_in_child=_continue_in_child)


def ends_at_exit() -> bool:
    """Return whether a recording is ended when the interpreter ends."""
    return _ends_at_exit


def forget_exit() -> None:
    """Do not end a recording when the interpreter ends."""
    global _ends_at_exit
    _ends_at_exit = False
    import atexit

    atexit.unregister(end)


def _continue_in_child() -> None:
    """Give a forked child a log of its own."""
    parent = _journal.active
    if parent is None:
        return
    activate(None)
    if TRACER_VARIABLE in os.environ:
        allow_tracer(int(os.environ[TRACER_VARIABLE]))
    journal = _successor(parent)
    activate(journal)
    if journal is not None:
        _sample(journal)
