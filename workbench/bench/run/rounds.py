"""The blocks of a run: fresh processes, one for each arm, in an order that changes from block to block.

Seeds and orders follow from the run's own seed, so that a run that was cut and gone on with is the run that it would
have been: the same plan, the same starts, each block whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench import records
from workbench.bench.analysis.power import pilot_sigmas
from workbench.bench.design.suite import AGAIN
from workbench.bench.results.lines import Abandoned, Arm, Head, Plan, Sources
from workbench.bench.results.results import Results
from workbench.bench.results.writer import ResultsWriter
from workbench.bench.run.fingerprint import digest
from workbench.bench.run.order import orders
from workbench.bench.run.plan import (
    as_duration,
    for_budget,
    for_precision,
    least_blocks,
    over_budget,
    pilot_blocks,
)
from workbench.bench.run.process import ArmRequest, Interpreter, run_arm_process
from workbench.bench.run.worker import LOOP_S, SHORT_S
from workbench.bench.stats.intervals import family_confidence
from workbench.errors import InvalidInputError, WorkbenchError

LAST_ONE = 1.1
"""Budgets within which the process that makes the first block whole is started; any other within one."""


class BudgetSpentError(WorkbenchError):
    """The budget was spent before a block was complete."""

    exit_code = 3


@dataclass(frozen=True)
class Progress:
    """How far a run is: called for each arm before it starts."""

    block: int
    blocks: int | None
    arm: int
    arms: int
    variant: str


Say = Callable[[str], None]
Report = Callable[[Progress], None]
Check = Callable[[str, Mapping[str, Any]], None]
"""Is called with what the first try of an arm gave, and raises InvalidInputError where that cannot be measured."""


def block_orders(arms: Sequence[str], seed: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the seed and the order of arms of each block, without end, as they follow from a run's seed alone."""
    seeds, shuffle = np.random.default_rng(seed).spawn(2)
    for order in orders(len(arms), shuffle):
        yield int(seeds.integers(2**31)), [arms[index] for index in order]


