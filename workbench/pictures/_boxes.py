"""From a stack tree to boxes: merged by path, in order, and without those too narrow to see."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.pictures._colours import MERGED
from workbench.profile import Frame, FrameKind, StackTree

ROOT_NAME = "all"


@dataclass(frozen=True)
class Label:
    """What a box says of itself."""

    name: str
    file: str = ""
    line: int = 0
    kind: int = MERGED


@dataclass
class Boxes:
    """Boxes in depth-first order; the first stands for all. Amounts are in the unit of the tree.

    Invariant: the children of a box lie side by side inside it, and together are at most as wide.
    """

    labels: list[Label] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    total: list[int] = field(default_factory=list)
    self_: list[int] = field(default_factory=list)
    cut: int = 0
    """How many boxes were too narrow."""
    cut_amount: int = 0
    """Their amount, the outermost of them counted."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def rows(self) -> int:
        """The number of rows that the boxes need."""
        return max(self.depth, default=-1) + 1


class _Node:
    """Stacks of one path: usually one, several where a tree holds the same path twice."""

    __slots__ = ("children", "self_", "total")

    def __init__(self) -> None:
        self.self_ = 0
        self.total = 0
        self.children: dict[int, _Node] = {}

    def size(self) -> int:
        """Return the number of nodes in the subtree."""
        count, pending = 0, [self]
        while pending:
            node = pending.pop()
            count += 1
            pending.extend(node.children.values())
        return count


def lay_out(tree: StackTree, minimum_share: float) -> Boxes:
    """Return the boxes of a tree, the children of each in order of name.

    The order by name, not by time, keeps a function in its place from one run to the next. Siblings
    narrower than `minimum_share` of all become one box at the end of their row, where together they are
    wide enough, and a gap otherwise; both are counted in `cut`.
    """
    root = _merge_paths(tree)
    boxes = Boxes()
    if root.total <= 0:
        return boxes
    frames = tree.profile.frames
    label_of: dict[Label, int] = {}

    def add(label: Label, depth: int, start: int, total: int, self_: int) -> None:
        boxes.label.append(label_of.setdefault(label, len(label_of)))
        boxes.depth.append(depth)
        boxes.start.append(start)
        boxes.total.append(total)
        boxes.self_.append(self_)

    narrowest = minimum_share * root.total
    pending: list[tuple[Label, _Node, int, int]] = [(Label(ROOT_NAME), root, 0, 0)]
    while pending:
        label, node, depth, start = pending.pop()
        add(label, depth, start, node.total, node.self_)
        below: list[tuple[Label, _Node, int, int]] = []
        small_count = small_total = 0
        for frame in sorted(node.children, key=lambda f: frames[f]):
            child = node.children[frame]
            if child.total < narrowest:
                small_count += child.size()
                small_total += child.total
                continue
            below.append((_label(frames[frame]), child, depth + 1, start))
            start += child.total
        boxes.cut += small_count
        boxes.cut_amount += small_total
        if small_count and small_total >= narrowest:
            merged = _Node()
            merged.total = merged.self_ = small_total
            below.append((Label(f"({small_count} small boxes)"), merged, depth + 1, start))
        pending.extend(reversed(below))
    boxes.labels = list(label_of)
    return boxes


def _merge_paths(tree: StackTree) -> _Node:
    stacks = tree.profile.stacks
    root = _Node()
    nodes: list[_Node] = []
    columns = (stacks.parent.tolist(), stacks.frame.tolist(), tree.self_ns.tolist(), tree.total_ns.tolist())
    for parent, frame, self_, total in zip(*columns, strict=True):
        above = nodes[parent] if parent >= 0 else root
        # A stack without time keeps a node of its own, out of the picture: nothing below it has time either.
        node = above.children.setdefault(frame, _Node()) if total > 0 else _Node()
        node.self_ += self_
        node.total += total
        nodes.append(node)
        if parent < 0 and total > 0:
            root.total += total
    return root


def _label(frame: Frame) -> Label:
    return Label(frame.name, frame.file, frame.line, int(FrameKind(frame.kind)))
