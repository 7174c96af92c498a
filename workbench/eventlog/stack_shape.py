"""From sampled stacks to those of a profile: which frames are kept, and where remote parents go.

- Workbench's own wrappers (of decorators and propagated functions) are left out, except as a leaf.
- Native frames outside a thread's outermost Python frame are left out: they start threads and interpreters. In a
  thread without Python frames, the frames of the C library that start it are left out.
- The interpreter's own native frames are left out between two frames. At the top of a stack they become one frame, the
  outermost function that does work itself: `list_sort`, not `cfunction_call`.
- A thread that sleeps inside the interpreter's functions that take the lock waits for it. One that runs there, or is
  ready to, has the frame of that function.
- A remote parent becomes the path of the sender's scopes. If it is a stack's first scope, the stack begins with that
  path, as the spans do, and the worker's own frames follow.

Whether a frame is kept depends on the next one. So the profile's stack is built up to the last frame that is certainly
kept; later frames are pending until the next such frame, or the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from workbench.profile import ROOT, WAITING_FOR_GIL, Frame, FrameKind, ProfileBuilder, ThreadState

_WRAPPERS = re.compile(r"(?:^|.*[/\\])workbench[/\\]scopes[/\\]_(carry|decorate|remote|visit)\.py")
_C_LIBRARY = re.compile(r"(?:libc|libm|libpthread|libdl|librt|ld|ld-linux[\w-]*)(?:-[\d.]+)?\.so(?:\.\d+)*")
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
_LOCK = re.compile(
    r"take_gil|drop_gil|PyEval_(?:Restore|Acquire)Thread|_PyEval_AcquireLock|_PyThreadState_Attach"
)
"""They wait for nothing else in the system."""
WAITING = Frame("(waiting)", kind=FrameKind.IDLE)
"""Top frame of a thread that waits in the system without a known frame inside its scope."""
UNKNOWN_STACK = Frame("(stack unknown)", kind=FrameKind.NATIVE)
NATIVE_CUT = Frame("(native frames cut)", kind=FrameKind.NATIVE)
PYTHON_CUT = Frame("(frames beyond 1,000 cut)", kind=FrameKind.NATIVE)


class Role(IntEnum):
    """Kinds of sampled frames, by which frames are kept or left out."""

    PYTHON = 0
    WRAPPER = 1
    NATIVE = 2
    """of a library"""
    INTERPRETER = 3
    """of the interpreter, and only passes on"""
    INFORMATIVE = 4
    """of the interpreter, and does work itself"""
    C_LIBRARY = 5
    SCOPE = 6
    REMOTE_PARENT = 7
    MISSING = 8
    """unknown native frames"""
    LOCK = 9
    """of the interpreter, and takes its lock"""


class SampledFrame(NamedTuple):
    """A frame of a sampled stack."""

    role: Role
    path: tuple[int, ...]
    """The builder's number of the frame; for a remote parent, those of its path."""


class _Partial(NamedTuple):
    """The part of a sampled stack that is built."""

    made: int
    """The builder's stack up to the last frame that is certainly kept."""
    since: int
    """The sampled stack up to there; frames above it are pending."""
    has_python: bool
    has_scope: bool


_NOTHING = _Partial(ROOT, ROOT, has_python=False, has_scope=False)
_OF_INTERPRETER = (Role.INTERPRETER, Role.INFORMATIVE, Role.LOCK)


