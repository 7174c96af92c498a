"""Runs by hand: `results.jsonl` as a run would have written it (docs/results.md), without running anything."""

from __future__ import annotations

import base64
import functools
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.results import Results, read_results

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ENVIRONMENT = {
    "machine": "a machine",
    "cores": 2,
    "usable_cores": 2,
    "memory_gib": 1.5,
    "system": "Linux",
    "python": "3.11",
    "packages": {"workbench": "0.1.0", "joblib": None},
    "blas": "openblas",
    "load_1min": 0.0,
}
FINGERPRINT = {"suite": "0" * 64, "machine": "a machine", "python": "3.11", "packages": {"numpy": "2.0"}}
Run = tuple[float, float | None] | float | str | Mapping[str, Any]
"""Seconds and error, or seconds alone, or the message of a failure, or fields of its line."""


def write_experiment(
    folder: Path,
    runs: Mapping[str, Sequence[Run]],
    *,
    again: Sequence[Run] | None = None,
    kept: bool = False,
    plan: Mapping[str, Any] | None = None,
    **head: Any,
) -> Results:
    """Write a run from each variant's runs, round by round; the first is the baseline, and again the same as it."""
    baseline = next(iter(runs))
    of_run = {**runs, AA_CONTROL: runs[baseline] if again is None else again}
    first = {
        "kind": "experiment",
        "schema": 4,
        "suite": "tiny",
        "suite_source": "tiny.py",
        "baseline": baseline,
        "variants": {variant: {} for variant in runs},
        "runs": list(of_run),
        "axes": {},
        "descriptions": {},
        "quality": "error",
        "delta": 0.02,
        "margin": 0.1,
        "targets": [],
        "target_of": None,
        "micro": False,
        "seed": 0,
        "budget_s": 300.0,
        "precision": None,
        "started": "2026-01-01T00:00:00+00:00",
        "pinned": {"OMP_NUM_THREADS": "1"},
        "environment": ENVIRONMENT,
        "fingerprint": FINGERPRINT,
    }
    rounds = max(map(len, runs.values()))
    lines: list[dict[str, Any]] = [first | head]
    lines.append(
        {"kind": "plan", "rounds": rounds, "loops": {}, "values": {}, "why": "by hand"} | dict(plan or {})
    )
    for number in range(rounds):
        for position, (run, values) in enumerate(of_run.items()):
            if number < len(values):
                place = {"kind": "run", "round": number, "attempt": 0, "position": position, "name": run}
                place |= {"variant": baseline if run == AA_CONTROL else run, "seed": 7 * number}
                lines.append(place | _outcome(values[number]))
    folder.mkdir(parents=True)
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results = read_results(folder)
    for variant in runs if kept else ():
        keep = results.fit_folder(variant)
        keep.mkdir(parents=True)
        (keep / "fit.png").write_bytes(PIXEL)
        history = {"initial_train_mse": 1.0, "train_mse": [0.1, None], "validation_mse": [0.2, 0.1]}
        (keep / "history.json").write_text(json.dumps(history))
    return results


def _outcome(value: Run) -> dict[str, Any]:
    if isinstance(value, str):
        return {"error": value, "load_1min": 0.1, "took_s": 0.1}
    if isinstance(value, Mapping):
        seconds, more = float(value["value_s"]), dict(value)
    elif isinstance(value, tuple):
        seconds, more = value[0], {"quality": {} if value[1] is None else {"error": value[1]}}
    else:
        seconds, more = value, {}
    return {
        "error": None,
        "value_s": seconds,
        "values_s": [seconds],
        "loops": 1,
        "wall_s": seconds,
        "cpu_s": 0.98 * seconds,
        "steps_s": [],
        "curve": [],
        "quality": {},
        "peak_rss_bytes": 90_000_000,
        "voluntary_switches": 12,
        "involuntary_switches": 3,
        "steal_s": 0.0,
        "blas_threads": 1,
        "load_1min": 0.2,
        "took_s": seconds + 0.2,
    } | more


FACTORS: dict[str, tuple[float, float, float]] = {
    "exact": (1.0, 0.0, 0.0),
    "fast": (0.72, 0.01, 0.15),
    "faster": (0.51, 1.9, 2.0),
    "float32": (1.004, 0.3, 0.4),
    "faster, Jacobian only": (0.70, 0.002, 0.1),
    "exact, 2 processes": (1.31, 0.0, 0.0),
    "exact, backpropagation": (0.985, 0.0, 0.0),
}
"""By variant: the factor on time, how many orders of magnitude worse it becomes, and the spread of that."""
TARGETS = [1e-2, 1e-3, 1e-5]
EPOCHS = 20


