"""From stacks as they were sampled to those of a profile: which frames stay, and how scopes that were carried stand.

- Our own wrappers (of decorators and carried functions) are left out between others.
- Native frames outside of a thread's outermost Python frame are left out: they start threads and interpreters. Of a
  thread without Python frames those of the C library that start it are.
- The interpreter's own native frames are left out between two frames. As a leaf, with nothing of a library but the C
  library's inside, they are the outermost function that does something itself: `list_sort`, and not `cfunction_call`.
- A scope that stands for a sender (carried work) is the path of the sender's scopes. Where it is a stack's first scope
  the stack begins with that path, as the spans' does, and the worker's own frames around it stand inside.

What becomes of a frame depends on what follows it. So a stack of the profile is known only as far as the last frame
that stays whatever follows, and the frames behind that are held until the next one that stays, or the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from workbench.profile import ROOT, Frame, FrameKind, ProfileBuilder, ThreadState

_WRAPPERS = re.compile(r"(?:^|.*[/\\])workbench[/\\]scopes[/\\]_(carry|decorate|remote|visit)\.py")
_C_LIBRARY = re.compile(r"(?:libc|libm|libpthread|libdl|librt|ld|ld-linux[\w-]*)(?:-[\d.]+)?\.so(?:\.\d+)*")
_INTERPRETER = re.compile(r"python[\d.]*(?:d|t)?|libpython[\d.]+\w*\.so(?:\.[\d.]+)?")
_PLUMBING = re.compile(
    r"""
      \[.*\]                                            # no name is known
    | .*(?:[vV]ector|[fF]ast)?[cC]all(?:_.*|[A-Z].*)?   # cfunction_vectorcall_FASTCALL, type_call, _PyObject_Call
    | _?Py(?:Object|Number|Sequence|Mapping|Iter|Eval|Run|Function|CFunction|Gen)_.*  # they pass on to a type's own
    | (?:slot|wrap|wrapper|binary|ternary|do)_.*
    | (?:gen|coro|async_gen)_(?:send|iternext|close|throw).*
    | Py_(?:RunMain|BytesMain|Main) | pymain_.* | (?:py)?run_.* | main | _start | thread_run | pythread_wrapper
    | object_vacall | builtin_exec | builtin___build_class__ | partial_.* | trampoline.*
    """,
    re.VERBOSE,
)
WAITING = Frame("(waiting)", kind=FrameKind.IDLE)
"""Of a thread that waits in the system and of which no frame is known inside its scope."""
WAITING_FOR_GIL = Frame("waiting for the GIL", kind=FrameKind.IDLE)
UNKNOWN_STACK = Frame("(stack unknown)", kind=FrameKind.NATIVE)
NATIVE_CUT = Frame("(native frames cut)", kind=FrameKind.NATIVE)
PYTHON_CUT = Frame("(frames beyond 1,000 cut)", kind=FrameKind.NATIVE)


class Role(IntEnum):
    """What a sampled frame is, as far as it decides what stays."""

    PYTHON = 0
    WRAPPER = 1
    NATIVE = 2
    """of a library"""
    INTERPRETER = 3
    """of the interpreter itself, and does nothing itself"""
    INFORMATIVE = 4
    """of the interpreter itself"""
    C_LIBRARY = 5
    SCOPE = 6
    CARRIED = 7
    """a scope that stands for a sender"""
    MISSING = 8
    """native frames that are not known"""


class SampledFrame(NamedTuple):
    """A frame of a sampled stack."""

    role: Role
    path: tuple[int, ...]
    """The builder's number of the frame; of a carried scope those of all scopes that it stands for."""


class _Held(NamedTuple):
    """A sampled stack on its way."""

    made: int
    """The builder's stack up to the last frame that stays in any case."""
    since: int
    """The sampled stack up to there; what is on top of it is held."""
    has_python: bool
    has_scope: bool


_NOTHING = _Held(ROOT, ROOT, has_python=False, has_scope=False)
_OF_INTERPRETER = (Role.INTERPRETER, Role.INFORMATIVE)


