"""The tests of a profiled run of pytest: the slowest with their hottest lines, and a profile of each.

A test is a scope with the test's id as its name, outside any other scope.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workbench.bench.design.suite import folder_names
from workbench.capture.program import Capture
from workbench.outputs import OutputFolder
from workbench.profile import (
    ROOT,
    FrameKind,
    HotLine,
    LineSamples,
    Profile,
    between,
    drop_idle,
    keep_tracks,
    without_samples,
)
from workbench.report.profile.files import profile_folder, write_profile_files
from workbench.report.profile.page import PAGE
from workbench.report.profile.summary import SUMMARY
from workbench.text import as_digits, as_rough_share, printable, shown_path

TESTS = "tests"
"""The folder of the profiles of single tests, below that of the run."""
MAX_TESTS, MAX_LINES = 10, 2
MIN_SAMPLES, MIN_SHARE = 5, 0.05
"""A test with fewer samples has no hottest lines; nor is a line with a smaller share of its test's samples one."""


@dataclass(frozen=True)
class ProfiledTest:
    """A test, as often as it ran."""

    name: str
    pids: tuple[int, ...]
    start_ns: int
    end_ns: int
    total_ns: int
    """Of all its runs, with set-up and teardown."""


def tests_of(profile: Profile, names: Collection[str]) -> list[ProfiledTest]:
    """Return the tests of these names that ran, in the order in which they began."""
    of_stack = {
        stack: profile.frames[frame].name
        for stack, (parent, frame) in enumerate(
            zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True)
        )
        if parent == ROOT and profile.frames[frame].kind is FrameKind.SCOPE
    }
    of_stack = {stack: name for stack, name in of_stack.items() if name in names}
    found: dict[str, ProfiledTest] = {}
    for track in profile.tracks:
        if track.spans is None:
            continue
        rows = np.flatnonzero(np.isin(track.spans.stack, list(of_stack)))
        for row in rows.tolist():
            name = of_stack[int(track.spans.stack[row])]
            start, end = int(track.spans.start_ns[row]), int(track.spans.end_ns[row])
            known = found.get(name, ProfiledTest(name, (), start, end, 0))
            found[name] = ProfiledTest(
                name,
                tuple({*known.pids, track.pid}),
                min(known.start_ns, start),
                max(known.end_ns, end),
                known.total_ns + end - start,
            )
    return sorted(found.values(), key=lambda each: each.start_ns)


def slowest_tests(profile: Profile | None, tests: Sequence[ProfiledTest]) -> Iterator[str]:
    """Return lines on the slowest tests: how long each took, and its hottest lines with their share of its samples.

    Args:
        profile: The samples under the scopes; None: there are none.
        tests: From `tests_of`.
    """
    samples = None if profile is None else LineSamples.of(drop_idle(profile))
    for test in sorted(tests, key=lambda each: -each.total_ns)[:MAX_TESTS]:
        yield f"{' '.join(as_digits(test.total_ns)):>9}  {printable(test.name)}"
        for line, share in () if samples is None else _hottest(samples, test.name):
            place = f"{printable(shown_path(line.file))}:{line.line}"
            yield f"{as_rough_share(share):>15}  {place} {printable(line.function)}"


def _hottest(samples: LineSamples, test: str) -> list[tuple[HotLine, float]]:
    """Return a test's hottest lines, each with its share of the test's samples."""
    of_test = [key for key, scopes in enumerate(samples.scopes) if test in scopes]
    counted = sum(int(samples.counts.count[key]) for key in of_test)
    if counted < MIN_SAMPLES:
        return []
    lines = [(line, line.of_all.samples / counted) for line in samples.lines(test)[:MAX_LINES]]
    return [(line, share) for line, share in lines if share >= MIN_SHARE]


def remove_each(folder: Path) -> None:
    """Delete the profiles of single tests that an earlier run has left below its folder.

    Raises:
        InvalidInputError: Another process writes there.
    """
    for old in sorted((folder / TESTS).glob("*/")):
        if (old / SUMMARY).is_file():
            with OutputFolder(old) as output:
                output.remove_below("")
            with contextlib.suppress(OSError):  # there is something else in it
                old.rmdir()
    with contextlib.suppress(OSError):
        (folder / TESTS).rmdir()


def write_each(
    capture: Capture, tests: Sequence[ProfiledTest], progress: Callable[[int], None]
) -> list[Path]:
    """Write a profile of each test into a folder of its own below that of the run; return the folders.

    A profile has what its process did meanwhile, and all other processes if one process ran all tests.

    Args:
        capture: Of the whole run.
        tests: From `tests_of`.
        progress: Called before each, with its number from 0 on.

    Raises:
        InvalidInputError: Something in a folder is in the way.
        WorkbenchError: A folder cannot be written.
    """
    profile = capture.merged if capture.one_clock else capture.scopes
    if profile is None:
        return []
    workers = {pid for test in tests for pid in test.pids}
    folders = folder_names(test.name for test in tests)
    found = []
    for number, test in enumerate(tests):
        progress(number)
        part = between(profile, test.start_ns, test.end_ns)
        if len(workers) > 1:
            part = keep_tracks(part, lambda track, of=test.pids: track.pid in of)  # type: ignore[misc]
        folder = capture.options.folder / TESTS / folders[test.name]
        options = replace(capture.options, folder=folder, output_folder=None)
        with profile_folder(options) as output:
            count = sum(int(t.samples.count.sum()) for t in part.tracks if t.samples is not None)
            write_profile_files(
                replace(
                    capture,
                    options=replace(options, output_folder=output),
                    returncode=0,
                    seconds=(test.end_ns - test.start_ns) / 1e9,
                    sample_count=count,
                    scopes=without_samples(part),
                    merged=part if capture.one_clock else None,
                    warnings=(),
                ),
                title=test.name,
                links=[("all tests", f"../../{PAGE}")],
            )
        found.append(folder)
    return found
