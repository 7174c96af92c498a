"""The lines of a `with` block: a frame's line tells whether the block's scope is open, by the code object alone."""

from __future__ import annotations

import ast
import asyncio
import dis
import sys
import textwrap
from dis import opname

import pytest

from workbench.scopes._sites import block, site


class FakeScopes:
    """Replaces `scope`: each instance has the lines of its block, and is open or not."""

    def __init__(self):
        self.open: list[str] = []
        self.of_name: dict[str, tuple[object, int, int]] = {}
        self.uses: dict[str, str] = {}

    def __call__(self, name):
        return FakeScope(self, name)


class FakeScope:
    def __init__(self, instances, name):
        self.instances, self.name = instances, name

    def __enter__(self):
        frame = sys._getframe(1)
        first, last, self.instances.uses[self.name] = site(frame.f_code, frame.f_lasti)
        self.instances.of_name[self.name] = (frame.f_code, first, last)
        self.instances.open.append(self.name)

    def __exit__(self, *_):
        self.instances.open.remove(self.name)
        return True  # what a block raises is no concern of these tests


class Plain:
    """A context manager that is no scope."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    async def __aenter__(self):
        await asyncio.sleep(0)

    async def __aexit__(self, *_):
        await asyncio.sleep(0)

    def __aiter__(self):
        async def three():
            for i in range(3):
                yield i

        return three()


def traced(text):
    """Run `f` of a program twice: the second time each line that runs is kept, with what was open.

    The scopes of the first run know by then which lines are theirs.
    """
    instances = FakeScopes()
    names = {"scope": instances, "plain": Plain(), "call": lambda function: function()}
    code = compile(textwrap.dedent(text), "program.py", "exec")
    exec(code, names)
    seen: list[tuple[object, int, set[str]]] = []

    def on_event(frame, event, _):
        if event == "line" and frame.f_code.co_filename == "program.py":
            seen.append((frame.f_code, frame.f_lineno, set(instances.open)))
        return on_event

    def run():
        if asyncio.iscoroutine(result := names["f"]()):
            asyncio.run(result)

    run()
    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        run()
    finally:
        sys.settrace(before)
    return instances, seen


def withs(text):
    """Return the `with` statements of a program."""
    return [each for each in ast.walk(ast.parse(textwrap.dedent(text))) if isinstance(each, ast.With)]


def header_lines(statement):
    """Return the lines of a `with` statement that are in front of its block."""
    return range(statement.lineno, max(statement.body[0].lineno, statement.lineno + 1))


PROGRAMS = {
    "nested blocks": """
        def f():
            a = 1
            with scope("outer"):
                a += 1
                with scope("inner"):
                    a += 2
                    a += 3
                a += 4
                with scope("second"):
                    a += 5
            a += 6
            return a
        """,
    "try, except and finally inside": """
        def f():
            a = 1
            with scope("outer"):
                try:
                    a += 1
                    with scope("raises"):
                        a += 1
                        raise ValueError
                    a += 2
                    raise KeyError
                except KeyError:
                    a += 3
                else:
                    a += 4
                finally:
                    a += 5
                    a += 6
                a += 7
            return a
        """,
    "inside try, except and finally": """
        def f():
            a = 1
            try:
                with scope("tried"):
                    a += 1
                    a += 2
                raise ValueError
            except ValueError:
                a += 1
                with scope("handling"):
                    a += 2
                    a += 3
                a += 4
            finally:
                a += 1
                with scope("at the end"):
                    a += 2
                    a += 3
                a += 4
            return a
        """,
    "continue, break and return in a loop": """
        def f():
            a = 0
            for i in range(5):
                a += 1
                with scope("turn"):
                    a += 1
                    if i == 1:
                        continue
                    if i == 3:
                        break
                    while a < 3:
                        a += 1
                        with scope("inner"):
                            a += 1
                            continue
                    a += 1
                a += 1
            for i in range(5):
                with scope("last"):
                    a += 1
                    if a > 3:
                        return a
                    a += 1
                a += 1
            return a
        """,
    "return behind an inner block": """
        def f():
            with scope("outer"):
                a = 1
                with scope("inner"):
                    a += 1
                    if a > 1:
                        return [
                            a,
                            a + 1,
                        ]
                a += 1
        """,
    "the whole function": """
        def f():
            with scope("all"):
                a = 1
                a += 1
        """,
    "several scopes in one statement": """
        def f():
            a = 1
            with (
                scope("first"),
                plain,
                scope("second"),
            ):
                a += 1
                a += 2
            a += 3
            with scope("third"), scope("fourth"):
                a += 4
            a += 5
        """,
    "as a target": """
        def f():
            a = [0]
            with scope("name") as b:
                a[0] += 1
            with scope("item") as a[0], plain as b:
                b = 1
                b += 2
            return a
        """,
    "async with and async for around and inside": """
        async def f():
            a = 1
            async with plain:
                a += 1
                with scope("inside"):
                    a += 2
                    async with plain:
                        a += 3
                    async for i in plain:
                        a += i
                    a += 4
                a += 5
            async for i in plain:
                a += 1
                with scope("turn"):
                    a += 1
                    if i:
                        continue
                    a += 2
                a += 3
        """,
    "match": """
        def f():
            a = 1
            for what in (1, "text", [1, 2], {"a": 3}):
                with scope("outer"):
                    match what:
                        case int():
                            a += 1
                        case str() if a:
                            with scope("inner"):
                                a += 2
                            a += 3
                        case [x, y]:
                            a += x
                        case _:
                            a += 4
                a += 5
        """,
    "comprehensions, lambdas and functions inside": """
        def f():
            a = 1
            with scope("outer"):
                b = [
                    i
                    for i in range(3)
                    if i
                ]
                g = lambda x: (
                    x
                    + 1
                )
                def h():
                    c = 1
                    with scope("of the function"):
                        c += 1
                    return c
                a += g(1)
                a += h()
            a += g(2)
            a += h()
            a += sum(
                i
                for i in b
            )
        """,
    "a generator": """
        def g():
            a = 1
            yield a
            with scope("inside"):
                a += 1
                yield a
                a += 2
                yield a
            a += 3
            yield a

        def f():
            for i in g():
                i += 1
        """,
    "statements of many lines": """
        def f():
            a = 1
            with scope("outer"):
                a = max(
                    a,
                    call(
                        lambda: 3
                    ),
                )
                while (
                    a
                    < 6
                ):
                    a += 1
            a = max(
                a,
                1,
            )
        """,
    "a long function": "def f():\n    a = 1\n    with scope('long'):\n"
    + "        a += a\n" * 1500
    + "    a = 2\n    with scope('behind'):\n        a = 3\n    return a\n",
    "a name that is computed": """
        def f():
            a = 1
            with scope(
                "{}".format(
                    "computed",
                )
            ):
                a += 1
            a += 2
        """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_line_tells_whether_the_scope_is_open(name):
    """Every line that runs in a function is behind a block's first and up to its last exactly while it is open."""
    instances, seen = traced(PROGRAMS[name])
    assert instances.of_name
    assert set(instances.uses.values()) == {"with"}
    statement = {line: each.lineno for each in withs(PROGRAMS[name]) for line in header_lines(each)}
    checked = dict.fromkeys(instances.of_name, frozenset())
    for code, line, is_open in seen:
        for scope, (own, first, last) in instances.of_name.items():
            if code is own and line not in (first, statement[first]):  # about to be opened, or just left
                assert (first < line <= last) == (scope in is_open), (scope, line, first, last)
                checked[scope] |= {scope in is_open}
    assert all(True in each for each in checked.values())


