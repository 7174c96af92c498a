"""Profiling without a sampler, a whole file or room on the disk: one line, what is kept, and the right exit code."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from workbench.capture import program

ENDED = runpy.run_path(str(Path(__file__).with_name("ended.py")))
BUSY: str = ENDED["BUSY"]
stand_in = ENDED["stand_in"]


@pytest.fixture
def ends(workbench_profile, our_lines):
    return ENDED["Ends"](workbench_profile, our_lines)


ATTACHED = "echo 'py-spy> Sampling process 100 times a second. Press Control-C to exit.'\n"
NOTHING = ATTACHED + "sleep 1.5; echo '[]' > \"$OUT\"; echo 'py-spy> Wrote it. Samples: 0 Errors: 0'"
REFUSED = "echo 'Permission Denied: Try running again with elevated permissions'; exit 1"
BROKEN = "echo 'Error: no way'; exit 1"
NO_NATIVE = f'case "$*" in *--native*) {BROKEN};; esac; exec "$SPY" "$@"'


@pytest.mark.parametrize(
    ("text", "seconds", "says"),
    [
        ('"$SPY" "$@"; truncate -s 900 "$OUT"', 0.3, "; the guards' files are there"),
        (NOTHING, 1.2, "py-spy saw nothing of the program in"),
        (ATTACHED + "exit 101", 0.2, "py-spy failed (exit code 101, no message)"),
        (
            ATTACHED + "echo 'Error: No space left on device (os error 28)'; exit 1",
            0.2,
            "choose another folder",
        ),
    ],
    ids=["half a file", "nothing", "panic", "full"],
)
def test_a_file_that_says_nothing(ends, needs_py_spy, text, seconds, says):
    """Where py-spy leaves half a file, an empty one or none, one line says so, guards are there, and 75."""
    done = ends.run(f"with scope('work'):\n    busy({seconds})\n", env=stand_in(ends, text))
    (line,) = ends.complaints(done.stderr)
    assert says in line
    assert done.returncode == 75
    assert ends.scope_s("work") >= seconds
    assert not ends.place.files & {"samples.svg", "samples.folded", "samples.speedscope.json"}


def test_nothing_was_seen_of_an_instant(ends):
    """A sampler that came too late for a program of an instant is no failure."""
    done = ends.run("with scope('work'):\n    pass\n", env=stand_in(ends, NOTHING.replace("1.5", "0.1")))
    assert (done.returncode, ends.complaints(done.stderr)) == (0, [])
    assert ends.place.summary["samples"] == 0


@pytest.mark.parametrize(
    ("text", "why", "instead", "sampler"),
    [
        (None, "is not a program that can be run", "pyinstrument instead (one thread", "pyinstrument"),
        (REFUSED, "run as root, or set kernel.yama", "pyinstrument instead (one thread", "pyinstrument"),
        (BROKEN, "Error: no way): try", "pyinstrument instead (one thread", "pyinstrument"),
        (NO_NATIVE, "Error: no way): try", "without native frames instead", "py-spy"),
    ],
    ids=["missing", "refused", "broken", "no native frames"],
)
def test_fallbacks(ends, needs_py_spy, text, why, instead, sampler):
    """What cannot be used is one line with the remedy and what is done instead; samples are under scopes then, too."""
    environment = {"WORKBENCH_PY_SPY": "/nonexistent"} if text is None else stand_in(ends, text)
    done = ends.run("with scope('work'):\n    busy(0.4)\n", env=environment)
    (line,) = ends.complaints(done.stderr)
    assert why in line
    assert f"; sampling {'with ' if sampler == 'pyinstrument' else ''}{instead}" in line
    assert (done.returncode, ends.place.summary["sampler"]) == (0, sampler)
    assert ends.sampled_s("work", "busy") > 0.1


def test_guards_alone_are_left(ends, monkeypatch):
    """Without py-spy and pyinstrument the guards are recorded, one line has both remedies, and the code is 75."""
    script = ends.place.write("p.py", BUSY + "with scope('work'):\n    busy(0.1)\n")
    monkeypatch.setenv("WORKBENCH_PY_SPY", "/nonexistent")
    monkeypatch.setattr(program, "_has_pyinstrument", lambda: False)
    options = program.CaptureOptions(program=(str(script),), folder=ends.place.folder / "out")
    capture = program.run_program(options)
    (line,) = (text for text in capture.warnings if not any(each in text for each in ENDED["ABOUT_FIGURES"]))
    assert line == (
        "WORKBENCH_PY_SPY=/nonexistent is not a program that can be run: correct or unset it; pyinstrument is "
        "missing too (pip install pyinstrument); only the guards are recorded"
    )
    assert (capture.exit_code, capture.sampler, capture.merged) == (75, "none", None)
    assert capture.scopes is not None


def test_a_full_disk(ends):
    """Where nothing can be written the program runs on, and its own failure is the exit code."""
    ends.place.write("p.py", BUSY + "with scope('work'):\n    busy(0.3)\nprint('done')\nsys.exit(3)\n")
    ends.place.write(
        "limited.py",
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        from workbench.cli import main
        main()
        """,
    )
    done = ends.place.run("limited.py", "profile", "-o", "out", "p.py")
    assert (done.returncode, done.stdout) == (3, "done\n")
    assert "Traceback" not in done.stderr
    lines = ends.complaints(done.stderr)
    assert lines
    assert all("File too large" in line for line in lines)
