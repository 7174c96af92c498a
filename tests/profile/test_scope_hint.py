"""The one scope that would name most of the samples outside any."""

from __future__ import annotations

import pytest

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, scope_hint

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


def hint(**paths: tuple[int, list[Frame]]) -> tuple[str, float] | None:
    found = scope_hint(sampled(**paths))
    return None if found is None else (found.function, found.share)


def test_one_scope_would_name_most() -> None:
    """The outermost function of the program's own with most of it is named, and not what it calls."""
    assert hint(
        load=(12, [MODULE, MAIN, LOAD, PARSE]),
        read=(12, [MODULE, MAIN, LOAD, READ, TANH]),
        other=(6, [MODULE, MAIN, STEP]),
        fit=(70, [MODULE, MAIN, TRAIN, FIT, STEP, TANH]),
    ) == ("load_data", 0.24)


def test_a_program_without_scopes() -> None:
    """A scope around the whole run says nothing: the largest part of it is named."""
    run = Frame("run", MAIN.file)
    assert hint(load=(20, [MODULE, MAIN, run, LOAD]), train=(80, [MODULE, MAIN, run, TRAIN, STEP, TANH])) == (
        "train",
        0.8,
    )


def test_a_scope_that_would_not_help() -> None:
    """A scope around all of the run would say nothing, and one in a library is not the reader's to write."""
    assert hint(all=(10, [MODULE, MAIN, TRAIN])) is None
    library = Frame("solve", "/usr/lib/python3.11/site-packages/scipy/optimize.py")
    assert hint(work=(5, [MODULE, library]), more=(5, [MODULE, MAIN, TANH])) is None
    assert hint(read=(30, [MODULE, READ, TANH]), fit=(70, [MODULE, TRAIN, FIT])) is None


def test_what_has_scopes_is_not_guarded_again() -> None:
    """A function under which scopes are open already is not named."""
    assert hint(between=(20, [MODULE, MAIN, TRAIN]), inside=(80, [MODULE, MAIN, TRAIN, FIT, STEP])) is None


def test_imports_and_the_interpreter() -> None:
    """Modules that are imported, and stacks without Python, are not named, and do not count for who imports them."""
    module = Frame("<module>", "/usr/lib/python3.11/site-packages/numpy/__init__.py")
    assert (
        hint(
            imports=(30, [MODULE, module, Frame("tuple", "/usr/lib/python3.11/collections/__init__.py")]),
            within=(10, [MODULE, MAIN, LOAD, module, TANH]),
            end=(10, [TANH]),
            fit=(50, [MODULE, FIT]),
        )
        is None
    )


def test_the_least_that_is_named() -> None:
    """What a scope would name has to be 5 % of all samples at least."""
    assert hint(load=(4, [MODULE, LOAD]), fit=(96, [MODULE, FIT])) is None
    assert hint(load=(5, [MODULE, LOAD]), fit=(95, [MODULE, FIT])) == ("load_data", 0.05)


@pytest.mark.parametrize("top", [TANH, WAIT, Frame("fit.<locals>.<lambda>", MAIN.file)])
def test_what_is_on_top_belongs_to_who_called_it(top: Frame) -> None:
    """Native code, waiting and functions without a name are their caller's."""
    assert hint(load=(50, [MODULE, LOAD, top]), fit=(50, [MODULE, FIT])) == ("load_data", 0.5)


def test_recursion_counts_once() -> None:
    """A function inside itself has each sample once."""
    assert hint(load=(40, [MODULE, LOAD, LOAD, PARSE, LOAD]), fit=(60, [MODULE, FIT])) == ("load_data", 0.4)


def test_nothing_outside_scopes() -> None:
    """Where nothing is outside any scope, or nothing was sampled, there is nothing to say."""
    assert hint(fit=(5, [MODULE, FIT, STEP])) is None
    assert hint(none=(3, [])) is None
    assert scope_hint(ProfileBuilder("x").build()) is None


def test_by_time() -> None:
    """Shares are of the time that samples stand for, where they are asked for."""
    builder = ProfileBuilder("x")
    stacks = [builder.stack_of([MODULE, LOAD]), builder.stack_of([MODULE, FIT])]
    builder.add_track("t", pid=1, tid=1, samples=builder.samples(stacks, [0, 30 * MS], [30 * MS, 10 * MS]))
    shares = [scope_hint(builder.build(), by_time=by_time) for by_time in (False, True)]
    assert [None if found is None else found.share for found in shares] == [0.5, 0.75]
