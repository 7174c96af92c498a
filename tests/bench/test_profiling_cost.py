"""What profiling costs: the order of the runs, the arithmetic, what ends it early, and one real run of each way."""

from __future__ import annotations

import itertools
import math
import os
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.bench import profiling_cost
from workbench.bench.profiling_cost import (
    CostOptions,
    RunFailedError,
    Timed,
    measure_cost,
    planned_blocks,
    run_once,
)
from workbench.bench.profiling_cost_figures import (
    BARE,
    IN_PROCESS,
    PY_SPY,
    PY_SPY_NATIVE,
    SCOPES,
    Cost,
    Way,
    comparisons,
    ways_of,
)
from workbench.bench.run import InterruptedRunError
from workbench.bench.suite import AGAIN
from workbench.capture.program import Capture, CaptureOptions, run_program
from workbench.errors import InvalidInputError, WorkbenchError

WAYS = (BARE, SCOPES, IN_PROCESS, PY_SPY, PY_SPY_NATIVE, AGAIN)
FACTORS = {BARE: 1.0, SCOPES: 1.0, IN_PROCESS: 1.005, PY_SPY: 1.0625, PY_SPY_NATIVE: 1.25, AGAIN: 1.0}

Seconds = Callable[[int, str], float]


@pytest.fixture
def options(tmp_path: Path) -> CostOptions:
    """Options for a program that is there, and is never run where the runner is a fake one."""
    (tmp_path / "p.py").write_text("raise SystemExit('not run')")
    return CostOptions((str(tmp_path / "p.py"),), tmp_path / "out")


class Fake:
    """A runner that takes what it is told to: seconds by block and way. The first try comes before block 0."""

    def __init__(self, seconds: Seconds, ways: int = 6) -> None:
        self.names: list[str] = []
        self._seconds, self._ways = seconds, ways

    def __call__(self, options: CostOptions, way: Way) -> Timed:
        block = (len(self.names) - 1) // self._ways
        self.names.append(way.name)
        return Timed(
            self._seconds(block, way.name), scopes=3 * way.recorded, samples=5 * (way.sampler != "none")
        )


def measured(options: CostOptions, seconds: Seconds) -> Cost:
    return measure_cost(options, run=Fake(seconds))


def ratio_of(cost: Cost, way: str, base: str):
    """Return a ratio's verdict."""
    return next(each for each in cost.ratios() if (each.way, each.base) == (way, base)).speed


