"""`workbench.profiled`: a block of a program, recorded and sampled, as in a notebook."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

import workbench
from tests.helpers import scoped_work
from tests.helpers.scoped_work import EXPECTED, jobs, main, scopes_around, task
from workbench import scope
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.profile import FrameKind

ROOT = Path(workbench.__file__).parents[1]
busy, in_block, outside = scoped_work.busy, scoped_work.in_block, scoped_work.outside
stacks, is_attributed = scoped_work.stacks, scoped_work.is_attributed


def python(text, folder, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
    (folder / "p.py").write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, "p.py"],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_block(tmp_path):
    """A block leaves the files that `workbench profile` leaves, and its samples are under the scopes they were in."""
    with workbench.profiled(tmp_path / "run", rate=1000) as run:
        assert run.page is None
        main()
    assert sys.getprofile() is None
    profile = run.profile.check()
    for function, scopes in EXPECTED.items():
        assert is_attributed(profile, function, scopes), scopes_around(profile, function)
    assert run.page == tmp_path / "run" / "index.html"
    names = {path.name for path in run.folder.iterdir()}
    assert names >= {"index.html", "profile.json", "recording"}
    assert names >= {"scopes.speedscope.json", "samples.speedscope.json", "samples.svg", "scopes.svg"}
    summary = json.loads((run.folder / "profile.json").read_text())
    assert (summary["sampler"], summary["rate"], summary["returncode"]) == (
        "in-process with native frames",
        1000,
        0,
    )
    assert summary["samples"] > 0
    assert "WORKBENCH_SAMPLE" not in os.environ
    assert workbench.load(run.folder).tracks


@pytest.mark.parametrize("sampler", ["in-process", "pyinstrument"])
def test_frames_around_are_left_out(tmp_path, sampler):
    """What was on the stack before the block is no part of its profile, which begins with the block's own frame."""
    with workbench.profiled(tmp_path / "plain", rate=1000, sampler=sampler) as plain:
        busy(0.15)
    with ExitStack() as stack:
        stacked = stack.enter_context(workbench.profiled(tmp_path / "stack", rate=1000, sampler=sampler))
        busy(0.15)
    for run in (plain, stacked):
        roots = {frames[0].name for frames in stacks(run.profile)}
        assert "test_frames_around_are_left_out" in roots
        assert not roots & {"<module>", "pytest_pyfunc_call", "main"}


def test_in_a_running_loop(tmp_path):
    """In a running event loop, as in a notebook's cell, a block may await; what other tasks run is seen as well."""

    async def other():
        with scope("other"):
            outside()

    async def cell():
        with workbench.profiled(tmp_path / "run", rate=1000) as run, scope("block"):
            in_block()
            await asyncio.gather(task(), other())
        return run

    profile = asyncio.run(cell()).profile.check()
    assert is_attributed(profile, "in_block", ("block",), innermost=True)
    assert is_attributed(profile, "in_task", ("task",), innermost=True)
    assert is_attributed(profile, "outside", ("other",), innermost=True)


def test_nested(tmp_path):
    """A block inside a block is refused in a line that names both, and the outer one goes on unharmed."""
    with workbench.profiled(tmp_path / "outer", rate=1000) as run:
        with pytest.raises(InvalidInputError, match=r"(?s)inner.*is inside.*outer.*end that first"):
            workbench.profiled(tmp_path / "inner").__enter__()
        busy(0.1)
        with scope("block"):
            in_block()
    assert is_attributed(run.profile, "in_block", ("block",))
    assert not (tmp_path / "inner").exists()
    with workbench.profiled(tmp_path / "inner") as run:
        pass
    assert run.page.is_file()


@pytest.mark.parametrize("rate", [0, 1001, -5, 1.5, True, "100", None])
def test_rates(tmp_path, rate):
    """A rate that is no whole number from 1 to 1000 is refused with its value, before anything is written."""
    with pytest.raises(InvalidInputError, match=r"choose 1 to 1000") as caught:
        workbench.profiled(tmp_path / "run", rate=rate)
    assert repr(rate) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_folders(tmp_path):
    """What is no folder, or cannot be one, is refused in a line; afterwards another block may begin."""
    with pytest.raises(InvalidInputError, match="takes a folder"):
        workbench.profiled(7)
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WorkbenchError, match=r"cannot .*file"), workbench.profiled(folder):
            raise AssertionError
    assert sys.getprofile() is None
    with workbench.profiled(tmp_path / "run"):
        pass


def test_a_folder_is_of_one_run(tmp_path, monkeypatch):
    """A block replaces what an earlier one left; a change of folder in it does not move the files."""
    monkeypatch.chdir(tmp_path)
    with workbench.profiled("run", rate=1000), scope("first"):
        in_block()
    (tmp_path / "elsewhere").mkdir()
    with workbench.profiled("run", rate=1000) as run:
        os.chdir("elsewhere")
        with scope("second"):
            in_block()
    assert {frame.name for frame in run.profile.frames if frame.kind is FrameKind.SCOPE} == {"second"}
    assert run.page == tmp_path / "run" / "index.html"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_names_of_run_time(tmp_path):
    """Samples are under scopes whose names are made as the program runs."""
    with workbench.profiled(tmp_path / "run", rate=1000) as run:
        busy(0.1)  # the sampler begins within some 20 ms
        jobs()
    seen = {names for names in scopes_around(run.profile, "busy") if names}
    assert seen == {(f"job {i}",) for i in range(10)}


