"""The Jacobian by finite differences, or backwards through the network from what each layer returned."""

import numpy as np
from network import curve, differences, fit, layers, predict

from workbench.bench import Case, Suite, axis

suite = Suite("network", baseline={"jacobian": "differences"})


def backwards(w, x):
    outputs, weights = [x], layers(w)
    for each, shift in weights[:-1]:
        outputs.append(np.tanh(outputs[-1] @ each + shift))
    slope, columns = np.ones((len(x), 1)), []
    for i in range(len(weights) - 1, -1, -1):
        columns[:0] = [(outputs[i][:, :, None] * slope[:, None, :]).reshape(len(x), -1), slope]
        if i:
            slope = (slope @ weights[i][0].T) * (1 - outputs[i] ** 2)
    return np.hstack(columns)


@suite.workload(jacobian=axis("differences", "backwards"))
def network(jacobian, *, seed):
    way = {"differences": differences, "backwards": backwards}[jacobian]
    x = np.linspace(-3, 3, 1000)[:, None]
    y = curve(x[:, 0]) + 0.01 * np.random.default_rng(seed).normal(size=1000)
    between = np.linspace(-2.9, 2.9, 701)[:, None]

    def error(w):
        return {"error": float(np.sqrt(np.mean((predict(w, between) - curve(between[:, 0])) ** 2)))}

    return Case(run=lambda: fit(x, y, jacobian=way, steps=40, seed=seed), quality=error)
