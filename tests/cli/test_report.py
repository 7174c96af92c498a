"""`workbench report`: the page of a profile, and the page of an experiment again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.helpers.bench_runs import write_experiment
from tests.helpers.page_profiles import training
from workbench import record, scope
from workbench.bench.results.results import FILE
from workbench.cli.report import command
from workbench.errors import InvalidInputError
from workbench.formats.speedscope import write_speedscope


def bench_run(folder: Path) -> Path:
    write_experiment(folder, {"one": [1.0]})
    return folder


def run(*arguments: str | Path) -> str:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False).stdout


@pytest.mark.parametrize("named", ["", FILE])
def test_the_page_is_made_from_the_results(tmp_path: Path, named: str) -> None:
    """The folder of an experiment, or its file of results, is enough."""
    folder = bench_run(tmp_path / "run")
    assert run(folder / named) == f"open {folder / 'index.html'} in a browser\n"
    assert "Benchmark: tiny" in (folder / "index.html").read_text()


def test_a_bench_runs_page_is_in_its_folder(tmp_path: Path) -> None:
    """A folder for it is refused, and nothing is written."""
    folder = bench_run(tmp_path / "run")
    with pytest.raises(InvalidInputError, match="is in its own folder: leave -o out"):
        run(folder, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_runs_stand_side_by_side(tmp_path: Path) -> None:
    """Runs, or their files of results, make one page in a folder of its own."""
    runs = [bench_run(tmp_path / "monday"), bench_run(tmp_path / "tuesday") / FILE]
    assert run(*runs, "-o", tmp_path / "out") == f"open {tmp_path / 'out' / 'index.html'} in a browser\n"
    assert "2 experiments" in (tmp_path / "out" / "index.html").read_text()


def test_a_folder_of_experiments_has_a_page(tmp_path: Path) -> None:
    """Its page is in the folder; an experiment that cannot be read, or has nothing, is named and left out."""
    bench_run(tmp_path / "monday")
    write_experiment(tmp_path / "cut", {"one": []})
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE).write_text("{}\n")
    done = CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert done.stdout == f"open {tmp_path / 'index.html'} in a browser\n"
    assert f"left out: {tmp_path}/bad/{FILE} is not a file of results" in done.stderr
    assert f"left out: {tmp_path}/cut holds no complete round" in done.stderr
    assert "tiny, 1 experiment<" in (tmp_path / "index.html").read_text()


def test_several_runs_need_a_folder_and_are_runs(tmp_path: Path) -> None:
    """Without a folder, or with something else among them, the message says what to do."""
    one, two = bench_run(tmp_path / "one"), bench_run(tmp_path / "two")
    with pytest.raises(InvalidInputError, match="with -o DIR"):
        run(one, two)
    with pytest.raises(InvalidInputError, match="is not an experiment"):
        run(one, one / FILE / "none", "-o", tmp_path / "out")


def test_the_page_of_a_recording(tmp_path: Path) -> None:
    """A recording's folder is read, with its scopes."""
    with record(tmp_path / "recording"), scope("compute jacobian"):
        pass
    said = run(tmp_path / "recording", "-o", tmp_path / "out" / "below")
    page = tmp_path / "out" / "below" / "index.html"
    assert said == f"open {page} in a browser\n"
    assert "compute jacobian" in page.read_text()


def test_the_page_of_a_file(tmp_path: Path) -> None:
    """Any readable file will do; its speedscope files are beside the page."""
    write_speedscope(training(), tmp_path / "run.speedscope.json")
    run(tmp_path / "run.speedscope.json", "-o", tmp_path / "out")
    assert {"index.html", "scopes.svg", "samples.speedscope.json"} <= {
        file.name for file in (tmp_path / "out").iterdir()
    }


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """What is neither a run nor a profile is named, and nothing is written."""
    with pytest.raises(InvalidInputError, match="holds no profile, recording or experiment"):
        run(tmp_path, "-o", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    """A path that does not exist is named with what could be."""
    with pytest.raises(InvalidInputError, match="nothing does not exist: name a profile, a recording"):
        run(tmp_path / "nothing", "-o", tmp_path / "out")


def test_a_folder_is_needed(tmp_path: Path) -> None:
    """Where the page goes must be said, save for a folder that `workbench profile` wrote."""
    write_speedscope(training(), tmp_path / "run.speedscope.json")
    with pytest.raises(InvalidInputError, match="with -o DIR"):
        run(tmp_path / "run.speedscope.json")
    (tmp_path / "samples.speedscope.json").write_bytes((tmp_path / "run.speedscope.json").read_bytes())
    (tmp_path / "profile.json").write_text("{}")
    assert run(tmp_path) == f"open {tmp_path / 'index.html'} in a browser\n"


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 100, b"{}"])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    """A file that is no profile is one line that names it, and no page is written."""
    (tmp_path / "x.speedscope.json").write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        run(tmp_path / "x.speedscope.json", "-o", tmp_path / "out")
    assert "x.speedscope.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
