"""Recording a program that runs already, for `workbench profile --pid`: what is called inside it.

The attaching command (`workbench.capture.attach`) has made the recording, and calls `begin` and `end` by
`sys.remote_exec`. Afterwards modules stay loaded, with hooks at forks that do nothing where nothing records.
"""

from __future__ import annotations

import os

from workbench.scopes import _journal, _switch, engine, manifests, sampler
from workbench.scopes.error import RecordingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.scopes._journal import Journal

_attached: Journal | None = None
"""What `begin` began, here or in the process that this one was forked from."""
_ended_at_exit = False
"""Whether recordings were to be ended at exit before."""


def begin(folder: str, sampling: str) -> None:
    """Record this process, and the children that it forks from now on, and sample them.

    Args:
        folder: Of a recording that has begun, as this process finds it.
        sampling: As WORKBENCH_SAMPLE says it; empty: scopes alone.

    Raises:
        RecordingError: It is recorded already, cannot be sampled, or cannot write there; everything is as before.
    """
    global _attached, _ended_at_exit
    if _journal.active is not None:
        raise RecordingError(f"it is being recorded into {_journal.active.log.folder}")
    why = sampler.why_not() if sampling else None
    if why is not None:
        raise RecordingError(why)
    manifest = manifests.read(folder)
    if manifest is None:
        raise RecordingError(f"it finds no recording in {folder}")
    _ended_at_exit = _switch.ends_at_exit()
    try:
        _attached = _switch.start(folder, manifest, sampling=sampling)
        _attached.log.inherited = True
    except BaseException:  # an interrupt of the program's, too
        _end(_journal.active)
        raise


def end(identity: str) -> None:
    """End the recording of this process, if it is one that `begin` began and has this id."""
    if _attached is not None and _attached.log.recording_id == identity:
        # The program may record into another folder by now, and a forked child has a journal of its own.
        for journal in {_attached, _journal.active}:
            if (
                journal is not None
                and journal.log.recording_id == identity
                and journal.log.pid == os.getpid()
            ):
                _end(journal)


def _end(journal: Journal | None) -> None:
    global _attached
    _attached = None
    if journal is not None:
        _switch.end(journal)
    if not _ended_at_exit:
        _switch.forget_exit()
    if _journal.active is None and engine.name == "native":
        from workbench.scopes import _native

        _native.release_tracks()
