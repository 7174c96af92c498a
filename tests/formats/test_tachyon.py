"""Files that CPython 3.15's `profiling.sampling --binary` wrote: what is read of them is what its own reader finds."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections import Counter
from pathlib import Path, PurePosixPath
from random import Random

import pytest

from workbench import load
from workbench.errors import InvalidInputError
from workbench.formats.registry import read_profile
from workbench.formats.source import Source
from workbench.formats.speedscope import write_speedscope
from workbench.profile import FrameKind

FILES = Path(__file__).parent / "tachyon"
EXPECTED = json.loads((FILES / "expected.json").read_text())
PLAIN = (FILES / "plain.bin").read_bytes()
PACKED = (FILES / "zstd.bin").read_bytes()
HEADER = "<IIBBBBQQQIQQII"

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def of_program(counts):
    """Return counts without the lines of frames that are not the program's own."""
    found = Counter()
    for stack, count in counts.items():
        functions, _, _ = stack.rpartition(" @")
        found[stack if functions.endswith("(program.py)") else functions] += count
    return found


def stacks(profile, track):
    """Count the samples of a track by stack and line, as `record.py` does, without the frame that says waiting."""
    found = Counter()
    lines = profile.lines.numbers(track.samples.line).tolist()
    for stack, line in zip(track.samples.stack.tolist(), lines, strict=True):
        frames = [profile.frames[i] for i in profile.stacks.path(stack)]
        names = [
            f"{f.name} ({PurePosixPath(f.file or '~').name})" for f in frames if f.kind != FrameKind.IDLE
        ]
        found[f"{';'.join(names)} @{line}"] += 1
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_real_files(name):
    """Threads, stacks, lines, numbers and times of samples are those that CPython's reader finds."""
    profile = load(FILES / f"{name}.bin").check()
    expected = EXPECTED[name]
    assert profile.file.mode == {0: "wall", 1: "cpu"}[expected["mode"]]
    assert sum(len(track.samples) for track in profile.tracks) == expected["samples"]
    assert {str(track.tid) for track in profile.tracks} == set(expected["threads"])
    assert {track.name for track in profile.tracks} >= {"MainThread"}
    for track in profile.tracks:
        found, wanted = stacks(profile, track), expected["threads"][str(track.tid)]
        assert of_program(found) == of_program(wanted)
        assert set(track.samples.weight_ns.tolist()) == {expected["interval_us"] * 1000}
        assert track.samples.at_ns[-1] == 1000 * expected["last_us"][str(track.tid)]
        assert track.samples.at_ns[0] <= 1000 * expected["first_us"][str(track.tid)]


def test_what_waits_for_the_lock_says_so():
    """Two threads compute in Python: some samples wait for the interpreter's lock."""
    profile = load(FILES / "plain.bin")
    waiting = [i for i, frame in enumerate(profile.frames) if frame.name == "waiting for the GIL"]
    tops = [profile.stacks.frame[track.samples.stack] for track in profile.tracks]
    assert len(waiting) == 1
    assert 10 < sum(int((top == waiting[0]).sum()) for top in tops) < EXPECTED["plain"]["samples"] / 2


def test_frames_that_are_no_function():
    """`<native>` is a native frame, without a file."""
    kinds = {frame.name: (frame.kind, frame.file) for frame in load(FILES / "native.bin").frames}
    assert kinds["<native>"] == (FrameKind.NATIVE, "")


def test_known_by_content(tmp_path):
    """The content tells the format whatever the name; what is written has the same samples."""
    given, written = tmp_path / "some.data", tmp_path / "out.speedscope.json"
    shutil.copy(FILES / "zstd.bin", given)
    write_speedscope(load(given), written)
    assert sum(len(track.samples) for track in load(written).tracks) == EXPECTED["zstd"]["samples"]


def fields(data=PLAIN):
    return list(struct.unpack_from(HEADER, data))


def with_header(data=PLAIN, **changes):
    """Return a file with other fields in its header."""
    names = ("magic", "version", *"abcd", "start", "interval", "samples", "threads", "texts", "frames")
    names += ("compression", "mode")
    values = dict(zip(names, fields(data), strict=True)) | changes
    return struct.pack(HEADER, *values.values()) + data[64:]


def with_samples(samples, *, compression=0, count=1, compress=False):
    """Return a file with other samples."""
    texts, frames = fields()[10:12]
    packed = zstd.compress(samples) if compress else samples
    moved = 64 + len(packed) - texts
    data = PLAIN[:64] + packed + PLAIN[texts:-24] + struct.pack("<Q", len(PLAIN) + moved) + PLAIN[-16:]
    return with_header(
        data, texts=texts + moved, frames=frames + moved, compression=compression, samples=count
    )


def sample(encoding, content):
    return struct.pack("<QIB", 7, 0, encoding) + content


