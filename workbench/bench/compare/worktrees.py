"""Revisions of a git repository, each in a working tree of its own, removed at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.bench.run.experiment import orderly_end
from workbench.errors import InvalidInputError

# The user's hooks are made for the user's checkouts, a monitor would outlive the trees that it watches, and to look
# at a checkout's state shall not write its index.
QUIET = (
    "--no-optional-locks",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "advice.detachedHead=false",
)


@dataclass(frozen=True)
class Revision:
    """A commit, and what the user called it."""

    name: str
    commit: str
    subject: str

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self.commit[:7]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints.

    Raises:
        InvalidInputError: It fails, or there is no git; with its own words.
    """
    # A hook, from which this may be called, points git to one repository by these.
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _harmless(name)
    }
    try:
        run = subprocess.run(
            ["git", *QUIET, "-C", str(folder), *arguments],  # noqa: S607  the user's git, as in the user's shell
            env=ours | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise InvalidInputError(
            "revisions are compared with git, which is not installed: install it"
        ) from None
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        raise InvalidInputError(f"git {arguments[0]} failed in {folder}: {lines[-1].removeprefix('fatal: ')}")
    return run.stdout.strip()


def _harmless(name: str) -> bool:
    return name.startswith(("GIT_CONFIG", "GIT_SSH", "GIT_TRACE", "GIT_EXEC_PATH", "GIT_SSL", "GIT_LFS"))


def repository_of(path: Path) -> Path | None:
    """Return the top folder of the checkout that a path, which need not exist, lies in; None where it is in none.

    Raises:
        InvalidInputError: There is one, and git refuses to read it.
    """
    folder = path.resolve()
    if not any((each / ".git").exists() for each in (folder, *folder.parents)):
        return None
    while not folder.is_dir():
        folder = folder.parent
    return Path(git(folder, "rev-parse", "--show-toplevel"))


def find_revision(repository: Path, name: str) -> Revision:
    """Return the commit that a name stands for.

    Raises:
        InvalidInputError: It stands for none here.
    """
    try:
        commit = git(repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    except InvalidInputError:
        shallow = git(repository, "rev-parse", "--is-shallow-repository") == "true"
        remedy = "fetch it (the clone is shallow)" if shallow else "name a commit, a branch or a tag"
        raise InvalidInputError(f"unknown revision {name!r} in {repository}: {remedy}") from None
    return Revision(name, commit, git(repository, "log", "-1", "--no-show-signature", "--format=%s", commit))


def changed_files(repository: Path) -> int:
    """Return how many tracked files differ from what is committed."""
    return len(git(repository, "status", "--porcelain", "--untracked-files=no").splitlines())


@contextlib.contextmanager
def worktrees(repository: Path, commits: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Check each commit out into a folder of its own, by name, and remove them all at the end, however it comes.

    The user's checkout, index and branches are left alone.

    Raises:
        InvalidInputError: git cannot check a commit out.
    """
    with orderly_end():
        folder = Path(tempfile.mkdtemp(prefix="workbench-compare-")).resolve()
        trees = {name: folder / name for name in commits}
        try:
            for name, commit in commits.items():
                git(repository, "worktree", "add", "--detach", str(trees[name]), commit)
            yield trees
        finally:
            with _undisturbed():
                for tree in trees.values():
                    _remove(repository, tree)
                shutil.rmtree(folder, ignore_errors=True)


def _remove(repository: Path, tree: Path) -> None:
    """Remove a tree and git's note of it, and no other's: `git worktree prune` would take those of absent disks."""
    for _ in range(2):
        try:
            git(repository, "worktree", "remove", "--force", "--force", str(tree))
        except InvalidInputError:  # it was never added, or git did not get its files away
            shutil.rmtree(tree, ignore_errors=True)
        else:
            return


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C cut the removal short; git, started in between, inherits that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
