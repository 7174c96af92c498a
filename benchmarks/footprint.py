"""What a recording takes besides time: bytes, memory, reading, importing. `python benchmarks/footprint.py PART`.

Each part runs in a process of its own and prints one line of JSON, so that proofs and benchmarks share it.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, perf_counter_ns

from workbench import record, scope

ROOT = Path(__file__).resolve().parents[1]
MIB = 1 << 20


def write_flat(count: int) -> None:
    """Record so many scopes, one after the other."""
    for _ in range(count):
        with scope("flat"):
            pass


def write_nested(count: int) -> None:
    """Record so many scopes: one around, three inside it, one of them inside another."""
    for _ in range(count // 4):
        with scope("step"):
            with scope("jacobian"), scope("columns"):
                pass
            with scope("solve"):
                pass


def log_size(count: int = 10_000_000) -> dict[str, float]:
    """Return the bytes a closed scope takes: what was used of the files, and the files' whole size."""
    from workbench.eventlog import log_files
    from workbench.scopes import layout

    with tempfile.TemporaryDirectory() as folder:
        with record(folder + "/recording"):
            write_flat(count)
        files = list(Path(folder, "recording").glob(f"*{layout.SUFFIX}"))
        whole = sum(file.stat().st_size for file in files)
        (log,) = log_files.read_process_logs(Path(folder, "recording"))
        closed = sum(int((chunk["end"] != 0).sum()) for chunks in log.events.values() for chunk in chunks)
        chunks = sum(chunk.nbytes + layout.CHUNK.size for chunks in log.events.values() for chunk in chunks)
    if closed != count:
        raise SystemExit(f"{closed} of {count} scopes are in the log")
    return {"scopes": closed, "record": layout.EVENT.size, "used": chunks / closed, "files": whole / closed}


def memory(count: int = 20_000_000) -> dict[str, float]:
    """Return by how many MiB the recording process's anonymous memory grows while it records."""
    with tempfile.TemporaryDirectory() as folder, record(folder + "/recording"):
        write_flat(1000)
        before = _anonymous()
        write_flat(count)
        return {"scopes": count, "mib": (_anonymous() - before) / MIB}


def _anonymous() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise SystemExit("the system does not say how much anonymous memory a process has")


def reading(count: int = 10_000_000) -> dict[str, object]:
    """Return the seconds that reading so many nested scopes into arrays takes, thrice."""
    from workbench.eventlog import read_recording

    with tempfile.TemporaryDirectory() as folder:
        with record(folder + "/recording"):
            write_nested(count)
        seconds = []
        for _ in range(3):
            begin = perf_counter()
            profile = read_recording(folder + "/recording")
            seconds.append(perf_counter() - begin)
            spans = sum(len(track.spans.start_ns) for track in profile.tracks if track.spans is not None)
            del profile
    return {"scopes": spans, "seconds": seconds}


def importing(rounds: int = 60) -> dict[str, object]:
    """Return the milliseconds of `import workbench` over the bare interpreter, round by round.

    The bare interpreter is one that loads no `site`, which in many installations has loaded `typing` and
    `re` for its own ends. Starts of processes vary by more than an import takes, so the time inside is given too.
    """
    before = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from time import perf_counter_ns as now; a = now()\n"
    )
    after = "\nprint(now() - a)"
    programs = {"bare": before + after, "workbench": before + "import workbench" + after}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_RECORD")}
    order, draw = list(programs), random.Random(1)  # noqa: S311  an order is no secret
    over, inside = [], []
    for turn in range(rounds + 1):
        draw.shuffle(order)
        whole, own = {}, {}
        for name in order:
            begin = perf_counter_ns()
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", programs[name]],
                env=kept,
                capture_output=True,
                text=True,
                check=True,
            )
            whole[name] = (perf_counter_ns() - begin) / 1e6
            own[name] = int(done.stdout) / 1e6
        if turn:  # the first one compiles
            over.append(whole["workbench"] - whole["bare"])
            inside.append(own["workbench"] - own["bare"])
    return {"over_ms": over, "inside_ms": inside, "median_inside_ms": statistics.median(inside)}


PARTS = {"log_size": log_size, "memory": memory, "reading": reading, "importing": importing}


def part(name: str, *arguments: int) -> dict[str, object]:
    """Return a part's findings, from a process of its own."""
    command = [sys.executable, __file__, name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](*map(int, sys.argv[2:]))))
