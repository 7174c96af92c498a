"""Where in a source file a function begins: samples of native profilers state the file alone."""

from __future__ import annotations

import ast
from pathlib import Path

LARGEST = 1 << 21


def line_of(file: str, function: str) -> int | None:
    """Return the line on which a function, given by its qualified name or its own, is defined in a Python file.

    None where the file is gone, is no Python source, or does not have exactly one such function.
    """
    path = Path(file)
    try:
        if path.suffix != ".py" or not path.is_file() or path.stat().st_size > LARGEST:
            return None
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: list[tuple[str, int]] = []
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, prefix = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((prefix + child.name, child.lineno))
                todo.append((child, f"{prefix}{child.name}.<locals>."))
            elif isinstance(child, ast.ClassDef):
                todo.append((child, f"{prefix}{child.name}."))
            else:
                todo.append((child, prefix))
    lines = [line for name, line in found if name == function]
    lines = lines or [line for name, line in found if name.endswith(f".{function}")]
    return lines[0] if len(lines) == 1 else None
