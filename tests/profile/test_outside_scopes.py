"""What was sampled outside any scope: how much, where, and the one scope that would name most of it."""

from __future__ import annotations

import pytest

from workbench.profile import Frame, FrameKind, OutsideScopes, Profile, ProfileBuilder, Where, outside_scopes

MS = 1_000_000
MODULE, MAIN, LOAD, TRAIN, STEP, PARSE = (
    Frame(name, "/home/me/fit.py") for name in ("<module>", "main", "load_data", "train", "step", "parse")
)
FIT = Frame("fit", kind=FrameKind.SCOPE)
READ = Frame("read_csv", "/usr/lib/python3.11/site-packages/pandas/io.py")
TANH = Frame("tanh", "/np/umath.so", kind=FrameKind.NATIVE)
WAIT = Frame("select", "/usr/lib/libc.so.6", kind=FrameKind.IDLE)


def sampled(**paths: tuple[int, list[Frame]]) -> Profile:
    """Return a profile with so many samples of each path."""
    builder = ProfileBuilder("made")
    stacks = [builder.stack_of(path) for count, path in paths.values() for _ in range(count)]
    at = [10 * MS * i for i in range(len(stacks))]
    builder.add_track("t", pid=1, tid=1, samples=builder.samples(stacks, at, [10 * MS] * len(stacks)))
    return builder.build()


def parts(found: OutsideScopes) -> list[tuple[Where, str, int]]:
    return [(part.where, "" if part.frame is None else part.frame.name, part.samples) for part in found.parts]


def test_one_scope_would_name_most() -> None:
    """The outermost function of the program's own with most of it is named, and not what it calls."""
    found = outside_scopes(
        sampled(
            load=(12, [MODULE, MAIN, LOAD, PARSE]),
            read=(12, [MODULE, MAIN, LOAD, READ, TANH]),
            other=(6, [MODULE, MAIN, STEP]),
            fit=(70, [MODULE, MAIN, TRAIN, FIT, STEP, TANH]),
        )
    )
    assert (found.of_all.samples, found.of_all.share) == (30, 0.3)
    assert found.of_all.low < 0.3 < found.of_all.high
    assert parts(found) == [(Where.FUNCTION, "load_data", 24), (Where.BETWEEN, "step", 6)]
    assert found.hint == found.parts[0]
    assert found.hint is not None
    assert found.hint.share == 24 / 30


def test_a_program_without_scopes() -> None:
    """A scope around the whole run says nothing: the largest part of it is named."""
    found = outside_scopes(
        sampled(
            load=(20, [MODULE, MAIN, Frame("run", MAIN.file), LOAD]),
            train=(80, [MODULE, MAIN, Frame("run", MAIN.file), TRAIN, STEP, TANH]),
        )
    )
    assert found.of_all.share == 1
    assert parts(found) == [(Where.FUNCTION, "train", 80), (Where.FUNCTION, "load_data", 20)]
    assert found.hint is not None
    assert found.hint.frame == TRAIN


def test_a_scope_that_would_not_help_is_no_hint() -> None:
    """A scope around all of the run would say nothing, and one in a library is not the reader's to write."""
    found = outside_scopes(sampled(all=(10, [MODULE, MAIN, TRAIN])))
    assert parts(found) == [(Where.FUNCTION, "train", 10)]
    assert found.hint is None
    library = Frame("solve", "/usr/lib/python3.11/site-packages/scipy/optimize.py")
    found = outside_scopes(sampled(work=(5, [MODULE, library]), more=(5, [MODULE, MAIN, TANH])))
    assert found.hint is None


def test_what_has_scopes_is_not_guarded_again() -> None:
    """A function under which scopes are open already is no hint; what it does between them is said."""
    found = outside_scopes(
        sampled(between=(20, [MODULE, MAIN, TRAIN]), inside=(80, [MODULE, MAIN, TRAIN, FIT, STEP]))
    )
    assert parts(found) == [(Where.BETWEEN, "train", 20)]
    assert found.hint is None


def test_libraries_are_named_where_nothing_else_is() -> None:
    """A library's function is named where it was called from the module itself."""
    found = outside_scopes(sampled(read=(30, [MODULE, READ, TANH]), fit=(70, [MODULE, TRAIN, FIT])))
    assert parts(found) == [(Where.FUNCTION, "read_csv", 30)]


def test_imports_and_the_interpreter() -> None:
    """Modules that are imported, and stacks without Python, are said as what they are, and are no hint."""
    module = Frame("<module>", "/usr/lib/python3.11/site-packages/numpy/__init__.py")
    found = outside_scopes(
        sampled(
            imports=(
                30,
                [MODULE, module, Frame("namedtuple", "/usr/lib/python3.11/collections/__init__.py")],
            ),
            within=(10, [MODULE, MAIN, LOAD, module, TANH]),
            end=(10, [TANH]),
            module=(0, [MODULE]),
            fit=(50, [MODULE, FIT]),
        )
    )
    assert parts(found) == [(Where.IMPORTS, "", 40), (Where.NO_PYTHON, "", 10)]
    assert found.hint is None


def test_little_is_no_hint() -> None:
    """What a scope would name has to be 5 % of all samples at least."""
    assert outside_scopes(sampled(load=(4, [MODULE, LOAD]), fit=(96, [MODULE, FIT]))).hint is None
    assert outside_scopes(sampled(load=(5, [MODULE, LOAD]), fit=(95, [MODULE, FIT]))).hint is not None


@pytest.mark.parametrize("top", [TANH, WAIT, Frame("fit.<locals>.<lambda>", MAIN.file)])
def test_what_is_on_top_belongs_to_who_called_it(top: Frame) -> None:
    """Native code, waiting and functions without a name are their caller's."""
    found = outside_scopes(sampled(load=(50, [MODULE, LOAD, top]), fit=(50, [MODULE, FIT])))
    assert parts(found) == [(Where.FUNCTION, "load_data", 50)]


def test_recursion_counts_once() -> None:
    """A function inside itself has each sample once."""
    found = outside_scopes(sampled(load=(40, [MODULE, LOAD, LOAD, PARSE, LOAD]), fit=(60, [MODULE, FIT])))
    assert parts(found) == [(Where.FUNCTION, "load_data", 40)]
    assert found.hint is not None
    assert found.hint.share == 1


def test_all_is_under_scopes() -> None:
    """Where nothing is outside any scope there are no parts, and neither are there of nothing at all."""
    for profile in (
        sampled(fit=(5, [MODULE, FIT, STEP])),
        sampled(none=(3, [])),
        ProfileBuilder("x").build(),
    ):
        found = outside_scopes(profile)
        assert (found.of_all.share, found.parts, found.hint) == (0, (), None)


def test_by_time() -> None:
    """Shares are of the time that samples stand for, where they are asked for."""
    builder = ProfileBuilder("x")
    stacks = [builder.stack_of([MODULE, LOAD]), builder.stack_of([MODULE, FIT])]
    builder.add_track("t", pid=1, tid=1, samples=builder.samples(stacks, [0, 30 * MS], [30 * MS, 10 * MS]))
    assert outside_scopes(builder.build()).of_all.share == 0.5
    assert outside_scopes(builder.build(), by_time=True).of_all.share == 0.75
