"""Readers and what others may hand to them: files that are damaged, made up, or made to do harm."""

from __future__ import annotations

import copy
import gzip
import io
import json
import marshal
import os
import signal
import struct
import traceback
import tracemalloc
from pathlib import Path
from random import Random

import pytest

from tests.formats.content import content, fitted, written
from workbench.errors import InvalidInputError
from workbench.formats import source
from workbench.formats.pprof import write_pprof
from workbench.formats.protobuf import block, number, packed
from workbench.formats.registry import FORMATS, read_profile
from workbench.formats.source import Source, read_source
from workbench.profile import aggregate

SPEEDSCOPE = json.dumps(
    {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": "a", "file": "a.py", "line": 3}, {"name": "b"}]},
        "workbench": {
            "start_ns": 7,
            "kinds": [0, 1],
            "tracks": [{"name": "t", "pid": 1, "tid": 2, "process": "p"}],
            "profiles": [{"track": 0, "unfinished": [1]}, {"track": 0}],
        },
        "profiles": [
            {
                "type": "evented",
                "name": "t",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": 30,
                "events": [
                    {"type": "O", "frame": 0, "at": 1},
                    {"type": "O", "frame": 1, "at": 2},
                    {"type": "C", "frame": 1, "at": 20},
                    {"type": "C", "frame": 0, "at": 30},
                ],
            },
            {
                "type": "sampled",
                "name": "t",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": 30,
                "samples": [[0, 1], [], [0]],
                "weights": [10, 5, 15],
            },
        ],
    },
    separators=(",", ":"),
)
CHROME = json.dumps(
    {
        "traceEvents": [
            {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": "main"}},
            {
                "ph": "X",
                "name": "fit",
                "cat": "scope",
                "pid": 1,
                "tid": 2,
                "ts": 10,
                "dur": 90.125,
                "args": {"flops": 2},
            },
            {"ph": "X", "name": "solve", "cat": "FEE", "pid": 1, "tid": 2, "ts": 20.5, "dur": 9},
            {"ph": "B", "name": "outer", "pid": 1, "tid": 3, "ts": 5},
            {"ph": "B", "name": "inner", "pid": 1, "tid": 3, "ts": 6},
            {"ph": "E", "name": "inner", "pid": 1, "tid": 3, "ts": 7},
            {"ph": "E", "pid": 1, "tid": 3, "ts": 8},
            {"ph": "C", "name": "loss", "pid": 1, "tid": 2, "ts": 11, "args": {"value": 0.5}},
            {"ph": "i", "name": "here", "pid": 1, "tid": 2, "ts": 12, "s": "t"},
        ]
    }
)
SESSION = json.dumps(
    {"frame_records": [[["main\0f.py\x001\x01l1", "f\0f.py\x009"], 0.5], [["main\0f.py\x001"], 0.25]]}
)
PYSPY = json.dumps(
    [
        {
            "args": {"filename": "p.py", "line": 1},
            "cat": "py-spy",
            "name": name,
            "ph": phase,
            "pid": 1,
            "tid": 1,
            "ts": at,
        }
        for name, phase, at in (("main", "B", 0), ("f", "B", 9), ("f", "E", 20))
    ],
    separators=(",", ":"),
)
STATS = marshal.dumps(
    {
        ("p.py", 1, "main"): (1, 1, 0.5, 2.0, {}),
        ("p.py", 9, "f"): (
            3,
            5,
            1.0,
            1.5,
            {("p.py", 1, "main"): (3, 3, 1.0, 1.5), ("p.py", 9, "f"): (2, 2, 0.2, 0.3)},
        ),
        ("~", 0, "<built-in method sum>"): (9, 9, 0.5, 0.5, {("p.py", 9, "f"): (9, 9, 0.5, 0.5)}),
    }
)
TACHYON = (Path(__file__).parent / "tachyon" / "native.bin").read_bytes()
PPROF = written(write_pprof, fitted())
VALID = {
    "speedscope": SPEEDSCOPE.encode(),
    "chrome": CHROME.encode(),
    "folded": b"main;f;g 12\nmain;f 3.5\nmain 1\n",
    "difffolded": b"main;f;g 12 3\nmain;f 3.5 0\nmain 1 2\n",
    "perf": b"""# captured
python 7/9 [001] 15561.924250:   10101010 cpu-clock:
\t 25c858 move+0x268 (inlined)
\t 85 py::A.work:/home/u/p.py+0x5 (/tmp/perf-5714.map)

python 7/8 15561.934351: 5 cycles:u: 1f0 f(int)+0x1 (/lib/z.so (deleted))
python 7/9 15561.934351: 10101010 cpu-clock:
\t 7fc243558b60 [unknown] ([unknown])

""",
    "austin": b"# mode: full\nP1;T1;a.py:f:1 10051,1,-512\nP1;T0:2;a.py:f:1;:GC: 9\nP1;T1 3\n",
    "pyspy-raw": b"main (p.py:3);f (p.py:9) 12\nmain (p.py:3) 1\n",
    "pyspy-chrome": PYSPY.encode(),
    "pyinstrument": SESSION.encode(),
    "pstats": STATS,
    "tachyon": TACHYON,
    "pprof": PPROF,
}
NASTY = [
    *b"NaN -1 1e999 -0.0 1e17 9223372036854775807 99999999999999999999999 null true [] {} [[ } ] { ( , : ;".split(),
    *b'"" "\\ud800" " 0 2 "at" "ts" "ph" "C" "E"'.split(),
    *(b" ", b"\n", b"\0", b"\xff", b"\xff\xff\xff\x7f", b"\xfb", b"r\0\0\0\0", b"1" * 5000),
]
VALUES = [
    None,
    True,
    -1,
    0,
    1e300,
    2**63,
    10**40,
    float("nan"),
    "",
    "1",
    "1.5",
    [],
    {},
    [[0]],
    {"a": []},
    "\ud800",
]


def damaged(data: bytes, random: Random) -> bytes:
    """Return a file that differs from a valid one in a few places, or noise."""
    if random.random() < 0.05:
        return random.randbytes(random.randrange(300))
    if data[:1] in b"[{" and random.random() < 0.4:
        return _other_values(data, random)
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        upto = min(len(data), at + random.randint(0, 12))
        match random.choice(["put", "put", "token", "token", "cut", "twice", "bytes", "lines"]):
            case "put":
                data = data[:at] + random.choice(NASTY) + data[upto:]
            case "token":  # in the place of a whole number or text
                while at < len(data) and data[at : at + 1] not in b":,[ ":
                    at += 1
                upto = at + 1
                while upto < len(data) and data[upto : upto + 1] not in b",]} \n":
                    upto += 1
                data = data[: at + 1] + random.choice(NASTY) + data[upto:]
            case "cut":
                data = data[:at]
            case "twice":
                data = data[:upto] + data[at:]
            case "bytes":
                data = data[:at] + random.randbytes(random.randint(1, 4)) + data[upto:]
            case "lines":
                lines = data.split(b"\n")
                random.shuffle(lines)
                data = b"\n".join(lines * random.choice([1, 1, 2, 50]))
    return data


def _other_values(data: bytes, random: Random) -> bytes:
    """Return JSON with some members gone, repeated, exchanged or of another kind."""
    try:
        content = json.loads(data)
    except ValueError:  # marshalled data begin so, too
        return data[::-1]
    for _ in range(random.randint(1, 3)):
        held = content
        while held:
            key = random.choice(list(held) if isinstance(held, dict) else range(len(held)))
            if isinstance(held[key], dict | list) and held[key] and random.random() < 0.8:
                held = held[key]
                continue
            match random.randrange(4):
                case 0:
                    del held[key]
                case 1 if isinstance(held, list):
                    held.extend(held[: key + 1] * random.choice([1, 20]))
                case 2:
                    other = random.choice(list(held) if isinstance(held, dict) else range(len(held)))
                    held[key] = copy.deepcopy(held[other])
                case _:
                    held[key] = copy.deepcopy(random.choice(VALUES))
            break
    return json.dumps(content).encode()


def survives(name: str | None, data: bytes) -> None:
    """Read a file, of a given format or of the one that its content tells.

    What comes is a profile without contradictions that can be used, or one line that names it.
    """
    try:
        profile = read_profile(Source("folder/given.file", data), name)
    except InvalidInputError as error:
        text = str(error)
        assert "folder/given.file" in text
        assert "\n" not in text
        assert len(text) < 500
        return
    profile.check()
    for of in ("spans", "samples"):
        aggregate(profile, of=of)
    for format_ in FORMATS.values():
        if format_.write is not None:
            format_.write(profile, io.BytesIO())


@pytest.mark.parametrize("name", VALID)
def test_damaged_files(name):
    """Whatever is wrong in a file, a reader gives a sound profile or an InvalidInputError of one line."""
    for seed in range(300):
        survives(name if seed % 4 else None, damaged(VALID[name], Random(f"{name} {seed}")))


@pytest.mark.proof
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", VALID)
def test_many_damaged_files(name, tmp_path):
    """Two hundred thousand damaged files over all readers: no accident, none above 10 s, all within 2 GiB."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _survives_many(name, tmp_path / "failed", -(-200_000 // len(VALID)))
            code = 0
        finally:
            os._exit(code)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, (tmp_path / "failed").read_text()
    assert usage.ru_maxrss < 2 << 20


def _survives_many(name: str, failed: Path, count: int) -> None:
    """Read so many damaged files; of one that fails its number is left in a file, and of one that hangs."""

    def hangs(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, hangs)
    for seed in range(1000, 1000 + count):
        data = damaged(VALID[name], Random(f"{name} {seed}"))
        signal.alarm(10)
        try:
            survives(name if seed % 4 else None, data)
        except BaseException:
            failed.write_text(f"{name} {seed}: {data!r}\n{traceback.format_exc()}")
            raise
        signal.alarm(0)


@pytest.mark.parametrize("name", VALID)
def test_cut_files(name):
    """A file that ends anywhere is read without an accident; the files that are damaged above are sound."""
    assert read_profile(Source("x", VALID[name]), name).check().tracks
    for end in range(len(VALID[name])):
        survives(name, VALID[name][:end])


def speedscope(**parts) -> str:
    return json.dumps(json.loads(SPEEDSCOPE) | parts)


def alone(profile: dict) -> str:
    """Return a file of one profile and one frame, as others write it."""
    file = {"$schema": json.loads(SPEEDSCOPE)["$schema"], "shared": {"frames": [{"name": "a"}]}}
    return json.dumps(file | {"profiles": [profile]}, separators=(",", ":"))


def sampled(**parts) -> str:
    return alone(json.loads(SPEEDSCOPE)["profiles"][1] | parts)


def evented(*events, **parts) -> str:
    rows = [{"type": kind, "frame": frame, "at": at} for kind, frame, at in events]
    return alone(json.loads(SPEEDSCOPE)["profiles"][0] | {"events": rows} | parts)


def event(**parts) -> str:
    return json.dumps(
        {"traceEvents": [{"ph": "X", "name": "a", "pid": 1, "tid": 1, "ts": 1, "dur": 2} | parts]}
    )


def pprof(*parts: bytes, strings: tuple[bytes, ...] = (b"", b"cpu", b"ns")) -> bytes:
    """Return a file of one sample type, a location with a function, and other parts."""
    function = block(5, number(1, 1) + number(2, 1))
    location = block(4, number(1, 1) + block(4, number(1, 1)))
    types = block(1, number(1, 1) + number(2, 2))
    return types + function + location + b"".join(parts) + b"".join(block(6, text) for text in strings)


def pprof_sample(path: list[int], *values: int) -> bytes:
    return block(2, packed(1, path) + packed(2, values))


ODD_EVENTS = [
    ({"ph": "X"}, "record with --format chrometrace"),
    ({"args": None}, "subscriptable"),
    ({"args": []}, "indices"),
    ({"ts": "soon"}, "soon"),
    ({"ts": float("inf")}, "Infinity is no number"),
    ({"ts": float("nan")}, "NaN is no number"),
    ({"ts": 10**30}, "its time goes from 0 to"),
    ({"ts": -5}, "its time goes from 0 to -5"),
    ({"args": {"filename": "", "line": [1]}}, "list"),
    ({"pid": None}, "NoneType"),
]
ODD_RECORDS = [
    ("3", "there is no array"),
    ("[3]", r"in frame_records\[0\]"),
    ("[[[]]]", r"in frame_records\[0\]"),
    ('[[["main"], 1]]', r"in frame_records\[0\]"),
    ("[[3, 1]]", r"in frame_records\[0\]"),
    ('[[[], "1"]]', r"in frame_records\[0\]"),
    ("[[[], null]]", r"in frame_records\[0\]"),
    ("[[[], Infinity]]", "Infinity is no number"),
    ("[[[], NaN]]", "NaN is no number"),
]
BAD = [
    ("pprof", b"", "it states no sample type"),
    ("pprof", PPROF[:-3], "at byte .*, field 6 has"),
    ("pprof", PPROF + b"\x80", "a number is cut off"),
    ("pprof", b"\x80" * 20, "at byte 0, a number has no end"),
    ("pprof", b"\x00\x01", "at byte 0, there is no field 0"),
    ("pprof", b"\x0b", "at byte 0, field 1 is of kind 3"),
    ("pprof", b"\x09\x01", "at byte 0, field 1 is cut off"),
    ("pprof", pprof(strings=(b"", b"cpu")), "it names string 2, and there are 2 strings"),
    ("pprof", pprof(pprof_sample([1])), "sample 1 has 0 amounts, and there are 1 sample types"),
    ("pprof", pprof(pprof_sample([1], 5), pprof_sample([7], 5)), "sample 2 names location 7"),
    ("pprof", pprof(pprof_sample([1], -5)), "the time -5 is negative"),
    ("pprof", pprof(*[pprof_sample([1], 1 << 61)] * 3), "its amounts together are too large"),
    ("pprof", pprof(pprof_sample([1], 1 << 63)), "is negative"),
    ("pprof", pprof(block(4, number(1, 2) + block(4, number(1, 9)))), "a location names function 9"),
    ("pprof", pprof(block(2, b"\x09" + b"1" * 8)), "should be whole numbers"),
    ("speedscope", "[" * 100_000, "byte 0"),
    ("speedscope", '{"a":' * 100_000, "byte"),
    ("speedscope", SPEEDSCOPE[:-20], "the file ends too early"),
    ("speedscope", SPEEDSCOPE + "x", "the file should end"),
    ("speedscope", SPEEDSCOPE.replace('"shared"', '"profiles":[],"shared"'), "is twice"),
    ("speedscope", SPEEDSCOPE.replace('"at":2,', "").replace('"at":2}', '"at":2,"at":3}'), "'at' is twice"),
    ("speedscope", SPEEDSCOPE.replace("file-format-schema", "other"), r"\$schema"),
    ("speedscope", sampled(samples=[[0]], weights=[float("nan")]), "NaN is no number"),
    ("speedscope", sampled(samples=[[0]], weights=[float("inf")]), "Infinity is no number"),
    ("speedscope", sampled(samples=[[0]], weights=[-1]), "of the weights, number 0: the time -1 is negative"),
    ("speedscope", sampled(samples=[[0]], weights=["1"]), "'1' is no time"),
    ("speedscope", sampled(samples=[[0]], weights=[True]), "True is no time"),
    ("speedscope", sampled(samples=[[0]], weights=[1e300]), "too large"),
    ("speedscope", sampled(samples=[[0]] * 3, weights=[2**61] * 3), "the weights together are too large"),
    ("speedscope", sampled(samples=[[0]], weights=[]), "1 samples and 0 weights"),
    ("speedscope", sampled(samples=[[9]], weights=[1]), "frame 9, and there are 1 frames"),
    ("speedscope", sampled(samples=[[-1]], weights=[1]), "not the number of a frame"),
    ("speedscope", sampled(samples=[[10**30]], weights=[1]), "not the number of a frame"),
    ("speedscope", sampled(samples=[[[0]]], weights=[1]), "not the number of a frame"),
    ("speedscope", sampled(unit="parsecs"), "'parsecs'"),
    ("speedscope", evented(("O", 0, 5), ("C", 0, 3)), "the time of event 1 is before"),
    ("speedscope", evented(("O", 0, 5)), "1 frames of these events are still open"),
    ("speedscope", evented(("C", 0, 5)), "event 0 of these closes frame 0"),
    ("speedscope", evented(("O", 0, 1.5), ("C", 0, float("1e999"))), "Infinity is no number"),
    ("speedscope", evented(("O", 0, 5), ("C", 0, 9), startValue=7), "the time of event 0"),
    ("speedscope", speedscope(shared=3), "no shared.frames"),
    ("speedscope", speedscope(shared={"frames": [{}]}), r"shared.frames\[0\] has no name"),
    ("chrome", CHROME[:-30], "the file ends too early"),
    ("chrome", "{}", "it has no traceEvents"),
    ("chrome", "[3]", "an event is 3"),
    ("chrome", event(ts=-1), "the time -1 is negative"),
    ("chrome", event(dur=-2), "the time -2 is negative"),
    ("chrome", event(ts="one"), "'one' is no time"),
    ("chrome", event(ts=" 1"), "' 1' is no time"),
    ("chrome", event(ts=float("nan")), "nan is no time"),
    ("chrome", event(dur=float("inf")), "inf is no time"),
    ("chrome", event(ts=10**40), "too large"),
    ("chrome", event(pid=[1]), "an event is"),
    ("chrome", event(args=3), "its args are 3"),
    ("chrome", event(name=[[]]), "an event is"),
    ("chrome", '[{"ph":"B","ts":9},{"ph":"E","ts":3}]', "an event ends at 3, before it begins at 9"),
    ("chrome", '{"traceEvents":[{"ph":"M","ph":"X"}]}', "'ph' is twice"),
    ("chrome", '{"traceEvents":[],"traceEvents":[]}', "'traceEvents' is twice"),
    ("chrome", '[{"ph":"X","ts":0,"args":' + '{"a":' * 100_000, "nested too deeply"),
    ("folded", "a;b\n", "line 1 should be a stack, a blank and a count"),
    ("folded", "a 1\na;b x\n", "line 2 should be a stack, a blank and a count"),
    ("folded", "a nan\n", "should be a stack, a blank and a count"),
    ("folded", "a inf\n", "out of range"),
    ("folded", "a -3\n", "out of range"),
    ("folded", "a " + "9" * 30, "out of range"),
    ("folded", "a 4000000000000000\n" * 2, "its counts together are too large"),
    ("folded", b"\xff\xfe 3\n", "is not UTF-8"),
    ("pyspy-raw", "main (p.py:1);x\n", "line 1"),
    ("perf", "", "holds no sample"),
    ("perf", "nonsense\n", "line 1 should begin a sample"),
    ("perf", VALID["perf"] + b"nonsense\n", "line 10 should begin a sample: b'nonsense"),
    ("perf", "a 7 999999999.0: 999999999999999999 cpu-clock:\n" * 9, "too large"),
    *(("pyspy-chrome", json.dumps([json.loads(PYSPY)[0] | part]), match) for part, match in ODD_EVENTS),
    ("pyspy-chrome", "[" * 100_000, "there is|nested too deeply"),
    ("pyspy-chrome", b"\xff\xfe\x00", "byte 0 is not UTF-8"),
    ("pyspy-chrome", "{}", "there is no array"),
    ("pyspy-chrome", "[1, 2]", "record with --format chrometrace"),
    ("pyspy-chrome", PYSPY.replace('"ts":20', '"ts":8'), "its time goes from 9 to 8"),
    ("pyspy-chrome", PYSPY.replace(',"ts":9', ""), "an event has no 'ts'"),
    *(("pyinstrument", f'{{"frame_records": {records}}}', match) for records, match in ODD_RECORDS),
    ("pyinstrument", "{}", "it has no frame_records"),
    ("pyspy-chrome", '[{"ph":"X"}]', "record with --format chrometrace"),
    ("pyinstrument", SESSION[:-9], "the file ends too early"),
    ("pyinstrument", '{"frame_records":[],"frame_records":[]}', "is twice"),
    ("pyinstrument", '{"frame_records": [[["a\\u0000b\\u00001"], 1e12]]}', "too large"),
    ("pstats", STATS[:-3], "at byte"),
    ("pstats", b"", "bytes are left"),
    ("pstats", b"{(\xff\xff\xff\x7f", "a tuple of 2147483647"),
    ("pstats", b"u\xff\xff\xff\x7f", "a length of 2147483647"),
    ("pstats", b"u\xff\xff\xff\xff", "a length of -1"),
    ("pstats", b"[\xff\xff\xff\x7f", "which cProfile does not write"),
    ("pstats", b")\x01" * 100_000, "nested too deeply"),
    ("pstats", b"r\x05\0\0\0", "a reference to no value"),
    ("pstats", b"\xa9\x01r\0\0\0\0", "a reference to no value"),
    ("pstats", marshal.dumps(3), "it holds 3"),
    ("pstats", marshal.dumps({("p", 1, "f"): (1, 1, float("nan"), 1.0, {})}), "a time of nan"),
    ("pstats", marshal.dumps({("p", 1, "f"): (1, 1, -5.0, 1.0, {})}), "a time of -5.0"),
    ("pstats", marshal.dumps({("p", 1, "f"): (1, -1, 1.0, 1.0, {})}), "a count of -1"),
    ("pstats", marshal.dumps({("p", 1, "f"): (1, 1, 1.0, 1.0, {("q", 1, "g"): ()})}), "a caller without an entry"),
    ("pstats", b"{" + marshal.dumps(("p", 1, "f"), 2) + b"N" + marshal.dumps(("p", 1, "f"), 2) + b"N0", "is twice"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "match"), BAD, ids=range(len(BAD)))
def test_bad_files(name, data, match):
    """Each is refused by one line that names the file, the place and what is wrong there."""
    with pytest.raises(InvalidInputError, match=match) as caught:
        read_profile(content(data, "folder/bad.file"), name)
    assert str(caught.value).startswith("folder/bad.file ")
    assert "\n" not in str(caught.value)


def test_the_place_of_an_error():
    """The byte that is named is where the event begins, in a long file with signs of several bytes before it."""
    events = [{"ph": "X", "name": "é" * 5, "pid": 1, "tid": 1, "ts": i, "dur": 1} for i in range(5000)]
    text = json.dumps(events, ensure_ascii=False)
    broken = text.replace('"ts": 4000,', '"tz": 4000,')
    with pytest.raises(InvalidInputError, match="an event has no 'ts'") as caught:
        read_profile(content(broken, "x.trace.json"))
    byte = int(str(caught.value).partition("at byte ")[2].partition(",")[0])
    found, _ = json.JSONDecoder().raw_decode(broken.encode()[byte:].decode())
    assert found["tz"] == 4000


def test_functions_that_call_each_other():
    """Cycles of callers end, and all self time is kept."""
    names = [("p.py", i, f"f{i}") for i in range(30)]
    stats = {name: (9, 9, 1.0, 30.0, dict.fromkeys(names, (1, 1, 0.1, 3.0))) for name in names}
    profile = read_profile(content(marshal.dumps(stats), "cycle.prof")).check()
    assert aggregate(profile, of="samples").all_ns == 30 * 10**9


def test_sums_of_stats():
    """Own times are kept, shared out by the callers' shares, and what was called in a circle is counted once."""
    profile = read_profile(content(STATS, "x.prof")).check()
    tree = aggregate(profile, of="samples")
    rows = {
        tuple(profile.frames[i].name for i in profile.stacks.path(stack)): int(tree.self_ns[stack])
        for stack in range(len(profile.stacks))
    }
    assert rows == {
        ("main",): 500_000_000,
        ("main", "f"): 1_000_000_000,
        ("main", "f", "<built-in method sum>"): 500_000_000,
    }
    assert profile.file.attributed == 1.0
    assert "no stacks" in profile.file.tree


def bomb(size: int) -> bytes:
    """Return a gzipped list of so many bytes, to within 16 MiB: parts behind one another, which are made but once."""
    part = gzip.compress(b"0," * (8 << 20), 9)
    return gzip.compress(b"[") + part * (size >> 24) + gzip.compress(b"0]")


def test_gzip_bombs(tmp_path):
    """A file that expands a thousandfold is refused before it fills the memory."""
    path = tmp_path / "bomb.trace.json.gz"
    path.write_bytes(bomb(400 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(
            InvalidInputError, match=r"bomb\.trace\.json\.gz holds \d+ bytes that become more than"
        ):
            read_profile(path)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


def test_pipes_and_devices(tmp_path):
    """A named pipe that nobody writes to is not waited for, and a device is not read without end."""
    os.mkfifo(tmp_path / "fifo.folded")
    for path in (tmp_path / "fifo.folded", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(InvalidInputError, match=f"{path} is a pipe or a device"):
            read_profile(path)
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "missing", "No such file")):
        with pytest.raises(InvalidInputError, match=f"{path} cannot be read: {why}"):
            read_profile(path)


def test_large_files(tmp_path, monkeypatch):
    """A file above the limit is refused, and so is one that becomes larger than it, without reading all of it."""
    monkeypatch.setattr(source, "MAX_BYTES", 1000)
    (tmp_path / "x.folded").write_bytes(b"a 1\n" * 300)
    with pytest.raises(InvalidInputError, match="is larger than"):
        read_source(tmp_path / "x.folded")
    (tmp_path / "x.folded.gz").write_bytes(gzip.compress(b"a 1\n" * 300))
    with pytest.raises(InvalidInputError, match="become more than"):
        read_source(tmp_path / "x.folded.gz")


def test_many_small_things(monkeypatch):
    """Files of more lines, arrays or objects than fit into the memory are refused before they are taken apart."""
    monkeypatch.setattr(source, "MAX_VALUES", 100)
    monkeypatch.setattr(source, "MAX_LINES", 100)
    monkeypatch.setattr(source, "MAX_PARTS", 100)
    many = [
        ("chrome", "[" + "[]," * 100 + "0]"),
        ("folded", "a 1\n" * 101),
        ("pprof", pprof(*[pprof_sample([1], 5)] * 101)),
        ("pprof", pprof(pprof_sample([1] * 101, 5))),
    ]
    for name, data in many:
        with pytest.raises(InvalidInputError, match=r"bad\.file .* more than 100"):
            read_profile(content(data, "bad.file"), name)


def test_many_inlined_functions():
    """A small file whose every sample has a thousand inlined functions a thousand times is refused."""
    lines = block(4, number(1, 1)) * 1000
    inlined = block(4, number(1, 2) + lines)
    samples = [pprof_sample([2] * 1000, 5)] * 2
    with pytest.raises(InvalidInputError, match=r"its stacks hold more than \d+ frames"):
        read_profile(content(pprof(inlined, *samples), "x.pb"))


MANY = 40
THREADS = {
    "chrome": "[" + ",".join(f'{{"ph":"X","ts":1,"tid":{i}}}' for i in range(MANY)) + "]",
    "chrome, asynchronous": "[" + ",".join(f'{{"ph":"b","ts":1,"id":{i}}}' for i in range(MANY)) + "]",
    "pyspy-chrome": json.dumps([json.loads(PYSPY)[0] | {"tid": i} for i in range(MANY)]),
    "speedscope": speedscope(profiles=json.loads(SPEEDSCOPE)["profiles"] * MANY),
    "perf": "".join(f"a {i} 1.0: 9 cpu-clock:\n\t 1f main+0x1 (/a)\n\n" for i in range(MANY)),
    "austin": "".join(f"P1;T{i};a.py:f:1 9\n" for i in range(MANY)),
    "pprof": pprof(
        *[
            block(2, packed(1, [1]) + packed(2, [5]) + block(3, number(1, 3) + number(3, i)))
            for i in range(MANY)
        ],
        strings=(b"", b"cpu", b"ns", b"thread_id"),
    ),
}


@pytest.mark.parametrize("form", THREADS)
def test_many_threads(monkeypatch, form):
    """A file of more threads than fit into the memory is refused by one line."""
    monkeypatch.setattr(source, "MAX_TRACKS", 30)
    with pytest.raises(InvalidInputError, match=r"bad\.file .*more than 30"):
        read_profile(content(THREADS[form], "bad.file"), form.partition(",")[0])


def test_damaged_gzip(tmp_path):
    """Gzipped data that are cut off or damaged are refused; several behind each other are one."""
    whole = gzip.compress(b"a;b 3\n") + gzip.compress(b"a 4\n")
    path = tmp_path / "x.folded.gz"
    path.write_bytes(whole)
    assert aggregate(read_profile(path), of="samples").all_ns == 7000
    path.write_bytes(whole[:-9])
    with pytest.raises(InvalidInputError, match="cut off"):
        read_profile(path)
    path.write_bytes(whole[:-6] + struct.pack("<H", 7) + whole[-4:])
    with pytest.raises(InvalidInputError, match="damaged"):
        read_profile(path)
