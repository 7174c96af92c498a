"""Counts the instructions of each variant by valgrind's callgrind, once, behind all that is measured."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from workbench import records
from workbench.bench.results.lines import Instructions
from workbench.bench.results.results import Results
from workbench.bench.results.writer import ResultsWriter
from workbench.bench.run.callgrind import function_counts
from workbench.bench.run.counted import NO_EXTENSION
from workbench.bench.run.process import Interpreter, RunRequest, run_process
from workbench.bench.run.rounds import RoundProgress
from workbench.errors import InvalidInputError
from workbench.outputs import OutputFolder

TIMES_SLOWER = 5
"""A counted run may take so many times the limit of a measured one: callgrind slows it fifty times, and few runs take
more than a tenth of their limit."""
LOOPS = 16
"""Executions that are counted where any case is looped: the same number for each, however quick the machine is."""
MAX_FUNCTIONS = 30
"""Functions that are kept of a variant: the heaviest, themselves and with what they call."""
WITHOUT_FMA = {
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 X86_V3",
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA",
}
"""Variables by which NumPy, OpenBLAS and the C library take code without fused multiply-add: valgrind computes that in
software, so that np.tanh and products of matrices are four hundred times slower. X86_V3 is NumPy's name from 2.4 on."""


@cache
def valgrind_version() -> str:
    """Return the version of valgrind.

    Raises:
        InvalidInputError: There is none that can be run.
    """
    program = shutil.which("valgrind")
    if program is None:
        raise InvalidInputError(
            "instructions are counted by valgrind, which is not installed: apt-get install valgrind"
        )
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise InvalidInputError(
            f"{program} --version fails with exit code {found.returncode}: install valgrind again"
        )
    return found.stdout.strip()


def check_counting() -> None:
    """See to it that instructions can be counted here.

    Raises:
        InvalidInputError: There is no valgrind, or no C extension.
    """
    valgrind_version()
    try:
        from workbench.scopes._native import counted  # noqa: F401
    except ImportError:
        raise InvalidInputError(NO_EXTENSION) from None


def count_instructions(
    results: Results,
    output: OutputFolder,
    interpreters: Mapping[str, Interpreter],
    timeout_s: float,
    progress: Callable[[RoundProgress], None],
    say: Callable[[str], None],
) -> None:
    """Count each variant that has no count yet, from the seed of the first round, and append a line for each.

    A variant that cannot be counted has a line, too, which says why.
    """
    writer = ResultsWriter(output, results.head, resumed=True)
    rounds, runs = len(results.complete_rounds()), len(results.head.runs)
    try:
        for variant in results.variants:
            before = results.instructions.get(variant)
            if before is not None and before.error is None:
                continue
            progress(RoundProgress(rounds, rounds, 0, runs, f"counting the instructions of {variant}"))
            with output.scratch() as scratch:
                line = _counted(results, variant, interpreters[variant], timeout_s, scratch.absolute())
            if line.error is not None:
                say(f"the instructions of {variant} are not counted: {line.error}")
            writer.append(line)
    finally:
        writer.close()


def _counted(
    results: Results, variant: str, interpreter: Interpreter, timeout_s: float, scratch: Path
) -> Instructions:
    is_looped = results.plan is not None and max(results.plan.loops.values(), default=1) > 1
    loops = LOOPS if is_looped else 1
    request = RunRequest(results.head.suite_source, variant, results.runs[0].seed or 0, loops, count=True)
    found = run_process(request, TIMES_SLOWER * timeout_s, _under_callgrind(interpreter, scratch))
    line: dict[str, Any] = {
        "kind": "instructions",
        "name": variant,
        "loops": request.loops,
        "seed": request.seed,
        "valgrind": valgrind_version(),
    }
    line |= {name: found[name] for name in ("error", "threads", "code_path", "took_s") if name in found}
    if found["error"] is None:
        functions = function_counts(scratch / f"callgrind.{found['pid']}")
        line["total"] = sum(each.self for each in functions)
        named = [each for each in functions if not each.name.startswith("0x")]  # jumps between libraries
        by_self = sorted(named, key=lambda each: -each.self)
        heaviest = {
            *by_self[:MAX_FUNCTIONS],
            *sorted(named, key=lambda each: -each.inclusive)[:MAX_FUNCTIONS],
        }
        line["functions"] = [records.plain(each) for each in by_self if each in heaviest]
    return records.convert(line, Instructions)


def _under_callgrind(interpreter: Interpreter, scratch: Path) -> Interpreter:
    """Return an interpreter whose processes callgrind runs, with one seed of hashes.

    Valgrind places memory alike in each of them, so that addresses, and what is hashed by them, are alike, too. Python
    takes memory from the C library: with its own allocator, what an allocation executes depends on all that was
    allocated before, and an import more changes a loop's count by 5 %.
    """
    words = ("--tool=callgrind", "-q", "--log-file=/dev/null", "--instr-atstart=no", "--dump-line=no")
    file = str(scratch / "callgrind").replace("%", "%%")
    prefix = ("valgrind", *words, f"--callgrind-out-file={file}.%p")
    environment = (
        dict(interpreter.environment) | WITHOUT_FMA | {"PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc"}
    )
    return replace(interpreter, prefix=prefix, environment=environment)