def training_run(
    generator: np.random.Generator, factor: float, orders: float, start: float
) -> dict[str, Any]:
    """Return a run of a training: steps, a curve of errors that falls to a floor, and what the machine did."""
    steps = 0.03 * factor * np.exp(0.03 * generator.standard_normal(EPOCHS) + 0.004 * generator.standard_t(3))
    floor = 10 ** (start - 6 + orders)
    errors = np.maximum(10 ** (start - 0.45 * np.arange(EPOCHS + 1)), floor).tolist()
    seconds = np.concatenate([[0.0], np.cumsum(steps)]).tolist()
    wall = float(steps.sum())
    return {
        "value_s": float(np.median(steps[1:])),
        "wall_s": wall,
        "cpu_s": wall * float(generator.uniform(0.96, 1.0)),
        "steps_s": steps.tolist(),
        "curve": [[max(second, 1e-4), error] for second, error in zip(seconds, errors, strict=True)],
        "quality": {"training MSE": errors[-1], "validation MSE": 2 * errors[-1]},
        "peak_rss_bytes": int(8.1e7 * generator.uniform(1, 1.3)),
        "voluntary_switches": int(generator.integers(4, 40)),
        "involuntary_switches": int(generator.integers(0, 300)),
        "steal_s": float(generator.choice([0.0, 0.0, 0.01])),
        "load_1min": round(float(generator.uniform(0.6, 1.4)), 2),
        "took_s": wall + 0.6,
    }


def write_training_experiment(
    folder: Path, *, seed: int = 3, rounds: int = 16, again: float = 1.0, scale: float = 1.0, **head: Any
) -> Results:
    """Write a run like that of the reference suite: noise, drift, failures, targets that some miss, and fits.

    Args:
        folder: Where to; it must not exist.
        seed: Of the noise.
        rounds: How many.
        again: The factor of the baseline's second copy: what is far from 1 voids the session.
        scale: The factor of the whole session's times.
        head: Fields of the first line.
    """
    generator = np.random.default_rng(seed)
    starts = generator.normal(0, 0.25, rounds)
    heat = scale * np.exp(0.05 * generator.standard_normal(rounds))
    runs: dict[str, list[Run]] = {}
    copies: list[Run] = []
    for name, (factor, orders, spread) in FACTORS.items():
        runs[name] = []
        for number in range(rounds):
            drift = 1 + 0.004 * number if name == "float32" else 1.0
            worse = orders + spread * abs(float(generator.standard_normal()))
            run = training_run(generator, factor * heat[number] * drift, worse, float(starts[number]))
            runs[name].append(run)
            if name == "exact":
                of_again = training_run(generator, again * heat[number], 0.0, float(starts[number]))
                copies.append(of_again | {"quality": run["quality"]})
    runs["exact, 2 processes"][1] = "killed by SIGKILL: out of memory"
    facts = {
        "suite": "reference",
        "suite_source": "reference",
        "quality": "training MSE",
        "targets": TARGETS,
        "target_of": "training MSE",
        "descriptions": {
            "exact": "np.tanh everywhere: the baseline",
            "fast": "fastapprox's fast tanh everywhere",
        },
    }
    results = write_experiment(
        folder,
        runs,
        again=copies,
        plan={"why": "a round takes 6.4 s; 5 min hold 3 whole squares of 16 rounds"},
        **(facts | head),
    )
    _draw_fits(results)
    return results


@functools.cache
def _fit_chart(i: int, title: str) -> bytes:
    from workbench.render.plots.fits import fit_plot

    x = np.linspace(-1, 1, 60)
    y = np.sin(5 * x) * np.exp(-x)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "fit.png")
        fit_plot(path, x, y, y + 0.03 * i * np.cos(9 * x), y, title=title)
        return path.read_bytes()


def _draw_fits(results: Results) -> None:
    for i, variant in enumerate(results.variants[:3]):
        folder = results.fit_folder(variant)
        folder.mkdir(parents=True)
        (folder / "fit.png").write_bytes(_fit_chart(i, variant))
        errors = [10 ** (-0.4 * k + 0.1 * i * math.sqrt(k)) for k in range(EPOCHS + 1)]
        history = {
            "initial_train_mse": errors[0],
            "train_mse": errors[1:],
            "validation_mse": [1.4 * e for e in errors[1:]],
        }
        (folder / "history.json").write_text(json.dumps(history))
