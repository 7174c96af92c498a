"""All formats by name: which file is of which, and reading and writing a file of any of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from workbench.errors import InvalidInputError, WorkbenchError, unknown_name
from workbench.formats.source import Source, read_source
from workbench.outputs import export
from workbench.profile import Profile

PIPE = "-"
"""Standard output, in the place of a file."""


@dataclass(frozen=True)
class Format:
    """A file format: how its files are known, and who reads and writes them."""

    name: str
    suffixes: tuple[str, ...]
    """The most usual first; each may be followed by ".gz"."""
    read: Callable[[str | Path | Source], Profile] | None
    write: Callable[[Profile, str | Path | BinaryIO], None] | None
    what: str
    """A few words for people."""


def _of(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a module of this package, which is imported when it is first called."""

    def call(*arguments: object) -> object:
        return getattr(import_module(f"workbench.formats.{module}"), name)(*arguments)

    return call


_ALL = (
    Format(
        "speedscope",
        (".speedscope.json", ".speedscope"),
        _of("speedscope", "read_speedscope"),
        _of("speedscope", "write_speedscope"),
        "speedscope: spans and samples of each thread",
    ),
    Format(
        "chrome",
        (".trace.json", ".chrome.json", ".trace"),
        _of("chrome", "read_chrome"),
        _of("chrome", "write_chrome"),
        "Chrome trace events, for Perfetto and chrome://tracing",
    ),
    Format(
        "folded",
        (".folded", ".collapsed", ".stacks"),
        _of("folded", "read_folded"),
        _of("folded", "write_folded"),
        "folded stacks, one on each line",
    ),
    Format(
        "pprof",
        (".pb", ".pprof"),
        _of("pprof", "read_pprof"),
        _of("pprof", "write_pprof"),
        "pprof's stacks with amounts, for go tool pprof",
    ),
    Format(
        "firefox",
        (".profile.json", ".firefox.json"),
        None,
        _of("firefox", "write_firefox"),
        "the Firefox Profiler's processed profile",
    ),
    Format(
        "difffolded",
        (),
        _of("folded", "read_difffolded"),
        None,
        "the two columns of difffolded.pl: the second is read",
    ),
    Format(
        "perf", (".perf",), _of("perf", "read_perf"), None, "what perf script prints: Linux's perf, as text"
    ),
    Format("austin", (".austin",), _of("austin", "read_austin"), None, "austin's text"),
    Format(
        "pyspy-raw",
        (".raw",),
        _of("pyspy", "read_pyspy_raw"),
        None,
        "py-spy's raw: folded stacks with files and lines",
    ),
    Format(
        "pyspy-chrome",
        (".chrometrace.json",),
        _of("pyspy", "read_pyspy_chrometrace"),
        None,
        "py-spy's chrometrace: samples with their times",
    ),
    Format(
        "pyinstrument",
        (".pyisession",),
        _of("pyinstrument", "read_pyinstrument"),
        None,
        "a session that pyinstrument saved",
    ),
    Format(
        "pstats",
        (".pstats", ".prof"),
        _of("pstats", "read_pstats"),
        None,
        "cProfile's statistics: callers and callees",
    ),
    Format(
        "tachyon",
        (".tachyon",),
        _of("tachyon", "read_tachyon"),
        None,
        "what python -m profiling.sampling --binary writes",
    ),
)
# With their quotes they are never inside a text, where a quote has a backslash.
_MARKS = (
    (b'"https://www.speedscope.app/file-format-schema.json"', "speedscope"),
    (b'"traceEvents"', "chrome"),
    (b'"frame_records"', "pyinstrument"),
    (b'"preprocessedProfileVersion"', "firefox"),
)
# py-spy writes a line that begins with the blank for threads of which it saw nothing.
_LINE = re.compile(rb"(?:# [^\n]*\n|\r?\n)*[^\n]*[ \t]\d+(\.\d+)?\r?(\n|$)")
_BINARY = {
    b"PERFILE2": "perf's own data: run perf script -i FILE > FILE.perf, and read that",
    b"MOJ": "austin's binary data: run mojo2austin FILE FILE.austin, and read that",
}
"""What files begin with that other programs turn into text."""
_TACHYON = (b"TACH", b"HCAT")
"""What its files begin with, by the order of bytes of the machine."""
FORMATS: Mapping[str, Format] = MappingProxyType({format_.name: format_ for format_ in _ALL})


