"""Joining a recording that sent work here, while that work runs and no longer.

A process records *by itself* what the environment named when it started, what its parent was recording when it was
forked, and what a `record()` block of its own says. Any other recording it only visits: from the first carried
call of that recording that is under way in it to the last. Then it records what it did before, and its environment
is what it was. The visited log stays open, for the next call. So a worker that outlives a recording writes nothing
into it: not into its folder, nor after that is deleted.

- A call that starts after its sender has ended the recording is not recorded; one that is under way then is.
- The guards of a `record()` block are that block's: carried work of another recording does not interrupt it.
- One process records into one recording at a time. While calls of one are under way in other threads, a call of
  another runs unrecorded, and one line says so.
- A log that cannot be made or that failed is not tried again for that recording: one line, once.
"""

from __future__ import annotations

import os
from _thread import RLock, get_ident
from typing import NamedTuple

from workbench.scopes import _journal, _switch, layout, manifests, recording
from workbench.scopes.environment import FOLDER_VARIABLE, ID_VARIABLE, set_environment
from workbench.scopes.error import RecordingError, say
from workbench.scopes.manifests import Limits

MOST_KEPT = 8
"""Visited logs that stay open."""


class Home(NamedTuple):
    """A recording, as carried work needs to know it."""

    folder: str
    identity: str
    limits: Limits
    root: str
    """The log of the process that sent the work first: where that is ended, so is the recording for it."""


class Visit:
    """What this process records into while carried calls of one recording are under way in it."""

    __slots__ = ("before", "environment", "journal", "threads")

    def __init__(self, journal: _journal.Journal, before: _journal.Journal | None) -> None:
        self.journal = journal
        self.before = before
        self.environment = os.environ.get(FOLDER_VARIABLE), os.environ.get(ID_VARIABLE)
        self.threads = [get_ident()]
        """of the calls under way, one entry each"""


_lock = RLock()
_visits: list[Visit] = []
"""under way, the one that records last"""
_kept: dict[str, _journal.Journal] = {}
"""visited logs, by recording"""
_homes: dict[str, Home] = {}
_refused: set[str] = set()
"""recordings that this process could not write to"""
_said: set[str] = set()


def home_of(journal: _journal.Journal) -> Home:
    """Return what work that is sent from this journal's recording needs to know."""
    log = journal.log
    known = _homes.get(log.recording_id)
    return known or Home(log.folder, log.recording_id, log.limits, log.key)


def join(home: Home) -> Visit | None:
    """See to it that this process records into a recording, as far as it may; return the visit to leave again."""
    active = _journal.active
    if active is not None and active.log.recording_id == home.identity and not _visits:
        if active.log.key != home.root:
            _homes[home.identity] = home
        return None
    with _lock:
        active = _journal.active
        visit = _visits[-1] if _visits else None
        if active is not None and active.log.recording_id == home.identity:
            if visit is None or visit.journal is not active:
                return None
            visit.threads.append(get_ident())
            return visit
        if home.identity in _refused or not _may_switch(home, visit):
            return None
        return _begin(home, active)


def leave(visit: Visit) -> None:
    """End one call's part of a visit; with the last one, record again what was recorded before."""
    with _lock:
        if visit not in _visits:  # this is a child that was forked inside the call: it goes on by itself
            return
        ident = get_ident()
        visit.threads.remove(ident if ident in visit.threads else visit.threads[0])
        if visit.threads:
            return
        place = _visits.index(visit)
        del _visits[place]
        if place < len(_visits):  # another one began inside this one and goes on
            _visits[place].before, _visits[place].environment = visit.before, visit.environment
            return
        active = _journal.active
        if active is None:
            _refused.add(visit.journal.log.recording_id)  # its log failed, and that was said
        elif active is not visit.journal:
            return  # a `record()` block that began inside the call goes on
        _restore(visit)


def _begin(home: Home, active: _journal.Journal | None) -> Visit | None:
    try:
        journal = _open(home)
    except (RecordingError, OSError, ValueError) as error:
        _refused.add(home.identity)
        say(f"not recording carried work in process {os.getpid()}: {error}")
        _record_into(active)
        return None
    if journal is None:
        return None
    visit = Visit(journal, active)
    _visits.append(visit)
    _homes[home.identity] = home
    # Processes that the work starts join too.
    set_environment(journal.log.folder, home.identity)
    return visit


def _open(home: Home) -> _journal.Journal | None:
    """Record into a recording, with the log of the last visit if it is still there; None: it is over."""
    kept = _kept.get(home.identity)
    if _has(home.folder, home.identity):
        if _ended(home):
            return None
        folder = home.folder
    elif kept is not None and kept.log.folder == home.folder:
        return None  # it was here, and is deleted
    else:
        from workbench.scopes import local_folder

        folder = local_folder.make(home.identity, home.limits)
    if (
        kept is not None
        and kept.log.folder == folder
        and os.path.exists(_first_segment(folder, kept.log.key))  # noqa: PTH110
    ):
        _switch.resume(kept)
    else:
        kept = _switch.start(folder, manifests.Manifest(home.identity, home.limits))
    _kept.pop(home.identity, None)
    while len(_kept) >= MOST_KEPT:
        del _kept[next(iter(_kept))]
    _kept[home.identity] = kept
    return kept


def _may_switch(home: Home, visit: Visit | None) -> bool:
    pid = os.getpid()
    for block in recording._by_record:
        journal = block._journal
        if journal is not None and journal.log.pid == pid:
            return False
    if visit is None or set(visit.threads) <= {get_ident()}:
        return True
    if home.identity not in _said:
        _said.add(home.identity)
        say(
            f"not recording some of the work that {home.folder} sent to process {pid}: "
            f"work of {visit.journal.log.folder} runs there"
        )
    return False


def _restore(visit: Visit) -> None:
    before = visit.before
    set_environment(*visit.environment)
    if before is not None and _over(before):
        if os.environ.get(ID_VARIABLE) == before.log.recording_id:
            set_environment(None, None)
        before = None
    _record_into(before)


def _record_into(journal: _journal.Journal | None) -> None:
    if journal is not None:
        _switch.resume(journal)
    else:
        _switch.activate(None)


def _over(journal: _journal.Journal) -> bool:
    """Return whether a recording is gone or was ended by whoever began it, as far as can be known here."""
    log = journal.log
    home = _homes.get(log.recording_id)
    return not _has(log.folder, log.recording_id) or (home is not None and _ended(home))


def _has(folder: str, identity: str) -> bool:
    manifest = manifests.read(folder)
    return manifest is not None and manifest.identity == identity


def _ended(home: Home) -> bool:
    """Return whether the sender has ended the recording: its log says when."""
    try:
        with open(_first_segment(home.folder, home.root), "rb") as file:  # noqa: PTH123
            header = file.read(layout.HEADER_END_NS_AT + layout.HEADER_END_NS.size)
    except OSError:
        return False
    if len(header) < layout.HEADER_END_NS_AT + layout.HEADER_END_NS.size:
        return False
    return bool(layout.HEADER_END_NS.unpack_from(header, layout.HEADER_END_NS_AT)[0])


def _first_segment(folder: str, key: str) -> str:
    return f"{folder}/{key}-t0000{layout.SUFFIX}"


def _start_afresh() -> None:
    """Forget, in a forked child, what its parent visits: it records by itself what the parent was recording."""
    global _lock
    _lock = RLock()  # another thread may have held it
    _visits.clear()
    _kept.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
