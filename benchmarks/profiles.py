"""Large recordings to flame graphs: seconds, memory and bytes, beside their limits.

    python benchmarks/profiles.py               a minute or two; 300 MB of scratch space
    python benchmarks/profiles.py --quick       about a tenth as many scopes, one round, no limits; writes nothing

A real recording of so many scopes on eight threads is made with the native recorder. Each round then loads it,
sums it up and draws it in a process of its own, whose peak of resident memory (VmHWM) is part of the figure.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from time import perf_counter, process_time

from measured import MIB, Row, exact, finish, median, memory_mib, options_of, process, ran_part

from workbench import record, scope
from workbench.scopes import engine

THREADS = 8
MB = 1_000_000
STEP = 8
"""Scopes of one turn of a thread."""


def worker(turns: int, kind: int) -> None:
    """Record scopes as a fit does: a step, Jacobian columns in it, a solve; some names are the thread's own."""
    own = f"columns of part {kind}"
    for _ in range(turns):
        with scope("step"):
            with scope("jacobian"):
                with scope(own), scope("tanh", flops=20_000.0):
                    pass
                with scope("products"):
                    pass
            with scope("solve"), scope("cholesky"):
                pass
            with scope("loss"):
                pass


def make(folder: str, scopes: int) -> None:
    """Record so many scopes, an eighth on each of eight threads at once."""
    with record(folder, max_bytes=4 << 30):
        threads = [
            threading.Thread(target=worker, args=(scopes // THREADS // STEP, kind), name=f"worker {kind}")
            for kind in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def measure(folder: str, svg: str) -> dict[str, float]:
    """Return the seconds of each part, what was made, and the memory that it took at most."""
    started = perf_counter()
    from workbench.eventlog import read_recording
    from workbench.profile import aggregate, scope_table
    from workbench.render.flamegraph.flamegraph import flamegraph_svg

    imported, imported_cpu = perf_counter(), process_time()
    profile = read_recording(folder)
    loaded, load_mib = perf_counter(), memory_mib("VmHWM")
    tree = aggregate(profile, of="spans", percentiles=True)
    summed, sum_mib = perf_counter(), memory_mib("VmHWM")
    Path(svg).write_text(flamegraph_svg(tree, title="benchmark"), encoding="utf-8")
    drawn, drawn_cpu, draw_mib = perf_counter(), process_time(), memory_mib("VmHWM")
    profile.check()
    checked = perf_counter()
    scope_table(profile)
    tabled = perf_counter()
    return {
        "scopes": int(tree.count.sum()),
        "tracks": len(profile.tracks),
        "stacks": len(profile.stacks),
        "arrays_mib": _arrays_mib(profile),
        "import_s": imported - started,
        "load_s": loaded - imported,
        "aggregate_s": summed - loaded,
        "flamegraph_s": drawn - summed,
        "whole_s": drawn - imported,
        "whole_cpu_s": drawn_cpu - imported_cpu,
        "check_s": checked - drawn,
        "table_s": tabled - checked,
        "load_peak_mib": load_mib,
        "aggregate_peak_mib": sum_mib,
        "peak_mib": draw_mib,
        "svg_mb": Path(svg).stat().st_size / MB,
    }


def _arrays_mib(profile: object) -> float:
    total = 0
    for track in profile.tracks:  # type: ignore[attr-defined]
        spans = track.spans
        columns = [spans.stack, spans.start_ns, spans.end_ns, spans.unfinished, *spans.work.values()]
        total += sum(column.nbytes for column in columns)
    return total / MIB


def rounds(scopes: int, count: int) -> dict[str, list[float]]:
    """Return the figures of so many rounds over one recording."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder, svg = scratch + "/recording", scratch + "/flame.svg"
        process(__file__, "make", folder, scopes)
        for _ in range(count):
            for name, value in process(__file__, "measure", folder, svg).items():
                found.setdefault(name, []).append(value)
    if found["scopes"][0] != scopes or found["tracks"][0] != THREADS:
        raise SystemExit(f"{found['scopes'][0]} of {scopes} scopes on {found['tracks'][0]} tracks were read")
    return found


def rows(found: dict[str, list[float]], limits: dict[str, float]) -> list[Row]:
    """Return the table of one recording."""
    parts = {
        "load the recording": "load_s",
        "aggregate, with percentiles": "aggregate_s",
        "flame graph SVG": "flamegraph_s",
        "load + aggregate + flame graph": "whole_s",
        "of which the processor worked": "whole_cpu_s",
        "check": "check_s",
        "table of scopes": "table_s",
    }
    lines = [median(what, found[name], "s", limits.get(name)) for what, name in parts.items()]
    lines.append(exact("arrays of the profile", found["arrays_mib"][0], "MiB"))
    for what, name in (
        ("peak of memory, loaded", "load_peak_mib"),
        ("peak of memory, aggregated", "aggregate_peak_mib"),
        ("peak of memory, whole", "peak_mib"),
    ):
        lines.append(exact(what, max(found[name]), "MiB", limits.get(name), note="most of all rounds"))
    lines.append(exact("size of the SVG", max(found["svg_mb"]), "MB", limits.get("svg_mb")))
    return lines


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    if engine.name != "native":
        raise SystemExit("the native recorder is not built: make setup")
    few, many, count = (128_000, 1_000_000, 1) if options.quick else (1_000_000, 10_000_000, 7)
    limits: dict[int, dict[str, float]] = {
        1_000_000: {"whole_s": 1, "svg_mb": 1},
        10_000_000: {"whole_s": 10, "peak_mib": 2048},
    }
    sections = {}
    for scopes in (few, many):
        asked = {} if options.quick else limits[scopes]
        sections[f"{scopes:,} scopes on {THREADS} threads"] = rows(rounds(scopes, count), asked)
    finish("profiles", "Large recordings to flame graphs", sections, NOTES, options)


NOTES = [
    "Each round is a fresh process; the recording is in the page cache; the import of the libraries is not in it.",
    "Seconds are medians over rounds. Where the processor worked much less, something else ran too.",
    "Memory is VmHWM, with interpreter and libraries; the most of all rounds.",
    "The first half of a round is what `workbench report` does; check and the table of scopes are timed after it.",
]


if __name__ == "__main__" and not ran_part({"make": make, "measure": measure}):
    main()
