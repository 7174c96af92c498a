"""The manifest of a folder: which files are ours, and how a finished file gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from workbench import records
from workbench.errors import InvalidInputError, Remedy
from workbench.scopes import locks, recording_folder

MANIFEST = ".workbench.json"
PAGE = "index.html"
FORMAT, VERSION = "workbench outputs", 1
MAX_BYTES = 1 << 24
"""Of a manifest that is read: one names some hundred thousand files then."""
MARK = b'<meta name="generator" content="workbench '
MARK_WITHIN = 1 << 16
"""Bytes at the start of a page that are searched for the mark."""
SUMMARY = "profile.json"
AFTER_PAGE_NS = 2_000_000_000
"""Nanoseconds by which an earlier version's summary is younger than its page, at most."""


class InTheWayError(InvalidInputError):
    """A file that is not ours is where one of ours would go."""


def prefix(token: str) -> str:
    """Return what the names of one writer's unfinished files begin with."""
    return f".workbench-{token}-"


class Files:
    """The manifest of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest = folder / locks.own_name(MANIFEST, folder.stat())
        except OSError:  # it is gone
            self.manifest = folder / MANIFEST
        self.digests: dict[str, list[str]] = {}
        """Of each file: the digest of what was written last, and, where that was interrupted, of what it replaces."""
        self.folders: list[str] = []
        """Those that were made in the folder."""
        self.unfinished: list[str] = []
        """What the names of unfinished files begin with, after `.workbench-`."""
        self._page_ns: int | None = None
        """Without a manifest: when the page of an earlier version was written."""

    @classmethod
    def read(cls, folder: Path) -> Files:
        """Read a folder's manifest.

        Raises:
            InTheWayError: Something else has its name.
        """
        found = cls(folder)
        path = found.manifest
        of_other = not os.path.lexists(path) and path.name != MANIFEST and _is_manifest(folder / MANIFEST)
        if of_other:
            path = (
                folder / MANIFEST
            )  # that of the folder's user, whose files may be replaced by their digests
        if not os.path.lexists(path):
            found._page_ns = max(
                (_page_ns(each) for each in (folder / PAGE, folder.parent / PAGE)), default=0
            )
            if not _page_ns(folder / PAGE):
                found._page_ns = None
            return found
        content = recording_folder.head(str(path), MAX_BYTES)
        try:
            facts = _facts(content)
            found.digests = {name: digests for name, digests in facts.files.items() if _is_below(name)}
            found.folders = [name for name in facts.folders if _is_below(name)]
            if not of_other:  # whose writer may be at work
                found.unfinished = [
                    token for token in facts.unfinished if len(token) == 16 and token.isalnum()
                ]
        except ValueError:
            raise InTheWayError(
                f"{path} is in the way and was not written by workbench", remedy=Remedy.ANOTHER_FOLDER
            ) from None
        return found

    def is_link_on_way(self, name: str) -> bool:
        """Return whether a folder above a name, or the name, is a link or no folder."""
        parts = name.split("/")
        above = [self.folder.joinpath(*parts[:i]) for i in range(1, len(parts))]
        return (
            any(os.path.lexists(path) and (path.is_symlink() or not path.is_dir()) for path in above)
            or (self.folder / name).is_symlink()
        )

    def is_in_the_way(self, name: str) -> bool:
        """Return whether something that is not ours is where a file would go."""
        if self.is_link_on_way(name):
            return True
        return os.path.lexists(self.folder / name) and not self.owns(name)

    def owns(self, name: str) -> bool:
        """Return whether we wrote the file, and it has not changed since."""
        if self.is_link_on_way(name):
            return False
        path = self.folder / name
        try:
            facts = path.lstat()
        except OSError:
            return False
        if not stat.S_ISREG(facts.st_mode):
            return False
        if self._page_ns is not None:
            later_ns = AFTER_PAGE_NS if name == SUMMARY and _is_summary(path) else 0
            return facts.st_mtime_ns <= self._page_ns + later_ns
        return name in self.digests and digest_of(path) in self.digests[name]

    def place(self, finished: Path, name: str) -> None:
        """Give a finished file its name, which is free or a file of ours, and note it."""
        target = self.folder / name
        digest = digest_of(finished)
        before = digest_of(target) if self.owns(name) else None
        self._take_over()
        # Both are noted first, so that after a kill the file is ours whichever it is.
        self.digests[name] = [digest] if before is None else [digest, before]
        self.save()
        if before is None:
            _link(finished, target)
        else:
            finished.replace(target)
            self.digests[name] = [digest]
            self.save()

    def remove(self, name: str) -> None:
        """Delete a file, if it is ours, and the folders of ours that are empty then."""
        if self.owns(name):
            (self.folder / name).unlink()
        self.digests.pop(name, None)
        above = name.rpartition("/")[0]
        while above in self.folders:
            try:
                (self.folder / above).rmdir()
            except OSError:
                return
            self.folders.remove(above)
            above = above.rpartition("/")[0]

    def _take_over(self) -> None:
        """Note what an earlier version wrote, so that it is still ours when there is a manifest."""
        if self._page_ns is None:
            return
        for path in sorted(self.folder.iterdir()):
            if path.name in _OF_EARLIER_VERSION and self.owns(path.name):
                self.digests[path.name] = [digest_of(path)]
        self._page_ns = None

    def save(self) -> None:
        """Write the manifest whole."""
        self._take_over()
        if not (self.digests or self.folders or self.unfinished):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.manifest)  # noqa: PTH108
            return
        facts = {
            "format": FORMAT,
            "version": VERSION,
            "files": self.digests,
            "folders": sorted(set(self.folders)),
            "unfinished": self.unfinished,
        }
        handle, part = tempfile.mkstemp(prefix=f"{MANIFEST}.", dir=self.folder)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(facts, file, indent=1)
            os.replace(part, self.manifest)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)  # noqa: PTH108
            raise


def _is_below(name: str) -> bool:
    """Return whether a name leads to a place in the folder: a manifest may come from anywhere."""
    return not {"", ".", ".."} & set(name.split("/"))


def _is_manifest(path: Path) -> bool:
    with contextlib.suppress(ValueError):
        return bool(_facts(recording_folder.head(str(path), MAX_BYTES)))
    return False


class _Manifest(msgspec.Struct):
    format: str
    files: dict[str, list[str]]
    folders: list[str] = []
    unfinished: list[str] = []


def _facts(content: bytes | None) -> _Manifest:
    facts = records.parse(content or b"", _Manifest)
    if facts.format != FORMAT:
        raise ValueError("it is another program's")
    return facts


_KINDS = ("speedscope.json", "folded", "trace.json", "svg")
_OF_EARLIER_VERSION = frozenset(
    [f"{part}.{kind}" for part in ("scopes", "samples") for kind in _KINDS]
    + [f"{part}-time-order.svg" for part in ("profile", "scopes", "samples")]
    + ["py-spy.chrometrace.json", "pyinstrument.json", "profile.json", "cost.json", PAGE]
    + ["history.json", "fit.png", "difference.svg"]
)
"""Fixed names that it wrote into the folders of profiles and pages."""


def _page_ns(page: Path) -> int:
    """Return when a page that bears our mark was written; 0 where there is none."""
    content = recording_folder.head(str(page), MARK_WITHIN)
    return page.lstat().st_mtime_ns if content is not None and MARK in content else 0


def _is_summary(path: Path) -> bool:
    try:
        facts = records.scan(recording_folder.head(str(path), MAX_BYTES) or b"")
    except ValueError:
        return False
    return isinstance(facts, dict) and {"program", "returncode", "sampler", "scope_totals"} <= facts.keys()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _link(finished: Path, target: Path) -> None:
    """Give a file a name that is free. What has taken it meanwhile stays."""
    try:
        os.link(finished, target, follow_symlinks=False)
    except FileExistsError:
        raise InTheWayError(
            f"{target} is in the way and was not written by workbench", remedy=Remedy.ANOTHER_FOLDER
        ) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise
        finished.rename(target)
    else:
        finished.unlink()


def check_export(path: Path) -> Path:
    """Return the file that a user's name stands for: a new one, one of ours, or a device or a pipe. Links are followed.

    Raises:
        InTheWayError: It was not written by workbench.
    """
    path = Path(os.path.realpath(path))
    if path.is_file() and not Files.read(path.parent).owns(path.name):
        raise InTheWayError(
            f"{path.name} in {path.parent} was not written by workbench: choose another name, or delete it"
        )
    return path


def export(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that a user names, whole or not at all; its mode is as the user's umask says.

    Args:
        path: Where to: a new file, one that was written like this before, or a device or a pipe.
        write: Writes to the file that it is given.

    Raises:
        InTheWayError: The file that is there is not ours.
        OSError: It cannot be written.
    """
    target = check_export(path)
    if target.is_dir():
        raise IsADirectoryError(21, os.strerror(21))
    if target.exists() and not target.is_file():
        write(target)
        return
    part = target.with_name(f"{prefix(os.urandom(8).hex())}{target.name}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        write(part)
        with locks.changing(str(target.parent)):
            check_export(target)
            Files.read(target.parent).place(part, target.name)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
