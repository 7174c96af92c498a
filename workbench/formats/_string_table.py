"""A table of strings, which a file's other parts name by number."""

from __future__ import annotations


class StringTable:
    """Distinct strings in the order in which they were first named."""

    def __init__(self, *first: str) -> None:
        self._index = {text: i for i, text in enumerate(first)}

    def __call__(self, text: str) -> int:
        """Return the number of a string."""
        return self._index.setdefault(text, len(self._index))

    def strings(self) -> list[str]:
        """Return all strings so far."""
        return list(self._index)