class StackShaper:
    """Makes stacks of a profile from a tree of sampled ones, visiting each node once."""

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
        """For each stack made here, the one below and the top frame"""
        self._partial: list[_Partial] = []
        self._takes_lock: list[bool] = []
        for stack, below in enumerate(parent):
            self._partial.append(self._next(stack))
            role = self._frame[stack].role
            in_it = below != ROOT and self._takes_lock[below]
            self._takes_lock.append(role is Role.LOCK or (role is Role.C_LIBRARY and in_it))

    def state(self, sampled: int, state: int) -> int:
        """Return what a thread does, sampled in some state: if it sleeps, its stack says whether for the lock."""
        if state == ThreadState.SLEEPING and sampled != ROOT and self._takes_lock[sampled]:
            return ThreadState.WAITING_FOR_GIL
        return state

    def stack(self, sampled: int, state: int) -> int:
        """Return the builder's stack for a sampled one, or `ROOT`, of a thread in some state."""
        partial = self._partial[sampled] if sampled != ROOT else _NOTHING
        waits_for_lock = state == ThreadState.WAITING_FOR_GIL
        made = self._push(partial.made, self._leaf(partial, sampled, waits_for_lock=waits_for_lock))
        if waits_for_lock:
            return self._push_frame(made, WAITING_FOR_GIL)
        if state == ThreadState.SLEEPING:
            return self._as_idle(made)
        if state == ThreadState.UNKNOWN or made == ROOT:
            return self._push_frame(made, UNKNOWN_STACK)
        return made

    def _next(self, stack: int) -> _Partial:
        """Return what is built of a stack, from the one below it."""
        parent = self._parent[stack]
        below = self._partial[parent] if parent != ROOT else _NOTHING
        role, path = self._frame[stack]
        if role in (*_OF_INTERPRETER, Role.C_LIBRARY, Role.MISSING):
            return below
        if role is Role.NATIVE and not below.has_python and not below.has_scope:
            return below  # left out if a Python frame follows
        made = below.made
        if below.since != parent:  # some are pending
            made = self._push(made, self._between(below, parent))
        if role is Role.WRAPPER:
            return _Partial(made, parent, has_python=True, has_scope=below.has_scope)
        if role is Role.REMOTE_PARENT and not below.has_scope:
            made = self._push(self._push(ROOT, path), self._path(made))
        else:
            made = self._push(made, path)
        return _Partial(
            made,
            stack,
            has_python=below.has_python or role is Role.PYTHON,
            has_scope=below.has_scope or role in (Role.SCOPE, Role.REMOTE_PARENT),
        )

    def _top(self, partial: _Partial, stack: int) -> list[int]:
        """Return the sampled stacks whose top frames are pending, outermost first."""
        found = []
        while stack != partial.since:
            found.append(stack)
            stack = self._parent[stack]
        found.reverse()
        return found

    def _between(self, partial: _Partial, stack: int) -> list[int]:
        """Return the pending frames that are kept if another frame follows."""
        if not partial.has_python and not partial.has_scope:
            return []
        kept = (self._frame[i] for i in self._top(partial, stack))
        return [path[0] for role, path in kept if role in (Role.C_LIBRARY, Role.MISSING)]

    def _leaf(self, partial: _Partial, stack: int, *, waits_for_lock: bool) -> list[int]:
        """Return the pending frames that are kept at the top of a stack."""
        top = [self._frame[i] for i in self._top(partial, stack)]
        if not top:
            return []
        if not partial.has_python and not partial.has_scope:
            first = next((i for i, (role, _) in enumerate(top) if role is not Role.C_LIBRARY), 0)
            top = top[first:]
        kept: list[int] = []
        in_run = False
        for i, (role, path) in enumerate(top):
            if role in _OF_INTERPRETER:
                if role in (Role.INFORMATIVE, Role.LOCK) and not in_run and not waits_for_lock:
                    kept.append(path[0])
                    in_run = True
                continue
            in_run = False
            if role is Role.WRAPPER and i + 1 < len(top):
                continue
            if role is Role.C_LIBRARY and waits_for_lock:
                continue
            kept.append(path[0])
        return kept or ([] if partial.made != ROOT else [top[-1].path[0]])

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
        """Return a stack with an idle top frame: its own, or `WAITING` on top of a scope."""
        if made == ROOT:
            return self._push_frame(made, WAITING)
        parent, frame = self._made[made]
        if self._frames[frame].kind is FrameKind.SCOPE:
            return self._push_frame(made, WAITING)
        if frame not in self._idle:
            self._idle[frame] = self._builder.frame(self._frames[frame]._replace(kind=FrameKind.IDLE))
        return self._builder.stack(parent, self._idle[frame])


def is_c_library(path: str) -> bool:
    """Return whether a module is the C library or the loader."""
    name = path.rpartition("/")[2]
    return _C_LIBRARY.fullmatch(name) is not None or name in ("[vdso]", "linux-vdso.so.1")


def is_informative(name: str) -> bool:
    """Return whether a function of the interpreter does work itself, as `list_sort` and `long_mul` do."""
    return _PLUMBING.fullmatch(name) is None


def takes_lock(name: str) -> bool:
    """Return whether a function of the interpreter takes or hands over its lock, and may wait for it."""
    return _LOCK.fullmatch(name) is not None


@lru_cache(1024)
def wrapper(path: str) -> str:
    """Return which of workbench's wrappers a file is, such as "carry"; empty if it is none."""
    match = _WRAPPERS.fullmatch(path)
    return match[1] if match else ""
