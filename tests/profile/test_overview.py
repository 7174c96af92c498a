"""The overview of a run: the tree of scopes, the functions sampled in each, and the hottest lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench.profile import (
    Frame,
    FrameKind,
    Overview,
    Profile,
    ProfileBuilder,
    SpanRecord,
    aggregate,
    is_own,
    overview,
)

FIT, STEP = (Frame(name, kind=FrameKind.SCOPE) for name in ("fit", "step"))
MODULE, SOLVE = Frame("<module>", "/home/me/fit.py"), Frame("solve", "/home/me/fit.py")
NUMPY = Frame("norm", "/venv/lib/python3.12/site-packages/numpy/linalg/_linalg.py")
IMPORT = Frame("_find_and_load", "<frozen importlib._bootstrap>")
TANH = Frame("DOUBLE_tanh_AVX512F", "/np/_multiarray_umath.so", kind=FrameKind.NATIVE)
LOCK = Frame("lock.acquire", kind=FrameKind.IDLE)


def _at(stack: list[Frame], line: int) -> list[Frame]:
    """Return the innermost function of the program's own at a line."""
    own = [frame for frame in stack if frame in (MODULE, SOLVE)]
    return [own[-1]._replace(line=line)] if own else []


def made(stacks: list[list[Frame]], lines: list[int] | None = None, spans: int = 2) -> Profile:
    """Return a run of one thread: one `fit` with steps of 10 ns each, and samples at 1 ns."""
    builder = ProfileBuilder("made")
    records = [SpanRecord(0, 100, 0, FIT)] + [SpanRecord(20 * i, 20 * i + 10, 1, STEP) for i in range(spans)]
    numbers = [builder.stack_of(stack) for stack in stacks]
    samples = builder.samples(numbers, list(range(len(stacks))), [1] * len(stacks))
    if lines is not None:
        numbers = [builder.line_stack_of(_at(stack, line)) for stack, line in zip(stacks, lines, strict=True)]
        samples = replace(samples, line=np.array(numbers, dtype=np.int32))
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records), samples=samples)
    return builder.build().check()


def shares(found: Overview) -> dict[str, dict[str, float]]:
    of_scopes = {
        " > ".join(node.path): {each.name: each.of_all.share for each in node.functions}
        for node in found.scopes
    }
    return of_scopes | {"": {each.name: each.of_all.share for each in found.outside}}


def test_scopes_have_exact_times() -> None:
    """A scope has its calls, its total and its self time; parents come before children."""
    found = overview(made([], spans=3), None)
    assert [(node.path, node.calls, node.total_ns, node.self_ns) for node in found.scopes] == [
        (("fit",), 1, 100, 70),
        (("fit", "step"), 3, 30, 30),
    ]
    assert (found.samples, found.lines, found.outside, found.outside_share) == (0, (), (), None)


def test_totals_are_those_of_the_stack_tree() -> None:
    """The roots of the tree of scopes have all of its time."""
    profile = made([], spans=4)
    roots = [node.total_ns for node in overview(profile, None).scopes if len(node.path) == 1]
    assert sum(roots) == aggregate(profile, of="spans").all_ns


def test_functions_are_under_the_innermost_scope() -> None:
    """A sample counts at the innermost scope, by what was on top: native functions by their short names."""
    profile = made(
        [
            [MODULE, FIT, SOLVE],
            [MODULE, FIT, STEP, SOLVE, TANH],
            [MODULE, FIT, STEP, SOLVE, NUMPY],
            [MODULE, FIT, STEP, LOCK],
        ]
    )
    assert shares(overview(profile, profile)) == {
        "fit": {"solve": 0.25},
        "fit > step": {"tanh": 0.25, "numpy (Python code)": 0.25, "waiting": 0.25},
        "": {},
    }


def test_outside_any_scope_the_programs_functions_are_named() -> None:
    """Outside any scope samples count for the innermost function of the program's own; imports are one."""
    profile = made([[MODULE, SOLVE, NUMPY], [MODULE, SOLVE, TANH], [MODULE, IMPORT, NUMPY], [TANH], [FIT]])
    found = overview(profile, profile)
    assert shares(found)[""] == {"solve": 0.4, "imports": 0.2, "library threads and interpreter": 0.2}
    assert {each.name for each in found.outside[0].parts} == {"numpy (Python code)", "tanh"}
    assert found.outside_share is not None
    assert found.outside_share.samples == 4


