"""Folded stacks, a line for each distinct stack: `main (fit.py);predict (net.py:12) 1234`, microseconds of self time.

Read by flamegraph.pl, inferno, speedscope and others. The format knows no times, no threads and no unit: a count is
read as so many microseconds, which is what we write, and stacks follow each other in the order of the lines.
Files are after the names, as in py-spy's raw output; few other programs write them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.formats import source as limits
from workbench.formats._json import shown
from workbench.formats._numbers import MAX_NS
from workbench.formats.source import Source, opened_for_writing, read_source, reading
from workbench.profile import (
    ROOT,
    FileFacts,
    Frame,
    FrameKind,
    Profile,
    Samples,
    StackTable,
    Track,
    aggregate,
    profile_of,
)
from workbench.profile.stacks import depths

MAX_TEXT = 1 << 31
"""Characters of all lines together: a deep stack with time at every level takes their product."""
PIECE = 1 << 16
"""Lines whose ends are taken apart at once."""
MAX_COUNT = 1e18
MAX_TICKS = (1 << 31) - 1
LONG_LINE = 1000
"""Characters of a line whose beginning is remembered: those of very deep stacks would fill the memory."""
LABEL = re.compile(r"(.+) \(([^()]+?)(?::(\d{1,9}))?\)", re.DOTALL)
PYTHON_FILES = (".py", ".pyx", ".ipynb", ">")
_ENDS = re.compile(rb"(.*)[ \t](\S+)", re.DOTALL)
_TWO_COLUMNS = re.compile(rb"\S.* \d+(?:\.\d+)? \d+(?:\.\d+)?\r?")
_LIBRARY = re.compile(
    r".*[/\\](?:site-packages|dist-packages|lib(?:64)?[/\\]python3(?:\.\d+)?)[/\\]", re.DOTALL
)
_SHARED = re.compile(r"[^/\\]*\.so(?:\.[\d.]+)?")


def read_folded(source: str | Path | Source, *, unit_ns: int = 1000) -> Profile:
    """Read lines as the samples of one track.

    Args:
        source: The file.
        unit_ns: Nanoseconds of one count.

    Raises:
        InvalidInputError: It cannot be read, or a line has no count.
    """
    source = read_source(source)
    line = "counts are taken as microseconds; py-spy's, of samples, are read by --from pyspy-raw"
    return read_lines(source, unit_ns, frame_of_label, "folded", [line] if has_lines(source.data) else [])


def read_difffolded(source: str | Path | Source) -> Profile:
    """Read the second of the two columns that difffolded.pl writes: what is after a change.

    Raises:
        InvalidInputError: It cannot be read, or a line has no counts.
    """
    source = read_source(source)
    lines = [re.sub(rb" \S+( \S+)$", rb"\1", line.rstrip()) for line in source.data.split(b"\n")]
    second = Source(source.name, b"\n".join(lines))
    line = "of the two columns the second is read, after the change; the first was left out"
    return read_lines(second, 1000, frame_of_label, "difffolded", [line])


def looks_like_difffolded(data: bytes) -> bool:
    """Return whether all of the first lines end in two counts."""
    lines = [line for line in data[:65536].split(b"\n")[:50] if line.strip()]
    if len(data) > 65536 and len(lines) < 50:
        lines.pop()
    return bool(lines) and all(map(_TWO_COLUMNS.fullmatch, lines))


def has_lines(data: bytes) -> bool:
    """Return whether most frames of the first lines are labelled as py-spy labels them, and some with a line."""
    head = data[:65536].decode("utf-8", errors="replace").split("\n")[:50]
    labels = [label for line in head for label in line.rpartition(" ")[0].split(";") if label]
    found = [match for match in map(LABEL.fullmatch, labels) if match is not None]
    return 2 * len(found) > len(labels) and any(match[3] for match in found)


def frame_of_label(label: str) -> Frame:
    """Return the frame of a label as we write it; a name alone where no file follows it."""
    match = LABEL.fullmatch(label) if label.endswith(")") else None
    if match is None or not (
        "/" in match[2] or match[2].endswith(PYTHON_FILES) or _SHARED.fullmatch(match[2])
    ):
        return Frame(label)
    kind = FrameKind.NATIVE if _SHARED.fullmatch(match[2]) else FrameKind.PYTHON
    return Frame(match[1], match[2], int(match[3] or 0), kind)


def read_lines(
    source: Source,
    unit_ns: int,
    frame_of: Callable[[str], Frame],
    form: str,
    warnings: Sequence[str],
    *,
    are_samples: bool = False,
) -> Profile:
    """Read folded stacks whose frames are labels that `frame_of` understands. Lines of `# ...` in front are comments.

    Args:
        source: The file.
        unit_ns: Nanoseconds of one count.
        frame_of: Returns the frame of a label.
        form: The format's name.
        warnings: Lines to begin with.
        are_samples: Whether counts are of samples.

    Raises:
        InvalidInputError: A line has no count, one that is no number, or no stack.
    """
    if source.data.count(b"\n") > limits.MAX_LINES:
        raise InvalidInputError(
            f"{source.name} has more than {limits.MAX_LINES} lines: merge equal stacks, or cut it"
        )
    with reading(source, "a file of folded stacks"):
        return _profile(source, unit_ns, frame_of, form, warnings, are_samples)


def _profile(
    source: Source,
    unit_ns: int,
    frame_of: Callable[[str], Frame],
    form: str,
    warnings: Sequence[str],
    are_samples: bool,
) -> Profile:
    table = StackTable()
    lines = source.data.split(b"\n")
    for i, line in enumerate(lines):
        if not line.startswith(b"# "):
            break
        lines[i] = b""
    labels: dict[bytes, int] = {}
    parents, rests = _split(lines, table, labels)
    leaves: list[int] = []
    weights: list[int | float] = []
    for first in range(0, len(rests), PIECE):
        names, _, counts = zip(*[rest.rpartition(b" ") for rest in rests[first : first + PIECE]], strict=True)
        if all(map(bytes.isdigit, counts)) and max(map(len, counts)) < 19:
            weights += map(int, counts)
        else:
            ends = [_unusual(lines, first + i, rest) for i, rest in enumerate(rests[first : first + PIECE])]
            names = tuple(name for name, _ in ends)
            weights += [count for _, count in ends]
        for name in dict.fromkeys(names):
            labels.setdefault(name, len(labels))
        leaves += map(labels.__getitem__, names)
    if sum(weights) * unit_ns > MAX_NS:
        raise ValueError("its counts together are too large")
    try:
        frames = [frame_of(label.decode("utf-8")) for label in labels]
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown(error.object)} is not UTF-8") from None
    without_a_stack = 0
    weight = _scaled(weights, unit_ns)
    parent, leaf = np.array(parents, dtype=np.int64), np.array(leaves, dtype=np.int64)
    # py-spy writes a line for threads of which it saw nothing: a blank and a count.
    nothing = (parent == ROOT) & (leaf == labels.get(b"", -1))
    if nothing.any():
        without_a_stack = int(weight[nothing].sum()) // unit_ns
        warnings = [*warnings, f"samples without a stack were left out: {without_a_stack:,}"]
        parent, leaf, weight = parent[~nothing], leaf[~nothing], weight[~nothing]
    facts = FileFacts(form, tuple(warnings), is_merged=True, without_a_stack=without_a_stack)
    ticks = np.rint(weight / unit_ns).clip(max=MAX_TICKS).astype(np.int32) if are_samples else None
    samples = Samples(table.leaves(parent, leaf), np.cumsum(weight) - weight, weight, ticks)
    tracks = [Track("all threads", 0, 0, samples=samples)] if len(weight) else []
    return profile_of(table, source.stem, frames, tracks, (0, int(weight.sum())), facts)


def _split(lines: list[bytes], table: StackTable, labels: dict[bytes, int]) -> tuple[list[int], list[bytes]]:
    """Return of each line that is not empty the stack below its last frame, and the text from there on."""
    # Most stacks differ from another only in their last frame: the part before it is looked up as a whole.
    beginnings: dict[bytes, int] = {b"": ROOT}
    parents: list[int] = []
    rests: list[bytes] = []
    last, size, below = b"\n", 0, ROOT  # the beginning that the line before had, and its stack
    for line in lines:
        if line.startswith(last):  # files are mostly sorted: a sibling
            rest = line[size:]
            if b";" not in rest:
                rests.append(rest)
                parents.append(below)
                continue
        elif not line or line == b"\r":
            continue
        before, _, rest = line.rpartition(b";")
        found = beginnings.get(before)
        if found is None:
            found = table.path([labels.setdefault(label, len(labels)) for label in before.split(b";")])
            if len(before) <= LONG_LINE:
                beginnings[before] = found
        last, below = (before + b";" if before else b"\n"), found
        size = len(last)
        rests.append(rest)
        parents.append(below)
    return parents, rests


def _scaled(weights: list[int | float], unit_ns: int) -> NDArray[np.int64]:
    if set(map(type, weights)) <= {int}:
        return np.array(weights, dtype=np.int64) * unit_ns
    return np.array([round(each * unit_ns) for each in weights], dtype=np.int64)


def _unusual(lines: list[bytes], row: int, rest: bytes) -> tuple[bytes, int | float]:
    """Return the last frame and the count of a line whose count may be a fraction, or have blanks around."""
    match = _ENDS.fullmatch(rest.rstrip())
    label, count = (match[1], match[2]) if match else (b"", rest)
    try:
        value = int(count) if count.isdigit() and len(count) < 19 else float(count)
    except ValueError:
        value = math.nan
    if match and 0 <= value <= MAX_COUNT:
        return label, value
    written = [number for number, line in enumerate(lines, start=1) if line and line != b"\r"]
    what = "has a count that is out of range"
    if not match or math.isnan(value):
        what = "should be a stack, a blank and a count"
    line = lines[written[row] - 1]
    tail = line if len(line) <= 40 else b"..." + line[-40:]
    raise ValueError(f"line {written[row]} {what}: {shown(tail)}")


def write_folded(profile: Profile, path: str | Path | BinaryIO) -> None:
    """Write self times of a profile's samples, or of its spans where it has none, merged over tracks, in microseconds.

    Raises:
        InvalidInputError: The lines would be larger than two gigabytes.
        OSError: The file cannot be written.
    """
    sampled = any(track.samples is not None and len(track.samples) for track in profile.tracks)
    text = folded(profile, of="samples" if sampled else "spans")
    with opened_for_writing(path) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))


def folded(profile: Profile, *, of: str = "samples") -> str:
    """Return the lines, sorted, each ended by a newline; stacks of under half a microsecond are left out.

    `;` separates frames and a line ends a stack, so in a name they become `,` and a space.

    Raises:
        InvalidInputError: The lines would be larger than two gigabytes.
    """
    tree = aggregate(profile, of=of)
    names = [_clean(_label(frame)) for frame in profile.frames]
    seen = np.flatnonzero(tree.self_ns)
    length = max(map(len, names), default=0) + 1
    if int(depths(profile.stacks)[seen].sum(dtype=np.int64)) > MAX_TEXT // length:
        longest = _length(profile, names, seen.tolist())
        if longest > MAX_TEXT:
            raise InvalidInputError(
                f"the stacks of {profile.name!r} are so deep that their lines take {longest >> 20} MiB: write "
                "another format"
            )
    weights: dict[str, int] = {}
    for stack in seen.tolist():
        line = ";".join(names[frame] for frame in profile.stacks.path(stack))
        weights[line] = weights.get(line, 0) + int(tree.self_ns[stack])
    whole = {line: round(weight / 1000) for line, weight in weights.items()}
    return "".join(f"{line} {weight}\n" for line, weight in sorted(whole.items()) if weight > 0)


def _label(frame: Frame) -> str:
    """Return a frame's name with its file, without the folders of libraries."""
    if not frame.file:
        return frame.name
    file = _LIBRARY.sub("", frame.file)
    base = re.split(r"[/\\]", file)[-1]
    if _SHARED.fullmatch(base):
        file = base
    return f"{frame.name} ({file}:{frame.line})" if frame.line > 0 else f"{frame.name} ({file})"


def _length(profile: Profile, names: list[str], seen: list[int]) -> int:
    lengths: list[int] = []
    frames = profile.stacks.frame.tolist()
    for parent, frame in zip(profile.stacks.parent.tolist(), frames, strict=True):
        lengths.append((lengths[parent] if parent != ROOT else 0) + len(names[frame]) + 1)
    return sum(lengths[stack] for stack in seen)


def _clean(name: str) -> str:
    return " ".join(name.replace(";", ",").split()) or "(no name)"
