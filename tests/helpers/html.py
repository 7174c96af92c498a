"""A page as a reader sees it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
"""Elements that end no word."""


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text that is seen."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._hidden = False
        self.feed(source)
        self.text = " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")
        self._words.append("" if tag in INLINE else " ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        self._words.append("" if tag in INLINE else " ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def data(self, section: str) -> dict[str, Any]:
        """Return the data of a section, by its id."""
        rest = self.source[self.source.index(f'id="{section}"') :]
        found = re.search(r'<script type="application/json" class="data">(.*?)</script>', rest, re.DOTALL)
        assert found is not None
        data: dict[str, Any] = json.loads(found[1])
        return data
