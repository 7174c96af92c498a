"""What the in-process sampler costs: CPU time, wall time beside py-spy, bytes, and seconds until there is a profile.

    python benchmarks/sampler.py                    about 50 minutes
    python benchmarks/sampler.py --quick            few rounds, wide intervals; writes nothing
    python benchmarks/sampler.py --ten-minutes      two busy threads for ten minutes, and nothing else; writes nothing

Writes docs/measured/sampler.md and .json, by which `DEFAULT_RATE` is judged: it is to be the highest rate at which the
sampler takes less than 1 % of the CPU time of the reference trainer.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from _sampler_segments import reading
from measured import FOLDER, Row, children_cpu_s, exact, finish, in_rounds, median, options_of, ratio

from workbench.bench.machine.environment import PINNED
from workbench.capture.program import RECORDING, CaptureOptions, run_program
from workbench.capture.samplers import DEFAULT_RATE, SamplerName, Sampling
from workbench.errors import WorkbenchError
from workbench.eventlog.log_files import RECORD, read_process_logs
from workbench.profile import SamplerRun
from workbench.scopes import layout

PROFILES = FOLDER.parents[1] / "profiles"
"""Where profiles are written: the recordings are made on the same disk."""
RATES = (100, 200, 500, 1000)
MAX_CPU = {100: 1.0, 1000: 3.0}
"""Per cent of the program's CPU time that handlers and helper may take, by rate."""
MAX_RATIO = {100: 1.03, 1000: 1.06}
"""The program's time with the sampler over its time without, at most, by rate."""
TRAINING_S = 6
"""Seconds for which the trainer trains, again and again, after 0.6 s of imports."""
SLEEPERS, MAX_SLEEPERS_CPU = 200, 1.0
MAX_SAMPLE_BYTES = 16
TEN_MINUTES, MAX_TEN_MINUTES_MB = 600, 60
SAMPLES, MAX_READING_S = 1_000_000, 2.0
ROUNDS, QUICK_ROUNDS = 40, 6


NOTES = [
    (
        "A run trains the variant `exact` of the suite `reference` (the Jacobian by columns) again and again for "
        f"{TRAINING_S} s, in a process of its own, as `workbench profile` starts it, with one BLAS thread. In a round "
        "each way runs once, in an order drawn for the round; ratios are of one round's runs. One training alone takes "
        "1.6 s, half of it imports: what is met for the first time costs more."
    ),
    (
        "In-process has native frames and records scopes, as `workbench profile` does. Bare again is what the method "
        "itself differs by."
    ),
    (
        "CPU time of handlers and helper is what the sampler states (`sampler_runs`), by the CPU time that the system "
        "counts for the program less that. By the system's count: the program's CPU time with the sampler, less that "
        "with scopes alone, of one round. What is counted but not stated should be about 0; the delivery of signals "
        "and cold caches are in it."
    ),
    "Wall time is the program's own, from its start to its end, without its wait for py-spy.",
]


@dataclass(frozen=True)
class Way:
    """A way to run the trainer."""

    name: str
    sampler: SamplerName = "none"
    rate: int = DEFAULT_RATE
    native: bool = True
    recorded: bool = True


BARE, AGAIN, SCOPES = (
    Way("bare", recorded=False),
    Way("bare again", recorded=False),
    Way("scopes"),
)
IN_PROCESS = [Way(f"in-process, {rate}/s", "in-process", rate) for rate in RATES]
PY_SPY = [
    Way("py-spy, no native frames", "py-spy", native=False, recorded=False),
    Way("py-spy, native frames", "py-spy", recorded=False),
]
WAYS = [BARE, AGAIN, SCOPES, *IN_PROCESS, *PY_SPY]


@dataclass(frozen=True)
class Timed:
    """One run."""

    seconds: float
    cpu_s: float
    """Of the program and all its children, by the system's count."""
    samplers: tuple[SamplerRun, ...]
    recording: Path

    @property
    def sampler_s(self) -> float:
        """CPU time in handlers and helpers, as the samplers state it."""
        return sum(run.cpu_ns for run in self.samplers) / 1e9

    @property
    def sampler_percent(self) -> float:
        """The same, of the program's CPU time without it."""
        return 100 * self.sampler_s / (self.cpu_s - self.sampler_s)


