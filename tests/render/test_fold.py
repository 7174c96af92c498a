"""Imports folded where no script runs: the same boxes as the script makes, and the same rules for files."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.node import node
from tests.helpers.trees import sampled_tree
from workbench.profile import Frame, FrameKind, StackTree, is_import_or_startup, is_own, package_of
from workbench.render.flamegraph._boxes import Boxes, lay_out
from workbench.render.flamegraph._fold import folded
from workbench.render.flamegraph._forest import BoxLabel, forest_of_threads, forest_of_tree
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.render.text_width import frame_name

PROJECT = Path(__file__).resolve().parents[2]
SITE = "/env/lib/python3.11/site-packages"
LOAD = Frame("_find_and_load", "<frozen importlib._bootstrap>")
NUMPY = Frame("<module>", f"{SITE}/numpy/__init__.py")
MAIN, HELPER = Frame("<module>", "/home/me/fit.py"), Frame("<module>", "/home/me/helper.py", 3)
FIT = Frame("fit", kind=FrameKind.SCOPE)
START = Frame("_start", "/usr/bin/python3.11", kind=FrameKind.NATIVE)
DGEMM = Frame("dgemm", f"{SITE}/numpy.libs/libopenblas.so", kind=FrameKind.NATIVE)
FRAMES = (
    LOAD,
    NUMPY,
    MAIN,
    HELPER,
    FIT,
    START,
    DGEMM,
    Frame("main", "<frozen site>"),
    Frame("_run_code", "<frozen runpy>"),
    Frame("start", f"{SITE}/_workbench_autostart.py"),
    Frame("run", "/usr/lib/python3.11/threading.py", 12),
    Frame("wait", "/lib/libc.so.6", kind=FrameKind.IDLE),
    Frame("folded"),
    Frame("read", "/lib/x86_64-linux-gnu/libc.so.6", kind=FrameKind.NATIVE),
    Frame("import_module", "/usr/lib/python3.11/importlib/__init__.py"),
    Frame("call", r"C:\work\workbench\capture\x.py"),
)


def by_script(**asked: Any) -> Any:
    done = subprocess.run(
        [node(), "tests/js/fold_of.js"], cwd=PROJECT, input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_label(label: BoxLabel | Frame) -> list[object]:
    place = f"{label.file}:{label.line}" if label.line else label.file
    return [label.name, place, int(label.kind), 0]


def random_tree(seed: int) -> StackTree:
    generator = random.Random(seed)
    return sampled_tree(
        (generator.choices(FRAMES, k=generator.randrange(1, 8)), generator.randrange(1, 1000))
        for _ in range(60)
    )


def as_script_tree(boxes: Boxes) -> dict[str, object]:
    return {
        "labels": [as_label(label) for label in boxes.labels],
        "label": boxes.label,
        "depth": boxes.depth,
        "total": boxes.total,
        "self": boxes.columns["self"],
    }


def test_the_same_boxes_as_the_script() -> None:
    """Python's and the script's folding agree box by box, with threads and without."""
    trees = [lay_out(forest_of_tree(random_tree(seed)), 0) for seed in range(20)]
    trees.append(lay_out(forest_of_threads([("one", random_tree(1)), ("two", random_tree(2))]), 0.01))
    found = by_script(trees=[as_script_tree(boxes) for boxes in trees], labels=[])["trees"]
    for boxes, tree in zip(trees, found, strict=True):
        here = folded(boxes)
        assert [as_label(here.labels[i])[:3] for i in here.label] == [
            tree["labels"][i][:3] for i in tree["label"]
        ]
        assert (here.depth, here.total) == (tree["depth"], tree["total"])
        assert here.total[0] == boxes.total[0]


def test_the_same_rules_for_files() -> None:
    """Which code is the program's own, which imports, of which package, and what a module is called."""
    facts = by_script(trees=[], labels=[as_label(frame) for frame in FRAMES])["facts"]
    for frame, (own, imports, package, name) in zip(FRAMES, facts, strict=True):
        is_python = frame.kind is FrameKind.PYTHON
        known = is_own(frame.file) or not frame.file
        assert own == (frame.kind is FrameKind.SCOPE or (is_python and known)), frame
        assert imports == (is_python and is_import_or_startup(frame.file)), frame
        assert name == frame_name(frame.name, frame.file)
        if is_python and not known and "workbench" not in frame.file:
            assert package == package_of(frame.file)
    packages = {frame.name: package for frame, (_, _, package, _) in zip(FRAMES, facts, strict=True)}
    assert packages["dgemm"] == "numpy"
    assert packages["_start"] == packages["run"] == "Python"
    assert packages["folded"] == "program"
    assert packages["read"] == "system"


def test_the_static_flame_graph_has_imports_folded() -> None:
    """Where no script runs imports are one box, and a module says which it is."""
    tree = sampled_tree(
        [
            ([MAIN, LOAD, NUMPY], 300),
            ([MAIN, LOAD, HELPER], 200),
            ([START], 100),
            ([MAIN, FIT], 400),
        ]
    )
    static = flamegraph_svg(tree, title="t").partition("<metadata")[0]
    assert ">(imports)<" in static
    assert ">(interpreter start and imports) 100 ns (10.0 %)<" in static
    assert ">&lt;module&gt; fit.py<" in static
    assert ">&lt;module&gt; helper.py<" in static
    assert "_find_and_load" not in static


@pytest.mark.parametrize(
    ("name", "file", "shown"),
    [
        ("<module>", "/a/fit.py", "<module> fit.py"),
        ("<module>", r"C:\a\fit.py", "<module> fit.py"),
        ("<module>", "/a/numpy/__init__.py", "<module> numpy/__init__.py"),
        ("<module>", "<string>", "<module> <string>"),
        ("<module>", "", "<module>"),
        ("fit", "/a/fit.py", "fit"),
    ],
)
def test_names_of_modules(name: str, file: str, shown: str) -> None:
    """A module's frame says which module it is; a package's, of which folder."""
    assert frame_name(name, file) == shown
