"""README and docs/ as blocks of code and words of code.

A page's examples are its fenced blocks, and blocks in HTML comments, which prepare what the reader has already:

- `python`: run in order, in one namespace. Lines of `>>>` are a doctest (in `python measured` numbers may
  differ). A first line `# NAME.py` makes it a file.
- `console`: `$ COMMAND` is run by the shell, and what follows is what it prints. Numbers may differ.
- `console measured`: run; what it prints depends on the machine and is not compared.
- `sh`, `yaml`: not run, as they install, take minutes or need another machine. Commands and options must exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "gallery").glob("*.md")),
)

_BLOCK = re.compile(r"^(?:```|<!-- )([^\n>]*)\n(.*?)^(?:```|-->)$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    """What stands behind the fence, such as `console measured`."""
    text: str
    line: int
    """Line of the page on which the text begins."""


def blocks(page: Path) -> Iterator[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        yield Block(found[1].strip(), found[2], text.count("\n", 0, found.start(2)) + 1)


def inline_code(page: Path) -> list[str]:
    """Return what stands in backquotes outside the blocks of a page."""
    return _INLINE.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))


def commands(text: str) -> Iterator[str]:
    """Return the commands of a console block, or of a block of shell lines, one string each."""
    for line in text.replace("\\\n", " ").splitlines():
        command = re.sub(r"\s+#.*", "", line.removeprefix("$ ").strip())
        if command and not command.startswith("#"):
            yield command
