"""The rounds of an experiment: a fresh process for each run, in an order that changes from round to round.

Seeds and orders follow from the experiment's seed. So a resumed experiment has the same plan, seeds and
orders as one that was never interrupted, and each round is whole.
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
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Abandoned, Head, Plan, Run, Sources
from workbench.bench.results.results import Results
from workbench.bench.results.writer import ResultsWriter
from workbench.bench.run.fingerprint import digest
from workbench.bench.run.plan import (
    as_duration,
    for_budget,
    for_precision,
    min_rounds,
    orders,
    over_budget,
    pilot_rounds,
)
from workbench.bench.run.process import Interpreter, RunRequest, run_process
from workbench.bench.run.worker import LOOP_S, SHORT_S
from workbench.bench.stats.intervals import family_confidence
from workbench.errors import InvalidInputError, WorkbenchError

LAST_ONE = 1.1
"""Budgets within which the process that makes the first round whole is started; any other within one."""


class BudgetSpentError(WorkbenchError):
    """The budget was spent before a round was complete."""

    exit_code = 3


@dataclass(frozen=True)
class RoundProgress:
    """How far an experiment is, before each run starts."""

    round: int
    rounds: int | None
    position: int
    runs: int
    variant: str


Say = Callable[[str], None]
Report = Callable[[RoundProgress], None]
Check = Callable[[str, Mapping[str, Any]], None]
"""Gets the name and result of each trial, and raises InvalidInputError if it cannot be measured."""


def round_orders(runs: Sequence[str], seed: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the seed and the order of runs of each round, without end; both follow from the experiment's seed."""
    seeds, shuffle = np.random.default_rng(seed).spawn(2)
    for order in orders(len(runs), shuffle):
        yield int(seeds.integers(2**31)), [runs[index] for index in order]


