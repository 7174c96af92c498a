"""Switching recording on and off: `record()`, and the environment.

A recording is a folder with a manifest. Processes that inherit its id through the environment join it, each with a
log of its own. Any other process that finds a manifest there is refused, so that runs are never mixed. Modules that
only a recording program needs are imported when it records.
"""

from __future__ import annotations

import os
from _thread import RLock

from workbench.scopes.environment import (
    FOLDER_VARIABLE,
    ID_VARIABLE,
    TRACER_VARIABLE,
    allow_tracer,
    set_environment,
)
from workbench.scopes.error import RecordingError, log_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from workbench.scopes._journal import Journal
    from workbench.scopes.recording_folder import PendingRecording


class Recording:
    """A recording in progress: the folder it is written to."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Recording({self.path!r})"


class record:  # noqa: N801  a keyword to its users: `with record("profiles/run"):`
    """Record the scopes of this program, its threads and the processes it starts, into a folder.

    ``with record("profiles/run"): ...``. ``WORKBENCH_RECORD=DIR`` in the environment does the same without a change to
    the code; it takes precedence, and `record` prints one line. A recording inside a recording receives all scopes of
    its block; the outer one resumes afterwards. If recordings of several threads overlap, the one that began last
    receives the scopes of all threads until it ends.

    Args:
        folder: Where the recording goes; made if it does not exist.
        replace: Whether to delete a recording that is already in the folder. Other files are never replaced or deleted.
        max_bytes: Largest size of the recording, over all processes.
        when_full: What to do then: "stop" recording, or keep the "newest" events. The profile states it.

    Ranks of one parallel job (MPI, SLURM, torchrun) that name one folder record into it together.

    Raises:
        RecordingError: The folder holds a recording or a foreign file in the way, another process writes to it, it
            cannot be written, or an argument is wrong. The folder is left as it was.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        replace: bool = False,
        max_bytes: int = 1 << 30,
        when_full: str = "stop",
    ) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f'record() takes a folder, as in record("profiles/run"), not {folder!r}')
        self._folder = os.path.abspath(os.fspath(folder))  # noqa: PTH100  pathlib takes 8 ms to import
        self._replace = replace
        self._limits = (max_bytes, when_full)
        self._journal: Journal | None = None
        self._begun: PendingRecording | None = None
        self._before: tuple[Journal | None, str | None, str | None] = (None, None, None)

    def __enter__(self) -> Recording:
        from workbench.scopes import _journal, _switch, recording_folder
        from workbench.scopes.environment import member

        with _lock:
            running = _journal.active
            folder, identity = os.environ.get(FOLDER_VARIABLE), os.environ.get(ID_VARIABLE)
            if running is not None and is_recorded_from_outside():
                log_line(f"already recording into {folder} ({FOLDER_VARIABLE}); that recording continues")
                return Recording(running.log.folder)
            begun = recording_folder.begin(
                self._folder, replace=self._replace, limits=self._limits, member=member()
            )
            try:
                self._journal = _switch.start(self._folder, begun.manifest)
                begun.keep()
            except BaseException:
                self._journal = None
                begun.undo()
                raise
            self._begun = begun
            self._before = (running, folder, identity)
            _blocks.append(self)
            # Processes that start from now on join.
            set_environment(self._folder, begun.manifest.identity)
        return Recording(self._folder)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from workbench.scopes import _journal, _switch

        with _lock:
            if self._journal is None:
                return
            place = _blocks.index(self)
            del _blocks[place]
            journal, self._journal = self._journal, None
            begun, self._begun = self._begun, None
            if begun is not None and journal.log.pid == os.getpid():
                begun.end()  # a child that was forked in the block ends only its own part
            if place < len(_blocks):  # a later block still records; this one's predecessor follows it
                _blocks[place]._before = self._before
                _switch.end(journal)
                return
            outer, folder, identity = self._before
            set_environment(folder, identity)
            running = _journal.active
            if running is not None and running.log.folder == self._folder:
                journal = running  # the log of this forked child
            _switch.end(journal)
            _switch.resume(outer)


def is_recorded_from_outside() -> bool:
    """Return whether the environment named the active recording, so that `record` changes nothing."""
    from workbench.scopes import _journal

    running = _journal.active
    return running is not None and os.environ.get(FOLDER_VARIABLE) == running.log.folder and not _blocks


_lock = RLock()


def _renew_lock() -> None:
    """Replace the lock in a forked child: another thread of the parent may have held it."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


_blocks: list[record] = []
"""Open `record()` blocks, in the order in which they began."""


def is_in_block() -> bool:
    """Return whether this process is inside a `record()` block of its own."""
    pid = os.getpid()
    return any(block._journal is not None and block._journal.log.pid == pid for block in _blocks)


def start_from_environment() -> None:
    """Start recording if the environment names a folder; a failure is one line, not an error."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return
    from workbench.scopes import _journal, _switch, manifests, recording_folder
    from workbench.scopes.environment import member

    if _journal.active is not None:
        return
    begun = None
    try:
        folder = os.path.abspath(folder)  # noqa: PTH100
        if TRACER_VARIABLE in os.environ:
            allow_tracer(int(os.environ[TRACER_VARIABLE]))
        manifest = manifests.read(folder)
        joins = manifest is not None and manifest.identity == os.environ.get(ID_VARIABLE)
        if manifest is None or not joins:
            begun = recording_folder.begin(folder, member=member())
            manifest = begun.manifest
            import atexit

            atexit.register(begun.release)  # registered before the log's hook, it runs after it
        elif manifest.ended_ns:
            return  # the recording that this process inherits has ended
        _switch.start(folder, manifest).log.inherited = joins
    except (RecordingError, OSError, ValueError) as error:
        if begun is not None:
            begun.undo()
        log_line(f"not recording: {error}")
        # Child processes would be refused again, with one line each.
        set_environment(None, None)
        return
    set_environment(folder, manifest.identity)


def create_recording(folder: str, *, replace: bool = False) -> PendingRecording:
    """Make an empty recording in a folder, which child processes will join.

    Raises:
        RecordingError: The folder holds a recording and `replace` is false, or it cannot be written.
    """
    from workbench.scopes import recording_folder
    from workbench.scopes.environment import member

    begun = recording_folder.begin(folder, replace=replace, member=member())
    begun.keep()
    return begun