def test_blocks_are_whole_squares_of_all_ways(options: CostOptions) -> None:
    """Each block has every way once; over a square every way has each place, and follows each other way, once."""
    fake = Fake(lambda block, way: 1.0)
    cost = measure_cost(options, run=fake)
    first, names = fake.names[0], fake.names[1:]
    assert first == IN_PROCESS
    assert [run.way for run in cost.runs] == names
    assert [(run.block, run.position) for run in cost.runs] == [(i // 6, i % 6) for i in range(72)]
    blocks = [names[i : i + 6] for i in range(0, 72, 6)]
    assert all(sorted(block) == sorted(WAYS) for block in blocks)
    for square in (blocks[:6], blocks[6:]):
        assert all(len({block[place] for block in square}) == 6 for place in range(6))
        followed = Counter(pair for block in square for pair in itertools.pairwise(block))
        assert set(followed.values()) == {1}
    assert blocks[:6] != blocks[6:]


def test_orders_follow_from_the_seed(options: CostOptions) -> None:
    """The same seed gives the same orders, another one gives others."""

    def names(seed: int) -> list[str]:
        fake = Fake(lambda block, way: 1.0)
        measure_cost(CostOptions(options.program, options.folder, seed=seed), run=fake)
        return fake.names

    assert names(3) == names(3)
    assert names(3) != names(4)


def test_ratios_are_exact(options: CostOptions) -> None:
    """Ratios are of the same block: what all runs of a block have in common drops out, whatever it is."""
    cost = measured(options, lambda block, way: FACTORS[way] * 2.0 ** (block % 3))
    for way, base in comparisons(native=True):
        ratio = ratio_of(cost, way, base).ratio
        expected = pytest.approx(FACTORS[way] / FACTORS[base], rel=1e-14)
        assert (ratio.value, ratio.low, ratio.high) == (expected, expected, expected)
        assert ratio.count == cost.blocks == 12
    kinds = {(each.way, each.base): each.speed.kind for each in cost.ratios()}
    assert kinds == {
        (SCOPES, BARE): "equivalent",
        (IN_PROCESS, BARE): "equivalent",  # 1.005 is within 1 %
        (IN_PROCESS, SCOPES): "equivalent",
        (PY_SPY, BARE): "slower",
        (PY_SPY_NATIVE, BARE): "slower",
    }
    assert cost.own()[BARE].value == 2.0


def test_the_interval_is_corrected_for_all_ratios(options: CostOptions) -> None:
    """An interval runs from rank to rank of the ratios, so that all five hold together at 95 %."""
    noise = [0.93, 1.31, 1.02, 1.18, 1.07, 0.99, 1.25, 1.11, 0.97, 1.04, 1.15, 1.22]
    cost = measured(options, lambda block, way: noise[max(block, 0)] if way == SCOPES else 1.0)
    outside = [2 * sum(math.comb(12, k) for k in range(r)) / 2**12 for r in range(1, 7)]
    rank = max(r for r in range(1, 7) if outside[r - 1] <= 0.05 / 5)
    ratio = ratio_of(cost, SCOPES, BARE).ratio
    ordered = sorted(noise)
    assert (ratio.low, ratio.high) == pytest.approx((ordered[rank - 1], ordered[12 - rank]))
    assert ratio.value == pytest.approx(math.sqrt(ordered[5] * ordered[6]))
    assert ratio.confidence == pytest.approx(1 - outside[rank - 1])


def test_a_void_session_has_no_verdict(options: CostOptions) -> None:
    """Where bare differs from itself by more than what matters, ratios stay and verdicts go."""
    cost = measured(options, lambda block, way: 1.03 if way == AGAIN else FACTORS[way])
    assert cost.check().void
    assert {each.words for each in cost.ratios()} == {"inconclusive: the session is void"}
    assert ratio_of(cost, PY_SPY_NATIVE, BARE).ratio.value == pytest.approx(1.25)
    assert any("the session is void" in line for line in cost.lines())


def test_without_native_frames_there_are_five_ways(options: CostOptions) -> None:
    """To sample by py-spy with native frames is a way of its own only where native ones are sampled."""
    options = CostOptions(options.program, options.folder, native=False)
    fake = Fake(lambda block, way: 1.0, ways=5)
    cost = measure_cost(options, run=fake)
    assert set(fake.names) == set(WAYS) - {PY_SPY_NATIVE}
    assert (cost.blocks, len(cost.runs)) == (10, 50)
    assert [way.native for way in ways_of(native=True).values()] == [False, False, True, False, True, False]
    assert not any(way.native for way in ways_of(native=False).values())


@pytest.mark.parametrize(("native", "runs", "blocks"), [
    (True, None, 12), (True, 8, 12), (True, 12, 12), (True, 13, 18), (False, None, 10), (False, 11, 20),
])  # fmt: skip
def test_runs_become_whole_squares(options: CostOptions, native: bool, runs: int | None, blocks: int) -> None:
    """The runs that are asked for are rounded up to whole squares, and that is said."""
    said: list[str] = []
    options = CostOptions(options.program, options.folder, native=native, runs=runs)
    assert planned_blocks(options, said.append) == blocks
    assert bool(said) == (runs is not None and runs != blocks)


@pytest.mark.parametrize("runs", [-1, 0, 1, 7])
def test_too_few_runs(options: CostOptions, runs: int) -> None:
    """Fewer runs than an interval needs are refused before anything runs."""
    fake = Fake(lambda block, way: 1.0)
    with pytest.raises(InvalidInputError, match=f"--runs {runs}: choose 8 or more"):
        measure_cost(CostOptions(options.program, options.folder, runs=runs), run=fake)
    assert fake.names == []


def stop_before(number: int, error: BaseException) -> Callable[[CostOptions, Way], Timed]:
    """Return a runner that raises in the run of this number, the first try being 0."""
    fake = Fake(lambda block, way: FACTORS[way])

    def run(options: CostOptions, way: Way) -> Timed:
        if len(fake.names) == number:
            raise error
        return fake(options, way)

    return run


def test_interrupted_with_enough(options: CostOptions) -> None:
    """Ctrl-C keeps the blocks that are whole, and says that their order is balanced in part only."""
    said: list[str] = []
    cost = measure_cost(options, run=stop_before(1 + 9 * 6 + 5, KeyboardInterrupt()), say=said.append)
    assert (cost.blocks, len(cost.runs), cost.planned) == (9, 54, 12)
    assert said == ["interrupted: what is said is of the 9 blocks that are whole"]
    assert any("interrupted after 9 of 12 blocks" in note for note in cost.notes())
    assert ratio_of(cost, IN_PROCESS, BARE).ratio.count == 9


@pytest.mark.parametrize("number", [0, 1, 8 * 6])
def test_interrupted_too_early(options: CostOptions, number: int) -> None:
    """Ctrl-C before there is enough for an interval is one line, and nothing is made up."""
    with pytest.raises(InterruptedRunError, match=r"interrupted after [07] of 12 blocks: .* fewer than 8"):
        measure_cost(options, run=stop_before(number, KeyboardInterrupt()))


def test_a_run_that_fails(options: CostOptions) -> None:
    """A run that fails ends the measurement with its number, its way and why."""
    failure = RunFailedError("exit code 3: no such table")
    fake = Fake(lambda block, way: 1.0)
    measure_cost(options, run=fake)
    with pytest.raises(WorkbenchError) as raised:
        measure_cost(options, run=stop_before(8, failure))
    where = f"run 8 of 72 ({fake.names[8]}, block 2)"
    assert str(raised.value) == f"{where} failed, so nothing is measured: exit code 3: no such table"
    with pytest.raises(WorkbenchError, match=r"the first try \(in-process\) failed"):
        measure_cost(options, run=stop_before(0, failure))


def test_a_program_that_is_not_there(options: CostOptions, tmp_path: Path) -> None:
    """A script that does not exist is refused before anything is run or written."""
    with pytest.raises(InvalidInputError, match=r"q\.py does not exist"):
        measure_cost(CostOptions((str(tmp_path / "q.py"),), tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_notes(options: CostOptions) -> None:
    """A program that is over at once, that has no scopes, or whose sampling fell behind, is said to be so."""

    def run(options: CostOptions, way: Way) -> Timed:
        return Timed(0.05, warnings=("py-spy fell behind",) if way.name == PY_SPY else ())

    short, no_scopes, warned = measure_cost(options, run=run).notes()
    assert "takes 0.05 s: its start-up dominates" in short
    assert "has no scopes" in no_scopes
    assert warned.startswith("12 of 72 runs came with warnings, the first (py-spy, block 1): py-spy fell")
    assert measured(options, lambda block, way: 1.0).notes() == []


def test_progress_tells_what_runs(options: CostOptions) -> None:
    """The display is told of each run before it begins, and of the end."""
    seen: list[tuple[float, float | None, str]] = []
    fake = Fake(lambda block, way: 1.0)
    measure_cost(options, run=fake, progress=lambda *now: seen.append(now))
    assert [done for done, _, _ in seen] == list(range(74))
    assert {total for _, total, _ in seen} == {73}
    assert seen[0][2] == "a first try"
    assert seen[7][2] == f"block 2 of 12, {fake.names[7]}"


PROGRAM = """
import sys
from workbench import scope

for _ in range(20):
    with scope("work"):
        sum(range(1_000_000))  # long enough for every sampler
print("output of the program")
assert sys.stdin.read() == ""
"""


@pytest.fixture
def something_to_read() -> Iterator[None]:
    """Have standard input hold a line, which is not for the program."""
    before, (end, fill) = os.dup(0), os.pipe()
    os.write(fill, b"a line\n")
    os.dup2(end, 0)
    for descriptor in (end, fill):
        os.close(descriptor)
    yield
    os.dup2(before, 0)
    os.close(before)


def test_each_way_is_what_it_says(
    needs_py_spy: None,
    something_to_read: None,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards are recorded and samples taken in their ways alone, whatever the environment says of recording."""
    samplers: list[str] = []

    def watched(options: CaptureOptions) -> Capture:
        capture = run_program(options)
        samplers.append(capture.sampler)
        return capture

    monkeypatch.setattr(profiling_cost, "run_program", watched)
    monkeypatch.setenv("WORKBENCH_RECORD", str(tmp_path / "elsewhere"))
    (tmp_path / "p.py").write_text(textwrap.dedent(PROGRAM))
    options = CostOptions((str(tmp_path / "p.py"),), tmp_path)
    for way in ways_of(native=True).values():
        found = run_once(options, way)
        assert found.scopes == (20 if way.recorded else 0)
        assert (found.samples > 0) == (way.sampler != "none")
        assert found.seconds > 0
    native = " with native frames"
    assert samplers == ["none", "none", f"in-process{native}", "py-spy", f"py-spy{native}", "none"]
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["p.py"]


def test_how_a_real_run_fails(tmp_path: Path) -> None:
    """Another exit code than 0 is told with the last line that the program had to say."""
    (tmp_path / "p.py").write_text("import sys\nprint('first\\n\\x1b[31mlast', file=sys.stderr)\nsys.exit(3)")
    options = CostOptions((str(tmp_path / "p.py"),), tmp_path)
    with pytest.raises(RunFailedError, match=r"^exit code 3: \[31mlast$"):
        run_once(options, ways_of(native=False)[SCOPES])


def test_a_sampler_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where py-spy cannot be used nothing is measured in its place."""
    monkeypatch.setenv("WORKBENCH_PY_SPY", str(tmp_path / "nowhere"))
    (tmp_path / "p.py").write_text("pass")
    options = CostOptions((str(tmp_path / "p.py"),), tmp_path)
    with pytest.raises(RunFailedError, match="is not a program that can be run"):
        run_once(options, ways_of(native=True)[PY_SPY])
    assert profiling_cost.run_once(options, ways_of(native=True)[SCOPES]).seconds > 0
