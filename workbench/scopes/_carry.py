"""Context that travels with work: what runs elsewhere is recorded under the scope that sent it."""

from __future__ import annotations

import sys
from functools import partial
from json import dumps
from types import CodeType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from workbench.scopes import _decorate, _journal, _visit, engine
from workbench.scopes._journal import Sent
from workbench.scopes._visit import Home
from workbench.scopes.manifests import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")

MOST_NAMES = 128
"""Names of a path: of a deeper one the outermost and innermost are kept."""
LONGEST_NAME = 1000
LONGEST_PATH = 14_000
"""Bytes of a path as JSON, which is one text in the log."""


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function so that it records into this recording, under the scope that is open here now.

    It may then run anywhere: in another thread, in a worker of joblib, concurrent.futures or dask, in a process
    that was started before the recording was. Where the recording's folder is not reachable (another host), the
    worker records into a folder of its own, for `workbench.cluster.gather`. Arguments, result and exceptions are
    the function's own. A coroutine function is in the sender's scope from its first step to its result, a
    generator function in each of its steps. A function that was carried before is sent anew, from here. When
    nothing records, the function itself is returned.

    Raises:
        TypeError: `function` cannot be called.
    """
    if not callable(function):
        raise TypeError(f"carry() takes a function, not {function!r}")
    journal = _journal.active
    here = engine.open_scopes()
    if journal is None or here is None:
        return function
    track, names, start = here
    sent = Sent(journal.log.key, track, _path(names), start)
    inner = function.function if isinstance(function, Carried) else function
    return Carried(inner, sent, _visit.home_of(journal))


class Carried:
    """A function and the scope that sent it. Pickles wherever the function does, and looks like it."""

    __slots__ = ("__weakref__", "function", "home", "sent")

    def __init__(self, function: Callable[..., Any], sent: Sent, home: Home) -> None:
        self.function = function
        self.sent = sent
        self.home = home

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, in an interval that stands for the scope that sent it."""
        stay: Any = Stay(self.sent, self.home)
        flags = _flags(self.function)
        if flags & _decorate.SUSPENDS:
            return _decorate.wrapper_of(flags)(stay, self.function)(*args, **kwargs)
        with stay:
            return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Carried:
        """Bind as the function does, where it stands in a class."""
        bind = getattr(self.function, "__get__", None)
        return self if bind is None else Carried(bind(instance, owner), self.sent, self.home)

    def __getattr__(self, name: str) -> Any:
        """Return what the function says: its name, its code, and so whether it is a coroutine function."""
        if name in Carried.__slots__:  # not yet set: it is being copied
            raise AttributeError(name)
        return getattr(self.function, name)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself, for `inspect.signature`."""
        return self.function

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # as every function's is: its own
        """The function's own."""
        return self.function.__doc__

    @property
    def __module__(self) -> str:  # type: ignore[override]
        """The function's own."""
        return str(getattr(self.function, "__module__", None) or __name__)

    def __repr__(self) -> str:
        return f"carry({self.function!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.function, *self.sent, *self.home[:2], tuple(self.home.limits), self.home.root)

    def __dask_tokenize__(self) -> object:
        """Return the function's own token: recording must not change which results dask takes for the same."""
        return sys.modules["dask.base"].normalize_token(self.function)


class Stay:
    """The interval of a carried call: the scope that sent it, in whatever thread or process this is."""

    __slots__ = ("_guard", "_home", "_sent", "_visit")

    def __init__(self, sent: Sent, home: Home) -> None:
        self._sent = sent
        self._home = home
        self._visit: _visit.Visit | None = None
        self._guard: engine.scope | None = None

    def __enter__(self) -> None:
        self._visit = _visit.join(self._home)
        journal = _journal.active
        if journal is None or journal.log.recording_id != self._home.identity or not self._sent.path:
            return
        here = engine.open_scopes()
        if here is None or (journal.log.key == self._sent.process and here[0] == self._sent.track):
            return  # the sender runs it itself, under its own open scopes
        name: Any = self._sent
        self._guard = engine.scope(name)
        self._guard.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        guard, self._guard = self._guard, None
        visit, self._visit = self._visit, None
        if guard is not None:
            guard.__exit__(None, None, None)
        if visit is not None:
            _visit.leave(visit)


def _restore(
    function: Callable[..., Any],
    process: str,
    track: int,
    path: tuple[str, ...],
    start_ns: int,
    folder: str,
    identity: str,
    limits: tuple[int, str],
    root: str,
) -> Carried:
    """Return a carried function that was pickled."""
    return Carried(
        function, Sent(process, track, path, start_ns), Home(folder, identity, Limits(*limits), root)
    )


def _path(names: list[object]) -> tuple[str, ...]:
    """Return the names of the open scopes, those that a carried one stands for included, as the log has them."""
    path: list[str] = []
    for name in names:
        if isinstance(name, Sent):
            path += name.path
        else:
            path.append((name if isinstance(name, str) else _journal._repr(name))[:LONGEST_NAME])
    kept = MOST_NAMES // 2  # at each end
    while kept and len(dumps([*path[:kept], *path[kept:][-kept:]])) > LONGEST_PATH:
        kept //= 2
    left_out = len(path) - 2 * kept
    if left_out > 0:
        path = [*path[:kept], f"({left_out} scopes left out)", *path[len(path) - kept :]]
    return tuple(path)


def _flags(function: object) -> int:
    """Return the flags of the code that a call of this runs: they tell coroutines and generators."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None:
        calls = (vars(base).get("__call__") for base in type(function).__mro__)
        code = getattr(next(filter(None, calls), None), "__code__", None)
    return code.co_flags if isinstance(code, CodeType) else 0
