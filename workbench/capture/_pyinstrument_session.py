"""Sampling this thread with pyinstrument, into a session file that is whole at every moment.

pyinstrument itself keeps each stack as text until the end: a program that ends by `os._exit` or is killed leaves
nothing, and one that runs for hours fills the memory. Here each sample is encoded when it is seen, and written soon.
The file is a session as pyinstrument saves it, with what it does not say in front: when it began on the clock of
`time.perf_counter_ns`, which is the recorder's, and the process and thread that it is of. A record is a line, so that
a file without an end is read as far as it goes (`workbench/formats/pyinstrument.py`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from pyinstrument import Profiler
from pyinstrument.stack_sampler import get_stack_sampler, thread_locals

MOST_UNWRITTEN_S = 1.0
"""What a kill may cost; and never more than half of what there is."""
MOST_BYTES = 1020 << 20
"""Of a session: what is longer cannot be read."""
LOST_S = 1.0
_encode = json.JSONEncoder(separators=(",", ":")).encode


class PyinstrumentSession(Profiler):
    """Samples of the thread that begins it. Its stacks are those that ran: `await` is not looked through.

    It asks for no asyncio mode: the stack of the task that runs tells by its lines which scopes are open, and
    a program may use a `Profiler` of its own beside this one.
    """

    def __init__(self, output: str, rate: int) -> None:
        super().__init__(interval=1 / rate, async_mode="disabled")
        self.over = False
        """Whether what is seen from now on is left out."""
        self._pid, self._tid = os.getpid(), threading.get_ident()
        self._output = output
        self._size = 0
        self._started_ns = self._at_ns = 0
        self._count = 0
        self._seen_s = self._written_s = 0.0
        self._pending = bytearray()
        self._lost = ""
        self._profile: object = None
        self._around: list[str] = []
        self._sampler: Any = None
        self._lock = threading.RLock()  # of the file, for an end that comes from another thread
        self._is_left = False

    def begin(self, caller: FrameType | None = None) -> None:
        """Sample from now on.

        Args:
            caller: The frame in which what is sampled runs; those around it are no part of it.
        """
        global _running
        _leave_to_children()
        self._around = _identifiers(caller.f_back) if caller is not None else []
        self._sampler = get_stack_sampler()
        if hasattr(self._sampler, "has_warned_about_timing_overhead"):
            self._sampler.has_warned_about_timing_overhead = True  # the program's streams are its own
        self._started_ns = self._at_ns = time.perf_counter_ns()
        self._keep_safe(self._write_head)
        self.start(caller_frame=caller)
        self._profile = sys.getprofile()
        _running = self

    def finish(self) -> None:
        """End the session and its file. A forked child has nothing to write; whatever is wrong is one line."""
        global _running
        self.over = True
        if os.getpid() != self._pid:
            return
        _running = None
        unseen = (time.perf_counter_ns() - self._at_ns) / 1e9
        if threading.get_ident() != self._tid:
            self._finish_elsewhere()
        else:
            self._finish_here(unseen)
        if self._lost:
            _say(f"pyinstrument's samples end {unseen:.1f} s early: {self._lost}")

    def _finish_here(self, unseen: float) -> None:
        if not self._lost and type(sys.getprofile()) is not type(self._profile) and unseen > LOST_S:
            self._lost = "the program (cProfile, sys.setprofile) or an interrupt took its place"
        try:
            session = self.stop()
            for stack, seconds in session.frame_records:  # where pyinstrument has no such hook as below
                self._add(stack, self._at_ns + round(seconds * 1e9))
            facts = session.to_json()
            facts.pop("frame_records", None)
            facts["sample_count"] = self._count
            self._pending += f"],{_encode(facts)[1:]}\n".encode()
            self._write()
        except Exception as error:  # noqa: BLE001  the program's own exit must not become ours
            self._lost = self._lost or str(error)

    def _finish_elsewhere(self) -> None:
        """Write what is left of another thread's samples; that thread itself must take the function away."""
        self._is_left = True
        _say(
            f"the block began on thread {self._tid} and ended on thread {threading.get_ident()}: samples are of "
            "the first; enter and leave it on one thread"
        )
        if not self._lost:
            with self._lock:
                self._keep_safe(self._write)

    def give_up(self) -> None:
        """Sample no more, and write nothing: also where an interrupt ended `finish`, wherever it had come to."""
        global _running
        self.over = True
        if _running is self:
            _running = None
        if threading.get_ident() == self._tid:
            self._leave_thread()
        else:
            self._is_left = True

    def _leave_thread(self) -> None:
        """Take pyinstrument's function from this thread, which may be running it, unless another session needs it."""
        sampler = self._sampler
        if sampler is None:
            return
        sampler.subscribers = [*sampler.subscribers]  # whoever walks them now goes on with the old ones
        with suppress(RuntimeError):  # an interrupt came in the middle of it
            self.stop()
        if sampler.subscribers:
            return
        if type(sys.getprofile()) is type(self._profile):
            sys.setprofile(None)
        # It would keep the time of this look, and a session that begins later would take it for its own begin.
        if getattr(thread_locals, "stack_sampler", None) is sampler:
            del thread_locals.stack_sampler

    def _sampler_saw_call_stack(self, call_stack: list[str], seconds: float, _async_state: object) -> None:
        """Keep a sample: called by pyinstrument."""
        if self.over or os.getpid() != self._pid:
            if self._is_left and threading.get_ident() == self._tid:
                self._leave_thread()
            return
        with self._lock:
            self._keep_safe(self._keep, call_stack, seconds)

    def _keep_safe(self, act: Callable[..., None], *arguments: object) -> None:
        """Do something inside the program, in which nothing of ours may fail: it ends the samples instead."""
        try:
            act(*arguments)
        except RecursionError:  # the program's stack is nearly full, which passes
            pass
        except Exception as error:  # noqa: BLE001
            self.over, self._lost = True, str(error)

    def _keep(self, call_stack: list[str], seconds: float) -> None:
        self._add(call_stack, self._instant(seconds))
        if self._seen_s - self._written_s >= min(MOST_UNWRITTEN_S, self._written_s):
            self._write()

    def _instant(self, seconds: float) -> int:
        """Return when the stack was seen, on the recorder's clock: never as the sum of what samples stand for.

        pyinstrument reads the clock before it walks the stack, which takes a while where that is deep. Where it does
        not say that time, or has a timer of another kind, it is now.
        """
        now = time.perf_counter_ns()
        seen = round((getattr(self._sampler, "last_profile_time", 0.0) + seconds) * 1e9)
        return seen if self._at_ns <= seen <= now else now

    def _add(self, call_stack: list[str], at_ns: int) -> None:
        seconds = (at_ns - self._at_ns) / 1e9
        self._at_ns, self._seen_s = at_ns, (at_ns - self._started_ns) / 1e9
        try:
            record = _encode([call_stack, seconds])
        except RecursionError:  # so that the times of later ones are right
            record = f"[[],{seconds!r}]"
        comma = "," if self._count else ""
        self._pending += f"{comma}{record}\n".encode()
        self._count += 1

    def _write_head(self) -> None:
        head = {
            "workbench": {
                "start_ns": self._started_ns,
                "interval_ns": round(self.interval * 1e9),
                "pid": self._pid,
                "tid": self._tid,
                "thread": threading.current_thread().name,
                "around": self._around,
            }
        }
        self._pending += f'{_encode(head)[:-1]},"frame_records":[\n'.encode()
        self._write()

    def _write(self) -> None:
        """Write what is not written yet. What an exception cuts short is written again, at the same place."""
        end, rest = self._size + len(self._pending), bytearray()
        if end > MOST_BYTES and not self.over:
            raise OSError(f"{self._output} is full: sample at a lower rate")
        _write_at(self._output, self._size, self._pending)
        self._size, self._pending, self._written_s = end, rest, self._seen_s


