"""A side of a comparison: one profile, or a folder with several of one program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.capture.command import split
from workbench.capture.load import RECORDING
from workbench.errors import InvalidInputError, Remedy
from workbench.eventlog import is_recording
from workbench.profile import Profile
from workbench.report.profile.run import ProfileRun, duration_ns, is_profile_folder, read_run
from workbench.report.profile.sampled import shares_by_time
from workbench.report.profile.summary import SUMMARY, Summary, read_summary


@dataclass(frozen=True)
class MemberProfile:
    """One profile of a side."""

    path: Path
    wall_ns: int
    """How long the program ran, or what the profile covers."""
    spans: Profile | None
    samples: Profile | None
    by_time: bool
    """Whether shares of samples are of the time that they stand for."""
    warnings: tuple[str, ...]

    def has(self, of: str) -> bool:
        """Return whether there is anything of its spans or samples."""
        profile = self.spans if of == "spans" else self.samples
        return profile is not None and any(
            len(part) for track in profile.tracks if (part := getattr(track, of)) is not None
        )


@dataclass(frozen=True)
class ProfileSet:
    """The profiles of a side, in order of name."""

    path: Path
    members: tuple[MemberProfile, ...]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.members)


def read_set(path: Path) -> ProfileSet:
    """Read a profile of any kind, or a folder of profile folders and recordings.

    Profiles of programs that failed or were interrupted are left out of a set, with a warning.

    Raises:
        InvalidInputError: It is none of these, or one is damaged.
    """
    if not path.is_dir() or _is_profile(path):
        return ProfileSet(path, (_member(path),))
    folders = sorted((each for each in path.iterdir() if _is_profile(each)), key=_natural)
    finished = [each for each in folders if _is_finished(each)]
    if not finished:
        return ProfileSet(path, (_member(path),))  # which says what is missing
    left = [each.name for each in folders if each not in finished]
    warnings = [f"{path / name} is of a run that failed, and is left out" for name in left]
    return ProfileSet(path, tuple(_member(each) for each in finished), tuple(warnings))


def _member(path: Path) -> MemberProfile:
    run: ProfileRun = read_run(path)
    if run.allocations is not None:
        raise InvalidInputError(
            f"{path} is a profile of memory, whose times are those of a traced program: compare profiles of time, or "
            "the bytes that workbench show prints as JSON"
        )
    known = [each for each in (run.scopes, run.samples) if each is not None]
    warnings = dict.fromkeys(line for each in known for line in each.file.warnings)
    return MemberProfile(
        path, duration_ns(run), run.scopes, run.samples, shares_by_time(run.sampler), tuple(warnings)
    )


def _is_profile(path: Path) -> bool:
    return path.is_dir() and (is_profile_folder(path) or is_recording(path) or is_recording(path / RECORDING))


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _is_finished(path: Path) -> bool:
    """Return whether a program ran to its good end, as far as is known: a recording alone does not say."""
    summary = path / SUMMARY
    return is_recording(path) or (summary.is_file() and not read_summary(summary).returncode)


def pending(folder: Path, count: int, program: Sequence[str]) -> list[int]:
    """Return the numbers of the profiles 1 to `count` that a folder lacks.

    Raises:
        InvalidInputError: It has all of them, or profiles that are not of this program as it is now.
    """
    if (folder / SUMMARY).exists() or is_recording(folder / RECORDING):
        raise InvalidInputError(
            f"{folder} is one profile, not a folder of several", remedy=Remedy.ANOTHER_FOLDER
        )
    missing, changed_ns = [], _changed_ns(program)
    for number in range(1, count + 1):
        summary = folder / str(number) / SUMMARY
        if not summary.is_file() or (known := read_summary(summary)).returncode:
            missing.append(number)
        elif problem := _other(known, program, summary, changed_ns):
            raise InvalidInputError(f"{folder / str(number)} {problem}", remedy=Remedy.ANOTHER_FOLDER)
    if not missing:
        raise InvalidInputError(f"{folder} has all {count} profiles already", remedy=Remedy.ANOTHER_FOLDER)
    return missing


def _other(known: Summary, program: Sequence[str], summary: Path, changed_ns: int) -> str:
    """Return by what a finished profile differs from those that are to be made, or nothing."""
    if known.program != list(program):
        return f"is a profile of {' '.join(known.program)}"
    if changed_ns > summary.stat().st_mtime_ns:
        return f"is a profile of an earlier {split(program).target}, which has changed since"
    return ""


def _changed_ns(program: Sequence[str]) -> int:
    """Return when a script was last changed, and 0 for what is none."""
    command = split(program)
    script = Path(command.target)
    return script.stat().st_mtime_ns if command.kind == "script" and script.is_file() else 0
