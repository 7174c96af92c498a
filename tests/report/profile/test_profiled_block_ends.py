"""How a block of `workbench.profiled` ends: with an error, Ctrl-C, no folder, or on another thread."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading

import pytest

import workbench
from tests.helpers import scoped_work
from workbench import scope

busy, in_block, is_attributed = scoped_work.busy, scoped_work.in_block, scoped_work.is_attributed


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("no"), 1), (KeyboardInterrupt(), 130), (SystemExit(4), 4)]
)
def test_what_a_block_raises(tmp_path, error, code):
    """An exception, Ctrl-C or exit in the block passes through as it is, and what was seen until then is kept."""

    def fail():
        with scope("block"):
            in_block()
            raise error

    profiled = workbench.profiled(tmp_path / "run", rate=1000)
    with pytest.raises(type(error)) as caught, profiled as run:
        fail()
    assert caught.value is error
    assert run.page.is_file()
    assert is_attributed(run.profile, "in_block", ("block",))
    assert json.loads((tmp_path / "run" / "profile.json").read_text())["returncode"] == code


def test_a_block_fails_and_so_do_we(tmp_path, monkeypatch, capsys):
    """An error in our own code does not hide that of the block."""
    monkeypatch.setattr("workbench.report.profile.profiled.write_profile_files", lambda capture: 1 / 0)
    with pytest.raises(ValueError, match="mine"), workbench.profiled(tmp_path / "run"):
        raise ValueError("mine")
    assert "division by zero" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError), workbench.profiled(tmp_path / "run"):
        pass


def test_a_block_fails_and_its_files_too(tmp_path, capsys):
    """Where the files cannot be written either, the block's own error is raised, and a line says the other."""

    def fail():
        (tmp_path / "run").rename(tmp_path / "gone")
        (tmp_path / "run").write_text("a file")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), workbench.profiled(tmp_path / "run"):
        fail()
    assert "cannot write to" in capsys.readouterr().err
    assert sys.getprofile() is None


@pytest.mark.parametrize("sampler", ["in-process", "pyinstrument", "none"])
def test_a_block_deletes_its_folder(tmp_path, capsys, sampler):
    """A block that succeeded and deleted its folder does not fail: there is a page, and lines in words of Python."""
    with workbench.profiled(tmp_path / "run", rate=1000, sampler=sampler) as run:
        while (tmp_path / "run").exists():  # the sampler may add a file meanwhile
            shutil.rmtree(tmp_path / "run", ignore_errors=True)
        in_block()
    assert run.page.is_file()
    assert json.loads((tmp_path / "run" / "profile.json").read_text())["returncode"] == 0
    lines = capsys.readouterr().err.splitlines()
    assert any("is gone: the program deleted it; choose another folder" in line for line in lines)
    assert all(line.startswith("workbench: ") and " -" not in line for line in lines)
    assert sys.getprofile() is None


def test_files_that_cannot_be_written(tmp_path, capsys):
    """Where the files of a block that succeeded cannot be written, that is a line with its remedy, and no error."""
    with workbench.profiled(tmp_path / "run", rate=1000) as run:
        (tmp_path / "run").rename(tmp_path / "gone")
        (tmp_path / "run").write_text("a file")
    assert run.page is None
    lines = capsys.readouterr().err.splitlines()
    assert sum("cannot write to" in line and "choose another folder" in line for line in lines) == 1
    assert all(line.startswith("workbench: ") and " -" not in line for line in lines)
    with workbench.profiled(tmp_path / "next") as run:
        pass
    assert run.page.is_file()


def test_an_interrupt_at_the_end(tmp_path, monkeypatch):
    """Ctrl-C while the samples are finished is raised, and leaves neither recording nor sampler behind."""
    from workbench.capture.pyinstrument_session import PyinstrumentSession

    monkeypatch.setattr(PyinstrumentSession, "finish", _interrupted(PyinstrumentSession.finish))
    run = workbench.profiled(tmp_path / "run", rate=1000, sampler="pyinstrument")
    with pytest.raises(KeyboardInterrupt), run:
        in_block()
    assert sys.getprofile() is None
    assert "WORKBENCH_RECORD" not in os.environ
    with scope("behind"):
        pass
    monkeypatch.undo()
    assert "behind" not in {frame.name for frame in workbench.load(tmp_path / "run").frames}
    with workbench.profiled(tmp_path / "next", rate=1000) as run, scope("block"):
        in_block()
    assert is_attributed(run.profile, "in_block", ("block",))


def _interrupted(stop):
    """Return a `finish` that Ctrl-C reaches the first time, before anything is done."""
    calls = []

    def interrupted(self):
        calls.append(self)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        return stop(self)

    return interrupted


def test_an_end_on_another_thread(tmp_path, capsys):
    """A block that ends on another thread has its samples."""
    profiled = workbench.profiled(tmp_path / "run", rate=1000)
    run = profiled.__enter__()
    with scope("block"):
        in_block()
    end = threading.Thread(target=profiled.__exit__, args=(None, None, None))
    end.start()
    end.join()
    assert capsys.readouterr().err == ""
    assert is_attributed(run.profile, "in_block", ("block",))
    with workbench.profiled(tmp_path / "next", rate=1000) as run, scope("block"):
        in_block()
    assert is_attributed(run.profile, "in_block", ("block",))


def test_pyinstrument_that_ends_on_another_thread(tmp_path, capsys):
    """The session of pyinstrument has to be ended on its own thread: a line says that the samples are lost."""
    profiled = workbench.profiled(tmp_path / "run", rate=1000, sampler="pyinstrument")
    runs = []
    begin = threading.Thread(target=lambda: runs.append(profiled.__enter__()))
    begin.start()  # on a thread that ends: pyinstrument goes on sampling its own
    begin.join()
    with scope("block"):
        in_block()
    profiled.__exit__(None, None, None)
    assert "began and ended on different threads" in capsys.readouterr().err
    assert runs[0].page.is_file()
