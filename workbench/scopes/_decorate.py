"""Guards as decorators: functions, coroutine functions, generators and asynchronous generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import CodeType

    Guard = AbstractContextManager[Any]

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200
SUSPENDS = _CO_GENERATOR | _CO_COROUTINE | _CO_ASYNC_GENERATOR
"""Flags of functions that go on after their call has returned."""


def wrap(guard: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with every call of it in the guard's scope.

    A coroutine's interval is from its first step to its result, on the track of its task. A generator has one
    for each time that it runs: while it is suspended its time is its caller's.

    Raises:
        TypeError: It is no function, or the guard has no name.
    """
    if not isinstance(guard.name, str):
        raise TypeError('a scope needs a name: write @scope("predict"), not @scope')
    code = getattr(function, "__code__", None)
    if code is None:
        raise TypeError(f"@scope({guard.name!r}) takes a function, not {function!r}")
    # One guard serves every call, on any thread: the recorder keeps the starts.
    return wrapper_of(code.co_flags)(guard._of(code), function)


def wrapper_of(flags: int) -> Callable[[Any, Callable[..., Any]], Callable[..., Any]]:
    """Return what puts a guard around each call of a function whose code has these flags.

    A guard of any kind will do, whose `__enter__` may be called again after its `__exit__`.
    """
    if flags & _CO_ASYNC_GENERATOR:
        return _async_generator
    if flags & _CO_COROUTINE:
        return _coroutine
    return _generator if flags & _CO_GENERATOR else _function


new_guard: Any = None
"""The class of guards, as `engine` has it."""


def restore(name: str, work: dict[str, float] | None, code: CodeType | None) -> Any:
    """Return a guard that was pickled: decorated functions travel to workers by value, guards with them."""
    guard = new_guard(name, **(work or {}))
    return guard if code is None else guard._of(code)


def _function(guard: Guard, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps  # here, because a program without decorators need not load it

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with guard:
            return function(*args, **kwargs)

    return wrapper


def _coroutine(guard: Guard, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with guard:
            return await function(*args, **kwargs)

    return wrapper


def _generator(guard: Guard, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        step, argument = generator.send, None
        while True:
            with guard:
                try:
                    item = step(argument)
                except StopIteration as stop:
                    return stop.value
            try:
                step, argument = generator.send, (yield item)
            except GeneratorExit:
                with guard:
                    generator.close()
                raise
            except BaseException as error:  # noqa: BLE001  whatever was thrown in is thrown on
                step, argument = generator.throw, error

    return wrapper


def _async_generator(guard: Guard, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        agen = function(*args, **kwargs)
        step, argument = agen.asend, None
        while True:
            with guard:
                try:
                    item = await step(argument)
                except StopAsyncIteration:
                    return
            try:
                step, argument = agen.asend, (yield item)
            except GeneratorExit:
                with guard:
                    await agen.aclose()
                raise
            except BaseException as error:  # noqa: BLE001  whatever was thrown in is thrown on
                step, argument = agen.athrow, error

    return wrapper