def format_of(path: str | Path | Source, given: str | None = None, *, reading: bool) -> Format:
    """Return the format of a file: the one that is given, or what its content (reading) or its suffix says.

    Raises:
        InvalidInputError: There is no such format, it cannot be read or written, or it is not known.
    """
    able = [each for each in _ALL if (each.read if reading else each.write) is not None]
    name = path.name if isinstance(path, Source) else str(path)
    if given is not None:
        if given not in FORMATS:
            raise unknown_name("format", given, [each.name for each in able])
        chosen: Format | None = FORMATS[given]
    else:
        chosen = _of_suffix(name)
        if reading:
            chosen = _of_content(name, read_source(path).data, chosen)
    verb = "read" if reading else "written"
    names = ", ".join(each.name for each in able)
    if chosen is None:
        known = "name or its content" if reading else "name"
        raise InvalidInputError(f"the format of {name} is not known from its {known}: give one of {names}")
    if chosen not in able:
        raise InvalidInputError(f"the format {chosen.name} cannot be {verb}: choose one of {names}")
    return chosen


def _of_suffix(name: str) -> Format | None:
    name = name.lower().removesuffix(".gz")
    return next((each for each in _ALL if name.endswith(each.suffixes)), None)


def _of_content(name: str, data: bytes, named: Format | None) -> Format | None:
    """Return the format that the content shows, or else the one that the name says."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    for head, what in _BINARY.items():
        if data.startswith(head):
            raise InvalidInputError(f"{name} holds {what}")
    if data.startswith(_TACHYON):
        return FORMATS["tachyon"]
    if start[:1] in (b"{", b"["):
        return _of_json(data, start, named)
    if named is None and start[:1] == b"\xfb":  # a marshalled dict that is referred to
        return FORMATS["pstats"]
    from workbench.formats.pprof import looks_like_pprof

    if looks_like_pprof(data):  # Go's programs call theirs cpu.prof, too
        return FORMATS["pprof"]
    if named is not None and named.name != "folded":
        return named
    from workbench.formats.austin import looks_like_austin
    from workbench.formats.folded import has_lines, looks_like_difffolded
    from workbench.formats.perf import looks_like_perf

    for looks_like, other in ((looks_like_austin, "austin"), (looks_like_perf, "perf")):
        if looks_like(data):
            return FORMATS[other]
    if named is None and (not start or b"\0" in start or not _LINE.match(data[:4096])):
        return None
    if looks_like_difffolded(data):
        return FORMATS["difffolded"]
    return FORMATS["pyspy-raw"] if named is None and has_lines(data) else named or FORMATS["folded"]


def _of_json(data: bytes, start: bytes, named: Format | None) -> Format | None:
    if start[:1] == b"[":
        if b'"cat":"py-spy"' in start.replace(b" ", b""):
            return FORMATS["pyspy-chrome"]
        return named or FORMATS["chrome"]
    if named is not None:
        return named
    for mark, name in _MARKS:
        if mark in data:
            return FORMATS[name]
    # cProfile's file begins as an object does.
    return FORMATS["pstats"] if b"\0" in start else None


def read_profile(path: str | Path | Source, given: str | None = None) -> Profile:
    """Read a file of any format that can be read.

    Raises:
        InvalidInputError: It cannot be read, its format is not known, or it is not what it should be.
    """
    source = read_source(path)
    read = format_of(source, given, reading=True).read
    assert read is not None
    return read(source)


def target_format(target: str, given: str | None = None) -> Format:
    """Return the format to write: the one that is given, or what the suffix says.

    Raises:
        InvalidInputError: It is not known, or cannot be written.
    """
    if target == PIPE and given is None:
        raise InvalidInputError(
            "a pipe has no name to tell its format: give one with --to, such as --to folded"
        )
    return format_of(target, given, reading=False)


def write_profile(profile: Profile, target: str, format_: Format) -> None:
    """Write a profile to a file, or to standard output for "-".

    A file appears, or changes, only when all of it is written. One that workbench did not write is never replaced.

    Raises:
        InvalidInputError: The profile cannot be written in this format, or a file that is not ours is in the way.
        WorkbenchError: The file cannot be written.
        OSError: Standard output cannot be written.
    """
    assert format_.write is not None
    if target == PIPE:
        format_.write(profile, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    write = format_.write
    try:
        export(Path(target), lambda path: write(profile, path))
    except OSError as error:
        raise WorkbenchError(f"cannot write {target}: {error.strerror}") from None
