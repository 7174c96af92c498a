"""Callers and callees from the stack tree: every nanosecond once, recursion or not."""

from __future__ import annotations

from hypothesis import given

from tests.helpers.random_profiles import deep_profile, random_profiles
from tests.helpers.trees import scopes_of
from workbench.profile import NOBODY, Neighbours, StackTree, aggregate, neighbours


def tree_of(*records: tuple[int, int, int, str]) -> StackTree:
    return aggregate(scopes_of(*records), of="spans")


def by_name(tree: StackTree) -> tuple[Neighbours, dict[str, int]]:
    number: dict[str, int] = {}
    group = [number.setdefault(frame.name, len(number)) for frame in tree.profile.frames]
    return neighbours(tree, group, len(number)), number


def split(of: list[dict[int, int]], name: str, number: dict[str, int]) -> dict[str, int]:
    names = {i: n for n, i in number.items()} | {NOBODY: "nobody"}
    return {names[other]: took for other, took in of[number[name]].items()}


def test_plain_calls() -> None:
    """A frame's time by who called it, and by what it called, over all places where it is called."""
    found, number = by_name(
        tree_of((0, 100, 0, "fit"), (10, 40, 1, "solve"), (50, 90, 1, "step"), (60, 70, 2, "solve"))
    )
    assert split(found.callers, "solve", number) == {"fit": 30, "step": 10}
    assert split(found.callees, "fit", number) == {"solve": 30, "step": 40}
    assert split(found.callers, "fit", number) == {"nobody": 100}
    assert (found.total_ns[number["solve"]], found.self_ns[number["fit"]]) == (40, 30)


def test_direct_recursion_counts_once() -> None:
    """What calls itself is called by who called it first, and calls what the innermost calls; not itself."""
    found, number = by_name(
        tree_of((0, 100, 0, "main"), (0, 90, 1, "fib"), (10, 80, 2, "fib"), (20, 70, 3, "fib"), (30, 40, 4, "add"))
    )  # fmt: skip
    assert found.total_ns[number["fib"]] == 90
    assert split(found.callers, "fib", number) == {"main": 90}
    assert split(found.callees, "fib", number) == {"add": 10}
    assert found.self_ns[number["fib"]] == 80


def test_recursion_through_another_frame() -> None:
    """f, which calls h, which calls f: the time of the inner f is not in the time of h that f is told."""
    found, number = by_name(
        tree_of((0, 100, 0, "f"), (10, 90, 1, "h"), (20, 80, 2, "f"), (30, 50, 3, "g"))
    )  # fmt: skip
    assert split(found.callees, "f", number) == {"h": 20, "g": 20}
    assert split(found.callees, "h", number) == {"f": 60}
    assert split(found.callers, "f", number) == {"nobody": 100}
    assert split(found.callers, "h", number) == {"f": 80}


@given(random_profiles())
def test_every_nanosecond_once(profile) -> None:
    """The callers of a frame sum up to its total; so do its self time and its callees, whatever recurs."""
    for of in ("spans", "samples"):
        tree = aggregate(profile, of=of)
        found, number = by_name(tree)
        assert sum(found.self_ns) == int(tree.self_ns.sum())
        assert sum(found.count) == int(tree.count.sum())
        for i in number.values():
            assert sum(found.callers[i].values()) == found.total_ns[i]
            assert found.self_ns[i] + sum(found.callees[i].values()) == found.total_ns[i]
            assert i not in found.callers[i]
            assert i not in found.callees[i]
            assert all(took > 0 for took in (*found.callers[i].values(), *found.callees[i].values()))


def test_a_hundred_thousand_deep() -> None:
    """Nothing recurses: the deepest stacks that are read can be walked."""
    tree = aggregate(deep_profile(100_000, 3), of="spans")
    found, number = by_name(tree)
    assert max(found.total_ns) == tree.all_ns
    assert len(number) == 3
