"""Propagated context: work that runs elsewhere is recorded under the scope that sent it."""

from __future__ import annotations

import sys
from functools import partial
from json import dumps
from types import CodeType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from workbench.scopes import _decorate, _journal, _remote, engine
from workbench.scopes._journal import RemoteParent
from workbench.scopes._remote import RemoteRecording

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

MAX_NAMES = 128
"""Names in a path: the outermost and innermost of a deeper one are kept."""
MAX_NAME_LENGTH = 1000
"""Characters of one name in a path."""
MAX_PATH = 14_000
"""Bytes of a path as JSON: it is one text in the log, which has `_log.MAX_TEXT_BYTES`."""


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function so that its calls are recorded in this recording, under the scope that is open here now.

    The result may run anywhere: in another thread, in a worker of joblib, concurrent.futures or dask, in a process
    that started before the recording. A worker that cannot reach the recording's folder (on another host) records
    into a folder of its own, for `workbench.cluster.gather`. Arguments, result and exceptions are the function's
    own. A coroutine function is in the sender's scope from its first step to its result, a generator function in
    each of its steps. Calling `carry` again replaces the sender. Without a recording, `carry` returns the function
    itself.

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
    parent = RemoteParent(journal.log.key, track, _path(names), start)
    inner = function.function if isinstance(function, Propagated) else function
    return Propagated(inner, parent, _remote.remote_recording(journal))


class Propagated:
    """A function and its remote parent. It pickles wherever the function does, and has the function's attributes."""

    __slots__ = ("__weakref__", "function", "parent", "recording")

    def __init__(
        self, function: Callable[..., Any], parent: RemoteParent, recording: RemoteRecording
    ) -> None:
        self.function = function
        self.parent = parent
        self.recording = recording

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in the scope of its remote parent."""
        remote_scope: Any = RemoteScope(self.parent, self.recording)
        flags = _code_flags(self.function)
        if flags & _decorate.SUSPENDS:
            return _decorate.wrapper_of(flags)(remote_scope, self.function)(*args, **kwargs)
        with remote_scope:
            return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Propagated:
        """Bind as the function does when it is a class attribute."""
        bind = getattr(self.function, "__get__", None)
        return self if bind is None else Propagated(bind(instance, owner), self.parent, self.recording)

    def __getattr__(self, name: str) -> Any:
        """Return the function's attribute: its name, its code, and so whether it is a coroutine function."""
        if name in Propagated.__slots__:  # not set yet, while it is copied
            raise AttributeError(name)
        return getattr(self.function, name)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself, for `inspect.signature`."""
        return self.function

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # a property, so that it is the function's
        """The function's own."""
        return self.function.__doc__

    @property
    def __module__(self) -> str:  # type: ignore[override]
        """The function's own."""
        return str(getattr(self.function, "__module__", None) or __name__)

    def __repr__(self) -> str:
        return f"carry({self.function!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.function, self.parent, self.recording)

    def __dask_tokenize__(self) -> object:
        """Return the function's own token, so that recording does not change which results dask reuses."""
        return sys.modules["dask.base"].normalize_token(self.function)


class RemoteScope:
    """The remote parent's scope, opened around a propagated call in any thread or process."""

    __slots__ = ("_join", "_parent", "_recording", "_scope")

    def __init__(self, parent: RemoteParent, recording: RemoteRecording) -> None:
        self._parent = parent
        self._recording = recording
        self._join: _remote.Join | None = None
        self._scope: engine.scope | None = None

    def __enter__(self) -> None:
        self._join = _remote.join(self._recording)
        journal = _journal.active
        if journal is None or journal.log.recording_id != self._recording.identity or not self._parent.path:
            return
        here = engine.open_scopes()
        if here is None or (journal.log.key == self._parent.process and here[0] == self._parent.track):
            return  # the sender itself runs it, under its own open scopes
        name: Any = self._parent
        self._scope = engine.scope(name)
        self._scope.__enter__()

    def __exit__(self, *_: object) -> None:
        opened, self._scope = self._scope, None
        joined, self._join = self._join, None
        if opened is not None:
            opened.__exit__(None, None, None)
        if joined is not None:
            _remote.leave(joined)


def _restore(function: Callable[..., Any], parent: RemoteParent, recording: RemoteRecording) -> Propagated:
    """Return a function that was pickled: its class is not pickled, because `__module__` is a property there."""
    return Propagated(function, parent, recording)


def _path(names: list[object]) -> tuple[str, ...]:
    """Return the names of open scopes as the log has them, those of a remote parent included."""
    path: list[str] = []
    for name in names:
        if isinstance(name, RemoteParent):
            path += name.path
        else:
            path.append(_journal.name_text(name)[:MAX_NAME_LENGTH])
    kept = MAX_NAMES // 2  # at each end
    while kept and len(dumps([*path[:kept], *path[kept:][-kept:]])) > MAX_PATH:
        kept //= 2
    left_out = len(path) - 2 * kept
    if left_out > 0:
        path = [*path[:kept], f"({left_out} scopes left out)", *path[len(path) - kept :]]
    return tuple(path)


def _code_flags(function: object) -> int:
    """Return the flags of the code that a call runs: they identify coroutines and generators."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None:
        calls = (vars(base).get("__call__") for base in type(function).__mro__)
        code = getattr(next(filter(None, calls), None), "__code__", None)
    return code.co_flags if isinstance(code, CodeType) else 0
