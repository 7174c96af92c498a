"""Switching recording on and off: `record()`, the environment, and what a forked child does.

A recording is a folder with a manifest. Processes that inherit its id through the environment join it, each
with a log of its own; whoever else finds a manifest there is refused, so that runs are never mixed.
"""

from __future__ import annotations

import os
from json import dumps, loads
from types import TracebackType

from workbench.scopes import _layout as layout
from workbench.scopes import _recorder
from workbench.scopes._log import LogWriter

FOLDER_VARIABLE = "WORKBENCH_RECORD"
ID_VARIABLE = "WORKBENCH_RECORD_ID"
TRACER_VARIABLE = "WORKBENCH_TRACER"


class RecordingError(RuntimeError):
    """A recording cannot be made where it was asked for; the message says why and what to do."""


class Recording:
    """A recording in progress: the folder it is written to."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Recording({self.path!r})"


class record:  # noqa: N801  a keyword to its users: `with record("profiles/run"):`
    """Record the guards of this program, its threads and the processes it starts, into a folder.

    ``with record("profiles/run"): ...``. The same without a change to the code: ``WORKBENCH_RECORD=DIR`` in
    the environment; where that is given it wins, and `record` says so in one line.

    Args:
        folder: Where the recording goes; made if it is not there.
        replace: Whether a recording that is already in the folder may be deleted.

    Raises:
        RecordingError: The folder holds a recording, cannot be written, or something records already.
    """

    def __init__(self, folder: str | os.PathLike[str], *, replace: bool = False) -> None:
        self._folder = os.path.abspath(os.fspath(folder))  # noqa: PTH100  pathlib takes 8 ms to import
        self._replace = replace
        self._recorder: _recorder.Recorder | None = None

    def __enter__(self) -> Recording:
        running = _recorder.active
        if running is not None:
            if os.environ.get(FOLDER_VARIABLE) == running.log.folder and not _started_by_record:
                _recorder.say(
                    f"already recording into {running.log.folder} ({FOLDER_VARIABLE}); that goes on"
                )
                return Recording(running.log.folder)
            raise RecordingError(
                f"already recording into {running.log.folder}: end that recording before beginning another"
            )
        identity = create_recording(self._folder, replace=self._replace)
        self._recorder = _start(self._folder, identity)
        _started_by_record.append(self)
        # Processes started from now on join.
        os.environ[FOLDER_VARIABLE] = self._folder
        os.environ[ID_VARIABLE] = identity
        return Recording(self._folder)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._recorder is None:
            return
        _started_by_record.remove(self)
        os.environ.pop(FOLDER_VARIABLE, None)
        os.environ.pop(ID_VARIABLE, None)
        if _recorder.active is not None and _recorder.active.log.folder == self._folder:
            _end()
        self._recorder = None


_started_by_record: list[record] = []


def create_recording(folder: str, *, replace: bool = False) -> str:
    """Make an empty recording in a folder and return its id.

    Raises:
        RecordingError: The folder holds a recording and `replace` is false, or it cannot be written.
    """
    manifest = f"{folder}/{layout.MANIFEST}"
    identity = os.urandom(8).hex()
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        if replace:
            _delete_recording(folder)
        handle = os.open(manifest, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "w") as file:
            file.write(dumps({"format": "workbench recording", "version": layout.VERSION, "id": identity}))
    except FileExistsError:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise RecordingError(f"cannot record into {folder}: it is a file; name a folder") from None
        raise RecordingError(
            f"{folder} already holds a recording: choose another folder, delete it, or give replace=True"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(
            f"cannot record into {folder}: {reason}; choose a folder that you may write"
        ) from None
    return identity


def start_from_environment() -> None:
    """Start recording when the environment names a folder. Whatever is wrong is one line, not an error."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder or _recorder.active is not None:
        return
    try:
        folder = os.path.abspath(folder)  # noqa: PTH100
        if TRACER_VARIABLE in os.environ:
            allow_tracer(int(os.environ[TRACER_VARIABLE]))
        identity = os.environ.get(ID_VARIABLE)
        if identity is None or identity != _identity(folder):
            identity = create_recording(folder)
        _start(folder, identity)
    except (RecordingError, OSError, ValueError) as error:
        _recorder.say(f"not recording: {error}")
        # The processes that this one starts would only be refused again, with a line each.
        os.environ.pop(FOLDER_VARIABLE, None)
        os.environ.pop(ID_VARIABLE, None)
        return
    os.environ[FOLDER_VARIABLE] = folder
    os.environ[ID_VARIABLE] = identity


def allow_tracer(pid: int) -> None:
    """Let the process `pid` and its descendants trace this one, where Yama restricts tracing (Linux)."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:  # noqa: PTH123
            restricted = file.read().strip() != "0"
    except OSError:
        return
    if restricted:
        import ctypes

        pr_set_ptracer = 0x59616D61
        ctypes.CDLL(None).prctl(pr_set_ptracer, ctypes.c_ulong(pid), 0, 0, 0)


def _start(folder: str, identity: str) -> _recorder.Recorder:
    try:
        recorder = _recorder.Recorder(LogWriter(folder, identity))
    except OSError as error:
        raise RecordingError(f"cannot record into {folder}: {error.strerror}") from None
    _register_hooks()
    _recorder.active = recorder
    return recorder


def _end() -> None:
    """End recording. Scopes that are open stay in the log as unfinished."""
    recorder, _recorder.active = _recorder.active, None
    if recorder is not None:
        recorder.log.end()


_hooks_registered = False


def _register_hooks() -> None:
    global _hooks_registered
    if _hooks_registered:
        return
    _hooks_registered = True
    import atexit

    atexit.register(_end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_continue_in_child)


def _continue_in_child() -> None:
    """Give a forked child a log of its own: the parent's is the parent's alone to write."""
    parent, _recorder.active = _recorder.active, None
    if parent is None:
        return
    if TRACER_VARIABLE in os.environ:
        allow_tracer(int(os.environ[TRACER_VARIABLE]))
    try:
        _recorder.active = _recorder.Recorder(LogWriter(parent.log.folder, parent.log.recording_id))
    except OSError as error:
        _recorder.say(f"not recording process {os.getpid()}: {error}")


def _identity(folder: str) -> str | None:
    try:
        with open(f"{folder}/{layout.MANIFEST}") as file:  # noqa: PTH123
            return str(loads(file.read()).get("id"))
    except (OSError, ValueError, AttributeError):
        return None


def _delete_recording(folder: str) -> None:
    for name in os.listdir(folder):  # noqa: PTH208
        if name == layout.MANIFEST or name.endswith(layout.SUFFIX):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
