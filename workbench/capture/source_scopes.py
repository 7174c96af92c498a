"""The scopes that source files open, for samples of a program that was not recorded."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, RecordingFacts, ScopeSite

MODULES = frozenset({"workbench", "workbench.scopes"})
COMPUTED = "(computed name)"


def scopes_of_sources(sampled: Profile, read: Callable[[str], str | None]) -> Profile:
    """Return a recording without times that knows the scopes of the files that were sampled.

    Args:
        sampled: Samples, their Python frames with files.
        read: Returns the text of a file, or None where it is not known as it was when the program loaded it.
    """
    builder = ProfileBuilder(sampled.name)
    sites: list[ScopeSite] = []
    files = {frame.file for frame in sampled.frames if frame.kind is FrameKind.PYTHON}
    for file in sorted(files):
        for nested in _scopes_of(file, read(file) if file.endswith(".py") else None):
            sites += nested
            builder.stack_of([Frame(site.name, kind=FrameKind.SCOPE) for site in nested])
    return builder.build(RecordingFacts(sites=tuple(sites)))


def _scopes_of(file: str, text: str | None) -> Iterator[list[ScopeSite]]:
    """Return the sites of a file, those of one statement together, the outer one first."""
    if text is None or "workbench" not in text:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names = _names_of_scope(tree)
    todo: list[tuple[ast.AST, str, str]] = [(tree, "", "<module>")] if names else []
    while todo:
        parent, prefix, code = todo.pop()
        for node in ast.iter_child_nodes(parent):
            inner = prefix, code
            if isinstance(node, ast.ClassDef):
                inner = f"{prefix}{node.name}.", f"{prefix}{node.name}"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = f"{prefix}{node.name}.<locals>.", f"{prefix}{node.name}"
                decorators = node.decorator_list
                first = min((each.lineno for each in decorators), default=node.lineno)
                yield _sites(decorators, names, file, (first, node.end_lineno or first), inner[1], "function")
            elif isinstance(node, ast.With | ast.AsyncWith):
                calls = [item.context_expr for item in node.items]
                header = max(
                    part.lineno for each in calls for part in ast.walk(each) if isinstance(part, ast.expr)
                )
                first = max(node.lineno, min(header, node.body[0].lineno - 1))
                yield _sites(calls, names, file, (first, node.end_lineno or first), code, "with")
            todo.append((node, *inner))


def _sites(
    calls: Sequence[ast.expr], names: set[str], file: str, lines: tuple[int, int], function: str, use: str
) -> list[ScopeSite]:
    """Return the sites of those calls that make scopes."""
    found = [
        _name_of(call) for call in calls if isinstance(call, ast.Call) and ast.unparse(call.func) in names
    ]
    return [ScopeSite(name or COMPUTED, file, *lines, function, use if name else "some") for name in found]


def _name_of(call: ast.Call) -> str:
    """Return the name that a scope is made with; empty: it is computed."""
    given = [*call.args, *(each.value for each in call.keywords if each.arg == "name")]
    first = given[0] if given else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _names_of_scope(tree: ast.Module) -> set[str]:
    """Return the expressions by which a file names `scope`, such as `wb.scope`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES and not node.level:
            found |= {each.asname or each.name for each in node.names if each.name == "scope"}
        elif isinstance(node, ast.Import):
            found |= {f"{each.asname or each.name}.scope" for each in node.names if each.name in MODULES}
    return found
