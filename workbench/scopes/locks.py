"""A lock that admits one writer to a folder; the system releases it when the process ends.

The lock is on bytes of a small file in the folder (`fcntl.lockf`). Such locks do not exclude within one process, and
closing any descriptor of the file releases them. So the process first looks into a table of its folders, and never
opens the file of a folder in the table twice. The ranks of one parallel job share a folder: all hold a shared lock on
one byte, and each holds a byte of its own. The last one removes the file; after a kill the next writer reuses it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from _thread import RLock
from contextlib import contextmanager, suppress
from errno import EACCES, EAGAIN, EEXIST, EISDIR, ELOOP, ENOLCK, ENOSYS, ENXIO, EOPNOTSUPP, EPERM

from workbench.scopes.environment import Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".workbench.lock"
MARK = b"workbench lock\n"
"""What the file begins with; a job's name follows."""
_OWNER, _CHANGE, _RANKS = 0, 1, 16
"""Bytes: locked while the folder is written, while its manifest is changed, and by each rank from `_RANKS` on."""
_MIN_DESCRIPTOR = 64
"""The lowest descriptor for the file, so that a program finds the low numbers free."""
_WAIT_S, _POLL_S = 60.0, 0.01
"""How long and how often to wait for another writer's short change: a thousand ranks make a thousand changes."""
_NO_LOCKS = frozenset((ENOLCK, ENOSYS, EOPNOTSUPP))
"""Errors of file systems without locks, where only the table excludes."""


class LockedError(OSError):
    """Another writer holds the folder."""


class ForeignLockError(OSError):
    """A file that workbench did not write has the name of the lock's file."""


class FolderLock:
    """The right to write to a folder, until `release` or the end of the process.

    Args:
        folder: An existing folder.
        member: The parallel job and rank of this process, where folders are shared by job.

    Raises:
        LockedError: Another writer holds the folder.
        ForeignLockError: A foreign file has the name of the lock's file.
        OSError: The file of the lock cannot be made.
    """

    def __init__(self, folder: str, member: Member | None = None) -> None:
        facts = os.stat(folder)  # noqa: PTH116  pathlib takes 8 ms to import
        self.path = f"{folder}/{own_name(LOCK, facts)}"
        self.member = member
        self.is_first = False
        """Whether this lock is exclusive; other ranks wait until `share`."""
        self._pid = os.getpid()
        self._file = -1
        self._inode = (0, 0)
        self._key = _inode(facts)
        waits_until = time.monotonic() + _WAIT_S
        while not self._try():
            if time.monotonic() > waits_until and (member is None or self._holder() != _content(member)):
                raise LockedError(EAGAIN, "another process is writing there")
            time.sleep(_POLL_S)

    def _try(self) -> bool:
        with _table_lock:
            held = _table.get(self._key)
            if held is not None and held._is_current():
                raise LockedError(EAGAIN, "this process is writing there already")
            file = _open(self.path)
            try:
                taken = self._take(file)
            except BaseException:
                os.close(file)
                raise
            if not taken:
                os.close(file)
                return False
            self._file, self._inode = file, _inode(os.fstat(file))
            _table[self._key] = self
            return True

    def _take(self, file: int) -> bool:
        if _lock(file, fcntl.LOCK_EX, _OWNER):
            if not _is_at(self.path, file):  # the previous writer has just removed it
                return False
            self.is_first = True
            content = _content(self.member)
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
        elif self.member is None or (holder := os.pread(file, 4096, 0)) not in (MARK, _content(self.member)):
            raise LockedError(EAGAIN, "another process is writing there")
        elif (
            holder == MARK  # its owner has not written its job yet
            or not _lock(file, fcntl.LOCK_SH, _OWNER)
            or not _is_at(self.path, file)
        ):
            return False
        if self.member is not None and not _lock(file, fcntl.LOCK_EX, _RANKS + self.member.rank):
            raise LockedError(EAGAIN, f"rank {self.member.rank} of this job is writing there already")
        return True

    def _holder(self) -> bytes:
        with _table_lock, suppress(OSError):
            file = _open(self.path)
            try:
                return os.pread(file, 4096, 0)
            finally:
                os.close(file)
        return b""

    def share(self) -> None:
        """Admit the other ranks of the job, once the manifest exists."""
        if self.member is not None and self.is_first and self._is_ours():
            _lock(self._file, fcntl.LOCK_SH, _OWNER)
            self.is_first = False

    def is_last(self) -> bool:
        """Return whether no other rank holds the folder; the lock is then exclusive again, else it is released."""
        with _table_lock:
            if self.member is None or self.is_first or not self._is_ours():
                return True
            with _changing(self._file):
                self.is_first = _lock(self._file, fcntl.LOCK_EX, _OWNER)
                if not self.is_first:
                    self._close()
                return self.is_first

    def release(self) -> None:
        """Release the folder; a forked child does not hold it and does nothing."""
        with _table_lock:
            if self._file < 0 or self._pid != os.getpid():
                return
            if self._is_ours():
                with _changing(self._file):
                    _remove(self.path, self._file)
            self._close()

    def _close(self) -> None:
        if _table.get(self._key) is self:
            del _table[self._key]
        if self._is_ours():
            os.close(self._file)
        self._file = -1

    def _is_ours(self) -> bool:
        """Return whether the descriptor is still the lock's file: a program may close all descriptors."""
        try:
            return self._file >= 0 and _inode(os.fstat(self._file)) == self._inode
        except OSError:
            return False

    def _is_current(self) -> bool:
        return self._is_ours() and _is_at(self.path, self._file)


