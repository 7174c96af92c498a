"""joblib's back ends of this host without its pause: for steps that are shorter than it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib.parallel import BACKENDS as FACTORIES


class _Prompt:
    """Wakes up with the last result. joblib's own loop sleeps 10 ms between looks, a seventh of a small step."""

    _left: _Left

    def start_call(self) -> None:
        """Begin a call; what is left of one that was aborted is forgotten."""
        self._left = _Left()
        super().start_call()  # type: ignore[misc]  # joblib's class stands behind this one

    def submit(self, func: Callable[..., Any], callback: Callable[[Any], None]) -> Any:
        """Hand a batch to the workers, and count it until joblib has taken its result in."""
        left = self._left
        left.more()

        def taken(result: Any) -> None:
            try:
                callback(result)
            finally:
                left.fewer()

        return super().submit(func, taken)  # type: ignore[misc]

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Wait until every batch has a result; then joblib finds all of them at its first look."""
        self._left.wait()
        with super().retrieval_context():  # type: ignore[misc]
            yield


class _Left:
    """Counts the batches that have no result yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def more(self) -> None:
        with self._changed:
            self._count += 1

    def fewer(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)


class _PromptLoky(_Prompt, FACTORIES.get("loky", FACTORIES["threading"])):  # type: ignore[misc]  # joblib publishes no types
    pass


class _PromptThreads(_Prompt, FACTORIES["threading"]):  # type: ignore[misc]
    pass


PROMPT = {"loky": _PromptLoky, "threading": _PromptThreads}
"""These back ends, by the names of joblib's."""
