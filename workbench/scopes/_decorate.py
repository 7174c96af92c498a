"""Scopes as decorators of functions, coroutine functions, generators and asynchronous generators."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # the package loads nothing that scopes do not need
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import CodeType
    from typing import Any

    Manager = AbstractContextManager[Any]

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200
SUSPENDS = _CO_GENERATOR | _CO_COROUTINE | _CO_ASYNC_GENERATOR
"""Code flags of functions that still run after their call has returned."""


def wrap(scope: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs every call of a function in a scope.

    A coroutine's interval is from its first step to its result, on the track of its task. A generator has one
    interval for each step: while it is suspended its time is its caller's.

    Raises:
        TypeError: It is no function, or the scope has no name.
    """
    if not isinstance(scope.name, str):
        raise TypeError('a scope needs a name: write @scope("predict"), not @scope')
    code = getattr(function, "__code__", None)
    if code is None:
        raise TypeError(f"@scope({scope.name!r}) takes a function, not {function!r}")
    # One scope object serves every call on any thread: the recorder stores the starts.
    return wrapper_of(code.co_flags)(scope._of(code), function)


def wrapper_of(flags: int) -> Callable[[Any, Callable[..., Any]], Callable[..., Any]]:
    """Return the wrapper for functions whose code has these flags.

    The wrapper takes a context manager that may be entered again after it was left, and the function.
    """
    if flags & _CO_ASYNC_GENERATOR:
        return _async_generator
    if flags & _CO_COROUTINE:
        return _coroutine
    return _generator if flags & _CO_GENERATOR else _function


scope_class: Any = None
"""The class `scope` of the recorder in use; `engine` sets it."""


def restore(name: str, work: dict[str, float] | None, code: CodeType | None) -> Any:
    """Return a scope that was pickled: a decorated function that travels to a worker by value has one."""
    scope = scope_class(name, **(work or {}))
    return scope if code is None else scope._of(code)


def _function(manager: Manager, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps  # here, because a program without decorators need not load it

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with manager:
            return function(*args, **kwargs)

    return wrapper


def _coroutine(manager: Manager, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with manager:
            return await function(*args, **kwargs)

    return wrapper


def _generator(manager: Manager, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        step, argument = generator.send, None
        while True:
            with manager:
                try:
                    item = step(argument)
                except StopIteration as stop:
                    return stop.value
            try:
                step, argument = generator.send, (yield item)
            except GeneratorExit:
                with manager:
                    generator.close()
                raise
            except BaseException as error:  # noqa: BLE001  passed to the generator
                step, argument = generator.throw, error

    return wrapper


def _async_generator(manager: Manager, function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import wraps

    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        agen = function(*args, **kwargs)
        step, argument = agen.asend, None
        while True:
            with manager:
                try:
                    item = await step(argument)
                except StopAsyncIteration:
                    return
            try:
                step, argument = agen.asend, (yield item)
            except GeneratorExit:
                with manager:
                    await agen.aclose()
                raise
            except BaseException as error:  # noqa: BLE001  passed to the generator
                step, argument = agen.athrow, error

    return wrapper
