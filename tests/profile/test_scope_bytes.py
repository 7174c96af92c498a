"""What calls of scopes left behind, from the numbers of their spans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord, scope_bytes
from workbench.scopes.layout import MEMORY_ENTRY, MEMORY_LEFT, MEMORY_PEAK


def test_many_processes_of_one_call_each_have_no_estimate() -> None:
    """Their bytes are summed up; what later calls leave is not known, as there are none."""
    builder = ProfileBuilder("workers")
    work = Frame("work", kind=FrameKind.SCOPE)
    for pid in range(20):
        spans = builder.spans([SpanRecord(0, 10, 0, work)])
        numbers = {MEMORY_ENTRY: np.zeros(1), MEMORY_LEFT: np.full(1, 500.0), MEMORY_PEAK: np.full(1, 700.0)}
        builder.add_track("main", pid=pid, tid=1, spans=replace(spans, work=numbers))
    (row,) = scope_bytes(builder.build().check(), None, None)
    assert (row.calls, row.net_bytes, row.peak_bytes) == (20, 10_000, 700)
    assert row.leak is None
