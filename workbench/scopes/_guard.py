"""The guard: a context manager and decorator that names an interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.scopes import _recorder

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200


class scope:  # noqa: N801  a keyword to its users: `with scope("predict"):`
    """Name the time that a block or function takes.

    ``with scope("compute jacobian"): ...`` or ``@scope("predict")``. Guards nest, each thread and asyncio
    task has its own nesting, and an exception closes a guard like anything else. When nothing records, a
    guard does nothing.

    As a decorator it takes functions, coroutine functions (the interval is from the first step to the
    result, on the track of its task), and generators (one interval for each time that they run: while a
    generator is suspended its time is its caller's).
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        if callable(name):
            raise TypeError(f'a scope needs a name: write @scope("predict"), not @scope on {name!r}')
        self.name = name

    def __enter__(self) -> Self:
        recorder = _recorder.active
        if recorder is not None:
            recorder.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        recorder = _recorder.active
        if recorder is not None:
            recorder.leave(self)

    def __call__(self, function: Decorated) -> Decorated:
        """Return the function with every call of it in this scope."""
        if not isinstance(self.name, str):
            raise TypeError(f'a scope needs a name: write @scope("predict"), not @scope({self.name!r})')
        code = getattr(function, "__code__", None)
        if code is None:
            raise TypeError(f"@scope({self.name!r}) takes a function, not {function!r}")
        return _wrap(self.name, function, code.co_flags)


def _wrap(name: str, function: Decorated, flags: int) -> Decorated:
    from functools import wraps  # here, because a program without decorators need not load it

    wrapper: Any
    if flags & _CO_ASYNC_GENERATOR:

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            agen = function(*args, **kwargs)
            step, argument = agen.asend, None
            while True:
                with scope(name):
                    try:
                        item = await step(argument)
                    except StopAsyncIteration:
                        return
                try:
                    step, argument = agen.asend, (yield item)
                except GeneratorExit:
                    with scope(name):
                        await agen.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  whatever was thrown in is thrown on
                    step, argument = agen.athrow, error

    elif flags & _CO_COROUTINE:

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with scope(name):
                return await function(*args, **kwargs)

    elif flags & _CO_GENERATOR:

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            step, argument = generator.send, None
            while True:
                with scope(name):
                    try:
                        item = step(argument)
                    except StopIteration as stop:
                        return stop.value
                try:
                    step, argument = generator.send, (yield item)
                except GeneratorExit:
                    with scope(name):
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001  whatever was thrown in is thrown on
                    step, argument = generator.throw, error

    else:

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with scope(name):
                return function(*args, **kwargs)

    return wrapper  # type: ignore[no-any-return]
