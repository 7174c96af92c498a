"""The programs of docs/gallery: each profile has the answer that its page states, and each change keeps the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joblib.externals.loky import get_reusable_executor

from tests.docs.pages import ROOT
from tests.helpers.commands import run_workbench
from tests.helpers.profiled import Workbench
from workbench.bench.design.suite import load_suite

pytestmark = pytest.mark.proof
GALLERY = ROOT / "docs" / "gallery"


@pytest.fixture
def profiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Profile a program with a size, and return what `show --json` says."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")

    def run(name: str, size: int) -> dict[str, Any]:
        tried = Workbench(tmp_path)
        done = tried.profile("--rate", "500", str(GALLERY / f"{name}.py"), str(size))
        assert done.returncode == 0, done.stderr
        shown = run_workbench("show", "--json", str(tmp_path / "out"), text=True)
        assert shown.returncode == 0, shown.stderr
        said: dict[str, Any] = json.loads(shown.stdout)
        assert said["sampler"].startswith("in-process")
        return said

    return run


def scope(said: dict[str, Any], *path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in said["scopes"] if each["path"][-len(path) :] == list(path))
    return found


def line(said: dict[str, Any], text: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in said["lines"] if text in (each["source"] or ""))
    return found


def test_most_of_a_fit_is_tanh_in_the_jacobian(profiled: Any) -> None:
    """The native tanh is sampled in the scope of the Jacobian, which takes most of a step, on its line."""
    said = profiled("network", 20)
    jacobian = scope(said, "step", "jacobian")
    assert any("tanh" in each["name"] for each in jacobian["functions"])
    assert jacobian["total_s"] > scope(said, "step")["total_s"] / 2
    assert line(said, "np.tanh")["work"]["native"]["share"] > 0


def test_a_callback_takes_less_than_the_library_that_calls_it(profiled: Any) -> None:
    """The line that calls SciPy has more samples than those of the function that SciPy calls."""
    said = profiled("callbacks", 200)
    assert said["lines"][0]["source"].startswith("found = solve_ivp")
    assert "library" in said["lines"][0]["work"]
    assert scope(said, "pendulums", "integrate")["calls"] == 200


def test_workers_convert_for_longer_than_they_work(profiled: Any) -> None:
    """The scopes of worker processes are under the sender's, and the conversion takes longer than the resampling."""
    said = profiled("processes", 40)
    convert = scope(said, "bootstrap", "to arrays")
    assert convert["calls"] == 40
    assert convert["total_s"] > sum(
        each["total_s"] for each in said["scopes"] if each["path"][-1] == "resample"
    )
    assert line(said, "joblib.Parallel")["work"]["waiting"]["share"] > 0


def test_threads_wait_for_the_lock(profiled: Any) -> None:
    """The hottest line of two threads in plain Python waits for the interpreter's lock a part of its time."""
    said = profiled("lock", 250)
    assert scope(said, "mandelbrot", "band")["calls"] == 8
    assert line(said, "z = z * z + c")["work"]["waiting_for_lock"]["share"] > 0


def test_a_scope_that_waits_for_memory_is_all_native(profiled: Any, tmp_path: Path) -> None:
    """Nearly all of a sweep is NumPy's compiled code, and the page has its roofline."""
    said = profiled("layout", 20)
    assert scope(said, "sweep")["calls"] == 20
    hot = line(said, "pull = column @ r")
    assert hot["work"]["native"]["share"] > 0.8 * hot["share"]
    assert 'id="roofline"' in (tmp_path / "out" / "index.html").read_text()


def test_a_library_without_scopes_is_under_the_line_that_calls_it(profiled: Any) -> None:
    """The hottest line is the call of networkx, and most of it is Python code of that library."""
    said = profiled("library", 18)
    hot = said["lines"][0]
    assert "all_pairs_dijkstra_path_length" in hot["source"]
    assert max(hot["work"], key=lambda kind: hot["work"][kind]["share"]) == "library"


@pytest.mark.parametrize(
    ("name", "at_most"),
    [
        ("network", 0.02),
        ("callbacks", 1e-3),
        ("processes", 0.02),
        ("lock", 0),
        ("layout", 0.2),
        ("library", 1e-9),
    ],
)
def test_a_change_keeps_the_result(name: str, at_most: float) -> None:
    """Each variant of a change has an error that the page can call small."""
    get_reusable_executor().shutdown(wait=True)  # workers of an earlier test know no modules of the gallery
    suite = load_suite(str(GALLERY / f"{name}_change.py"))
    for variant in suite.variants:
        case = suite.case(variant, 7)
        assert case.quality is not None
        (error,) = case.quality(case.run()).values()
        assert 0 <= error <= at_most, variant
