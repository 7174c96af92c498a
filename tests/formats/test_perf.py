"""What `perf script` prints, by its forms and by perf itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.formats.content import content, samples
from workbench.errors import InvalidInputError
from workbench.formats.registry import read_profile
from workbench.profile import FrameKind, aggregate

TRAMPOLINE = """\
# ========
# captured on: Mon Nov 30 08:45:00 2026
# ========
#
python  5714/5714  15561.924250:   10101010 cpu-clock:
\t          25c858 move_unreachable+0x268 (inlined)
\t          25c858 gc_collect_main+0x268 (/usr/lib/libpython3.13.so.1.0)
\t              85 py::A.work:/home/u/p.py+0x5 (/tmp/jitted-5714-207.so)
\t          2bc5f0 py_trampoline_evaluator+0x70 (/usr/lib/libpython3.13.so.1.0)
\t              85 py::<module>:/home/u/p.py+0x5 (/tmp/perf-5714.map)

python  5714/5714  15561.934351:   10101010 cpu-clock:
\t          1a4cd5 x_add+0xb5 (/usr/lib/libpython3.13.so.1.0)
\t    7fc243558b60 [unknown] ([unknown])
\t    7fc243549e80 [unknown] ([unknown])
\t          2bc5f0 [unknown] (/usr/lib/libz.so.1 (deleted))
\tffffffff821f1961 asm_sysvec_apic_timer_interrupt+0x31 ([kernel.kallsyms])
\t              85 py::<module>:/home/u/p.py+0x5 (/tmp/perf-5714.map)

"""


def test_with_the_trampoline():
    """Python's functions have their names and files, native ones their libraries; the time is the clock's period."""
    profile = read_profile(content(TRAMPOLINE, "out.txt")).check()
    assert profile.file.format == "perf"
    assert not profile.file.warnings
    assert samples(profile) == [
        ("<module>;py_trampoline_evaluator;A.work;gc_collect_main;move_unreachable", 10_101_010),
        ("<module>;asm_sysvec_apic_timer_interrupt;[libz.so.1];[unknown];x_add", 10_101_010),
    ]
    kinds = {frame.name: (frame.file, frame.kind) for frame in profile.frames}
    assert kinds["A.work"] == ("/home/u/p.py", FrameKind.PYTHON)
    assert kinds["move_unreachable"] == ("", FrameKind.NATIVE)
    assert kinds["asm_sysvec_apic_timer_interrupt"] == ("[kernel.kallsyms]", FrameKind.NATIVE)
    track = profile.tracks[0]
    assert (track.name, track.pid, track.tid) == ("python", 5714, 5714)
    assert track.samples.at_ns.tolist()[1] == 15561934351000 - 10_101_010


@pytest.mark.parametrize(
    ("head", "who"),
    [
        ("python  77 1.5:   1000 cpu-clock:", ("python", 0, 77)),
        ("python  77 1.500000000:   1000 cpu-clock: ", ("python", 0, 77)),
        ("python    76/77    [001]     1.5:       1000 task-clock:u: ", ("python", 76, 77)),
        ("Web Content 77 [000] 1.5: 1000 cpu-clock:pppH:", ("Web Content", 0, 77)),
        ("kworker/0:1 77 1.5: 1000 cpu-clock:", ("kworker/0:1", 0, 77)),
        (":-1    -1 1.5: 1000 cpu-clock:", (":-1", 0, -1)),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_first_lines(head, who, end):
    """Each way in which perf prints a sample's first line."""
    text = end.join([head, "\t     1f0 main+0x10 (/bin/a)", "", ""]) * 2
    profile = read_profile(content(text)).check()
    (track,) = profile.tracks
    assert (track.name, track.pid, track.tid) == who
    assert samples(profile) == [("main", 1000)] * 2


def test_without_call_chains():
    """Without -g the frame stands in the first line."""
    profile = read_profile(
        content("a.out 7 1.0: 99 cpu-clock:  1193db f(int)+0x3b (/lib/x.so)\n" * 2)
    ).check()
    assert samples(profile) == [("f(int)", 99)] * 2


def test_events_that_are_no_time():
    """Of cycles a sample stands for the median time between neighbours, and a line says so; other events are named."""
    rows = [("cycles:u", at) for at in (1.0, 1.01, 1.02, 1.5)] + [("page-faults", 1.2)]
    text = "".join(f"a 7 {at:.6f}: 12345 {event}:\n\t 1f0 main+0x1 (/bin/a)\n\n" for event, at in rows)
    profile = read_profile(content(text)).check()
    assert samples(profile) == [("main", 10_000_000)] * 4
    first, second = profile.file.warnings
    assert first.startswith("the event 'cycles:u' states no times: each of its samples stands for 10 ms")
    assert "left out: 1 of 'page-faults'; read were 4 of 'cycles:u'" in second


@pytest.mark.parametrize(
    ("data", "match"), [(b"PERFILE2\0\0", "run perf script -i"), (b"MOJ\3", "mojo2austin")]
)
def test_binary_data_of_others(data, match):
    """Data that another program has to print first are refused with the command that does it."""
    with pytest.raises(InvalidInputError, match=match):
        read_profile(content(data))


def test_perf_itself(tmp_path):
    """What perf records of a program, and prints, is known by its content; its time is the program's."""
    perf = shutil.which("perf")
    if perf is None:
        pytest.skip("there is no perf")
    (tmp_path / "p.py").write_text(
        "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass\n"
    )
    trampoline = ["-X", "perf"] if sys.version_info >= (3, 12) else []
    record = [
        perf,
        "record",
        "-e",
        "cpu-clock",
        "-F",
        "199",
        "-g",
        "-o",
        "d",
        sys.executable,
        *trampoline,
        "p.py",
    ]
    done = subprocess.run(record, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    if done.returncode:
        assert os.environ.get("CI") != "true", done.stderr
        pytest.skip(f"perf cannot be used here: {done.stderr}")
    text = subprocess.run([perf, "script", "-i", "d"], cwd=tmp_path, capture_output=True, timeout=60).stdout
    (tmp_path / "out").write_bytes(text)
    profile = read_profile(tmp_path / "out").check()
    assert profile.file.format == "perf"
    assert aggregate(profile, of="samples").all_ns > 2e8
    with pytest.raises(InvalidInputError, match="perf's own data"):
        read_profile(tmp_path / "d")
