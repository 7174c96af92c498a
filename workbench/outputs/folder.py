"""A folder that one command writes to: it replaces files of ours only, and no other process writes meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from workbench.errors import InvalidInputError, Remedy, WorkbenchError
from workbench.outputs.files import Files, InTheWayError, prefix
from workbench.scopes import locks, recording_folder
from workbench.scopes.environment import Member


class OutputFolder:
    """A folder that this process alone writes to, from `with` to its end.

    Args:
        folder: Where to write; made, for this user alone, if it is not there.
        planned: Names that may be written, with slashes: another's file of that name is refused.
        recordings: Names of folders with recordings that may be replaced.
        folders: Names of folders in which files of any name may be written.
        member: The job and rank of this process, where its ranks write together.

    Raises:
        InvalidInputError: It is a file, something that is not ours is in the way, or another process is writing there.
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
            self._made = recording_folder.make_folders(str(self.path))
            try:
                self.lock = locks.FolderLock(str(self.path), member)
            except BaseException:
                recording_folder.remove_empty(self._made)
                raise
        except locks.LockedError as error:
            raise InvalidInputError(
                f"cannot write to {folder}: {error.strerror}", remedy=Remedy.WAIT_OR_ANOTHER_FOLDER
            ) from None
        except locks.ForeignLockError as error:
            raise InTheWayError(
                f"cannot write to {folder}: {error.strerror}", remedy=Remedy.ANOTHER_FOLDER
            ) from None
        except OSError as error:
            raise cannot_write(folder, error) from None
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
            if self._token in Files.read(self.path).unfinished:
                self._change(lambda files: files.unfinished.remove(self._token))
        self.lock.release()
        recording_folder.remove_empty(self._made)

    def _check(self, planned: Iterable[str], recordings: Iterable[str], folders: Iterable[str]) -> None:
        with locks.changing(str(self.path)):  # other ranks of this job may be writing
            self._refuse_foreign(planned, recordings, folders)
        files = Files.read(self.path)
        if files.unfinished and self.lock.is_first:  # what a killed process left
            self._remove_unfinished(files.unfinished)
            self._change(lambda files: files.unfinished.clear())

    def _refuse_foreign(
        self, planned: Iterable[str], recordings: Iterable[str], folders: Iterable[str]
    ) -> None:
        files = Files.read(self.path)
        for name in planned:
            if files.is_in_the_way(name):
                raise self._in_the_way(name)
        for name in recordings:
            if (self.path / name).is_dir() and not any((self.path / name).iterdir()):
                self._empty.add(name)  # another's
            foreign = foreign_in_recording(self.path / name)
            if files.is_link_on_way(name) or foreign is not None:
                raise self._in_the_way(f"{name}/{foreign}" if foreign else name)
        for folder in folders:
            if files.is_link_on_way(folder):
                raise self._in_the_way(folder)
            for path in sorted((self.path / folder).rglob("*")):
                name = path.relative_to(self.path).as_posix()
                if (path.is_symlink() or not path.is_dir()) and files.is_in_the_way(name):
                    raise self._in_the_way(name)

    def _in_the_way(self, name: str) -> InTheWayError:
        return InTheWayError(
            f"{self.named / name} is in the way and was not written by workbench",
            remedy=Remedy.ANOTHER_FOLDER,
        )

    def make(self) -> None:
        """Make the folder again, where the program has deleted it, and note what unfinished files are called.

        Raises:
            OSError: It cannot be written.
        """
        recording_folder.make_folders(str(self.path))
        if self._token not in Files.read(self.path).unfinished:
            self._change(lambda files: files.unfinished.append(self._token))

    def unfinished(self, name: str) -> Path:
        """Return a new empty file, for this user alone, to be written by whatever means and then kept as `name`.

        Raises:
            OSError: It cannot be made.
        """
        self.make()
        path = self.path / f"{prefix(self._token)}{os.urandom(4).hex()}-{name.rpartition('/')[2]}"
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
        with locks.changing(str(self.path)):
            files = Files.read(self.path)
            if files.is_in_the_way(name):
                raise self._in_the_way(name)
            made = recording_folder.make_folders(str(target.parent))
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
        """Delete the files in a folder below this one that are ours, and those folders of ours that are empty then.

        Without a name, all files of ours.
        """
        below = f"{folder}/" if folder else ""
        if not os.path.lexists(self.path / folder):
            return

        def removed(files: Files) -> None:
            for name in [name for name in files.digests if name.startswith(below)]:
                files.remove(name)

        self._change(removed)

    def remove_all(self) -> None:
        """Delete all files that are ours by the manifest, and those folders of ours that are empty then."""

        def removed(files: Files) -> None:
            for name in list(files.digests):
                files.remove(name)

        self._change(removed)

    def remove_recording(self, name: str) -> None:
        """Delete the files of a recording, and its folder if nothing else is in it."""
        folder = self.path / name
        with contextlib.suppress(OSError):
            recording_folder.delete(str(folder))
            if name not in self._empty:
                folder.rmdir()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a new folder, for what others write under names of theirs; see `take_in`."""
        self.make()
        folder = self.path / f"{prefix(self._token)}{os.urandom(4).hex()}"
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

    def _change(self, change: Callable[[Files], None]) -> None:
        with locks.changing(str(self.path)):
            files = Files.read(self.path)
            change(files)
            files.save()

    def _remove_unfinished(self, tokens: Iterable[str]) -> None:
        prefixes = tuple(map(prefix, tokens))
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


def cannot_write(folder: Path, error: OSError) -> WorkbenchError:
    """Return the error for a folder, or a file in one, that cannot be written."""
    problem = f"cannot write to {folder}"
    if isinstance(error, FileExistsError | NotADirectoryError):
        for place in (folder, *folder.parents):
            if os.path.lexists(place) and not place.is_dir():
                what = "it" if place == folder else place
                return InvalidInputError(f"{problem}: {what} is a file", remedy=Remedy.ANOTHER_FOLDER)
    return WorkbenchError(f"{problem}: {error.strerror or error}", remedy=Remedy.ANOTHER_FOLDER)


def foreign_in_recording(folder: Path) -> str | None:
    """Return the name of something in a recording's folder that is not ours, "" if that is the folder; or None."""
    if folder.is_symlink():
        return ""
    try:
        _, foreign = recording_folder.contents(str(folder))
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
