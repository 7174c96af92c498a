"""The samples of one thread while they are written: the new ones, their stacks, and the lines that ran."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.codes import LineTables, code_texts
from workbench.eventlog.live_segments import Chunk, Segment
from workbench.eventlog.log_files import RECORD, ProcessLog
from workbench.eventlog.sample_records import Nodes, ThreadSamples, samples_of, without_contents
from workbench.eventlog.sampled_frames import is_shim
from workbench.profile import Frame, FrameKind, ThreadState, is_import_or_startup, is_own
from workbench.scopes import layout

NO_ROWS = np.empty(0, RECORD)
RUNNING = (ThreadState.PYTHON, ThreadState.NATIVE, ThreadState.SIGNAL_BLOCKED)
_PYTHON = (layout.NODE_PYTHON, layout.NODE_GENERATOR)
_NAMES = (layout.RECORD_THREAD, layout.RECORD_THREAD_NAME)
_TREE = (layout.RECORD_NODE, layout.RECORD_CODE)


class LineSample(NamedTuple):
    """A sample of a thread that ran."""

    line: Frame | None
    """The innermost line of the program's own code; None: there is none, or a module is imported."""
    at_ns: int
    ticks: int
    """How many periods of the sampler it is for."""


class LiveThread:
    """Follows the samples of a thread. Of what was read, it keeps what later samples refer to."""

    def __init__(self, log: ProcessLog) -> None:
        self.tid = 0
        """The native id of the thread; 0: unknown."""
        self.name = ""
        self.track = 0
        """The number of the track whose scopes were open at the last sample; 0: none."""
        self.at_ns = 0
        """Time of the last sample, on the process's clock: while a thread sleeps it gets no others. 0: none."""
        self.state = ThreadState.UNKNOWN
        self._log = log
        self._segment: Segment | None = None
        self._chunks: deque[Chunk] = deque()
        self._rows = NO_ROWS
        self._codes: list[tuple[int, bytes]] = []
        self._samples: ThreadSamples | None = None
        self._samples_codes = self._codes
        self._renumbered = False
        self._frames: dict[int, Frame | None] = {}
        """By number of a node."""
        self._lines: dict[int, Frame | None] = {0: None}

    def add(self, chunk: Chunk) -> None:
        """Add a chunk of the thread's samples."""
        self._chunks.append(chunk)

    def leave_out_old(self) -> None:
        """Leave out what is in segments before the last two; the last one may be empty yet."""
        newest = list(dict.fromkeys(chunk.segment.path for chunk in self._chunks))[-2:]
        self._chunks = deque(chunk for chunk in self._chunks if chunk.segment.path in newest)

    def refresh(self) -> list[LineSample]:
        """Read what is new, and return the samples at which the thread ran."""
        found: list[LineSample] = []
        while self._chunks:
            chunk = self._chunks[0]
            is_full = len(self._chunks) > 1 and self._chunks[1].has_more()
            if chunk.segment is not self._segment:  # each is read by itself
                self._segment, self._rows, self._codes, self._renumbered = chunk.segment, NO_ROWS, [], True
            if chunk.has_more():
                data = chunk.rest()
                rows, codes, torn = without_contents(
                    np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
                )
                used = len(rows) + sum(len(content) // RECORD.itemsize for _, content in codes)
                chunk.at = chunk.stop if torn else chunk.at + used * RECORD.itemsize
                found += self._take(np.concatenate([self._rows, rows]), self._codes + codes)
            if not is_full:
                break
            self._chunks.popleft()
        return found

    def stack(self) -> list[Frame]:
        """Return the Python frames and scopes of the last sample, outermost first."""
        if self._samples is None:
            return []
        path, node = [], int(self._samples.node[-1])
        while node:
            path.append(self._frame(node))
            node = int(self._samples.nodes.parent[node - 1])
        return [frame for frame in reversed(path) if frame is not None]

    def line(self) -> Frame | None:
        """Return the innermost line of the program's own code at the last sample."""
        return None if self._samples is None else self._line(int(self._samples.node[-1]))

    def native_top(self) -> tuple[int, int] | None:
        """Return (number of the module, address) of the native function on top of the last sample's stack."""
        node = 0 if self._samples is None else int(self._samples.node[-1])
        if self._samples is None or not node or self._samples.nodes.kind[node - 1] != layout.NODE_NATIVE:
            return None
        return int(self._samples.nodes.a[node - 1]), int(self._samples.nodes.b[node - 1])

    def _take(self, rows: NDArray[np.void], codes: list[tuple[int, bytes]]) -> list[LineSample]:
        samples = samples_of(rows, codes)
        self.tid, self.name = samples.tid or self.tid, samples.name or self.name
        self._codes = codes
        found: list[LineSample] = []
        if len(samples.at_ns):
            if self._renumbered:
                self._frames, self._lines, self._renumbered = {}, {0: None}, False
            self._samples, self._samples_codes = samples, codes
            self.at_ns, self.track = int(samples.at_ns[-1]), int(samples.track[-1])
            self.state = ThreadState(int(samples.state[-1]))
            ran = np.isin(samples.state, RUNNING)
            columns = (samples.node[ran], samples.at_ns[ran], samples.ticks[ran])
            found = [
                LineSample(self._line(node), at_ns, ticks)
                for node, at_ns, ticks in zip(*(column.tolist() for column in columns), strict=True)
            ]
        self._keep(rows)
        return found

    def _keep(self, rows: NDArray[np.void]) -> None:
        """Keep what later samples refer to: nodes and codes, time and track, and what follows the last sample."""
        kind, small = rows["head"] & 15, rows["head"] >> 4 & 15
        place = np.arange(len(rows))
        sampled = np.flatnonzero(kind >= layout.RECORD_SAMPLE)
        if not len(sampled):
            self._rows = rows
            return
        behind = int(sampled[-1]) + 1
        anew = np.flatnonzero(
            (kind[:behind] == layout.RECORD_SETTING) & (small[:behind] == layout.SET_NUMBERS)
        )
        first = 0
        if len(anew):
            first, self._renumbered = int(anew[-1]) + 1, True
            self._codes = self._codes[int(np.count_nonzero(kind[:first] == layout.RECORD_CODE)) :]
        kept = (place < behind) & (np.isin(kind, _NAMES) | (np.isin(kind, _TREE) & (place >= first)))
        base = np.zeros(2, RECORD)
        base["head"] = [layout.RECORD_SETTING | what << 4 for what in (layout.SET_TIME, layout.SET_TRACK)]
        base["a"], base["b"] = [0, self.track], [self.at_ns, 0]
        self._rows = np.concatenate([rows[kept], base, rows[behind:]])

    def _line(self, node: int) -> Frame | None:
        """Return the innermost own line of a stack, by number of its top node."""
        assert self._samples is not None, "there is a sample"
        above: list[int] = []
        found: Frame | None = None
        while node not in self._lines:
            above.append(node)
            frame = self._frame(node)
            if frame is not None and frame.kind is FrameKind.PYTHON and is_own(frame.file):
                found = frame
                break
            if frame is not None and is_import_or_startup(frame.file):
                break
            node = int(self._samples.nodes.parent[node - 1])
        else:
            found = self._lines[node]
        self._lines.update(dict.fromkeys(above, found))
        return found

    def _frame(self, node: int) -> Frame | None:
        """Return a node's Python frame or scope, by its number; None: it is another."""
        assert self._samples is not None, "there is a sample"
        if node not in self._frames:
            self._frames[node] = _frame_of(self._samples.nodes, node - 1, self._samples_codes, self._log)
        return self._frames[node]


def _frame_of(nodes: Nodes, i: int, codes: list[tuple[int, bytes]], log: ProcessLog) -> Frame | None:
    if nodes.kind[i] == layout.NODE_SCOPE:
        return Frame(log.names.get(int(nodes.a[i]), ""), kind=FrameKind.SCOPE)
    code = int(nodes.code[i])
    if nodes.kind[i] not in _PYTHON or code < 0:
        return None
    first_line, content = codes[code]
    texts = code_texts(content)
    if texts is None or is_shim(*texts[:2], first_line):
        return None
    name, file, table = texts
    instruction = nodes.a[i : i + 1].view(np.int32).astype(np.int64)
    lines = LineTables([first_line], [table]).lines(np.zeros(1, dtype=np.int64), instruction)
    return Frame(name, file, int(lines[0]))
