"""The loops that `scopes.py` times, each a scope a turn, in a process that answers requests.

`serve()` answers one line of JSON, {"loops": [names], "turns": n}, with another: nanoseconds a turn by name. Every
process measures the loop by hand among its others, so that each ratio is of neighbours in one process.
"""

from __future__ import annotations

import cProfile
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns

from workbench import counter, mark, record, scope
from workbench.scopes import engine

Loop = Callable[[int], int]
"""Runs so many turns; returns the nanoseconds that they took."""


def nothing(turns: int) -> int:
    """Run the loop itself, which is in every other figure."""
    begin = perf_counter_ns()
    for _ in range(turns):
        pass
    return perf_counter_ns() - begin


def by_hand(turns: int) -> int:
    """Two clock reads and a list append: what a user would write. The unit of every ratio."""
    spans: list[tuple[int, int]] = []
    begin = perf_counter_ns()
    for _ in range(turns):
        start = perf_counter_ns()
        spans.append((start, perf_counter_ns()))
    return perf_counter_ns() - begin


def scopes(turns: int) -> int:
    """Open a scope as it is written in a program."""
    begin = perf_counter_ns()
    for _ in range(turns):
        with scope("scope"):
            pass
    return perf_counter_ns() - begin


def scopes_with_work(turns: int) -> int:
    """Open a scope that states a number."""
    begin = perf_counter_ns()
    for _ in range(turns):
        with scope("work", flops=1e6):
            pass
    return perf_counter_ns() - begin


@scope("decorated")
def _decorated() -> None:
    pass


def _plain() -> None:
    pass


def decorated(turns: int) -> int:
    """Call a decorated function; the call itself is in the figure."""
    begin = perf_counter_ns()
    for _ in range(turns):
        _decorated()
    return perf_counter_ns() - begin


def counters(turns: int) -> int:
    """Record the value of a counter."""
    begin = perf_counter_ns()
    for _ in range(turns):
        counter("loss", 0.5)
    return perf_counter_ns() - begin


def marks(turns: int) -> int:
    """Record a mark."""
    begin = perf_counter_ns()
    for _ in range(turns):
        mark("rejected")
    return perf_counter_ns() - begin


_timed: list[tuple[int, int]] = []


@contextmanager
def _timer() -> Iterator[None]:
    start = perf_counter_ns()
    try:
        yield
    finally:
        _timed.append((start, perf_counter_ns()))


def contextmanager_timer(turns: int) -> int:
    """Run a timer made with `contextlib.contextmanager`."""
    begin = perf_counter_ns()
    for _ in range(turns):
        with _timer():
            pass
    took = perf_counter_ns() - begin
    _timed.clear()
    return took


def cprofile_call(turns: int) -> int:
    """Call an empty function under cProfile."""
    profiler = cProfile.Profile()
    profiler.enable()
    begin = perf_counter_ns()
    for _ in range(turns):
        _plain()
    took = perf_counter_ns() - begin
    profiler.disable()
    return took


def viztracer_event(turns: int) -> int:
    """Run viztracer's own scope, `log_event`."""
    from viztracer import VizTracer

    tracer = VizTracer(verbose=0, tracer_entries=max(1000, 4 * turns))
    tracer.start()
    begin = perf_counter_ns()
    for _ in range(turns):
        with tracer.log_event("scope"):
            pass
    took = perf_counter_ns() - begin
    tracer.stop()
    tracer.clear()
    tracer.terminate()
    return took


def torch_record_function(turns: int) -> int:
    """Run torch's own scope, `record_function`, under its profiler."""
    from torch.profiler import profile, record_function

    with profile():
        begin = perf_counter_ns()
        for _ in range(turns):
            with record_function("scope"):
                pass
        return perf_counter_ns() - begin


def opentelemetry_span(turns: int) -> int:
    """Run a span of OpenTelemetry's SDK that goes to an exporter in memory."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    tracer = provider.get_tracer("benchmark")
    begin = perf_counter_ns()
    for _ in range(turns):
        with tracer.start_as_current_span("scope"):
            pass
    took = perf_counter_ns() - begin
    provider.shutdown()
    return took


LOOPS: dict[str, tuple[Loop, bool]] = {
    "nothing": (nothing, False),
    "by hand": (by_hand, False),
    "scope": (scopes, True),
    "scope with flops=": (scopes_with_work, True),
    "decorated function": (decorated, True),
    "counter()": (counters, True),
    "mark()": (marks, True),
    "scope, nothing records": (scopes, False),
    "@contextmanager timer": (contextmanager_timer, False),
    "cProfile, a call": (cprofile_call, False),
    "viztracer log_event": (viztracer_event, False),
    "torch record_function": (torch_record_function, False),
    "OpenTelemetry span": (opentelemetry_span, False),
}
"""By name: the loop, and whether it runs while something records."""


def run(name: str, turns: int) -> float:
    """Return the nanoseconds a turn of one loop."""
    loop, records = LOOPS[name]
    with ExitStack() as stack:
        if records:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            stack.enter_context(record(folder + "/recording"))
        if records and engine.open_scopes() is None:
            raise SystemExit(f"{name}: nothing records, so there is nothing to measure")
        # A log begins with small chunks and segments, and doubles them: the figure is of a log that has grown, with
        # what its growth takes. By hand and peers warm up as long.
        loop(turns)
        took = loop(turns) / turns
        if records and engine.open_scopes() is None:
            raise SystemExit(f"{name}: recording stopped, so the figure would be wrong")
    return took


def serve() -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({name: run(name, request["turns"]) for name in request["loops"]}), flush=True)


if __name__ == "__main__":
    serve()
