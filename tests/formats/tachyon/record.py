"""Record the files of this folder, and what CPython's own reader finds in them; CPython 3.15.

    cd tests/formats/tachyon && python3.15 record.py

The profiler reads the memory of the program that it starts, which a container may forbid.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from profiling.sampling.binary_reader import BinaryReader

RUNS = {
    "plain": ["--all-threads", "--compression", "none"],
    "zstd": ["--all-threads", "--compression", "zstd"],
    "cpu": ["--all-threads", "--mode", "cpu", "--compression", "none"],
    "native": ["--native", "--opcodes", "--compression", "zstd"],
}


class Counts:
    """Counts samples by thread and stack."""

    def __init__(self):
        self.found = {}
        self.times = {}

    def collect(self, interpreters, timestamps_us):
        """Count the samples of one stack; called by the reader."""
        for interpreter in interpreters:
            for thread in interpreter.threads:
                frames = thread.frame_info
                path = [f"{each.funcname} ({Path(each.filename).name})" for each in reversed(frames)]
                line = frames[0].location[0] if frames and frames[0].location else 0
                counts = self.found.setdefault(str(thread.thread_id), Counter())
                counts[f"{';'.join(path)} @{line}"] += len(timestamps_us)
                self.times.setdefault(str(thread.thread_id), []).extend(timestamps_us)


expected = {}
for name, options in RUNS.items():
    file = f"{name}.bin"
    Path(file).unlink(missing_ok=True)
    command = ["-m", "profiling.sampling", "run", "-r", "500", *options, "--binary", "-o", file, "program.py"]
    subprocess.run([sys.executable, *command], check=True)
    counts = Counts()
    with BinaryReader(file) as reader:
        info = reader.get_info()
        reader.replay_samples(counts)
    expected[name] = {
        "mode": info["mode"],
        "interval_us": info["sample_interval_us"],
        "samples": info["sample_count"],
        "threads": counts.found,
        "first_us": {thread: times[0] for thread, times in counts.times.items()},
        "last_us": {thread: times[-1] for thread, times in counts.times.items()},
    }
Path("expected.json").write_text(json.dumps(expected, indent=1) + "\n")
