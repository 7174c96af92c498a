"""The files of a recording's folder, and replacing an old recording by a new one.

A file belongs to a recording by its name and its content. Other files are never changed or deleted.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from errno import EEXIST

from workbench.scopes import layout, locks, manifests
from workbench.scopes.environment import Member
from workbench.scopes.error import RecordingError
from workbench.scopes.manifests import MAX_BYTES, Manifest, RecordingLimits

MIN_BYTES = 1 << 20
WHEN_FULL = ("stop", "newest")


class PendingRecording:
    """A new recording in a locked folder: `keep` it once its first log exists, or `undo` it.

    It holds the folder until `end` or `release`. Until `keep`, `undo` restores the recording that it replaces.
    """

    def __init__(self, folder: str, limits: RecordingLimits, member: Member | None, *, replace: bool) -> None:
        self.folder = folder
        self._made = make_folders(folder)
        self._is_our_folder = bool(self._made)
        self._old: bytes | None = None
        self._old_segments: list[str] = []
        self.joined = False
        """Whether other ranks of this job have begun it."""
        try:
            self.lock = locks.FolderLock(folder, member)
            try:
                self.manifest = self._begin(limits, member, replace=replace)
                self.lock.share()
            except BaseException:
                self.lock.release()
                raise
        except BaseException:
            remove_empty(self._made)
            raise

    def _begin(self, limits: RecordingLimits, member: Member | None, *, replace: bool) -> Manifest:
        ours, foreign = contents(self.folder)
        self._is_our_folder |= bool(ours)
        there = manifests.read(self.folder) if layout.MANIFEST in ours else None
        if there is not None and member is not None and there.job == member.job:
            if not self.lock.is_first or member.rank not in there.ranks:
                self.joined = True
                with locks.changing(self.folder):
                    there = manifests.read(self.folder) or there  # other ranks may have joined
                    ranks = tuple(sorted({*there.ranks, member.rank}))
                    joined = there._replace(ranks=ranks, ended_ns=0, boot_id="")
                    manifests.write(self.folder, joined)
                return joined
        elif not self.lock.is_first:
            raise FileExistsError(EEXIST, os.strerror(EEXIST))
        if there is not None and not replace:
            raise FileExistsError(EEXIST, os.strerror(EEXIST))
        if foreign := [name for name in foreign if is_in_the_way(name)]:
            raise _refused(
                f"{self.folder}/{foreign[0]} is in the way and is not of a recording: choose another folder"
            )
        manifest = Manifest(os.urandom(8).hex(), limits)
        if member is not None:
            manifest = manifest._replace(job=member.job, ranks=(member.rank,))
        self._old_segments = [name for name in ours if name != layout.MANIFEST] if replace else []
        if there is not None:
            with open(f"{self.folder}/{layout.MANIFEST}", "rb") as file:  # noqa: PTH123
                self._old = file.read()
        manifests.write(self.folder, manifest, is_new=there is None)
        return manifest

    def keep(self) -> None:
        """Delete the files of the recording that it replaces."""
        for name in self._old_segments:
            with suppress(FileNotFoundError):
                os.unlink(f"{self.folder}/{name}")  # noqa: PTH108  pathlib takes 8 ms to import
        self._old, self._old_segments = None, []

    def undo(self) -> None:
        """Restore the folder, and release it."""
        with suppress(OSError):
            if not self.joined and self.lock.is_last():
                for name in contents(self.folder)[0]:
                    if name not in self._old_segments and (name != layout.MANIFEST or self._old is None):
                        os.unlink(f"{self.folder}/{name}")  # noqa: PTH108
                if self._old is not None:
                    manifests.write(self.folder, self._old)
        self.lock.release()
        remove_empty(self._made)

    def end(self) -> None:
        """Write that the recording has ended, unless other ranks still record, and release the folder."""
        if self.lock.is_last():
            manifests.end(self.folder, self.manifest.identity)
        self.lock.release()

    def release(self) -> None:
        """Release the folder without ending the recording, because child processes may still record.

        If the recording was deleted, remove its empty folder, unless that existed empty before.
        """
        self.lock.release()
        if self._is_our_folder:
            with suppress(OSError):
                os.rmdir(self.folder)  # noqa: PTH106


def begin(
    folder: str,
    *,
    replace: bool = False,
    limits: tuple[int, str] = (MAX_BYTES, "stop"),
    member: Member | None = None,
) -> PendingRecording:
    """Make an empty recording in a folder, or join the one of this job's other ranks.

    Raises:
        RecordingError: The folder holds a recording and `replace` is false, or a foreign file in the way; it cannot be
            written; or a limit is wrong.
    """
    max_bytes, when_full = limits
    if max_bytes < MIN_BYTES:
        raise RecordingError(f"max_bytes={max_bytes} is too little for a recording: give {MIN_BYTES} or more")
    if when_full not in WHEN_FULL:
        raise RecordingError(f"when_full={when_full!r}: choose one of {', '.join(WHEN_FULL)}")
    try:
        return PendingRecording(folder, RecordingLimits(max_bytes, when_full), member, replace=replace)
    except locks.LockedError as error:
        raise _refused(
            f"cannot record into {folder}: {error.strerror}; wait for its end or choose another folder"
        ) from None
    except locks.ForeignLockError as error:
        raise _refused(f"cannot record into {folder}: {error.strerror}; choose another folder") from None
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


def _refused(text: str) -> RecordingError:
    error = RecordingError(text)
    error.refused = True
    return error


def contents(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of a recording's own files in a folder, and of all others but its lock."""
    ours: list[str] = []
    foreign: list[str] = []
    for name in sorted(os.listdir(folder)):  # noqa: PTH208
        path = f"{folder}/{name}"
        if _is_segment(path, name) or _is_manifest(path, name):
            ours.append(name)
        elif not (name.startswith(".workbench") and name.endswith(".lock") and locks.is_lock(path)):
            foreign.append(name)
    return ours, foreign


