"""Where a sampled program may run: without privileges, in namespaces, on a read-only disk, under debuggers."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from workbench.eventlog import read_recording
from workbench.profile import FrameKind
from workbench.scopes import sampler

pytestmark = pytest.mark.skipif(sampler.why_not() is not None, reason=f"no sampler here: {sampler.why_not()}")

PROGRAM = """
import ctypes, sys, time
from workbench import scope

if "undumpable" in sys.argv:
    assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE: nobody may read its memory

def busy():
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        sum(range(1000))

with scope("busy"):
    busy()
with scope("asleep"):
    time.sleep(0.2)
"""
WITHOUT = ("setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
NAMESPACE = ("unshare", "--user", "--map-root-user")
READ_ONLY = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind . . && mount -o remount,bind,ro / && exec "$@"',
    "sh",
)
PLACES = {
    "no capabilities": (WITHOUT, ()),
    "undumpable": ((), ("undumpable",)),
    "no capabilities, undumpable": (WITHOUT, ("undumpable",)),
    "user namespace": (NAMESPACE, ()),
    "user and process namespaces": ((*NAMESPACE, "--pid", "--fork", "--mount-proc"), ()),
    "read-only disk": (READ_ONLY, ()),
    "strace": (("strace", "-f", "-o", os.devnull), ()),
    "gdb": (("gdb", "-q", "-batch", "-return-child-result", "-ex", "run", "--args"), ()),
    "valgrind": (("valgrind", "-q"), ()),
}


@pytest.mark.parametrize(
    ("prefix", "arguments"),
    [
        pytest.param(*place, id=name, marks=[pytest.mark.proof] if name == "valgrind" else [])  # it is slow
        for name, place in PLACES.items()
    ],
)
def test_a_program_is_sampled(tmp_path, prefix, arguments):
    """It runs as it would, and has samples in each of its scopes, busy or asleep, with native frames."""
    if (
        prefix
        and subprocess.run(
            [*prefix, sys.executable, "-S", "-c", ""], cwd=tmp_path, capture_output=True
        ).returncode
    ):
        pytest.skip(f"{prefix[0]} cannot be used here")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    (tmp_path / "out").mkdir()
    variables = {"WORKBENCH_RECORD": str(tmp_path / "out" / "recording"), "WORKBENCH_SAMPLE": "200,native"}
    done = subprocess.run(
        [*prefix, sys.executable, "program.py", *arguments],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    profile = read_recording(tmp_path / "out" / "recording").check()
    seen: dict[str, int] = {}
    kinds = set()
    for track in profile.tracks:
        if track.samples is not None and track.samples.ticks is not None:
            for stack, ticks in zip(track.samples.stack.tolist(), track.samples.ticks.tolist(), strict=True):
                frames = [profile.frames[f] for f in profile.stacks.path(stack)]
                kinds |= {frame.kind for frame in frames}
                for frame in frames:
                    if frame.kind is FrameKind.SCOPE:
                        seen[frame.name] = seen.get(frame.name, 0) + ticks
    assert min(seen.get("busy", 0), seen.get("asleep", 0)) > 20
    assert FrameKind.NATIVE in kinds
    assert profile.recording.damaged == 0
