"""The recorder in Python: what a guard does when it opens and closes.

Every store goes straight into a shared file mapping, so that a process that is killed has lost nothing: closed
scopes stand as events, open ones in their track's map of open levels. `native/scope.c` does the same in C.

A signal handler or a finalizer may open guards of its own behind any call here, or raise; another thread may go on
there, too. So whatever calls is done before the clock is read, what that may have changed is looked at behind
it, and from there to the last store nothing is called and nothing jumps back. What stands in `__enter__` and
`__exit__` is the common way alone, written out because a call costs as much as two stores; `_python_recorder` has
the rest.
"""

from __future__ import annotations

import sys
from sys import _getframe as _frame  # the only way to the code that a guard stands in
from time import perf_counter_ns  # the system-wide monotonic clock on Linux and macOS
from typing import TYPE_CHECKING, Any

from workbench.scopes import _layout as layout
from workbench.scopes._python_recorder import RARE, Recorder
from workbench.scopes._python_tracks import Track

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Self

__all__ = ["Recorder", "Track", "activate", "counter", "mark", "open_scopes", "scope"]

MOST_WORK = 32
"""numbers that one guard carries"""
_modules = sys.modules
active: Recorder | None = None
"""The recorder that guards write to, or None: then a guard does nothing."""
_here: Any = None
"""The active recorder's pens by thread, or None."""


def activate(recorder: Recorder | None) -> None:
    """Make a recorder the one that guards write to; None: they do nothing."""
    global active, _here
    active = recorder
    _here = recorder.local if recorder is not None else None


class scope:  # noqa: N801  a keyword to its users: `with scope("predict"):`
    """Name the time that a block or function takes; see `workbench.scope`."""

    __slots__ = ("_rest", "_text", "_where")

    def __init__(self, name: str, **work: float) -> None:
        if name.__class__ is str:
            self._text: object = name
            self._where: Any = None
            """None: not open; the level, where it was opened by a `with` that stays on one thread; else False"""
            if work:
                self._set(name, work, None)
        elif callable(name):
            raise TypeError(f'a scope needs a name: write @scope("predict"), not @scope on {name!r}')
        else:
            self._set(name, work, None)

    def _set(self, name: object, work: dict[str, Any], code: CodeType | None) -> None:
        """Make it a guard of the rarer kind: with numbers, with a name that is no string, or of a function."""
        if len(work) > MOST_WORK:
            raise TypeError(f"scope() takes one name, and up to {MOST_WORK} numbers by keyword")
        numbers = {
            key: value
            if value.__class__ is float
            else _number(value, f"scope {name!r}: {key} must be a number")
            for key, value in work.items()
        }
        self._text, self._where = RARE, False
        self._rest = name, numbers or None, code

    @property
    def name(self) -> Any:
        """The scope's name."""
        return self._rest[0] if self._text is RARE else self._text

    @property
    def work(self) -> dict[str, float] | None:
        """The numbers that it carries."""
        return self._rest[1] if self._text is RARE else None

    @property
    def code(self) -> CodeType | None:
        """Of the function that it decorates."""
        return self._rest[2] if self._text is RARE else None

    def __repr__(self) -> str:
        numbers = "".join(f", {key}={value!r}" for key, value in (self.work or {}).items())
        return f"scope({self.name!r}{numbers})"

    def __enter__(self) -> Self:
        local = _here
        if local is not None:
            frame = _frame(1)
            try:
                pen = local.pen
                plan = pen.sites[self._text][frame.f_lasti]
            except (AttributeError, KeyError):  # without a call inside: no handler's error is taken for these
                pass
            else:
                if plan[1] is frame.f_code and "asyncio" not in _modules:
                    start = perf_counter_ns()
                    level = pen.level.above
                    if level is not None and self._where is None:
                        self._where = pen.level = level
                        level.start = start
                        cell = level.cell
                        if level.plan is not plan:
                            level.plan = plan
                            level.word = plan[0] + level.depth
                            cell[0] = plan[0]
                        cell[1] = start
                        return self
            recorder = active
            if recorder is not None:
                recorder.enter(self, frame)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if active is not None:
            end = perf_counter_ns()
            level = self._where
            if level:
                pen = level.pen
                if pen.level is level and pen.recorder is active:
                    at = pen.next
                    pen.next = at + 1
                    first, middle, final = pen.events
                    try:
                        first[at] = level.start
                        middle[at] = level.word
                        final[at] = end
                    except IndexError:  # the chunk is full
                        pass
                    else:
                        self._where = None
                        pen.level = level.below
                        level.cell[1] = 0
                        return
            recorder = active
            if recorder is not None:
                recorder.leave(self, end)

    def __call__(self, function: Callable[..., Any]) -> Any:
        """Return the function with every call of it in this scope."""
        from workbench.scopes._decorate import wrap

        return wrap(self, function)

    def __reduce__(self) -> tuple[Any, ...]:
        from workbench.scopes._decorate import restore

        return restore, (self.name, self.work, self.code)

    def _of(self, code: CodeType) -> scope:
        """Return a guard for every call of a decorated function, whose place is that function."""
        made = scope(self.name)
        made._set(self.name, self.work or {}, code)
        return made


def open_scopes() -> tuple[int, list[object], int] | None:
    """Return (the current track's number, its open scopes' names, start of the innermost); None: not recording."""
    recorder = active
    if recorder is None:
        return None
    track = recorder.track()
    levels = track.pen.open_levels()
    return track.number, [level.plan[2] for level in levels if level.plan], levels[-1].start if levels else 0


def counter(name: str, value: float) -> None:
    """Record the value of something that changes; see `workbench.counter`."""
    number = value if value.__class__ is float else _number(value, f"counter {name!r} takes a number")
    recorder = active
    if recorder is not None:
        recorder.point(name, number, layout.FLAG_COUNTER, _frame(1))


def mark(name: str) -> None:
    """Record that something happened at this moment; see `workbench.mark`."""
    recorder = active
    if recorder is not None:
        recorder.point(name, 0.0, layout.FLAG_MARK, _frame(1))


def _number(value: float, what: str) -> float:
    if isinstance(value, (str, bytes, bytearray)):  # `float` would read them
        raise TypeError(f"{what}, not {type(value).__name__}")
    try:
        return float(value)
    except TypeError:
        raise TypeError(f"{what}, not {type(value).__name__}") from None
