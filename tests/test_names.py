"""A name of a type is one type's, and what is private to a folder is private to it in the tests, too."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

# A name that two public packages export.
SHARED = {"Scaling"}

# By test, private modules of workbench: their promise is seen in no public way. This list only shrinks.
ALLOWED: dict[str, str] = {
    "tests/capture/test_attribution.py": "scopes._carry scopes._decorate",
    "tests/capture/test_ptrace_stopped.py": (
        "capture.samplers._ptrace_stopped capture.samplers._py_spy_process"
    ),
    "tests/capture/test_signals.py": "capture.samplers._py_spy_process",
    "tests/eventlog/test_damaged_logs.py": "scopes._journal scopes._log",
    "tests/eventlog/test_event_log.py": "scopes._journal",
    "tests/profile/test_scope_samples.py": "profile._sample_counts profile._scope_samples",
    "tests/profile/test_scope_table.py": "profile._aggregate",
    "tests/proof/test_kernel_scans.py": "trainer.kernels._kernels trainer.kernels._numpy_kernels",
    "tests/render/test_boxes.py": "render.flamegraph._boxes render.flamegraph._forest",
    "tests/render/test_fold.py": "render.flamegraph._boxes render.flamegraph._fold render.flamegraph._forest",
    "tests/render/test_timeline.py": (
        "render.timeline._columns render.timeline._rows render.timeline._samples"
    ),
    "tests/scopes/test_hostile_use.py": "scopes._log",
    "tests/scopes/test_limits.py": "scopes._log",
    "tests/scopes/test_names.py": "scopes._log",
    "tests/scopes/test_sites.py": "scopes._sites",
    "tests/trainer/kernels/test_kernels.py": "trainer.kernels._numpy_kernels",
    "tests/trainer/kernels/test_tanh_coefficients.py": "trainer.kernels._tanh_coefficients",
    "tests/trainer/kernels/test_tanh_ufuncs.py": "trainer.kernels._tanh_coefficients",
}


def trees(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def private_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        yield from (name for name in names if re.match(r"workbench\..*\b_[^_]", name))


def test_a_type_has_a_name_of_its_own() -> None:
    """No class of workbench has the name of a class of another module: a reader knows which one is meant."""
    defined: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees("workbench"):
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name not in SHARED:
                defined[node.name].append(path)
    assert not {name: paths for name, paths in defined.items() if len(paths) > 1}


def test_tests_use_public_names() -> None:
    """A test imports no private name of workbench, except where nothing public shows its promise."""
    found = {
        path: [
            name
            for name in private_imports(tree)
            if not f"{name}.".startswith(
                tuple(f"workbench.{each}." for each in ALLOWED.get(path, "").split())
            )
        ]
        for path, tree in trees("tests")
    }
    assert not {path: names for path, names in found.items() if names}
