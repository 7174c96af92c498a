"""Decorated generators: they behave as without the decorator, with an interval for each time they run."""

from __future__ import annotations

import pytest

from workbench import scope


@scope("gen")
def echo():
    """Yield what was sent; count what was thrown; return what was seen."""
    seen = []
    value = None
    while True:
        try:
            value = yield value
            seen.append(value)
        except KeyError as error:
            seen.append(repr(error))
            value = "caught"
        if value == "stop":
            return seen


def test_one_interval_for_each_resumption(recorded):
    """Each `next` is one interval; while the generator is suspended its time is its caller's."""

    @scope("gen")
    def numbers():
        for i in range(3):
            with scope("inside"):
                pass
            yield i

    def body():
        for _ in numbers():
            with scope("caller"):
                pass

    turn = ["gen", "gen/inside", "caller"]
    assert recorded(body).paths == [*turn, *turn, *turn, "gen"]


def test_send_throw_and_the_result(recorded):
    """`send`, `throw` and the value of `return` pass through the decorator."""

    def body():
        generator = echo()
        assert next(generator) is None
        assert generator.send("a") == "a"
        assert generator.throw(KeyError("k")) == "caught"
        with pytest.raises(StopIteration) as stop:
            generator.send("stop")
        assert stop.value.value == ["a", "KeyError('k')", "stop"]

    assert recorded(body).paths == ["gen"] * 4


def test_an_exception_from_within(recorded):
    """What the generator raises reaches the caller, with its interval closed."""

    def body():
        generator = echo()
        next(generator)
        with pytest.raises(ValueError, match="from outside"):
            generator.throw(ValueError("from outside"))

    found = recorded(body)
    assert found.paths == ["gen", "gen"]
    assert not any(interval.unfinished for interval in found)


def test_closing_runs_the_clean_up(recorded):
    """`close` runs the generator's own clean-up, under its scope, and may be called before the start."""
    cleaned = []

    @scope("gen")
    def careful():
        try:
            yield 1
        finally:
            with scope("clean"):
                cleaned.append(True)

    def body():
        careful().close()
        generator = careful()
        next(generator)
        generator.close()

    assert recorded(body).paths == ["gen", "gen", "gen/clean"]
    assert cleaned == [True]


def test_yield_from_and_interleaving(recorded):
    """Delegation works, and generators that take turns do not nest in each other."""

    @scope("outer")
    def outer():
        result = yield from echo()
        yield result

    def body():
        first, second = outer(), echo()
        next(first)
        next(second)
        assert first.send(1) == 1
        assert second.send(2) == 2
        assert first.send("stop") == [1, "stop"]
        first.close()
        second.close()

    found = recorded(body)
    assert set(found.paths) == {"outer", "outer/gen", "gen"}
    assert found.tracks == {"MainThread"}


def test_a_scope_held_over_a_yield(recorded):
    """A scope that stays open inside a suspended generator keeps its interval when the caller goes on."""

    def holding():
        with scope("held"):
            yield

    def body():
        generator = holding()
        with scope("caller"):
            next(generator)
        generator.close()

    caller, held = sorted(recorded(body), key=lambda i: i.start)
    assert (caller.path, held.path) == ("caller", "held")
    assert caller.start < held.start < caller.end < held.end
