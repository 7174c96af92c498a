"""Pendulums one by one, or as one system, so that each call of Python computes all of them."""

import numpy as np
from callbacks import END, FRICTION, one_by_one
from scipy.integrate import solve_ivp

from workbench.bench import Case, Suite, axis

suite = Suite("callbacks", baseline={"way": "one by one"})


def together(angles, *, tolerance=1e-6):
    def swing_all(t, state):
        angle, speed = state.reshape(2, -1)
        return np.concatenate([speed, -np.sin(angle) - FRICTION * speed])

    start = np.concatenate([angles, np.zeros_like(angles)])
    return solve_ivp(swing_all, (0, END), start, rtol=tolerance, atol=tolerance).y[: len(angles), -1]


@suite.workload(way=axis("one by one", "together", "together, tolerance 1e-8"))
def callbacks(way, *, seed):
    angles = np.random.default_rng(seed).uniform(0.1, 3.0, size=40)
    exact = together(angles, tolerance=1e-11)

    def run():
        if way == "one by one":
            return one_by_one(angles)
        return together(angles, tolerance=1e-8 if way.endswith("1e-8") else 1e-6)

    return Case(run=run, quality=lambda ends: {"error": float(abs(ends - exact).max())})
