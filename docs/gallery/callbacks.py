"""Swings pendulums from many angles by SciPy, each on its own.

workbench profile --summary docs/gallery/callbacks.py
"""

import sys

import numpy as np
from scipy.integrate import solve_ivp

from workbench import scope

END, FRICTION = 20.0, 0.1


def swing(t, state):
    angle, speed = state
    return np.array([speed, -np.sin(angle) - FRICTION * speed])


def one_by_one(angles, *, tolerance=1e-6):
    """Return the angle of each pendulum at the end."""
    ends = []
    for angle in angles:
        with scope("integrate"):
            found = solve_ivp(swing, (0, END), [angle, 0.0], rtol=tolerance, atol=tolerance)
        ends.append(found.y[0, -1])
    return np.array(ends)


if __name__ == "__main__":
    angles = np.linspace(0.1, 3.0, int(sys.argv[1]) if len(sys.argv) > 1 else 1200)
    with scope("pendulums"):
        ends = one_by_one(angles)
    print(f"mean angle {abs(ends).mean():.4f} after {END:.0f} s")