class StackShaper:
    """Makes stacks of a profile out of a tree of sampled ones. Each part of the tree is looked at once."""

    def __init__(
        self,
        builder: ProfileBuilder,
        frames: Sequence[SampledFrame],
        parent: Sequence[int],
        frame: Sequence[int],
    ) -> None:
        """Take a tree: stack `i` is stack `parent[i]`, which comes before it, with `frame[i]` on top."""
        self._builder = builder
        self._parent = parent
        self._frame = [frames[i] for i in frame]
        self._frames = builder.frames()
        self._idle: dict[int, int] = {}
        self._made: dict[int, tuple[int, int]] = {}
        """Of each of the builder's stacks that was made here, the one below and the top frame"""
        self._held: list[_Held] = []
        for stack in range(len(parent)):
            self._held.append(self._next(stack))

    def stack(self, sampled: int, state: int) -> int:
        """Return the builder's stack for a sampled one, or `ROOT`, of a thread in some state."""
        held = self._held[sampled] if sampled != ROOT else _NOTHING
        waits_for_lock = state == ThreadState.WAITING_FOR_GIL
        made = self._push(held.made, self._leaf(held, sampled, waits_for_lock=waits_for_lock))
        if waits_for_lock:
            return self._push_frame(made, WAITING_FOR_GIL)
        if state == ThreadState.SLEEPING:
            return self._as_idle(made)
        if state == ThreadState.UNKNOWN or made == ROOT:
            return self._push_frame(made, UNKNOWN_STACK)
        return made

    def _next(self, stack: int) -> _Held:
        """Return what is known of a stack by the one below it."""
        parent = self._parent[stack]
        below = self._held[parent] if parent != ROOT else _NOTHING
        role, path = self._frame[stack]
        if role in (Role.INTERPRETER, Role.INFORMATIVE, Role.C_LIBRARY, Role.MISSING):
            return below
        if role is Role.NATIVE and not below.has_python and not below.has_scope:
            return below  # it is left out if a Python frame follows
        made = below.made
        if below.since != parent:  # some are held
            made = self._push(made, self._between(below, parent))
        if role is Role.WRAPPER:
            return _Held(made, parent, has_python=True, has_scope=below.has_scope)
        if role is Role.CARRIED and not below.has_scope:
            made = self._push(self._push(ROOT, path), self._path(made))
        else:
            made = self._push(made, path)
        return _Held(
            made,
            stack,
            has_python=below.has_python or role is Role.PYTHON,
            has_scope=below.has_scope or role in (Role.SCOPE, Role.CARRIED),
        )

    def _top(self, held: _Held, stack: int) -> list[int]:
        """Return the sampled stacks whose top frames are held, outermost first."""
        found = []
        while stack != held.since:
            found.append(stack)
            stack = self._parent[stack]
        found.reverse()
        return found

    def _between(self, held: _Held, stack: int) -> list[int]:
        """Return the frames that stay of those held where another one follows."""
        if not held.has_python and not held.has_scope:
            return []
        kept = (self._frame[i] for i in self._top(held, stack))
        return [path[0] for role, path in kept if role in (Role.C_LIBRARY, Role.MISSING)]

    def _leaf(self, held: _Held, stack: int, *, waits_for_lock: bool) -> list[int]:
        """Return the frames that stay of those held where nothing follows."""
        top = [self._frame[i] for i in self._top(held, stack)]
        if not top:
            return []
        if not held.has_python and not held.has_scope:
            first = next((i for i, (role, _) in enumerate(top) if role is not Role.C_LIBRARY), 0)
            top = top[first:]
        kept: list[int] = []
        in_run = False
        for i, (role, path) in enumerate(top):
            if role in _OF_INTERPRETER:
                if role is Role.INFORMATIVE and not in_run and not waits_for_lock:
                    kept.append(path[0])
                    in_run = True
                continue
            in_run = False
            if role is Role.WRAPPER and i + 1 < len(top):
                continue
            if role is Role.C_LIBRARY and waits_for_lock:
                continue
            kept.append(path[0])
        return kept or ([] if held.made != ROOT else [top[-1].path[0]])

    def _push(self, stack: int, frames: Sequence[int]) -> int:
        for frame in frames:
            below = stack
            stack = self._builder.stack(below, frame)
            self._made[stack] = below, frame
        return stack

    def _push_frame(self, stack: int, frame: Frame) -> int:
        return self._builder.stack(stack, self._builder.frame(frame))

    def _path(self, stack: int) -> list[int]:
        """Return the frames of a stack that was made here, outermost first."""
        path = []
        while stack != ROOT:
            stack, frame = self._made[stack]
            path.append(frame)
        path.reverse()
        return path

    def _as_idle(self, made: int) -> int:
        """Return a stack with a top frame that waits: its own, or where that is a scope, one that says so."""
        if made == ROOT:
            return self._push_frame(made, WAITING)
        parent, frame = self._made[made]
        if self._frames[frame].kind is FrameKind.SCOPE:
            return self._push_frame(made, WAITING)
        if frame not in self._idle:
            self._idle[frame] = self._builder.frame(self._frames[frame]._replace(kind=FrameKind.IDLE))
        return self._builder.stack(parent, self._idle[frame])


def is_c_library(path: str) -> bool:
    """Return whether a module is the C library or the loader: inside of others a leaf, outside what starts threads."""
    name = path.rpartition("/")[2]
    return _C_LIBRARY.fullmatch(name) is not None or name in ("[vdso]", "linux-vdso.so.1")


def is_interpreter(path: str) -> bool:
    """Return whether a module is called as an interpreter is: for one whose functions are not known."""
    return _INTERPRETER.fullmatch(path.rpartition("/")[2]) is not None


def is_informative(name: str) -> bool:
    """Return whether a function of the interpreter does something itself, as `list_sort` and `long_mul` do."""
    return _PLUMBING.fullmatch(name) is None


@lru_cache(1024)
def wrapper(path: str) -> str:
    """Return which of our own wrappers of a program's functions a file is, as "carry"; empty: it is none."""
    match = _WRAPPERS.fullmatch(path)
    return match[1] if match else ""
