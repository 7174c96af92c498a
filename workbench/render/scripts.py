"""Puts the modules of a script together: an entry file and all that it imports become one function.

A page must run from a file without a network, and its policy names each script by its hash, so that its modules
cannot stay files of their own. They are put together as the language would evaluate them: each once, and what a
module imports before the module itself. Lines of comments stay in the files. Only two forms are known:
`import { a, b } from "./x.js";` and `export` before a declaration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from markupsafe import Markup

from workbench.errors import WorkbenchError

_IMPORT = re.compile(r'^import\s+(?:\{([^}]*)\}\s*from\s*)?"(\.{1,2}/[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function\b|class\b|const\b|let\b)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_COMMENT = re.compile(r"^[ ]*//.*\n", re.MULTILINE)
_DECLARATION = re.compile(
    r"^(?P<export>export )?(?:(?:async )?function\*?|class|const|let|var) "
    r"(?P<names>[\w$]+|\{[^}]*\}|\[[^\]]*\])(?P<more>(?:, [\w$]+)*)",
    re.MULTILINE,
)
"""At the start of a line: what is declared inside of a block is indented."""


class ScriptError(WorkbenchError):
    """The modules of a script cannot be put together."""


@cache
def bundle(entry: Path) -> Markup:
    """Return a module and all that it imports as one function, which defines no global name.

    Raises:
        ScriptError: A module is missing, uses another form of import or export, imports a name that the other module
            does not export, or two modules declare one name.
    """
    modules: dict[Path, str] = {}
    _collect(entry.resolve(), modules)
    _refuse_equal_names(modules)
    text = "\n".join(_without_comments(_plain(source)).strip("\n") + "\n" for source in modules.values())
    return Markup('\n(function () {\n"use strict";\n' + text + "})();\n")  # noqa: S704 - our own files


def _collect(module: Path, modules: dict[Path, str], seen: set[Path] | None = None) -> None:
    """Add a module after those that it imports."""
    seen = set() if seen is None else seen
    seen.add(module)
    source = module.read_text(encoding="utf-8")
    other = _OTHER.search(_plain(source))
    if other:
        raise ScriptError(
            f'{module.name}: {other[0]!r} is not understood: write import {{ a, b }} from "./x.js"; and export before '
            "a declaration"
        )
    for names, path in _IMPORT.findall(source):
        imported = (module.parent / path).resolve()
        if not imported.is_file():
            raise ScriptError(
                f"{module.name} imports {path}, which is no file: write its path from {module.parent}"
            )
        missing = _names_in(names) - _declared(imported.read_text(encoding="utf-8"), exported=True)
        if missing:
            raise ScriptError(f"{module.name} imports {min(missing)} from {path}, which does not export it")
        if imported not in seen:
            _collect(imported, modules, seen)
    modules[module] = source


def _plain(source: str) -> str:
    """Return a module without imports, and with its exports as plain declarations."""
    return _EXPORT.sub("", _IMPORT.sub("", source))


def _without_comments(source: str) -> str:
    """Return a module without the lines that are comments: each chart of a page brings its script."""
    return _COMMENT.sub("", source)


def _refuse_equal_names(modules: Mapping[Path, str]) -> None:
    owner: dict[str, Path] = {}
    for module, source in modules.items():
        for name in _declared(source):
            if name in owner:
                raise ScriptError(
                    f"{owner[name].name} and {module.name} both declare {name}: rename one, they share a function"
                )
            owner[name] = module


def _declared(source: str, *, exported: bool = False) -> set[str]:
    """Return the names that a module declares at its top level, or only those that it exports."""
    found: set[str] = set()
    for match in _DECLARATION.finditer(source):
        if match["export"] or not exported:
            found |= _names_in(match["names"].strip("{}[]") + match["more"])
    return found


def _names_in(text: str) -> set[str]:
    """Return the names that a list binds: `a`, `b: c` and `d = 1` bind a, c and d."""
    parts = (part.partition("=")[0].rpartition(":")[2].strip() for part in text.split(","))
    return {part.removeprefix("...") for part in parts if part}