def _write_at(path: str, place: int, data: bytearray) -> None:
    """Open, write and close: a program that closes all descriptors, or counts its own, is not disturbed."""
    flags = os.O_WRONLY | os.O_CLOEXEC | (0 if place else os.O_CREAT | os.O_TRUNC)
    try:
        file = os.open(path, flags, 0o666)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(file, memoryview(data)[done:], place + done)
        finally:
            os.close(file)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}") from None


def _identifiers(frame: FrameType | None) -> list[str]:
    """Return the stack of a frame as pyinstrument names it, root first, without lines."""
    found = []
    while frame is not None:
        code = frame.f_code
        found.append(f"{code.co_name}\0{code.co_filename}\0{code.co_firstlineno}")
        frame = frame.f_back
    return found[::-1]


_running: PyinstrumentSession | None = None
_leaves_to_children = False


def _leave_to_children() -> None:
    """See to it that a forked child is not sampled: it has no file to write to."""
    global _leaves_to_children
    if not _leaves_to_children:
        os.register_at_fork(after_in_child=_end_in_child)
        _leaves_to_children = True


def _end_in_child() -> None:
    global _running
    if signal.getsignal(signal.SIGTERM) is _leave:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _running is None:
        return
    session, _running = _running, None
    session.over = True
    if threading.get_ident() == session._tid:
        session.stop()


def leave_on_sigterm() -> None:
    """Have SIGTERM end the program as SystemExit does, so that the last samples are written too."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    from workbench.scopes._journal import say

    say(text)