def test_all_threads(tmp_path):
    """Threads that the block starts are sampled under their own scopes, as is the block's own."""

    def work():
        with scope("thread"):
            outside()

    with workbench.profiled(tmp_path / "run", rate=1000) as run, scope("block"):
        thread = threading.Thread(target=work)
        thread.start()
        in_block()
        thread.join()
    assert is_attributed(run.profile, "outside", ("thread",))
    assert is_attributed(run.profile, "in_block", ("block",))


def test_without_the_in_process_sampler(tmp_path, monkeypatch, capsys):
    """Where it cannot run pyinstrument samples the block's thread, and one line says so."""
    monkeypatch.setattr("workbench.report.profile.profiled.why_in_process_not", lambda: "it cannot run here")
    with workbench.profiled(tmp_path / "run", rate=1000) as run, scope("block"):
        in_block()
    assert capsys.readouterr().err == "workbench: it cannot run here; sampling with pyinstrument instead\n"
    assert is_attributed(run.profile, "in_block", ("block",))


def test_without_any_sampler(tmp_path, monkeypatch, capsys):
    """Without any scopes are recorded, there is a page, and one line says how to get samples."""
    monkeypatch.setattr("workbench.report.profile.profiled.why_in_process_not", lambda: "it cannot run here")
    monkeypatch.setitem(sys.modules, "pyinstrument", None)
    with workbench.profiled(tmp_path / "run") as run, scope("block"):
        in_block()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("workbench: it cannot run here; pyinstrument is not installed: ")
    assert run.page.is_file()
    assert [frame.name for frame in run.profile.frames if frame.kind is FrameKind.SCOPE] == ["block"]
    summary = json.loads((tmp_path / "run" / "profile.json").read_text())
    assert (summary["sampler"], summary["sampling_failed"]) == ("none", True)


@pytest.mark.parametrize("sampler", ["py-spy", "", None])
def test_samplers_that_cannot_sample_a_block(tmp_path, sampler):
    """Another sampler is refused with its name and those there are."""
    with pytest.raises(InvalidInputError, match="choose auto, in-process, pyinstrument, none"):
        workbench.profiled(tmp_path / "run", sampler=sampler)


def test_recorded_from_outside(tmp_path):
    """In a program that is recorded already the block runs, that recording goes on, and its files are left alone."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyinstrument.json").write_text("another's")
    done = python(
        """
        import workbench
        with workbench.profiled("inner") as run, workbench.scope("block"):
            pass
        print(run.page, run.profile)
        """,
        tmp_path,
        WORKBENCH_RECORD=str(tmp_path / "outer"),
    )
    assert (done.stdout, done.returncode) == ("None None\n", 0)
    (line,) = done.stderr.splitlines()
    assert "already recording into" in line
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["pyinstrument.json"]
    assert [frame.name for frame in workbench.load(tmp_path / "outer").frames] == ["block"]


def test_a_child_leaves_the_files_to_its_parent(tmp_path):
    """A child that is forked in the block leaves it silently; the parent's profile has the scopes of both."""
    done = python(
        """
        import os, workbench
        with workbench.profiled("run") as run:
            pid = os.fork()
            with workbench.scope("child" if pid == 0 else "parent"):
                pass
            if pid:
                os.waitpid(pid, 0)
        if pid:
            print(run.page.is_file(), sorted({f.name for f in run.profile.frames if f.kind == 0}))
        else:
            assert run.page is None
        """,
        tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True ['child', 'parent']\n", "", 0)


def test_nothing_heavy_is_imported(tmp_path):
    """Importing workbench imports neither NumPy nor pyinstrument: only the use of `profiled` does."""
    done = python(
        """
        import sys, workbench
        heavy = ("numpy", "pyinstrument", "jinja2")
        print([name in sys.modules for name in heavy])
        with workbench.profiled("run"):
            pass
        print([name in sys.modules for name in heavy])
        """,
        tmp_path,
    )
    assert done.stdout == f"{[False] * 3}\n{[True, False, True]}\n"
    assert done.stderr == ""


def test_in_a_notebook(tmp_path, monkeypatch):
    """A notebook shows a link to the page and an image in which no script runs; names cannot break out of either."""
    monkeypatch.chdir(tmp_path)
    with workbench.profiled("<b>&'\"", rate=1000) as run:
        assert "yet" in run._repr_html_()
        assert "<b>" not in run._repr_html_()
        with scope("</img><script>x"):
            in_block()
    shown = run._repr_html_()
    assert "<b>" not in shown
    assert "<script" not in shown
    assert 'href="%3Cb%3E%26%27%22/index.html"' in shown
    assert 'src="data:image/svg+xml;base64,' in shown
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run.page.as_uri() in run._repr_html_()