def run(folder: Path, program: tuple[str, ...], way: Way) -> Timed:
    """Run a program once."""
    before = children_cpu_s()
    capture = run_program(
        CaptureOptions(
            program=program,
            folder=folder,
            sampling=Sampling(way.sampler, way.rate, way.native),
            environment=PINNED,
            input=subprocess.DEVNULL,
            output=subprocess.DEVNULL,
            record=way.recorded,
        )
    )
    if capture.returncode or capture.sampling_failed:
        raise SystemExit(
            f"{way.name}: exit code {capture.returncode}, {'; '.join(capture.warnings) or 'no warning'}"
        )
    samplers = tuple(capture.merged.recording.samplers) if capture.merged is not None else ()
    return Timed(capture.program_seconds, children_cpu_s() - before, samplers, folder / RECORDING)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder on the disk that profiles are written to, and remove it."""
    PROFILES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cost-", dir=PROFILES) as folder:
        yield Path(folder)


def trainer(folder: Path, variant: str, seconds: float) -> tuple[str, ...]:
    """Return the words of a program that trains the reference problem, at least once and for so long."""
    kept = folder / "kept"
    kept.mkdir(exist_ok=True)
    return ("-m", "workbench.bench.run.repeat", "reference", variant, "7", str(seconds), "1", str(kept))


def training_runs(rounds: int, seed: int) -> dict[str, list[Timed]]:
    """Return the runs of each way: each once in a round, in an order drawn for the round."""
    with scratch() as folder:
        program = trainer(folder, "exact", TRAINING_S)
        run(folder / "first", program, IN_PROCESS[0])  # fills the caches

        def once(way: Way) -> Timed:
            show(way.name)
            with tempfile.TemporaryDirectory(dir=folder) as each:
                return run(Path(each, "run"), program, way)

        found = in_rounds({way.name: partial(once, way) for way in WAYS}, rounds, seed=seed, warm_up=0)
    show("")
    return found


def short_rows(rounds: int) -> list[Row]:
    """Return the sampler's CPU time in programs that train once."""
    with scratch() as folder:
        program = trainer(folder, "exact", 0)
        rows = []
        for way in (IN_PROCESS[0], IN_PROCESS[-1]):
            show(f"one training: {way.name}")
            runs = [run(folder / f"{way.rate} {i}", program, way).sampler_percent for i in range(rounds)]
            rows.append(median(f"{way.name}, one training", runs, "%"))
    return rows


def show(text: str) -> None:
    """Show how far it is, where a person looks on."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def cpu_rows(found: dict[str, list[Timed]]) -> list[Row]:
    """Return the sampler's CPU time as it states it, and as the system counts it."""
    rows = [
        median(way.name, [each.sampler_percent for each in found[way.name]], "%", MAX_CPU.get(way.rate))
        for way in IN_PROCESS
    ]
    without = [each.cpu_s for each in found[SCOPES.name]]
    for way in (IN_PROCESS[0], IN_PROCESS[-1]):
        pairs = list(zip(found[way.name], without, strict=True))
        counted = [100 * (each.cpu_s - base) / base for each, base in pairs]
        unstated = [100 * (each.cpu_s - each.sampler_s - base) / base for each, base in pairs]
        rows.append(median(f"{way.name}, by the system's count", counted, "%", note="against scopes alone"))
        rows.append(median(f"{way.name}, counted but not stated", unstated, "%"))
    return rows


def wall_rows(found: dict[str, list[Timed]]) -> list[Row]:
    """Return each way's time over that of the bare program."""
    base = [each.seconds for each in found[BARE.name]]
    return [
        ratio(
            f"{way.name} / {BARE.name}",
            [each.seconds for each in found[way.name]],
            base,
            MAX_RATIO.get(way.rate) if way.sampler == "in-process" else None,
        )
        for way in WAYS
        if way is not BARE
    ]