@contextmanager
def changing(folder: str) -> Iterator[None]:
    """Lock a folder's manifest for a short change, whoever is writing to the folder.

    Raises:
        OSError: The file of the lock cannot be made, or another's change takes too long.
    """
    with _table_lock:
        facts = os.stat(folder)  # noqa: PTH116
        held = _table.get(_inode(facts))
        if held is not None and held._is_current():
            with _changing(held._file):
                yield
            return
        path = f"{folder}/{own_name(LOCK, facts)}"
        while True:
            file = _open(path)
            try:
                with _changing(file):
                    if _is_at(path, file):
                        try:
                            yield
                        finally:
                            _remove(path, file)
                        return
            finally:
                os.close(file)


def own_name(name: str, folder: os.stat_result) -> str:
    """Return the name of a file in a folder; in another user's folder, such as /tmp, it contains our user id.

    Several users write there, and none may change another's files.
    """
    user = os.geteuid()
    if folder.st_uid == user:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{user}{dot}{suffix}"


def is_lock(path: str) -> bool:
    """Return whether a file is a lock that workbench wrote; one that this process holds is not opened."""
    with _table_lock, suppress(OSError):
        inode = _inode(os.lstat(path))
        if any(lock._inode == inode and lock._is_current() for lock in _table.values()):
            return True
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(file).st_mode) and os.pread(file, len(MARK), 0) == MARK
    finally:
        os.close(file)


def _content(member: Member | None) -> bytes:
    return MARK + (member.job.encode("utf-8", "backslashreplace") if member is not None else b"alone") + b"\n"


def _inode(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _open(path: str) -> int:
    """Open the file of a lock, made if it does not exist. A foreign file is never written to."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            break
        except FileNotFoundError:
            _make(path)
        except OSError as error:
            if error.errno in (ELOOP, EISDIR, ENXIO):
                raise _foreign() from None
            raise
    with suppress(OSError):
        high = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _MIN_DESCRIPTOR)
        os.close(file)
        file = high
    if not stat.S_ISREG(os.fstat(file).st_mode) or os.pread(file, len(MARK), 0) != MARK:
        os.close(file)
        raise _foreign()
    return file


def _make(path: str) -> None:
    """Make the file of a lock with its mark in one step; a file that another process made meanwhile stays."""
    part = f"{path}.{os.urandom(8).hex()}"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, MARK)
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in (EPERM, ENOSYS, EOPNOTSUPP) or os.path.lexists(path):
            raise
        os.rename(part, path)  # noqa: PTH104  a file system without links
    finally:
        os.close(file)
        with suppress(OSError):
            os.unlink(part)  # noqa: PTH108


def _foreign() -> ForeignLockError:
    return ForeignLockError(EEXIST, f"{LOCK} is in the way and was not written by workbench")


def _lock(file: int, kind: int, byte: int) -> bool:
    try:
        fcntl.lockf(file, kind | fcntl.LOCK_NB, 1, byte)
    except OSError as error:
        if error.errno in (EAGAIN, EACCES):
            return False
        if error.errno not in _NO_LOCKS:
            raise
    return True


@contextmanager
def _changing(file: int) -> Iterator[None]:
    until = time.monotonic() + _WAIT_S
    while not _lock(file, fcntl.LOCK_EX, _CHANGE):
        if time.monotonic() > until:
            raise LockedError(EAGAIN, "another process is changing its manifest")
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_UN, 1, _CHANGE)


def _remove(path: str, file: int) -> None:
    """Remove the file if no other process holds the folder."""
    with suppress(OSError):
        if _lock(file, fcntl.LOCK_EX, _OWNER) and _is_at(path, file):
            os.unlink(path)  # noqa: PTH108


def _is_at(path: str, file: int) -> bool:
    try:
        return _inode(os.lstat(path)) == _inode(os.fstat(file))
    except OSError:
        return False


_table: dict[tuple[int, int], FolderLock] = {}
"""The folders that this process writes to, by device and inode."""
_table_lock = RLock()


def _forget_in_child() -> None:
    """Close the parent's descriptors in a forked child, which holds no locks."""
    global _table_lock
    _table_lock = RLock()
    for lock in list(_table.values()):
        if lock._is_ours():
            os.close(lock._file)
        lock._file = -1
    _table.clear()


os.register_at_fork(after_in_child=_forget_in_child)