def delete(folder: str) -> None:
    """Delete a recording's own files, and nothing else.

    Raises:
        OSError: One cannot be deleted.
    """
    for name in contents(folder)[0]:
        os.unlink(f"{folder}/{name}")  # noqa: PTH108


def is_in_the_way(name: str) -> bool:
    """Return whether a file of this name would be read as one of a recording."""
    return name == layout.MANIFEST or name.endswith(layout.SUFFIX)


def _is_segment(path: str, name: str) -> bool:
    key, dash, rest = name.removesuffix(layout.SUFFIX).rpartition("-")
    pid, _, start = key.partition("-")
    named = (
        name.endswith(layout.SUFFIX)
        and dash
        and pid.isascii()
        and pid.isdigit()
        and 0 < len(start) <= 20
        and not set(start) - set("0123456789abcdef")
        and rest[:1] in ("e", "m", "s", "t")
        and len(rest) >= 5
        and rest[1:].isascii()
        and rest[1:].isdigit()
    )
    if not named:
        return False
    # A process that was killed while it made the file left it empty or with zeros.
    begin = head(path, layout.HEADER_SIZE)
    return begin is not None and _magic(begin) in (layout.MAGIC, b"", bytes(len(layout.MAGIC)))


def _magic(start: bytes) -> bytes:
    """Return the first bytes of a segment, which may be compressed."""
    if not start.startswith(layout.GZIP):
        return start[: len(layout.MAGIC)]
    import zlib  # not needed by programs that record

    try:
        return zlib.decompressobj(wbits=31).decompress(start, len(layout.MAGIC))
    except zlib.error:
        return layout.GZIP


def _is_manifest(path: str, name: str) -> bool:
    unfinished = name.startswith(f".{layout.MANIFEST}.")
    if name != layout.MANIFEST and not unfinished:
        return False
    content = head(path, manifests.MAX_SIZE)
    return content is not None and manifests.is_ours(content)


def head(path: str, size: int) -> bytes | None:
    """Return the first bytes of a regular file; None if it is none or cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.pread(file, size, 0) if stat.S_ISREG(os.fstat(file).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(file)


def make_folders(folder: str) -> list[str]:
    """Make a folder that only this user may enter, and missing parents; return those that were made, innermost first.

    Raises:
        OSError: One cannot be made, or is a file.
    """
    missing: list[str] = []
    at = folder
    while at and not os.path.isdir(at):  # noqa: PTH112
        missing.append(at)
        above = os.path.dirname(at)  # noqa: PTH120
        if above == at:
            break
        at = above
    made: list[str] = []
    try:
        for path in reversed(missing):
            try:
                os.mkdir(path, 0o700)  # noqa: PTH102
            except FileExistsError:
                if not os.path.isdir(path):  # noqa: PTH112  another process was faster
                    raise
                continue
            made.insert(0, path)
    except BaseException:
        remove_empty(made)
        raise
    return made


def remove_empty(folders: list[str]) -> None:
    """Remove empty folders, the innermost first."""
    for path in folders:
        try:
            os.rmdir(path)  # noqa: PTH106
        except OSError:
            return