ASLEEP = f"""
import sys, threading, time
threading.stack_size(256 << 10)
threads = [threading.Thread(target=time.sleep, args=(float(sys.argv[1]),)) for _ in range({SLEEPERS})]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def sleeping(seconds: float) -> list[Row]:
    """Return what threads that sleep cost, of one core."""
    with scratch() as folder:
        found = run(folder / "run", ("-c", ASLEEP, str(seconds)), IN_PROCESS[0])
    return [
        exact(
            f"{SLEEPERS} sleeping threads at {RATES[0]}/s",
            100 * found.sampler_s / found.seconds,
            "% of one core",
            MAX_SLEEPERS_CPU,
        )
    ]


SAME_STACK = "import hashlib, sys; hashlib.pbkdf2_hmac('sha256', b'', b'', int(sys.argv[1]) * 2_000_000)"


def later_half(folder: Path) -> tuple[int, int, int]:
    """Return of the later half of each thread's records their bytes, those of samples alone, and how many samples.

    What names a stack, the first time that it is seen, is between the samples.
    """
    chunks: dict[tuple[str, int], list[np.ndarray]] = {}
    for log in read_process_logs(folder):
        for segment in log.samples:
            for number, own in segment.threads.items():
                chunks.setdefault((log.key, number), []).extend(own)
    size = of_samples = count = 0
    for parts in chunks.values():
        records = np.concatenate(parts)
        kind = records["head"][records["head"] != 0] & 15
        rows = np.flatnonzero(kind >= layout.RECORD_SAMPLE)
        if len(rows) > 1:
            later = kind[int(rows[len(rows) // 2]) :]
            samples = int(np.count_nonzero(later >= layout.RECORD_SAMPLE))
            size += len(later)
            of_samples += samples + int(np.count_nonzero(later == layout.RECORD_SETTING))
            count += samples
    return size * RECORD.itemsize, of_samples * RECORD.itemsize, count


def sample_bytes(seconds: float) -> Row:
    """Return the bytes of a sample whose stack was seen before: of the later half of a long call's samples."""
    with scratch() as folder:
        found = run(folder / "run", ("-c", SAME_STACK, str(int(seconds))), IN_PROCESS[-1])
        _, size, count = later_half(found.recording)
    return exact(
        "a sample of a stack that was seen before",
        size / count,
        "bytes",
        MAX_SAMPLE_BYTES,
        f"{count:,} samples",
    )


def file_size(seconds: float) -> list[Row]:
    """Return the bytes that two busy threads leave at the highest rate, and in ten minutes at their later pace."""
    with scratch() as folder:
        found = run(folder / "run", trainer(folder, "exact, 2 threads", seconds), IN_PROCESS[-1])
        size = sum(file.stat().st_size for file in found.recording.glob(f"*-s*{layout.SUFFIX}"))
        later, _, count = later_half(found.recording)
    rest = max(0.0, TEN_MINUTES - found.seconds) * later / (found.seconds / 2)
    return [
        exact(f"two busy threads at {RATES[-1]:,}/s, {found.seconds:.0f} s", size / 1e6, "MB"),
        exact("of these, a sample of the later half", later / count, "bytes"),
        exact("the same for ten minutes", (size + rest) / 1e6, "MB", MAX_TEN_MINUTES_MB),
    ]


def main() -> None:
    """Measure, print and write."""
    parser = options_of(__doc__)
    parser.add_argument("--ten-minutes", action="store_true", help="only two busy threads for ten minutes")
    parser.add_argument("--rounds", type=int, help=f"of all ways, by default {ROUNDS}")
    parser.add_argument("--seed", type=int, default=0, help="the orders follow from it")
    options = parser.parse_args()
    quick = options.quick
    rounds = options.rounds if options.rounds is not None else QUICK_ROUNDS if quick else ROUNDS
    if rounds < 1:
        raise SystemExit(f"--rounds {rounds}: choose 1 or more")
    try:
        if options.ten_minutes:
            options.quick = True
            finish("sampler", "", {"Bytes": file_size(TEN_MINUTES)}, [], options)
            return
        becomes = [median("seconds", reading(SAMPLES, 3 if quick else 7), "s", MAX_READING_S)]
        found = training_runs(rounds, options.seed)
        sections = {
            "CPU time of handlers and helper, of the program's": [*cpu_rows(found), *short_rows(rounds)],
            "Wall time, paired by round": wall_rows(found),
            "Seconds of a run": [
                median(name, [each.seconds for each in runs], "s") for name, runs in found.items()
            ],
            "Threads that sleep": sleeping(5 if quick else 30),
            "Bytes": [sample_bytes(5 if quick else 20), *file_size(10 if quick else 60)],
            f"{SAMPLES:,} samples become a profile": becomes,
        }
    except (WorkbenchError, KeyboardInterrupt) as error:
        raise SystemExit(str(error) or "interrupted") from None
    conditions = f"{rounds} rounds, orders from seed {options.seed}; the default rate is {DEFAULT_RATE}."
    finish("sampler", "What the in-process sampler costs", sections, [*NOTES, conditions], options)


if __name__ == "__main__":
    main()