class BlockRun:
    """A run as it goes on: what was measured so far, and the plan."""

    def __init__(
        self,
        head: Head,
        writer: ResultsWriter,
        interpreters: Mapping[str, Interpreter],
        timeout_s: float,
        progress: Report,
        say: Say,
        check: Check | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._head = head
        self._writer = writer
        self._interpreters = interpreters
        self._timeout_s = timeout_s
        self._progress = progress
        self._say = say
        self._plan: Plan | None = None
        self._arms: dict[int, dict[str, Arm]] = {}
        """what each complete block gave, by arm"""
        self._attempts: dict[int, int] = {}
        self._failed: list[Arm] = []
        """until one arm has worked: else the suite is at fault"""
        self._worked = False
        self._seeded = True
        self._sources: dict[str, str] = {}
        self._is_over = False
        """whether the budget holds too few blocks for a verdict"""
        self._is_resumed = False
        self._check = check
        self._clock = clock
        self._began = clock()
        self._tried_s = 0.0
        """what the tries took of the budget"""

    def take_up(self, before: Results) -> None:
        """Go on behind what was measured; blocks that were cut are abandoned, to be run again whole."""
        self._is_resumed = True
        if before.plan is not None and before.plan.blocks:
            self._plan = before.plan
            least = least_blocks(len(self._head.arms))
            self._is_over = self._head.blocks is None and self._plan.blocks < least
        self._sources = dict(before.sources)
        self._attempts = dict(before.abandoned)
        blocks: dict[int, dict[str, Arm]] = {}
        for arm in before.arms:
            blocks.setdefault(arm.block, {})[arm.arm] = arm
            self._worked = self._worked or arm.error is None
        for block, arms in blocks.items():
            if set(arms) >= set(self._head.arms):
                self._arms[block] = arms
            else:
                attempt = self._attempts.get(block, 0)
                self._writer.append(Abandoned(block=block, attempt=attempt))
                self._attempts[block] = attempt + 1

    def go(self) -> None:
        """Run whatever of the plan has not run yet."""
        if self._plan is None:
            self._set_plan(self._calibrated())
        planned = block_orders(self._head.arms, self._head.seed)
        for block, (seed, order) in enumerate(planned):
            if block not in self._arms:
                self._run_block(block, seed, order)
            self._revise(block)
            if block + 1 >= self._planned():
                break

    def _planned(self) -> int:
        assert self._plan is not None
        return self._plan.blocks

    def _found(self, plan: Plan) -> Plan:
        """Return the plan with what arms of the first block have found out on their own."""
        ran = [each for each in self._arms[0].values() if each.error is None]
        loops = {each.variant: each.loops for each in ran} | plan.loops
        values = {each.variant: max(1, len(each.values_s)) for each in ran} | plan.values
        return Plan(plan.blocks, plan.why, loops, values)

    def _variant(self, arm: str) -> str:
        return self._head.baseline if arm == AGAIN else arm

    def _set_plan(self, plan: Plan) -> None:
        if plan != self._plan:
            self._plan = plan
            self._writer.append(plan)

    def _calibrated(self) -> Plan:
        """Return how often runs are repeated within a process, by a try of the baseline.

        Where a run of it is so short that some variant's may have to be looped, or all are to be checked, the others
        are tried as well. What is not known behind that, an arm finds out in the first block.
        """
        baseline = self._head.baseline
        tried = {baseline: self._try(baseline)}
        first = tried[baseline]
        if first["error"] is not None:  # what is wrong shows in the first block, for every variant
            return Plan(0, "not known yet: the baseline failed when it was tried")
        values = first["values"] * first["loops"] * first["run_s"]
        arms = len(self._head.arms)
        least_s = arms * max(first["took_s"], first["run_s"])
        self._say_over_budget(arms * (first["took_s"] + values), least_s)
        others = [arm for arm in self._head.arms if arm not in (baseline, AGAIN)]
        if self._check is not None or first["run_s"] < LOOP_S:
            tried |= {arm: self._try(arm) for arm in others}
        tried = {arm: found for arm, found in tried.items() if found["error"] is None}
        short = [arm for arm, found in tried.items() if found["loops"] > 1]
        if short and not self._head.micro:
            # Values of one kind: a loop leaves a cold start out, which runs that are not looped pay for.
            alone = [arm for arm, found in tried.items() if found["loops"] == 1 and found["run_s"] < LOOP_S]
            again = {arm: self._try(arm, looped=True) for arm in alone}
            tried |= {arm: found for arm, found in again.items() if found["error"] is None}
            self._say(
                f"a run of {short[0]} takes {tried[short[0]]['run_s'] * 1e6:.2g} µs, less than {SHORT_S * 1e6:g} µs: "
                "runs are looped on one set-up, as in a suite with micro=True"
            )
        loops = {arm: found["loops"] for arm, found in tried.items()}
        return Plan(0, "not known yet", loops, {arm: found["values"] for arm, found in tried.items()})

    def _try(self, arm: str, *, looped: bool = False) -> Mapping[str, Any]:
        self._progress(Progress(0, None, 0, len(self._head.arms), f"{arm}, a first try"))
        began = self._clock()
        request = ArmRequest(self._head.suite_source, arm, 0, loops=0, looped=looped, calibrate=True)
        found = run_arm_process(request, self._timeout_s, self._interpreters[arm])
        self._tried_s += self._clock() - began
        if self._check is not None:
            self._check(arm, found)
        return found

    def _say_over_budget(self, block_s: float, least_s: float) -> None:
        """Say it where the budget holds too few blocks, as soon as that is known, and once.

        From then on the first run of each process counts: within a block all arms are measured alike.
        """
        if self._head.blocks is not None or self._is_over:
            return
        arms, budget_s = len(self._head.arms), self._budget_s()
        line = over_budget(arms, budget_s, self._left_s(), block_s, least_s)
        if line:
            self._is_over = True
            self._say(line)

    def _budget_s(self) -> float:
        return self._head.budget_s if self._head.budget_s is not None else math.inf

    def _left_s(self) -> float:
        """Return what of the budget is left for blocks."""
        return max(0.0, self._budget_s() - self._tried_s)

    def _run_block(self, block: int, seed: int, order: list[str]) -> None:
        assert self._plan is not None
        attempt = self._attempts.get(block, 0)
        arms: dict[str, Arm] = {}
        for position, arm in enumerate(order):
            self._check_budget(block, position)
            self._progress(Progress(block, self._planned() or None, position, len(order), arm))
            variant = self._variant(arm)
            result = self._run_arm(arm, variant, seed, keep=block == 0 and arm != AGAIN)
            self._note_sources(result.pop("files", ()))
            place = {"kind": "arm", "block": block, "attempt": attempt, "position": position}
            place |= {"arm": arm, "variant": variant, "seed": seed}
            try:
                arms[arm] = records.convert(place | result, Arm)
            except ValueError as error:  # of another version of the workbench, which a side may have
                arms[arm] = records.convert(place | {"error": f"its result is none: {error}"}, Arm)
            self._writer.append(arms[arm])
            self._note(block, arms[arm])
        self._arms[block] = arms
        if not self._worked:
            first = self._failed[0]
            raise InvalidInputError(
                f"every variant of suite {self._head.suite!r} failed, so nothing is measured: "
                f"{first.arm}: {first.error}"
            )
        self._check_seeds(block)

    def _check_budget(self, block: int, position: int) -> None:
        """End the run where its budget is spent before one block is whole; what is resumed is to have that one."""
        budget_s, arms = self._budget_s(), len(self._head.arms)
        if not self._is_over or self._is_resumed or block:
            return
        if self._clock() - self._began < budget_s * (LAST_ONE if position == arms - 1 else 1.0):
            return
        raise BudgetSpentError(
            f"the budget of {as_duration(budget_s)} is spent after {position} of {arms} processes of the first block, "
            "so there is nothing to report: give more, or resume the run to have that block"
        )

    def _run_arm(self, arm: str, variant: str, seed: int, *, keep: bool) -> dict[str, Any]:
        assert self._plan is not None
        loops, values = self._plan.loops.get(variant, 0), self._plan.values.get(variant, 1)
        request = ArmRequest(self._head.suite_source, variant, seed, loops, values, discard=not self._is_over)
        if not keep:
            return run_arm_process(request, self._timeout_s, self._interpreters[arm])
        with self._writer.output.scratch() as scratch:  # a suite's own code names the files in it
            request = replace(request, keep=scratch)
            result = run_arm_process(request, self._timeout_s, self._interpreters[arm])
            for text in self._writer.keep_fit(variant, scratch):
                self._say(text)
        return result

    def _note(self, block: int, arm: Arm) -> None:
        if arm.error is not None:
            self._failed.append(arm)
        self._worked = self._worked or arm.error is None
        while self._worked and self._failed:
            failed = self._failed.pop(0)
            self._say(f"block {failed.block + 1}, {failed.arm}: {failed.error}")

    def _note_sources(self, files: Iterable[str]) -> None:
        """Keep what source files there are, and their content's digest, for a run that is resumed."""
        new = {file: digest(Path(file)) for file in files if file not in self._sources}
        if new:
            self._sources |= new
            self._writer.append(Sources(files=new))

    def _check_seeds(self, block: int) -> None:
        """Say so where the baseline gave two results from one seed: a difference in quality may then be chance."""
        first, again = (self._arms[block][arm] for arm in (self._head.baseline, AGAIN))
        if not self._seeded or first.error is not None or again.error is not None:
            return
        for name, value in first.quality.items():
            other = again.quality.get(name)
            if other != value:
                self._seeded = False
                then = "none" if other is None else f"{other:g}"
                self._say(
                    f"{self._head.baseline} gave {name} {value:g} and then {then} from the "
                    "same seed: take all randomness from the workload's `seed`, or differences in quality are chance"
                )
                return

    def _revise(self, block: int) -> None:
        """Fix the number of blocks after the first, and once more after the pilot where a precision is wanted."""
        assert self._plan is not None
        wanted, arms, plan = self._head.blocks, len(self._head.arms), self._plan
        if block == 0 and plan.blocks == 0:
            if wanted is not None:
                blocks, why = wanted, "as many as were asked for"
            else:
                took = sum(arm.took_s or 0.0 for arm in self._arms[0].values())
                self._say_over_budget(took, took)
                blocks, why = for_budget(arms, self._left_s(), took)
            self._set_plan(self._found(Plan(blocks, why, plan.loops, plan.values)))
        pilot = pilot_blocks(arms)
        precision = self._head.precision
        if precision is None or wanted is not None or block + 1 != pilot or self._planned() <= pilot:
            return
        sigmas = pilot_sigmas(self._head.baseline, [self._arms[each] for each in range(pilot)])
        if sigmas:
            confidence = family_confidence(len(sigmas))
            blocks, why = for_precision(arms, self._planned(), sigmas, precision, confidence)
            self._set_plan(Plan(max(blocks, pilot), why, self._plan.loops, self._plan.values))
