"""The frames of one process's samples: one tree of functions for all threads, and the line of each sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.codes import LineTables, code_texts
from workbench.eventlog.log_files import Module, ProcessLog, SampleSegment
from workbench.eventlog.sample_records import BAD_NODE, ThreadSamples
from workbench.eventlog.stack_shape import (
    NATIVE_CUT,
    PYTHON_CUT,
    UNKNOWN_STACK,
    Role,
    SampledFrame,
    StackShaper,
    is_c_library,
    is_informative,
    takes_lock,
    wrapper,
)
from workbench.eventlog.symbols import FunctionTable, Symbols, function_name
from workbench.profile import ROOT, Frame, FrameKind, ProfileBuilder, StackTable, is_interpreter, is_own
from workbench.profile.stacks import Int32, Int64
from workbench.scopes import layout

NO_MODULE = Module(0, "", "")
MAX_CLIMB = 4096
"""Frames between the top of a stack and its innermost Python frame; a sample has fewer."""
SKIPPED = -1
"""Frame of a node without one: the interpreter's shim around an inlined `__init__`, or a node of a newer kind."""


class SampledFrames:
    """Collects the frames of a process, and their stack tree."""

    def __init__(
        self,
        builder: ProfileBuilder,
        log: ProcessLog,
        symbols: Symbols,
        path_of: Callable[[int], list[int] | None],
    ) -> None:
        """Start empty.

        Args:
            builder: The profile's builder.
            log: The process's log.
            symbols: Names of native functions.
            path_of: Returns the builder's frames of the path of a remote parent; None for other scopes.
        """
        self._builder = builder
        self._log = log
        self._symbols = symbols
        self._path_of = path_of
        self._number: dict[SampledFrame, int] = {}
        self._roles: list[Role] = []
        """By number."""
        self._own: set[int] = set()
        """Numbers of functions of the program's own."""
        self._tree = StackTable()
        self._codes: dict[tuple[int, bytes], tuple[int, int, bytes]] = {}
        self._natives: dict[tuple[Module, int], int] = {}
        self._functions: dict[Module, FunctionTable] = {}
        self._unknown = self._of(Role.NATIVE, UNKNOWN_STACK)
        self.damaged = 0
        ended_ns = log.end_ns - log.moved_ns or (log.sampler[2] if log.sampler else 0)
        self._ended_ns = ended_ns - log.start_ns + log.moved_ns + log.wall_ns if ended_ns else None

    def add(self, found: ThreadSamples, segment: SampleSegment) -> tuple[Int32, Int32]:
        """Add the nodes of a thread in one segment.

        Returns:
            (samples,) the number of the stack of each sample in the tree, and that of its stack of lines.
        """
        nodes = found.nodes
        frame, line, is_python = self._node_frames(found, segment)
        is_own = is_python & np.isin(frame, list(self._own))
        stacks, tree = [ROOT], self._tree.index  # by number of the node, 0: none
        # The hottest loop of reading a recording.
        for below, own in zip(nodes.parent.tolist(), frame.tolist(), strict=True):
            if own < 0:
                stacks.append(stacks[below])
            else:
                stacks.append(tree.setdefault((stacks[below] + 1) << 32 | own, len(tree)))
        of_node = self._line_stacks(nodes.parent, is_own, frame, line)
        own = self._innermost(found.node, nodes.parent, is_own)
        return np.array(stacks, dtype=np.int32)[found.node], of_node[own]

    def _line_stacks(
        self, parent: Int32, is_own: NDArray[np.bool_], frame: Int64, line: Int32
    ) -> NDArray[np.int32]:
        """Return (nodes + 1,) the stack of lines of each node that is of the program's own code; else `ROOT`."""
        found = np.full(len(parent) + 1, ROOT, dtype=np.int32)
        owns = np.flatnonzero(is_own)
        keys, of_key = np.unique(frame[owns] << 32 | np.maximum(line[owns], 0), return_inverse=True)
        numbers, frames = list(self._number), self._builder.frames()
        places = [
            self._builder.place(frames[numbers[key >> 32].path[0]]._replace(line=key & 0xFFFFFFFF))
            for key in keys.tolist()
        ]
        above = self._innermost(parent[owns], parent, is_own)
        stacks, index = found.tolist(), self._builder.line_stacks.index
        for node, below, key in zip((owns + 1).tolist(), above.tolist(), of_key.tolist(), strict=True):
            stacks[node] = index.setdefault((stacks[below] + 1) << 32 | places[key], len(index))
        return np.array(stacks, dtype=np.int32)

    def shaper(self) -> StackShaper:
        """Return a shaper that makes the profile's stacks from the added ones."""
        stacks = self._tree.stacks()
        return StackShaper(self._builder, list(self._number), stacks.parent.tolist(), stacks.frame.tolist())

    def _node_frames(
        self, found: ThreadSamples, segment: SampleSegment
    ) -> tuple[Int64, Int32, NDArray[np.bool_]]:
        """Return each node's frame, its line, and whether it is a visible Python frame."""
        nodes = found.nodes
        frame = np.full(len(nodes.kind), SKIPPED, dtype=np.int64)
        line = np.zeros(len(nodes.kind), dtype=np.int32)
        frame[nodes.kind == BAD_NODE] = self._unknown
        kind_is = [np.flatnonzero(nodes.kind == kind) for kind in range(layout.NODE_GENERATOR + 1)]
        python = np.concatenate([kind_is[layout.NODE_PYTHON], kind_is[layout.NODE_GENERATOR]])
        of_code = self._code_frames(found.codes)
        known = python[nodes.code[python] >= 0]
        frame[python] = self._unknown
        self.damaged += len(python) - len(known)
        visible = np.zeros(len(nodes.kind), dtype=np.bool_)
        if len(known):
            code = nodes.code[known]
            numbers = np.array([number for number, _, _ in of_code], dtype=np.int64)
            frame[known] = numbers[code]
            tables = LineTables([first for _, first, _ in of_code], [table for _, _, table in of_code])
            line[known] = tables.lines(code, nodes.a[known].view(np.int32).astype(np.int64))
            seen = [number >= 0 and self._roles[number] is Role.PYTHON for number in numbers.tolist()]
            visible[known] = np.array(seen, dtype=np.bool_)[code]
        natives = kind_is[layout.NODE_NATIVE]
        frame[natives] = self._native_frames(nodes.a[natives], nodes.b[natives], segment)
        scopes = kind_is[layout.NODE_SCOPE]
        names, of_name = np.unique(nodes.a[scopes], return_inverse=True)
        frame[scopes] = _taken([self._scope(name) for name in names.tolist()], of_name)
        missing = kind_is[layout.NODE_MISSING]
        cut = [self._of(Role.PYTHON, PYTHON_CUT), self._of(Role.MISSING, NATIVE_CUT)]
        frame[missing] = np.array(cut)[(nodes.a[missing] == layout.MISSING_NATIVE).astype(np.int64)]
        return frame, line, visible

    def _of(self, role: Role, frame: Frame) -> int:
        return self._numbered(SampledFrame(role, (self._builder.frame(frame),)))

    def _numbered(self, frame: SampledFrame) -> int:
        number = self._number.setdefault(frame, len(self._number))
        if number == len(self._roles):
            self._roles.append(frame.role)
        return number

    def _code_frames(self, codes: Sequence[tuple[int, bytes]]) -> list[tuple[int, int, bytes]]:
        """Return each code's frame, first line and line table."""
        found = []
        for code in codes:
            known = self._codes.get(code)
            if known is None:
                known = self._codes[code] = self._code_frame(*code)
            found.append(known)
        return found

    def _code_frame(self, first_line: int, content: bytes) -> tuple[int, int, bytes]:
        read = code_texts(content)
        if read is None:
            self.damaged += 1
            return self._unknown, 0, b""
        name, file, table = read
        if is_shim(name, file, first_line):
            return SKIPPED, 0, b""
        role = Role.WRAPPER if wrapper(file) else Role.PYTHON
        number = self._of(role, Frame(name, file))
        if is_own(file):
            self._own.add(number)
        return number, first_line, table

    def _native_frames(
        self, module: NDArray[np.uint32], address: NDArray[np.uint64], segment: SampleSegment
    ) -> Int64:
        """Return the frame of each (number of a module, virtual address)."""
        modules, of_module = np.unique(module, return_inverse=True)
        addresses, of_address = np.unique(address, return_inverse=True)
        pairs, of_pair = np.unique(
            of_address.astype(np.int64) * len(modules) + of_module, return_inverse=True
        )
        frames = [
            self._native(int(modules[pair % len(modules)]), int(addresses[pair // len(modules)]), segment)
            for pair in pairs.tolist()
        ]
        return _taken(frames, of_pair)

    def _native(self, number: int, address: int, segment: SampleSegment) -> int:
        module = segment.modules.get(number) or self._log.modules.get(number)
        if module is None:
            # An address in memory: the sampler had not listed the module yet.
            module = max(
                (each for each in (segment.modules or self._log.modules).values() if each.base <= address),
                key=lambda each: each.base,
                default=NO_MODULE,
            )
            address -= module.base
            if self._functions_of(module).name(address) is None:
                return self._of(Role.NATIVE, Frame("[unknown]", kind=FrameKind.NATIVE))
        found = self._natives.get((module, address))
        if found is None:
            functions = self._functions_of(module)
            name = function_name(functions, module, address)
            found = self._of(_role(functions, module, name), Frame(name, module.path, kind=FrameKind.NATIVE))
            self._natives[module, address] = found
        return found

    def _functions_of(self, module: Module) -> FunctionTable:
        functions = self._functions.get(module)
        if functions is None:
            functions = self._functions[module] = self._symbols.functions(module, ended_ns=self._ended_ns)
        return functions

    def _scope(self, number: int) -> int:
        path = self._path_of(number)
        if path is not None:
            return self._numbered(SampledFrame(Role.REMOTE_PARENT, tuple(path)))
        name = self._log.names.get(number)
        if name is None:
            self.damaged += 1
            return SKIPPED
        return self._of(Role.SCOPE, Frame(name, kind=FrameKind.SCOPE))

    @staticmethod
    def _innermost(node: Int32, parent: Int32, wanted: NDArray[np.bool_]) -> Int64:
        """Return the number of the innermost wanted node of each stack; 0: none."""
        tops, of_top = np.unique(node, return_inverse=True)
        found = tops.astype(np.int64)
        climbing = np.flatnonzero(found > 0)
        for _ in range(MAX_CLIMB):
            climbing = climbing[~wanted[found[climbing] - 1]]
            if not len(climbing):
                break
            found[climbing] = parent[found[climbing] - 1]
            climbing = climbing[found[climbing] > 0]
        else:
            found[climbing] = 0
        return found[of_top]


def is_shim(name: str, file: str, first_line: int) -> bool:
    """Return whether a code is the interpreter's shim around an inlined `__init__`."""
    return name == file == "__init__" and first_line == 0


def _role(functions: FunctionTable, module: Module, name: str) -> Role:
    if is_c_library(module.path):
        return Role.C_LIBRARY
    if functions.is_interpreter or (not len(functions.address) and is_interpreter(module.path)):
        if takes_lock(name):
            return Role.LOCK
        return Role.INFORMATIVE if is_informative(name) else Role.INTERPRETER
    return Role.NATIVE


def _taken(values: list[int], index: NDArray[np.intp]) -> Int64:
    return np.array(values, dtype=np.int64)[index] if values else np.empty(0, dtype=np.int64)
