"""Profiling without a sampler, a whole file or room on the disk: one line, what is kept, and the right exit code."""

from __future__ import annotations

import pytest

from tests.helpers.ended import ABOUT_FIGURES, BUSY, Ends, stand_in
from workbench.capture import program
from workbench.capture.samplers.in_process import InProcess
from workbench.capture.samplers.py_spy import PySpy
from workbench.capture.samplers.pyinstrument import Pyinstrument
from workbench.capture.warnings import Cause, warning_text


@pytest.fixture
def ends(workbench_profile):
    return Ends(workbench_profile)


ATTACHED = "echo 'py-spy> Sampling process 100 times a second. Press Control-C to exit.'\n"
NOTHING = ATTACHED + 'sleep 0.1; "$SPY" --version > "$OUT"; echo \'py-spy> Wrote it. Samples: 0 Errors: 0\''
REFUSED = "echo 'Permission Denied: Try running again with elevated permissions'; exit 1"
BROKEN = "echo 'Error: no way'; exit 1"
WITHOUT = {"WORKBENCH_RECORDER": "python"}
"""With the recorder in Python there is no in-process sampler."""


@pytest.mark.parametrize(
    ("text", "seconds", "says"),
    [
        ('"$SPY" "$@"; truncate -s 900 "$OUT"', 0.3, "; the scopes are recorded"),
        (NOTHING, 0.2, "; the scopes are recorded"),
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
    """Where py-spy leaves half a file, an empty one or none, one line says so, scopes are there, and 75."""
    text = stand_in(ends, text)
    done = ends.run(f"with scope('work'):\n    busy({seconds})\n", "--sampler", "py-spy", env=text)
    (line,) = ends.complaints(done.stderr)
    assert says in line
    assert done.returncode == 75
    assert ends.scope_s("work") >= seconds
    assert not ends.place.files & {"samples.svg", "samples.folded", "samples.speedscope.json"}


def test_nothing_was_seen_of_an_instant(ends, needs_py_spy):
    """A program of an instant without a sample is no failure."""
    done = ends.run("with scope('work'):\n    pass\n", "--sampler", "py-spy")
    assert (done.returncode, ends.complaints(done.stderr)) == (0, [])


@pytest.mark.parametrize(
    ("text", "why", "sampler"),
    [
        (None, "is not a program that can be run", "pyinstrument"),
        (REFUSED, "run as root, or set kernel.yama", "pyinstrument"),
        (BROKEN, "Error: no way); try", "pyinstrument"),
        ('exec "$SPY" "$@"', "the in-process sampler needs the compiled recorder", "py-spy"),
    ],
    ids=["missing", "refused", "broken", "py-spy"],
)
def test_fallbacks(ends, needs_py_spy, text, why, sampler):
    """What cannot be used is said with the remedy and what is done instead; samples are under scopes then, too."""
    environment = {"WORKBENCH_PY_SPY": "/nonexistent"} if text is None else stand_in(ends, text)
    ends.place.write("p.py", BUSY + "with scope('work'):\n    busy(0.4)\n")
    done = ends.place.profile_anew("p.py", env=environment | WITHOUT)
    lines = ends.complaints(done.stderr)
    assert why in " ".join(lines)
    assert lines[-1].endswith(f"; sampling with {sampler} instead")
    assert (done.returncode, ends.place.summary["sampler"]) == (0, sampler)
    assert ends.sampled_s("work", "busy") > 0.1


def test_scopes_alone_are_left(ends, monkeypatch):
    """Without any sampler scopes are recorded, one line has all remedies, and the code is 75."""
    script = ends.place.write("p.py", BUSY + "with scope('work'):\n    busy(0.1)\n")
    for sampler in (InProcess, PySpy, Pyinstrument):
        monkeypatch.setattr(sampler, "why_not", lambda self: Cause(f"no {self.name}"))
    options = program.CaptureOptions(program=(str(script),), folder=ends.place.folder / "out")
    capture = program.run_program(options)
    (line,) = (
        text
        for text in map(warning_text, capture.warnings)
        if not any(each in text for each in ABOUT_FIGURES)
    )
    assert line == "no in-process; no py-spy; no pyinstrument; only scopes are recorded"
    assert (capture.exit_code, capture.sampler, capture.merged) == (75, "none", None)
    assert capture.scopes is not None


def test_an_interpreter_without_site_packages(ends):
    """`python -S` loads nothing of ours: the program runs as it is, a line says why there is nothing, and 75."""
    ends.place.write("p.py", "print('done')")
    done = ends.place.profile("--", "-S", "p.py")
    (line,) = ends.complaints(done.stderr)
    assert "python -S loads no .pth file" in line
    assert (done.returncode, done.stdout) == (75, "done\n")


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
    assert all("File too large" in line or "could not write its log" in line for line in lines)
