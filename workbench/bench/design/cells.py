"""A cell of a notebook as a suite: variants under lines of `# %% NAME`, and what they share above the first.

The source of the cell is all that a run has: it is executed in a fresh process. So a cell that reads names of other
cells is refused.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.bench.design.case import Case
from workbench.bench.design.suite import Suite
from workbench.bench.design.suite_files import add_to_path
from workbench.errors import InvalidInputError

_SEPARATOR = re.compile(r"^# ?%% *(.*?) *$", re.MULTILINE)
KNOWN = frozenset({*dir(builtins), "seed", "__name__", "__file__"})
"""Names that a cell need not define; `seed` is that of the round."""


@dataclass(frozen=True)
class CellVariants:
    """The parts of a cell. Each has empty lines before it, so that its lines have the numbers of the cell."""

    setup: str
    variants: Mapping[str, str]
    """The source of each variant by its name, the baseline first."""


def cell_variants(source: str) -> CellVariants:
    """Return the parts of a cell.

    Raises:
        InvalidInputError: It has no variants, two of one name, a syntax error, or reads names that it does not define.
    """
    found = list(_SEPARATOR.finditer(source))
    if not found:
        raise InvalidInputError("the cell has no variants: begin each with a line such as `# %% loop`")
    ends = [each.start() for each in found[1:]] + [len(source)]
    variants: dict[str, str] = {}
    for each, end in zip(found, ends, strict=True):
        if not each[1] or each[1] in variants:
            line = source.count("\n", 0, each.start()) + 1
            what = f"a second variant {each[1]!r}" if each[1] else "a variant without a name"
            raise InvalidInputError(f"line {line} of the cell begins {what}: give each a name of its own")
        variants[each[1]] = "\n" * source.count("\n", 0, each.end()) + source[each.end() : end]
    parts = CellVariants(source[: found[0].start()], variants)
    _check_names(parts)
    return parts


def _check_names(parts: CellVariants) -> None:
    used, defined = _names(parts.setup)
    for source in parts.variants.values():
        of_variant = _names(source)
        used |= of_variant[0] - of_variant[1]
    missing = sorted(used - defined - KNOWN)
    if missing and "*" not in defined:
        raise InvalidInputError(
            f"the cell reads {', '.join(missing)} and does not define {'it' if len(missing) == 1 else 'them'}: each "
            "variant runs in fresh processes from this cell alone, so define or import above its first `# %%` line"
        )


def _names(source: str) -> tuple[set[str], set[str]]:
    """Return the global names that a source reads, and those that it defines; `*` for an import of all names."""
    try:
        table, nodes = symtable.symtable(source, "<cell>", "exec"), list(ast.walk(ast.parse(source)))
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise InvalidInputError(f"line {error.lineno} of the cell: {error.msg}: {text}") from None
    used: set[str] = set()
    defined = {"*"} if re.search(r"^\s*from\s+\S+\s+import\s*\*", source, re.MULTILINE) else set()
    stored = Counter(
        each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )
    changed = Counter(getattr(each.target, "id", "") for each in nodes if isinstance(each, ast.AugAssign))
    pending = [table]
    while pending:
        scope = pending.pop()
        pending += scope.get_children()
        for symbol in scope.get_symbols():
            name = symbol.get_name()
            if scope is table or symbol.is_global():
                is_read = 0 < changed[name] == stored[name]  # `n += 1` alone defines no `n`
                used |= {name} if symbol.is_referenced() or is_read else set()
                defined |= {name} if symbol.is_imported() or (symbol.is_assigned() and not is_read) else set()
    return used, defined


def cell_suite(file: str, name: str) -> Suite:
    """Return the suite of a cell whose source is in a file: a run executes one variant's part.

    Args:
        file: The path of the source.
        name: The suite's.

    Raises:
        InvalidInputError: See `cell_variants`.
    """
    parts = cell_variants(Path(file).read_text(encoding="utf-8"))
    suite = Suite(name, variants={variant: {"variant": variant} for variant in parts.variants})

    @suite.workload
    def run(variant: str, *, seed: int) -> Case:
        add_to_path(Path.cwd())  # as in the notebook
        namespace = {"__name__": "__main__", "__file__": file, "seed": seed}
        exec(compile(parts.setup, file, "exec"), namespace)  # noqa: S102  the user's own cell
        code = compile(parts.variants[variant], file, "exec")
        return Case(run=lambda: exec(code, namespace))  # noqa: S102

    return suite