def test_a_module_of_the_program_that_is_imported_is_no_import() -> None:
    """What runs in the program's own module while it is imported counts for that module."""
    profile = made([[MODULE, IMPORT, SOLVE], [MODULE, IMPORT, NUMPY]])
    assert shares(overview(profile, profile))[""] == {"solve": 0.5, "imports": 0.5}


def test_the_body_of_an_installed_module_is_an_import() -> None:
    """Where a sampler leaves the import system out, the module's own frame says so; `python -m` is no import."""
    body = Frame("<module>", "/env/lib/python3.11/site-packages/numpy/__init__.py")
    runpy = Frame("run_module", "<frozen runpy>")
    profile = made([[MODULE, body, NUMPY], [MODULE, SOLVE], [MODULE, runpy, body, NUMPY], [body, NUMPY]])
    assert shares(overview(profile, profile))[""] == {
        "<module>": 0.25,
        "imports": 0.25,
        "library threads and interpreter": 0.25,
        "solve": 0.25,
    }


def test_lines_are_those_of_the_programs_own_code() -> None:
    """A line has its samples and those of the library code that it calls; imports are left out."""
    profile = made(
        [[MODULE, SOLVE], [MODULE, SOLVE, NUMPY], [MODULE, SOLVE, TANH], [MODULE], [MODULE, IMPORT], [NUMPY]],
        lines=[7, 7, 9, 3, 1, 5],
    )
    found = [
        (line.file, line.line, line.function, line.of_all.samples) for line in overview(None, profile).lines
    ]
    assert found == [
        ("/home/me/fit.py", 7, "solve", 2),
        ("/home/me/fit.py", 3, "<module>", 1),
        ("/home/me/fit.py", 9, "solve", 1),
    ]
    assert overview(None, profile).lines[0].of_all.share == pytest.approx(2 / 6)


def test_lines_of_a_sampler_that_states_them_in_frames() -> None:
    """Where samples have no column of lines, those of the frames count."""
    profile = made([[MODULE, SOLVE._replace(line=4)], [MODULE, SOLVE._replace(line=4), NUMPY]])
    assert [(line.line, line.of_all.share) for line in overview(None, profile).lines] == [(4, 1.0)]


def test_one_scope() -> None:
    """Inside one scope there is its part of the tree and of the lines, with shares of all samples."""
    profile = made([[MODULE, FIT, SOLVE], [MODULE, FIT, STEP, SOLVE], [MODULE]], lines=[2, 3, 4])
    found = overview(profile, profile, scope="step")
    assert [node.path for node in found.scopes] == [("fit", "step")]
    assert [(line.line, line.of_all.samples) for line in found.lines] == [(3, 1)]
    assert (found.outside, found.outside_share, found.samples) == ((), None, 3)


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/home/me/fit.py", True),
        ("fit.py", True),
        ("/home/me/lib/fit.py", True),
        ("/usr/lib/python3.12/json/decoder.py", False),
        ("/v/lib/python3.12/site-packages/numpy/linalg.py", False),
        ("/usr/lib/python3/dist-packages/six.py", False),
        (r"C:\v\Lib\site-packages\numpy\linalg.py", False),
        ("/src/workbench/workbench/scopes/scope_cost.py", False),
        ("/src/workbench/workbench/trainer/training.py", True),
        ("<string>", False),
        ("", False),
    ],
)
def test_which_code_is_the_programs_own(file: str, *, own: bool) -> None:
    """Neither what is installed nor what belongs to Python is the program's own."""
    assert is_own(file) is own


def test_code_of_a_function_in_its_scope_is_the_functions() -> None:
    """A sample with a scope on top is of the function that opened it; one without a function keeps the scope."""
    found = overview(made([]), made([[MODULE, SOLVE, FIT, STEP], [FIT]]))
    assert shares(found)["fit > step"] == {"solve": 0.5}
    assert shares(found)["fit"] == {"fit": 0.5}


def test_functions_without_files_are_the_programs() -> None:
    """Folded stacks have names alone; where other functions have files, one without is named all the same."""
    bar, foo = Frame("bar"), Frame("foo")
    assert shares(overview(None, made([[foo, bar], [foo]])))[""] == {"bar": 0.5, "foo": 0.5}
    found = overview(None, made([[MODULE, bar]]))
    assert [each.name for each in found.outside] == ["<module>"]
    assert [each.name for each in found.outside[0].parts] == ["bar"]
