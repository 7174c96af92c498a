"""Retention by count: of the experiments beside a new one the newest are kept, and only what is ours is deleted."""

from __future__ import annotations

import contextlib
from pathlib import Path

from workbench.bench.design.suite import folder_names
from workbench.bench.results.results import FILE, RECORDINGS, Results, read_results
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder

BASELINE = "baseline"
"""What the folder of an experiment is called that is never deleted."""


def older_experiments(new: Path, suite: str, machine: str, keep: int) -> list[Results]:
    """Return the experiments beside a new one that are too many with it, the oldest first.

    Those of another suite or machine do not count. One in a folder called `baseline`, and one that a link beside it
    leads to, is kept whatever its age, and does not count either.

    Args:
        new: The folder of the new experiment, which need not be there yet.
        suite: Its suite.
        machine: Where it is measured.
        keep: How many are kept, the new one among them.
    """
    parent = new.absolute().parent
    links = {path.resolve() for path in parent.iterdir() if path.is_symlink()} if parent.is_dir() else set()
    found = []
    for file in parent.glob(f"*/{FILE}"):
        folder = file.parent
        if folder.is_symlink() or folder.name == BASELINE or folder.resolve() in {*links, new.resolve()}:
            continue
        with contextlib.suppress(InvalidInputError):  # another's, or of a newer version
            found.append(read_results(folder))
    same = [each for each in found if (each.head.suite, each.machine) == (suite, machine)]
    same.sort(key=lambda each: (each.head.started, each.folder.name))
    return same[: max(0, len(same) - (keep - 1))]


def would_delete(new: Path, suite: str, machine: str, keep: int) -> list[str]:
    """Return in lines what `retire` would delete; see `older_experiments`."""
    older = older_experiments(new, suite, machine, keep)
    return [f"would delete {each.folder}" for each in older] or ["would delete no older experiment"]


def retire(new: Results, keep: int) -> list[str]:
    """Delete what is too many beside a new experiment; return in lines what was deleted and what is left.

    The results go last, so that an experiment whose deletion was interrupted is deleted the next time.
    """
    deleted, left = [], []
    for results in older_experiments(new.folder, new.head.suite, new.machine, keep):
        folder = results.folder
        try:
            with OutputFolder(folder) as output:
                for name in folder_names(results.head.variants).values():
                    output.remove_recording(f"{RECORDINGS}/{name}")
                output.remove_all()
                with contextlib.suppress(OSError):
                    (folder / RECORDINGS).rmdir()
                (folder / FILE).unlink()
        except (WorkbenchError, OSError) as error:  # it is being measured, or belongs to another user
            left.append(f"{folder} is kept: {error}")
            continue
        try:
            folder.rmdir()
        except OSError:
            left.append(f"{folder} still has files that workbench did not write")
        deleted.append(folder.name)
    named = f"deleted {len(deleted)} of the oldest experiments: {', '.join(deleted)}"
    return [*([named] if deleted else []), *left]
