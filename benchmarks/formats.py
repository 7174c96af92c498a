"""A recording of a million scopes to files, beside viztracer's save of as many spans; reading files back.

    python benchmarks/formats.py               two minutes; 1 GB of scratch space; needs viztracer[full]
    python benchmarks/formats.py --quick       a tenth as many scopes, one round, no limits; writes nothing

Each figure is of a process of its own. Ours and viztracer's take turns within a round, so that both meet the same
machine; what is compared is the time from a recording on disk to a file, with the time from viztracer's buffer in
memory to one.
"""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from measured import Row, exact, finish, median, memory_mib, options_of, process, ran_part, ratio

MB = 1_000_000
STEP = 8
"""Scopes of one turn."""
LINES = 1_000_000


def turns(open_scope: Any, count: int) -> None:
    """Open scopes as a fit does: a step, Jacobian columns in it, a solve."""
    for _ in range(count // STEP):
        with open_scope("step"):
            with open_scope("jacobian"):
                with open_scope("columns"), open_scope("tanh"):
                    pass
                with open_scope("products"):
                    pass
            with open_scope("solve"), open_scope("cholesky"):
                pass
            with open_scope("loss"):
                pass


def make(folder: str, scopes: int) -> None:
    """Record so many scopes."""
    from workbench import record, scope

    with record(folder, max_bytes=4 << 30):
        turns(scope, scopes)


def viztracer(file: str, scopes: int) -> dict[str, float]:
    """Return the seconds in which viztracer saves so many spans, and the size of its file."""
    from viztracer import VizTracer

    tracer = VizTracer(verbose=0, tracer_entries=2 * scopes + 1000)
    tracer.start()
    turns(tracer.log_event, scopes)
    tracer.stop()
    begin = perf_counter()
    tracer.save(file)
    took = perf_counter() - begin
    text = Path(file).read_bytes()
    spans = len(re.findall(rb'"ph": ?"X"', text))  # with orjson it writes no blanks
    return {"viztracer_s": took, "viztracer_mb": len(text) / MB, "viztracer_spans": spans}


def ours(folder: str, scratch: str) -> dict[str, float]:
    """Return the seconds to load a recording and to write and read each format, with sizes and memory."""
    from workbench import load
    from workbench.formats.registry import FORMATS

    begin = perf_counter()
    profile = load(folder)
    found = {"load_s": perf_counter() - begin}
    for name in ("speedscope", "chrome"):
        format_ = FORMATS[name]
        assert format_.read is not None
        assert format_.write is not None
        file = Path(scratch) / f"ours{format_.suffixes[0]}"
        begin = perf_counter()
        format_.write(profile, file)
        written = perf_counter()
        found |= {f"{name}_write_s": written - begin, f"{name}_mb": file.stat().st_size / MB}
        found[f"{name}_written_mib"] = memory_mib("VmHWM")
    for name in ("speedscope", "chrome"):
        format_ = FORMATS[name]
        assert format_.read is not None
        begin = perf_counter()
        again = format_.read(Path(scratch) / f"ours{format_.suffixes[0]}")
        found[f"{name}_read_s"] = perf_counter() - begin
        spans = again.tracks[0].spans
        assert spans is not None
        found[f"{name}_spans"] = len(spans)
    return found


def make_folded(file: str, lines: int) -> None:
    """Write so many distinct stacks, as a profiler with lines gives them: seven frames deep, sorted."""
    draw = random.Random(4)  # noqa: S311  an input that is the same every time
    with Path(file).open("w", encoding="ascii") as out:
        for i in range(lines // 40):
            path = ";".join(f"module.function_{draw.randrange(30)}" for _ in range(5))
            for k in range(40):
                out.write(f"main;{i:06d};{path};leaf_{k:02d} {draw.randrange(1, 1000)}\n")


def read_folded(file: str) -> dict[str, float]:
    """Return the seconds in which a folded file is read."""
    from workbench.formats.folded import read_folded

    begin = perf_counter()
    profile = read_folded(file)
    took = perf_counter() - begin
    assert profile.tracks[0].samples is not None
    return {
        "folded_read_s": took,
        "folded_lines": len(profile.tracks[0].samples),
        "folded_mb": Path(file).stat().st_size / MB,
    }


def rounds(scopes: int, lines: int, count: int) -> dict[str, list[float]]:
    """Return the figures of so many rounds."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder, folded = f"{scratch}/recording", f"{scratch}/x.folded"
        process(__file__, "make", folder, scopes)
        process(__file__, "make_folded", folded, lines)
        parts: list[tuple[object, ...]] = [
            ("ours", folder, scratch),
            ("viztracer", f"{scratch}/viztracer.json", scopes),
            ("read_folded", folded),
        ]
        for number in range(count):
            for part in parts[:: 1 if number % 2 else -1]:
                for name, value in process(__file__, *part).items():
                    found.setdefault(name, []).append(value)
    for name in ("viztracer_spans", "speedscope_spans", "chrome_spans"):
        if not scopes <= found[name][0] <= scopes + 5:  # viztracer sees its own end, too
            raise SystemExit(f"{name}: {found[name][0]} of {scopes}")
    return found


def rows(found: dict[str, list[float]], *, limits: bool) -> dict[str, list[Row]]:
    """Return the tables."""

    def total(name: str) -> list[float]:
        return [a + b for a, b in zip(found["load_s"], found[f"{name}_write_s"], strict=True)]

    size, peer = found["speedscope_mb"][0], found["viztracer_mb"][0]
    return {
        "Recording to speedscope JSON, beside viztracer's save": [
            ratio(
                "load + write / viztracer's save",
                total("speedscope"),
                found["viztracer_s"],
                0.5 if limits else None,
            ),
            exact("size / viztracer's", size / peer, "×", 0.7 if limits else None),
            ratio("the same to Chrome trace events", total("chrome"), found["viztracer_s"]),
        ],
        "Seconds and sizes": [
            median("viztracer's save", found["viztracer_s"], "s"),
            exact("viztracer's file", peer, "MB"),
            median("load the recording", found["load_s"], "s"),
            *(
                row
                for name in ("speedscope", "chrome")
                for row in (
                    median(f"write {name}", found[f"{name}_write_s"], "s"),
                    median(f"read {name}", found[f"{name}_read_s"], "s"),
                    exact(f"size, {name}", found[f"{name}_mb"][0], "MB"),
                )
            ),
            exact("peak of memory, both written", max(found["chrome_written_mib"]), "MiB"),
            median(
                f"read {found['folded_lines'][0]:,.0f} folded lines, {found['folded_mb'][0]:.0f} MB",
                found["folded_read_s"],
                "s",
                1.5 if limits else None,
            ),
        ],
    }


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    scopes, lines, count = (100_000, LINES // 10, 1) if options.quick else (1_000_000, LINES, 7)
    sections = rows(rounds(scopes, lines, count), limits=not options.quick)
    finish("formats", "A million scopes to files and back", sections, NOTES, options)


NOTES = [
    "A million scopes of eight names on one thread, up to four in one another; both programs run the same loop.",
    "Ours: from the recording's files, in the page cache, to the file; the imports are left out.",
    "viztracer: `save` to a file by orjson, its quickest way, from what it keeps in memory.",
    "Folded lines: seven frames each, all distinct, sorted, forty that differ in the last frame alone.",
    "Reading gives a profile that `check` accepts; `workbench convert` is reading and writing.",
]


PARTS = {
    "make": make,
    "make_folded": make_folded,
    "viztracer": viztracer,
    "ours": ours,
    "read_folded": read_folded,
}

if __name__ == "__main__" and not ran_part(PARTS):
    main()
