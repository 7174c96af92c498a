"""Output folders: a manifest names the files that are ours, and nothing else is ever replaced or deleted.

The manifest, `.workbench.json`, has the SHA-256 of each file that was written into its folder. A file that is not
named there, or has changed since, belongs to somebody else. In a folder that an earlier version wrote there is no
manifest: its names count as ours where index.html bears our mark and they are no younger than it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.scopes import _folder, _lock
from workbench.scopes._job import Member

MANIFEST = ".workbench.json"
PAGE = "index.html"
FORMAT, VERSION = "workbench outputs", 1
MAX_BYTES = 1 << 24
"""Of a manifest that is read: one names some hundred thousand files then."""
MARK = b'<meta name="generator" content="workbench '
MARK_WITHIN = 1 << 16
"""Bytes of a page in which its mark stands."""
SUMMARY = "profile.json"
AFTER_PAGE_NS = 2_000_000_000
"""An earlier version wrote its summary right behind its page: it is as much younger at most."""
ANOTHER_FOLDER = "choose another folder with -o"
ANOTHER_FILE = "choose another name, or delete it"


class InTheWayError(InvalidInputError):
    """A file that is not ours is where one of ours would go."""


class OutputFolder:
    """A folder that this process alone writes to, from `with` to its end.

    Args:
        folder: Where to write; made, for this user alone, if it is not there.
        planned: Names that may be written, with slashes: nothing of them may be somebody else's.
        recordings: Names of folders with recordings that may be replaced.
        folders: Names of folders in which files of any name may be written.
        member: The job and rank of this process, where its ranks write together.

    Raises:
        InvalidInputError: Something that is not ours is in the way, or another process is writing there.
        WorkbenchError: The folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        planned: Iterable[str] = (),
        *,
        recordings: Iterable[str] = (),
        folders: Iterable[str] = (),
        member: Member | None = None,
    ) -> None:
        # Links stay, as in the recorder; a program may change the working folder meanwhile.
        self.path = Path(os.path.abspath(folder))  # noqa: PTH100
        self.member = member
        self.named = folder
        """The folder as it was named, for messages and for the paths of files."""
        self._token = os.urandom(8).hex()
        self._pid = os.getpid()
        self._empty: set[str] = set()
        """Folders for recordings that were there, and empty."""
        try:
            self._made = _folder.make_folders(str(self.path))
            try:
                self.lock = _lock.FolderLock(str(self.path), member)
            except BaseException:
                _folder.remove_empty(self._made)
                raise
        except _lock.LockedError as error:
            raise InvalidInputError(
                f"cannot write to {folder}: {error.strerror}; wait for its end or {ANOTHER_FOLDER}"
            ) from None
        except _lock.InTheWayError as error:
            raise InTheWayError(f"cannot write to {folder}: {error.strerror}; {ANOTHER_FOLDER}") from None
        except OSError as error:
            raise _unwritable(folder, error) from None
        try:
            self._check(planned, recordings, folders)
            self.lock.share()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is unfinished, and give the folder up; one that was made for nothing is removed."""
        if self._pid != os.getpid():  # a forked child leaves it to its parent
            return
        with contextlib.suppress(OSError, InTheWayError):
            self._remove_unfinished([self._token])
            if self._token in _Files.read(self.path).unfinished:
                self._change(lambda files: files.unfinished.remove(self._token))
        self.lock.release()
        _folder.remove_empty(self._made)

    def _check(self, planned: Iterable[str], recordings: Iterable[str], folders: Iterable[str]) -> None:
        with _lock.changing(str(self.path)):  # other ranks of this job may be writing
            self._refuse_foreign(planned, recordings, folders)
        files = _Files.read(self.path)
        if files.unfinished and self.lock.is_first:  # what a killed process left
            self._remove_unfinished(files.unfinished)
            self._change(lambda files: files.unfinished.clear())

    def _refuse_foreign(
        self, planned: Iterable[str], recordings: Iterable[str], folders: Iterable[str]
    ) -> None:
        files = _Files.read(self.path)
        for name in planned:
            if files.is_in_the_way(name):
                raise self._in_the_way(name)
        for name in recordings:
            if (self.path / name).is_dir() and not any((self.path / name).iterdir()):
                self._empty.add(name)  # somebody else's
            foreign = foreign_in_recording(self.path / name)
            if files.is_link_on_way(name) or foreign is not None:
                raise self._in_the_way(f"{name}/{foreign}" if foreign else name)
        for folder in folders:
            if files.is_link_on_way(folder):
                raise self._in_the_way(folder)
            for path in sorted((self.path / folder).rglob("*")):
                name = path.relative_to(self.path).as_posix()
                if not path.is_dir() and files.is_in_the_way(name):
                    raise self._in_the_way(name)

    def _in_the_way(self, name: str) -> InTheWayError:
        return InTheWayError(
            f"{self.named / name} is in the way and was not written by workbench: {ANOTHER_FOLDER}"
        )

    def make(self) -> None:
        """Make the folder again, where the program has deleted it, and note what unfinished files are called.

        Raises:
            OSError: It cannot be written.
        """
        _folder.make_folders(str(self.path))
        if self._token not in _Files.read(self.path).unfinished:
            self._change(lambda files: files.unfinished.append(self._token))

    def unfinished(self, name: str) -> Path:
        """Return a new empty file, for this user alone, to be written by whatever means and then kept as `name`.

        Raises:
            OSError: It cannot be made.
        """
        self.make()
        path = self.path / f"{_prefix(self._token)}{os.urandom(4).hex()}-{name.rpartition('/')[2]}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return path

    def keep(self, unfinished: Path, name: str) -> Path:
        """Give a finished file its name, in place of an earlier one of ours; return it.

        Raises:
            InTheWayError: Something that is not ours has come in the way.
            OSError: It cannot be written.
        """
        target = self.path / name
        if not self.path.is_dir():
            raise FileNotFoundError(2, os.strerror(2), str(self.path))
        with _lock.changing(str(self.path)):
            files = _Files.read(self.path)
            if files.is_in_the_way(name):
                raise self._in_the_way(name)
            made = _folder.make_folders(str(target.parent))
            files.folders += [str(Path(each).relative_to(self.path)) for each in made]
            files.place(unfinished, name)
        return self.named / name

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file whole, or not at all; return it. See `keep` for what it raises."""
        path = self.unfinished(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return self.keep(path, name)

    def remove(self, name: str) -> None:
        """Delete a file, if it is ours.

        Raises:
            OSError: It cannot be deleted.
        """
        if os.path.lexists(self.path / name):
            self._change(lambda files: files.remove(name))

    def remove_below(self, folder: str) -> None:
        """Delete the files in a folder below this one that are ours, and those folders of ours that are empty then."""
        if not os.path.lexists(self.path / folder):
            return

        def removed(files: _Files) -> None:
            for name in [name for name in files.digests if name.startswith(f"{folder}/")]:
                files.remove(name)

        self._change(removed)

    def remove_recording(self, name: str) -> None:
        """Delete the files of a recording, and its folder if nothing else is in it."""
        folder = self.path / name
        with contextlib.suppress(OSError):
            _folder.delete(str(folder))
            if name not in self._empty:
                folder.rmdir()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a new folder, for what others write under names of theirs; see `take_in`."""
        self.make()
        folder = self.path / f"{_prefix(self._token)}{os.urandom(4).hex()}"
        folder.mkdir(0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # its name is ours alone

    def take_in(self, scratch: Path, below: str = "") -> list[str]:
        """Keep each file of a scratch folder, in a folder below this one; return those that were in the way.

        Raises:
            OSError: One cannot be written.
        """
        left: list[str] = []
        for path in sorted(scratch.rglob("*")):
            name = "/".join(part for part in (below, path.relative_to(scratch).as_posix()) if part)
            if path.is_symlink() or not path.is_file():
                continue
            try:
                self.keep(path, name)
            except InTheWayError as error:
                left.append(str(error))
        return left

    def _change(self, change: Callable[[_Files], None]) -> None:
        with _lock.changing(str(self.path)):
            files = _Files.read(self.path)
            change(files)
            files.save()

    def _remove_unfinished(self, tokens: Iterable[str]) -> None:
        prefixes = tuple(map(_prefix, tokens))
        if not prefixes or not self.path.is_dir():
            return
        with os.scandir(self.path) as entries:
            left = [entry.path for entry in entries if entry.name.startswith(prefixes)]
        for path in left:
            if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
                shutil.rmtree(path, ignore_errors=True)  # its name is ours alone
            else:
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108


def _prefix(token: str) -> str:
    return f".workbench-{token}-"


def _unwritable(folder: Path, error: OSError) -> WorkbenchError:
    is_file = os.path.lexists(folder) and not folder.is_dir()
    reason = "it is a file" if is_file else error.strerror or error
    return WorkbenchError(f"cannot write to {folder}: {reason}; {ANOTHER_FOLDER}")


def foreign_in_recording(folder: Path) -> str | None:
    """Return the name of something in a recording's folder that is not ours, "" if that is the folder; or None."""
    if folder.is_symlink():
        return ""
    try:
        _, foreign = _folder.contents(str(folder))
    except FileNotFoundError:
        return None
    except OSError:
        return ""
    return foreign[0] if foreign else None


def held(
    folder: Path | OutputFolder, planned: Iterable[str]
) -> contextlib.AbstractContextManager[OutputFolder]:
    """Return a folder to write to, for a block: one that is held already, or one that is held for the block."""
    if isinstance(folder, OutputFolder):
        return contextlib.nullcontext(folder)
    return OutputFolder(folder, planned)


def check_export(path: Path) -> Path:
    """Return the file that a user's name stands for: a new one, one of ours, or a device or a pipe. Links are followed.

    Raises:
        InTheWayError: It is somebody else's.
    """
    path = Path(os.path.realpath(path))
    if path.is_file() and not _Files.read(path.parent).owns(path.name):
        raise InTheWayError(f"{path.name} in {path.parent} was not written by workbench: {ANOTHER_FILE}")
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
    part = target.with_name(f"{_prefix(os.urandom(8).hex())}{target.name}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        write(part)
        with _lock.changing(str(target.parent)):
            check_export(target)
            _Files.read(target.parent).place(part, target.name)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


class _Files:
    """What a folder's manifest says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest = folder / _lock.own_name(MANIFEST, folder.stat())
        except OSError:  # it is gone
            self.manifest = folder / MANIFEST
        self.digests: dict[str, list[str]] = {}
        """Of each file: the digest of what was written last, and, where that was interrupted, of what it replaces."""
        self.folders: list[str] = []
        """Those that were made in the folder."""
        self.unfinished: list[str] = []
        """What the names of unfinished files begin with, behind `.workbench-`."""
        self._page_ns: int | None = None
        """Without a manifest: when the page of an earlier version was written."""

    @classmethod
    def read(cls, folder: Path) -> _Files:
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
        content = _folder.head(str(path), MAX_BYTES)
        try:
            facts = _facts(content)
            found.digests = {
                str(name): [str(digest) for digest in digests] for name, digests in facts["files"].items()
            }
            found.folders = list(map(str, facts.get("folders", ())))
            found.unfinished = (
                []
                if of_other
                else [
                    text
                    for text in map(str, facts.get("unfinished", ()))
                    if len(text) == 16 and text.isalnum()
                ]
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InTheWayError(
                f"{path} is in the way and was not written by workbench: choose another folder"
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
        """Return whether a file is there that we wrote, and nobody has changed since."""
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


def _is_manifest(path: Path) -> bool:
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        return bool(_facts(_folder.head(str(path), MAX_BYTES)))
    return False


def _facts(content: bytes | None) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(content or b"")
    if facts["format"] != FORMAT:
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
    content = _folder.head(str(page), MARK_WITHIN)
    return page.lstat().st_mtime_ns if content is not None and MARK in content else 0


def _is_summary(path: Path) -> bool:
    try:
        facts = json.loads(_folder.head(str(path), MAX_BYTES) or b"")
    except (ValueError, RecursionError):
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
            f"{target} is in the way and was not written by workbench: {ANOTHER_FOLDER}"
        ) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise
        finished.rename(target)
    else:
        finished.unlink()
