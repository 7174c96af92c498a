"""Recording propagated work: a process joins the sender's recording while that work runs in it.

A process records by itself what the environment named when it started, what its parent recorded when it was forked,
and what its own `record()` block names. It joins another recording from the first propagated call that runs in it to
the last. Then it records again what it recorded before, and its environment is restored. The joined log stays open
for the next call. So a worker that outlives a recording writes nothing into its folder.

- A call that starts after the sender has ended the recording is not recorded.
- A `record()` block keeps all scopes of its process; propagated work of another recording does not interrupt it.
- A process records into one recording at a time. A call of a second recording runs unrecorded while calls of the
  first run in other threads, and one line on standard error says so.
- A process does not retry a recording whose log it could not write. It prints one line, once.
"""

from __future__ import annotations

import os
from _thread import RLock, get_ident
from typing import NamedTuple

from workbench.scopes import _journal, _switch, layout, manifests, recording
from workbench.scopes.environment import FOLDER_VARIABLE, ID_VARIABLE, set_environment
from workbench.scopes.error import RecordingError, log_line
from workbench.scopes.manifests import RecordingLimits

MAX_OPEN_LOGS = 8
"""Joined logs that stay open: each keeps its last segments mapped."""


class RemoteRecording(NamedTuple):
    """What propagated work needs to know of its recording."""

    folder: str
    identity: str
    limits: RecordingLimits
    root: str
    """The log of the process that sent the work first: once that log has ended, the work is not recorded."""


class Join:
    """The recording that this process writes to while propagated calls of it run here."""

    __slots__ = ("before", "environment", "journal", "threads")

    def __init__(self, journal: _journal.Journal, before: _journal.Journal | None) -> None:
        self.journal = journal
        self.before = before
        self.environment = os.environ.get(FOLDER_VARIABLE), os.environ.get(ID_VARIABLE)
        self.threads = [get_ident()]
        """One entry for each running call."""


_lock = RLock()
_joins: list[Join] = []
"""Active joins; the last one records."""
_open_logs: dict[str, _journal.Journal] = {}
"""Joined logs, by recording."""
_known: dict[str, RemoteRecording] = {}
_refused: set[str] = set()
"""Recordings that this process could not write to."""
_reported: set[str] = set()


def remote_recording(journal: _journal.Journal) -> RemoteRecording:
    """Return what work that is sent from a journal's recording needs to know."""
    log = journal.log
    known = _known.get(log.recording_id)
    return known or RemoteRecording(log.folder, log.recording_id, log.limits, log.key)


def join(remote: RemoteRecording) -> Join | None:
    """Record into a recording if possible; return the join to leave afterwards, None if nothing changed."""
    active = _journal.active
    if active is not None and active.log.recording_id == remote.identity and not _joins:
        if active.log.key != remote.root:
            _known[remote.identity] = remote
        return None
    with _lock:
        active = _journal.active
        current = _joins[-1] if _joins else None
        if active is not None and active.log.recording_id == remote.identity:
            if current is None or current.journal is not active:
                return None
            current.threads.append(get_ident())
            return current
        if remote.identity in _refused or not _may_switch(remote, current):
            return None
        return _begin(remote, active)


def leave(joined: Join) -> None:
    """End one call of a join; after the last call, record again what was recorded before."""
    with _lock:
        if joined not in _joins:  # a child that was forked inside the call records by itself
            return
        ident = get_ident()
        joined.threads.remove(ident if ident in joined.threads else joined.threads[0])
        if joined.threads:
            return
        index = _joins.index(joined)
        del _joins[index]
        if index < len(_joins):  # a join that began inside this one is still active
            _joins[index].before, _joins[index].environment = joined.before, joined.environment
            return
        active = _journal.active
        if active is None:
            _refused.add(joined.journal.log.recording_id)  # its log failed, and that was reported
        elif active is not joined.journal:
            return  # a `record()` block that began inside the call is still open
        set_environment(*joined.environment)
        before = joined.before
        if before is not None and _has_ended(before):
            if os.environ.get(ID_VARIABLE) == before.log.recording_id:
                set_environment(None, None)
            before = None
        _record_into(before)


def _begin(remote: RemoteRecording, active: _journal.Journal | None) -> Join | None:
    try:
        journal = _open(remote)
    except (RecordingError, OSError, ValueError) as error:
        _refused.add(remote.identity)
        log_line(f"not recording propagated work in process {os.getpid()}: {error}")
        _record_into(active)
        return None
    if journal is None:
        return None
    joined = Join(journal, active)
    _joins.append(joined)
    _known[remote.identity] = remote
    set_environment(journal.log.folder, remote.identity)  # processes that the work starts join too
    return joined


def _open(remote: RemoteRecording) -> _journal.Journal | None:
    """Record into a recording, with the log of the last join if that still exists; None: the recording has ended."""
    known = _open_logs.get(remote.identity)
    if _exists(remote.folder, remote.identity):
        if _root_has_ended(remote):
            return None
        folder = remote.folder
    elif known is not None and known.log.folder == remote.folder:
        return None  # the recording was deleted
    else:
        from workbench.scopes import local_folder

        folder = local_folder.make(remote.identity, remote.limits)
    if (
        known is not None
        and known.log.folder == folder
        and os.path.exists(_first_segment(folder, known.log.key))  # noqa: PTH110
    ):
        _switch.resume(known)
    else:
        known = _switch.start(folder, manifests.Manifest(remote.identity, remote.limits))
    _open_logs.pop(remote.identity, None)
    while len(_open_logs) >= MAX_OPEN_LOGS:
        del _open_logs[next(iter(_open_logs))]
    _open_logs[remote.identity] = known
    return known


def _may_switch(remote: RemoteRecording, current: Join | None) -> bool:
    if recording.is_in_block():
        return False
    if current is None or set(current.threads) <= {get_ident()}:
        return True
    if remote.identity not in _reported:
        _reported.add(remote.identity)
        log_line(
            f"not recording some of the work that {remote.folder} sent to process {os.getpid()}: "
            f"work of {current.journal.log.folder} runs there"
        )
    return False


def _record_into(journal: _journal.Journal | None) -> None:
    if journal is not None:
        _switch.resume(journal)
    else:
        _switch.activate(None)


def _has_ended(journal: _journal.Journal) -> bool:
    """Return whether a journal's recording was deleted or ended, as far as this process knows."""
    log = journal.log
    remote = _known.get(log.recording_id)
    return not _exists(log.folder, log.recording_id) or (remote is not None and _root_has_ended(remote))


def _exists(folder: str, identity: str) -> bool:
    manifest = manifests.read(folder)
    return manifest is not None and manifest.identity == identity


def _root_has_ended(remote: RemoteRecording) -> bool:
    """Return whether the log of the first sender has an end time."""
    try:
        with open(_first_segment(remote.folder, remote.root), "rb") as file:  # noqa: PTH123
            file.seek(layout.HEADER_END_NS_AT)
            return any(file.read(layout.HEADER_END_NS.size))
    except OSError:
        return False


def _first_segment(folder: str, key: str) -> str:
    return f"{folder}/{key}-t0000{layout.SUFFIX}"


def _reset_in_child() -> None:
    """Forget the parent's joins in a forked child, which records by itself what its parent recorded."""
    global _lock
    _lock = RLock()  # another thread may have held it
    _joins.clear()
    _open_logs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
