"""What an element of each tanh kernel costs, beside np.tanh and a copy: writes docs/measured/kernels.{md,json}.

python benchmarks/kernels.py                 half a minute
python benchmarks/kernels.py --quick         some seconds, with wide intervals; writes nothing
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from measured import Row, finish, in_rounds, median, options_of, ratio

from workbench.trainer import kernels

UNITS, ROWS = 20, 1000
"""The values of a layer, as many as the trainer evaluates at once: 160 kB in, 160 kB out."""
ROUNDS, QUICK_ROUNDS, LOOPS = 150, 25, 8

Work = Callable[[], Any]


def value_works(dtype: type) -> dict[str, Work]:
    """Return what is timed where only the value is wanted, with `np.tanh` and a copy."""
    z = np.random.default_rng(1).normal(size=(UNITS, ROWS)).astype(dtype)
    out = np.empty_like(z)
    works: dict[str, Work] = {
        "np.tanh": lambda: np.tanh(z, out=out),
        "copy": lambda: np.copyto(out, z),
    }
    for name in kernels.names():
        works[name] = _value_work(kernels.kernel(name), z, out)
    return works


def _value_work(kernel: kernels.Kernel, z: np.ndarray, out: np.ndarray) -> Work:
    return lambda: kernel(z, out=out)


def level() -> str:
    """Return which instructions the kernels were compiled for, and run with."""
    try:
        from workbench.trainer.kernels import _kernels
    except ImportError:
        return "none: no compiled extension"
    return list(_kernels.levels)[-1]


def nanoseconds(work: Work) -> float:
    """Return the nanoseconds of an element; a first call has brought the arrays into the cache."""
    work()
    began = perf_counter()
    for _ in range(LOOPS):
        work()
    return 1e9 * (perf_counter() - began) / (LOOPS * UNITS * ROWS)


def sections(rounds: int) -> dict[str, list[Row]]:
    """Measure, and return the page's tables."""
    works = {f"{name}, value": work for name, work in value_works(np.float64).items()}
    works |= {f"{name}, float32": work for name, work in value_works(np.float32).items()}
    found = in_rounds({name: partial(nanoseconds, work) for name, work in works.items()}, rounds, warm_up=2)
    names = kernels.names()
    tanh, copy = found["np.tanh, value"], found["copy, value"]

    def costs(kind: str) -> list[Row]:
        return [median(name, found[f"{name}, {kind}"], "ns") for name in names]

    def by_tanh(kind: str) -> list[Row]:
        base = tanh if "float32" not in kind else found["np.tanh, float32"]
        return [ratio(f"{name} / np.tanh", found[f"{name}, {kind}"], base) for name in names]

    return {
        "The limits": [
            ratio("1e-7 / np.tanh", found["1e-7, value"], tanh, 0.4),
            ratio("1e-4 / copy", found["1e-4, value"], copy, 2.5),
        ],
        "float64: an element": [
            median("np.tanh", tanh, "ns"),
            median("copy", copy, "ns"),
            *costs("value"),
        ],
        "float64: by np.tanh": by_tanh("value"),
        "float64: by a copy": [
            ratio(f"{name} / copy", found[f"{name}, value"], copy) for name in ("np.tanh", *names)
        ],
        "float32: an element": [
            median("np.tanh", found["np.tanh, float32"], "ns"),
            median("copy", found["copy, float32"], "ns"),
            *costs("float32"),
        ],
        "float32: by np.tanh of float32": by_tanh("float32"),
    }


def notes(rounds: int) -> list[str]:
    """Return how it was measured."""
    return [
        (
            f"{UNITS} × {ROWS} values, normally distributed, `out=` given, one thread; all of it in one process. A "
            f"round times {LOOPS} calls of each, after one that is not timed, in an order drawn anew; {rounds} rounds."
        ),
        "Ratios are paired by round. Medians with 95 % order-statistic intervals.",
        f"The kernels ran as: {kernels.implementation('1e-7')}; instruction set: {level()}.",
        "float32 arrays: `1e-7` and `1e-12` compute in float64 there too; `exact` and `float32` are np.tanh's.",
    ]


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    finish("kernels", "What a tanh costs", sections(rounds), notes(rounds), options)


if __name__ == "__main__":
    main()
