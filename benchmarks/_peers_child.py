"""Parts of the benchmark that need a process of their own.

`columns` works out a whole Jacobian by columns for each line read, and prints its seconds. `large FOLDER` makes one
step on the rows in FOLDER/x and FOLDER/y, which it maps, and prints JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter

import _peers_threads
import numpy as np
from _peers_floor import gemm_rate
from _peers_problem import ARCHITECTURE, ROWS, Start

from workbench.trainer import LevenbergMarquardt
from workbench.trainer.jacobians.jacobian import open_jacobian


def columns() -> None:
    """Answer each line with the seconds of a whole Jacobian by columns."""
    parameters = Start(0, "xavier").network().parameters
    with open_jacobian(ARCHITECTURE, ROWS.scaled_x, "columns") as jacobian:
        jacobian(parameters)
        print("ready", flush=True)
        for _line in sys.stdin:
            started = perf_counter()
            jacobian(parameters)
            print(perf_counter() - started, flush=True)


def large(folder: Path, *, geodesic: bool) -> dict[str, float]:
    """Return the seconds of one step and of the whole fit, the memory it took, and what gemm reaches beside it."""
    x, y = (np.memmap(folder / name, dtype=np.float64, mode="r") for name in ("x", "y"))
    # A damping with which the first trial is accepted: further ones are no part of what a step needs at least.
    optimizer = LevenbergMarquardt(jacobian="backprop-chunked", damping=1e4, geodesic=geodesic)
    network = Start(0, "xavier").network()
    # Libraries and threads are there before memory is looked at; so are the mapped rows.
    network.fit(x[:5000], y[:5000], optimizer=optimizer, epochs=1, validation=0.0, test=0.0)
    network = Start(0, "xavier").network()
    rates = [gemm_rate(3)]
    float(x.sum() + y.sum())
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark starts anew
    started = perf_counter()
    history = network.fit(x, y, optimizer=optimizer, epochs=1, validation=0.0, test=0.0)
    fit_s = perf_counter() - started
    peak = _memory("VmHWM")
    rates.append(gemm_rate(3))
    return {
        "step_s": history.seconds[0],
        "fit_s": fit_s,
        "extra_mib": peak - before,
        "gemm_flops": float(np.mean(rates)),
        "trials": history.trials[0],
        "mse_before": history.initial_train_mse,
        "mse_after": history.train_mse[0],
    }


def _memory(name: str) -> float:
    """Return a figure of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"the system does not say {name}: this part needs Linux")


if __name__ == "__main__":
    assert _peers_threads.THREADS
    if sys.argv[1] == "columns":
        columns()
    else:
        print(json.dumps(large(Path(sys.argv[2]), geodesic=sys.argv[3] == "geodesic")))