RUN_OTHER_CODE = (
    "CALL",
    "SEND",
    "YIELD",
    "JUMP_BACKWARD",
    "FOR_ITER",
    "BEFORE",
    "BINARY",
    "COMPARE",
    "LOAD_ATTR",
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_instruction_tells_whether_the_block_was_left(name):
    """While a block runs, every instruction that calls, waits or jumps back is in its ranges; afterwards none is."""
    left: dict[int, list[bool]] = {}
    opened = []

    class Seen(FakeScope):
        def __enter__(self):
            self.frame = sys._getframe(1)
            self.block = block(self.frame.f_code, self.frame.f_lasti)
            assert self.block
            left[id(self)] = []
            opened.append(self)

        def __exit__(self, *_):
            opened.remove(self)
            return True

    def on_event(frame, event, _):
        frame.f_trace_opcodes = True
        if event == "opcode" and opname[frame.f_code.co_code[frame.f_lasti]].startswith(RUN_OTHER_CODE):
            for instance in opened:
                if instance.frame is frame:
                    inside = any(start <= frame.f_lasti < stop for start, stop in instance.block)
                    left[id(instance)].append(inside)
        return on_event

    names = {"scope": lambda name: Seen(None, name), "plain": Plain(), "call": lambda function: function()}
    exec(compile(textwrap.dedent(PROGRAMS[name]), "program.py", "exec"), names)
    keep = []  # an id is not used again
    names["scope"] = lambda name: keep.append(Seen(None, name)) or keep[-1]
    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        if asyncio.iscoroutine(result := names["f"]()):
            asyncio.run(result)
    finally:
        sys.settrace(before)
    assert left or name == "the whole function"
    for seen in left.values():
        assert seen == sorted(seen, reverse=True), "what was left is not entered again"


def test_many_blocks_in_one():
    """In a function of hundreds of blocks, each one's lines are its own, and those of the outer one are all of them."""
    inner = "".join(f"        with scope('{i}'):\n            a += 1\n        a += 1\n" for i in range(200))
    instances = FakeScopes()
    names = {"scope": instances}
    exec(f"def f():\n    a = 0\n    with scope('outer'):\n        a += 1\n{inner}    a = 2\n", names)
    names["f"]()
    lines = {name: found[1:] for name, found in instances.of_name.items()}
    assert lines.pop("outer") == (3, 4 + 3 * 200)
    assert lines == {str(i): (5 + 3 * i, 6 + 3 * i) for i in range(200)}
    assert set(instances.uses.values()) == {"with"}


def test_suspended_generators_are_open_where_they_stand():
    """The lines of a generator's scope are those of its own frame, also while it is suspended."""
    instances, seen = traced(PROGRAMS["a generator"])
    code = instances.of_name["inside"][0]
    elsewhere = [is_open for own, line, is_open in seen if own is not code]
    assert {"inside"} in elsewhere
    assert set() in elsewhere


def test_a_block_of_one_line_has_one_line():
    """Where the block shares the line of its `with`, first and last line are the same: lines cannot tell."""
    instances, _ = traced("def f():\n    a = 1\n    with scope('one'): a += 1\n    return a\n")
    assert instances.of_name["one"][1:] == (3, 3)
    assert instances.uses == {"one": "with"}


def test_a_call_is_no_block():
    """What is entered by hand, or beside a `with` of something else, has one line and is no `with`."""
    instances, _ = traced(
        """
        def f():
            opened = scope("by hand")
            opened.__enter__()
            try:
                with plain:
                    other = scope("within")
                    other.__enter__()
                    other.__exit__()
            finally:
                opened.__exit__()
        """
    )
    assert instances.uses == {"by hand": "call", "within": "call"}
    assert {first for _, first, last in instances.of_name.values()} == {4, 8}
    assert all(first == last for _, first, last in instances.of_name.values())


def test_a_call_before_a_try_is_no_block():
    """What a `try` protects right behind a call is no block of that call, as a counter's."""

    def function(counter, rest):
        counter("n", 1.0)
        try:
            rest()
        finally:
            rest()

    code = function.__code__
    called = next(i.offset for i in dis.get_instructions(code) if i.opname.startswith("CALL"))
    line = code.co_firstlineno + 1
    assert site(code, called) == (line, line, "call")


def test_a_function_has_all_its_lines():
    """The site of a decorated function is the whole of it, from its first line to its last."""

    def function(a):
        b = a
        return [
            b,
            a,
        ]

    first = function.__code__.co_firstlineno
    assert site(function.__code__, -1) == (first, first + 4, "function")


def test_exec_without_lines():
    """Code that has no lines, or one, is one line: nothing fails."""
    code = compile("0", "program.py", "exec").replace(co_linetable=b"")
    assert site(code, 0) == (code.co_firstlineno, code.co_firstlineno, "call")
