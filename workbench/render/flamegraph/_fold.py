"""Imports and the start of the interpreter as one box in each place, for the flame graph where no script runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from workbench.profile import FrameKind, is_import_or_startup, is_module_body, is_own, runs_modules
from workbench.render.colours import THREAD
from workbench.render.flamegraph._boxes import Boxes
from workbench.render.flamegraph._forest import BoxLabel

_IMPORTS = BoxLabel("(imports)")
_INTERPRETER_START = BoxLabel("(interpreter start and imports)")
_TOTALS = {"total", "before", "after"}
_IN_IMPORT, _IN_START = 1, 2
_START = re.compile(r"_start|__libc_start\w*|main|Py_(?:Bytes|Run)?Main|pymain_\w+")


def folded(boxes: Boxes) -> Boxes:
    """Return the boxes with imports, and how the interpreter comes to the program, as one box in each place.

    The program's own functions and scopes that run inside are put on what the import was on. Amounts stay exact, but
    only totals are kept, and no other column. The same as `folded` in transforms.js.
    """
    labels = [*boxes.labels, _IMPORTS, _INTERPRETER_START]
    facts = [_facts(label) for label in boxes.labels]
    nodes = _Nodes([], [], [])
    target: list[int] = []  # the node of each box
    path: list[_Below] = []
    for label, depth in zip(boxes.label, boxes.depth, strict=True):
        del path[depth:]
        if not path:
            target.append(nodes.add(-1, label))
            path.append(_Below(label, 0, 0))
            continue
        below = path[-1]
        base = below.node
        outermost = base == 0 or labels[nodes.label[base]].kind == THREAD
        fact = facts[label]
        is_import = fact.is_import or (
            fact.is_body and not outermost and not runs_modules(labels[below.label].file)
        )
        is_start = (outermost and fact.is_start) or (
            labels[label].kind == FrameKind.NATIVE and below.inside == _IN_START
        )
        inside = 0
        if not fact.own and (is_import or below.inside == _IN_IMPORT):
            inside = _IN_IMPORT
        elif is_start:
            inside = _IN_START
        target.append(nodes.child(base, len(boxes.labels) + outermost if inside else label))
        path.append(_Below(label, base if inside else target[-1], inside))
    return _laid_out(labels, nodes, target, boxes)


class _Below(NamedTuple):
    """A box on the path to another one."""

    label: int
    node: int
    """Where what is above it stands."""
    inside: int
    """What it is inside of: an import, the start of the interpreter, or 0."""


@dataclass
class _Nodes:
    """A tree that grows; parents come before their children."""

    label: list[int]
    parent: list[int]
    children: list[list[int]]
    known: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, parent: int, label: int) -> int:
        self.label.append(label)
        self.parent.append(parent)
        self.children.append([])
        return len(self.label) - 1

    def child(self, parent: int, label: int) -> int:
        """Return the child of a node with a label, a new one where there is none."""
        if (parent, label) not in self.known:
            self.known[parent, label] = self.add(parent, label)
            self.children[parent].append(self.known[parent, label])
        return self.known[parent, label]


class _Facts(NamedTuple):
    own: bool
    is_import: bool
    is_body: bool
    """Whether it is the body of a module, which is an import above other code."""
    is_start: bool
    """Whether the interpreter starts with it, natively or as `python -m` does."""


def _facts(label: BoxLabel) -> _Facts:
    is_python = label.kind == FrameKind.PYTHON
    return _Facts(
        label.kind == FrameKind.SCOPE or (is_python and (not label.file or is_own(label.file))),
        is_python and is_import_or_startup(label.file),
        is_python and is_module_body(label.name, label.file),
        (label.kind == FrameKind.NATIVE and _START.fullmatch(label.name) is not None)
        or (is_python and runs_modules(label.file)),
    )


def _laid_out(labels: list[BoxLabel], nodes: _Nodes, target: list[int], boxes: Boxes) -> Boxes:
    sums = {
        name: _summed(column, boxes.depth, nodes, target)
        for name, column in {"total": boxes.total, **boxes.columns}.items()
        if name in _TOTALS
    }
    total = sums.pop("total")
    order: list[tuple[int, int, int]] = []  # node, depth and start
    pending = [(0, 0, 0)] if len(boxes) else []
    while pending:
        node, depth, start = pending.pop()
        order.append((node, depth, start))
        above: list[tuple[int, int, int]] = []
        for each in nodes.children[node]:
            if total[each] > 0:
                above.append((each, depth + 1, start))
                start += total[each]
        pending.extend(reversed(above))
    return replace(
        boxes,
        labels=labels,
        label=[nodes.label[node] for node, _, _ in order],
        depth=[depth for _, depth, _ in order],
        start=[start for _, _, start in order],
        total=[total[node] for node, _, _ in order],
        columns={name: [column[node] for node, _, _ in order] for name, column in sums.items()},
    )


def _summed(column: list[int], depths: list[int], nodes: _Nodes, target: list[int]) -> list[int]:
    """Return the total of each node: what its boxes have without those above them, and its children's totals."""
    sums = [0] * len(nodes.label)
    path: list[int] = []
    for i, depth in enumerate(depths):
        del path[depth:]
        if path:
            sums[target[path[-1]]] -= column[i]
        sums[target[i]] += column[i]
        path.append(i)
    for node in range(len(sums) - 1, 0, -1):
        sums[nodes.parent[node]] += sums[node]
    return sums