BAD = [
    (bytes(64) + PLAIN[64:], "was not finished"),
    (b"no such file", "it begins with b'no s'"),
    (PLAIN[:70], "ends at byte 70"),
    (PLAIN[:-1], "states"),
    (PLAIN + b"x", "states"),
    (with_header(version=2), r"version 2, of Python 3\.15, and 1 is known"),
    (with_header(texts=1 << 40), "its tables begin"),
    (with_header(texts=10), "its tables begin"),
    (with_header(start=1 << 63), "too large"),
    (with_header(interval=1 << 63), "too large"),
    (with_header(samples=1 << 40), r"1099511627776 samples, more than 33554432: record less"),
    (with_header(samples=1), "more samples than the 1"),
    (with_header(samples=9999), "states 9999"),
    (with_header(compression=2), "compression is number 2"),
    (with_header(compression=1), "damaged"),
    (PLAIN[:-32] + struct.pack("<II", 1 << 31, 1) + PLAIN[-24:], "its texts end at byte"),
    (PLAIN[:-32] + struct.pack("<II", 1, 1) + PLAIN[-24:], "has text 1 of 1"),
    (PLAIN[:-32] + struct.pack("<II", 2, 1 << 31) + PLAIN[-24:], "frame 1 has text 2 of 2"),
    (with_samples(sample(1, b"\x01\x00\xff\xff\xff\xff\x0f")), "its samples end at byte"),
    (with_samples(sample(1, b"\x01\x00\x01\x7f")), "frame 127, and there are"),
    (with_samples(sample(2, b"\x01\x00\x05\x00")), "keeps 5 of 0 frames"),
    (with_samples(sample(9, b"\x01\x00\x05\x00")), "is of kind 9"),
    (with_samples(sample(1, b"\xff" * 11)), "more than 64 bits"),
    (with_samples(sample(1, b"\xff" * 9 + b"\x01\x00\x00")), "µs is too large"),
    (with_samples(sample(0, b"\xff\xff\xff\xff\x0f\x00\x00")), "more samples than the 1"),
    (with_samples(bytes(5)), "its samples end at byte"),
    (with_samples(bytes(65 << 20), compression=1, compress=True), "become more than"),
    (with_samples(zstd.compress(bytes(999))[:-3], compression=1), "are cut off"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=range(len(BAD)))
def test_bad_files(data, message):
    """What is wrong is one line that names the file and what is wrong in it."""
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_profile(Source("given.bin", data), "tachyon")
    assert str(caught.value).startswith("given.bin is not a binary file of profiling.sampling: ")
    assert "\n" not in str(caught.value)


def test_a_file_of_a_machine_of_the_other_byte_order():
    """Numbers of a fixed size are turned around; all others have no byte order."""
    thread = struct.pack(">QIB", 7, 3, 1) + b"\x05\x01\x01\x00"
    texts, frames = b"\x04f.py\x01f", b"\x00\x01\x54\x00\x00\x00\xff"
    at = 64 + len(thread)
    whole = at + len(texts) + len(frames) + 32
    data = struct.pack(
        ">IIBBBBQQQIQQII", 0x54414348, 1, 3, 15, 2, 0, 10, 1000, 1, 1, at, at + len(texts), 0, 0
    )
    data += thread + texts + frames + struct.pack(">IIQ16s", 2, 1, whole, bytes(16))
    profile = read_profile(Source("other.bin", data)).check()
    (track,) = profile.tracks
    assert (track.name, profile.lines.numbers(track.samples.line).tolist()) == (
        "Thread 7 (interpreter 3)",
        [42],
    )
    assert (track.samples.at_ns.tolist(), track.samples.weight_ns.tolist()) == ([15_000], [1_000_000])
    assert profile.frames[0][:2] == ("f", "f.py")


def test_stacks_by_what_differs():
    """Frames are kept from the outermost on, popped beyond the end is popped, and nothing is left is no stack."""
    content = [
        sample(1, b"\x01\x00\x03\x02\x01\x00"),
        sample(2, b"\x01\x00\x02\x01\x03"),
        sample(3, b"\x01\x00\x01\x00"),
        sample(0, b"\x02\x01\x00\x01\x00"),
        sample(3, b"\x01\x00\x63\x00"),
    ]
    profile = read_profile(Source("x", with_samples(b"".join(content), count=6))).check()
    (track,) = profile.tracks
    assert [len(profile.stacks.path(stack)) for stack in track.samples.stack.tolist()] == [3, 3, 2, 2, 2, 0]


def test_damaged_bytes():
    """A file in which bytes differ is read as what it then says, or refused by one line."""
    refused = []
    for seed in range(1000):
        random = Random(seed)
        data = bytearray(random.choice([PLAIN, PACKED]))
        for _ in range(random.randint(1, 8)):
            data[random.choice([random.randrange(len(data)), random.randrange(64)])] = random.randrange(256)
        try:
            profile = read_profile(Source("given.bin", bytes(data)), "tachyon")
        except InvalidInputError as error:
            refused.append(str(error))
        else:
            profile.check()
    assert 500 < len(refused) < 1000
    assert "\n" not in "".join(refused)
    assert max(map(len, refused)) < 300
