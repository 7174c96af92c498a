"""Revisions in trees of their own: what is the user's is left alone, and what was made is removed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers import projects
from tests.helpers.projects import commit, make_repository, text_of
from workbench.bench.compare.worktrees import changed_files, find_revision, git, repository_of, worktrees
from workbench.errors import InvalidInputError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, and a folder for all that is temporary beside it."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder: Path = make_repository(tmp_path / "repository")
    commit(folder, project=text_of(2.0))
    return folder


def state(repository: Path) -> object:
    """Return all that git and the disk know of a checkout."""
    files = {
        path.relative_to(repository): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(repository.rglob("*"))
        if path.is_file()
    }
    return files, git(repository, "worktree", "list"), sorted(repository.rglob("*"))


def test_both_are_there_and_then_gone(repository: Path, tmp_path: Path) -> None:
    """Each tree holds its commit; afterwards git knows of none, and neither does the disk."""
    commits = {
        name: find_revision(repository, rev).commit for name, rev in {"base": "first", "new": "main"}.items()
    }
    before = git(repository, "worktree", "list")
    with worktrees(repository, commits) as trees:
        assert "SECONDS, ERROR, NAP = 1.0" in (trees["base"] / "project.py").read_text()
        assert "SECONDS, ERROR, NAP = 2.0" in (trees["new"] / "project.py").read_text()
        (trees["new"] / "left.txt").write_text("what a build leaves")
    assert git(repository, "worktree", "list") == before
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("end", [KeyboardInterrupt, InvalidInputError, SystemExit, signal.SIGTERM])
def test_a_dirty_checkout_is_left_as_it_is(
    repository: Path, tmp_path: Path, end: type[BaseException] | signal.Signals
) -> None:
    """However it ends, by Ctrl-C, an error or a request to end: changed, staged and new files are as they were."""
    (repository / "project.py").write_text("changed = True\n")
    (repository / "staged.py").write_text("staged = True\n")
    projects.git(repository, "add", "staged.py")
    (repository / "new.py").write_text("new = True\n")
    (repository / ".git" / "hooks").mkdir(exist_ok=True)
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
    hook.chmod(0o755)
    before = state(repository)
    commits = {"base": find_revision(repository, "first").commit}

    def work() -> None:
        with worktrees(repository, commits):
            assert changed_files(repository) == 2
            if isinstance(end, signal.Signals):
                os.kill(os.getpid(), end)
            else:
                raise end

    with pytest.raises(KeyboardInterrupt if isinstance(end, signal.Signals) else end):
        work()
    assert state(repository) == before
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "hook-ran").exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_worktrees_stay_known(repository: Path, tmp_path: Path) -> None:
    """Git's note of a user's own tree whose disk is away is not pruned along with ours."""
    projects.git(repository, "worktree", "add", "--detach", str(tmp_path / "base"), "first")
    (tmp_path / "base").rename(tmp_path / "away")
    with worktrees(repository, {"base": find_revision(repository, "first").commit}) as trees:
        (trees["base"] / "project.py").unlink()
        (trees["base"] / ".git").unlink()  # what a build can do to its tree
    assert str(tmp_path / "base") in git(repository, "worktree", "list")
    assert len(git(repository, "worktree", "list").splitlines()) == 2


@pytest.mark.parametrize("name", ["nothing", "-1", "--all", "first:project.py", "", "first first"])
def test_an_unknown_revision_is_named(repository: Path, name: str) -> None:
    """What is no commit here is one line with the remedy, whatever its letters."""
    with pytest.raises(
        InvalidInputError, match=r"unknown revision .* name a commit, a branch or a tag"
    ) as caught:
        find_revision(repository, name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["main", "HEAD", "first", "HEAD~1", "main^{/change}"])
def test_a_revision_is_named_as_for_git(repository: Path, name: str) -> None:
    """Branches, tags and whatever git understands name a commit."""
    revision = find_revision(repository, name)
    assert revision.commit.startswith(revision.short)
    assert revision.subject.startswith("change project")


def test_a_shallow_clone_is_told(repository: Path, tmp_path: Path) -> None:
    """In a clone without history, as CI makes it, what is missing is to be fetched."""
    projects.git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    with pytest.raises(
        InvalidInputError, match=r"unknown revision 'HEAD~1' .*: fetch it \(the clone is shallow\)"
    ):
        find_revision(tmp_path / "shallow", "HEAD~1")


def test_a_repository_is_found_from_within(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any path in it, there or not, and also where a hook's variables point elsewhere; outside there is none."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert repository_of(repository / "bench" / "no" / "such") == repository
    assert repository_of(tmp_path) is None