class RoundRunner:
    """An experiment in progress: what was measured so far, and the plan."""

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
        self._runs: dict[int, dict[str, Run]] = {}
        """What each complete round gave, by the name of the run."""
        self._attempts: dict[int, int] = {}
        self._failed: list[Run] = []
        """Failures to report once a run has worked; if none works, the suite is at fault."""
        self._worked = False
        self._seeded = True
        self._sources: dict[str, str] = {}
        self._is_over = False
        """whether the budget holds too few rounds for a verdict"""
        self._is_resumed = False
        self._check = check
        self._clock = clock
        self._began = clock()
        self._tried_s = 0.0
        """what the tries took of the budget"""

    def take_up(self, before: Results) -> None:
        """Continue after what was measured; interrupted rounds are abandoned and repeated."""
        self._is_resumed = True
        if before.plan is not None and before.plan.rounds:
            self._plan = before.plan
            least = min_rounds(len(self._head.runs))
            self._is_over = self._head.rounds is None and self._plan.rounds < least
        self._sources = dict(before.sources)
        self._attempts = dict(before.abandoned)
        rounds: dict[int, dict[str, Run]] = {}
        for run in before.runs:
            rounds.setdefault(run.round, {})[run.name] = run
            self._worked = self._worked or run.error is None
        for number, runs in rounds.items():
            if set(runs) >= set(self._head.runs):
                self._runs[number] = runs
            else:
                attempt = self._attempts.get(number, 0)
                self._writer.append(Abandoned(round=number, attempt=attempt))
                self._attempts[number] = attempt + 1

    def go(self) -> None:
        """Run whatever of the plan has not run yet."""
        if self._plan is None:
            self._set_plan(self._calibrated())
        planned = round_orders(self._head.runs, self._head.seed)
        for number, (seed, order) in enumerate(planned):
            if number not in self._runs:
                self._run_round(number, seed, order)
            self._revise(number)
            if number + 1 >= self._planned():
                break

    def _planned(self) -> int:
        assert self._plan is not None
        return self._plan.rounds

    def _found(self, plan: Plan) -> Plan:
        """Return the plan with what runs of the first round have found out on their own."""
        ran = [each for each in self._runs[0].values() if each.error is None]
        loops = {each.variant: each.loops for each in ran} | plan.loops
        values = {each.variant: max(1, len(each.values_s)) for each in ran} | plan.values
        return Plan(plan.rounds, plan.why, loops, values)

    def _variant(self, run: str) -> str:
        return self._head.baseline if run == AA_CONTROL else run

    def _set_plan(self, plan: Plan) -> None:
        if plan != self._plan:
            self._plan = plan
            self._writer.append(plan)

    def _calibrated(self) -> Plan:
        """Return how often runs are repeated within a process, by a try of the baseline.

        Where a run of it is so short that some variant's may have to be looped, or all are to be checked, the others
        are tried as well. What is not known behind that, a run finds out in the first round.
        """
        baseline = self._head.baseline
        tried = {baseline: self._try(baseline)}
        first = tried[baseline]
        if first["error"] is not None:  # what is wrong shows in the first round, for every variant
            return Plan(0, "not known yet: the baseline failed when it was tried")
        values = first["values"] * first["loops"] * first["run_s"]
        runs = len(self._head.runs)
        min_s = runs * max(first["took_s"], first["run_s"])
        self._say_over_budget(runs * (first["took_s"] + values), min_s)
        others = [run for run in self._head.runs if run not in (baseline, AA_CONTROL)]
        if self._check is not None or first["run_s"] < LOOP_S:
            tried |= {run: self._try(run) for run in others}
        tried = {run: found for run, found in tried.items() if found["error"] is None}
        short = [run for run, found in tried.items() if found["loops"] > 1]
        if short and not self._head.micro:
            # Values of one kind: a loop leaves a cold start out, which runs that are not looped pay for.
            alone = [run for run, found in tried.items() if found["loops"] == 1 and found["run_s"] < LOOP_S]
            again = {run: self._try(run, looped=True) for run in alone}
            tried |= {run: found for run, found in again.items() if found["error"] is None}
            self._say(
                f"a run of {short[0]} takes {tried[short[0]]['run_s'] * 1e6:.2g} µs, less than {SHORT_S * 1e6:g} µs: "
                "runs are looped on one set-up, as in a suite with micro=True"
            )
        loops = {run: found["loops"] for run, found in tried.items()}
        return Plan(0, "not known yet", loops, {run: found["values"] for run, found in tried.items()})

    def _try(self, run: str, *, looped: bool = False) -> Mapping[str, Any]:
        self._progress(RoundProgress(0, None, 0, len(self._head.runs), f"{run}, a first try"))
        began = self._clock()
        request = RunRequest(self._head.suite_source, run, 0, loops=0, looped=looped, calibrate=True)
        found = run_process(request, self._timeout_s, self._interpreters[run])
        self._tried_s += self._clock() - began
        if self._check is not None:
            self._check(run, found)
        return found

    def _say_over_budget(self, round_s: float, min_s: float) -> None:
        """Say it where the budget holds too few rounds, as soon as that is known, and once.

        From then on the first run of each process counts: within a round all runs are measured alike.
        """
        if self._head.rounds is not None or self._is_over:
            return
        runs, budget_s = len(self._head.runs), self._budget_s()
        line = over_budget(runs, budget_s, self._left_s(), round_s, min_s)
        if line:
            self._is_over = True
            self._say(line)

    def _budget_s(self) -> float:
        return self._head.budget_s if self._head.budget_s is not None else math.inf

    def _left_s(self) -> float:
        """Return what of the budget is left for rounds."""
        return max(0.0, self._budget_s() - self._tried_s)

    def _run_round(self, number: int, seed: int, order: list[str]) -> None:
        assert self._plan is not None
        attempt = self._attempts.get(number, 0)
        runs: dict[str, Run] = {}
        for position, run in enumerate(order):
            self._check_budget(number, position)
            self._progress(RoundProgress(number, self._planned() or None, position, len(order), run))
            variant = self._variant(run)
            result = self._measured(run, variant, seed, keep=number == 0 and run != AA_CONTROL)
            self._note_sources(result.pop("files", ()))
            place = {"kind": "run", "round": number, "attempt": attempt, "position": position}
            place |= {"name": run, "variant": variant, "seed": seed}
            try:
                runs[run] = records.convert(place | result, Run)
            except ValueError as error:  # of another version of the workbench, which a side may have
                runs[run] = records.convert(place | {"error": f"its result is none: {error}"}, Run)
            self._writer.append(runs[run])
            self._note(number, runs[run])
        self._runs[number] = runs
        if not self._worked:
            first = self._failed[0]
            raise InvalidInputError(
                f"every variant of suite {self._head.suite!r} failed, so nothing is measured: "
                f"{first.name}: {first.error}"
            )
        self._check_seeds(number)

    def _check_budget(self, number: int, position: int) -> None:
        """End the experiment if its budget is spent within the first round, unless it is resumed."""
        budget_s, runs = self._budget_s(), len(self._head.runs)
        if not self._is_over or self._is_resumed or number:
            return
        if self._clock() - self._began < budget_s * (LAST_ONE if position == runs - 1 else 1.0):
            return
        raise BudgetSpentError(
            f"the budget of {as_duration(budget_s)} is spent after {position} of {runs} processes of the first round, "
            "so there is nothing to report: give more, or resume the experiment to complete that round"
        )

    def _measured(self, run: str, variant: str, seed: int, *, keep: bool) -> dict[str, Any]:
        assert self._plan is not None
        loops, values = self._plan.loops.get(variant, 0), self._plan.values.get(variant, 1)
        request = RunRequest(self._head.suite_source, variant, seed, loops, values, discard=not self._is_over)
        if not keep:
            return run_process(request, self._timeout_s, self._interpreters[run])
        with self._writer.output.scratch() as scratch:  # a suite's own code names the files in it
            request = replace(request, keep=scratch)
            result = run_process(request, self._timeout_s, self._interpreters[run])
            for text in self._writer.keep_fit(variant, scratch):
                self._say(text)
        return result

    def _note(self, number: int, run: Run) -> None:
        if run.error is not None:
            self._failed.append(run)
        self._worked = self._worked or run.error is None
        while self._worked and self._failed:
            failed = self._failed.pop(0)
            self._say(f"round {failed.round + 1}, {failed.name}: {failed.error}")

    def _note_sources(self, files: Iterable[str]) -> None:
        """Keep what source files there are, and their content's digest, to check when the experiment is resumed."""
        new = {file: digest(Path(file)) for file in files if file not in self._sources}
        if new:
            self._sources |= new
            self._writer.append(Sources(files=new))

    def _check_seeds(self, number: int) -> None:
        """Say so where the baseline gave two results from one seed: a difference in quality may then be chance."""
        first, again = (self._runs[number][run] for run in (self._head.baseline, AA_CONTROL))
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

    def _revise(self, number: int) -> None:
        """Fix the number of rounds after the first, and once more after the pilot where a precision is wanted."""
        assert self._plan is not None
        wanted, runs, plan = self._head.rounds, len(self._head.runs), self._plan
        if number == 0 and plan.rounds == 0:
            if wanted is not None:
                rounds, why = wanted, "as many as were asked for"
            else:
                took = sum(run.took_s or 0.0 for run in self._runs[0].values())
                self._say_over_budget(took, took)
                rounds, why = for_budget(runs, self._left_s(), took)
            self._set_plan(self._found(Plan(rounds, why, plan.loops, plan.values)))
        pilot = pilot_rounds(runs)
        precision = self._head.precision
        if precision is None or wanted is not None or number + 1 != pilot or self._planned() <= pilot:
            return
        sigmas = pilot_sigmas(self._head.baseline, [self._runs[each] for each in range(pilot)])
        if sigmas:
            confidence = family_confidence(len(sigmas))
            rounds, why = for_precision(runs, self._planned(), sigmas, precision, confidence)
            self._set_plan(Plan(max(rounds, pilot), why, self._plan.loops, self._plan.values))
