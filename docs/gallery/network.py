"""Fits a curve with a small network by Levenberg-Marquardt; the Jacobian is by finite differences.

workbench profile --summary docs/gallery/network.py
"""

import itertools
import sys

import numpy as np

from workbench import scope

SIZES = (1, 16, 16, 1)
SHAPES = list(itertools.pairwise(SIZES))
PARAMETERS = sum(m * n + n for m, n in SHAPES)


def curve(x):
    return np.sin(3 * x) * np.exp(-0.3 * x * x)


def layers(w):
    """Return weights and biases of each layer, of a vector of all."""
    found, start = [], 0
    for m, n in SHAPES:
        middle, end = start + m * n, start + m * n + n
        found.append((w[start:middle].reshape(m, n), w[middle:end]))
        start = end
    return found


def predict(w, x):
    *hidden, (weights, bias) = layers(w)
    for each, shift in hidden:
        x = np.tanh(x @ each + shift)
    return (x @ weights + bias)[:, 0]


def differences(w, x, h=1e-7):
    base = predict(w, x)
    return np.column_stack([(predict(w + h * e, x) - base) / h for e in np.eye(len(w))])


def fit(x, y, *, jacobian=differences, steps, seed=1):
    w = np.random.default_rng(seed).normal(size=PARAMETERS) / 2
    damping, residuals = 1e-2, predict(w, x) - y
    for _ in range(steps):
        with scope("step"):
            with scope("jacobian"):
                J = jacobian(w, x)
            with scope("solve"):
                A = J.T @ J
                moved = w - np.linalg.solve(A + damping * np.eye(len(w)), J.T @ residuals)
            with scope("accept or not"):
                tried = predict(moved, x) - y
                if tried @ tried < residuals @ residuals:
                    w, residuals, damping = moved, tried, damping / 5
                else:
                    damping *= 5
    return w


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    x = np.linspace(-3, 3, 1000)[:, None]
    y = curve(x[:, 0])
    w = fit(x, y, steps=steps)
    print(f"error {np.sqrt(np.mean((predict(w, x) - y) ** 2)):.1e} after {steps} steps")
