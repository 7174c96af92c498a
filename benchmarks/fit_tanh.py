"""Fit the rational tanh kernels: writes workbench/trainer/kernels/_tanh_coefficients.h and .py.

    python benchmarks/fit_tanh.py              some seconds
    python benchmarks/fit_tanh.py --check      says whether the files are what it computes; exit code 1 if not

Of each kernel: t(x) = x·p(u)/q(u) with u = x², p and q of one degree, p(0) = q(0) = 1, so that t(x) is x where x is
tiny. The coefficients make the largest relative error on (0, c] as small as it can be (Remez, rational: Newton's
method for the equations that the error alternates by ±E at the reference points, which then move to the extremes).
The end c is where 1 − tanh(c) = E: beyond it ±1 is as near as the fit. There the error is +E, so that t reaches 1;
`bound` is a u shortly before, from which on the kernel gives ±1.

All is done in decimal arithmetic of fixed precision, which rounds alike everywhere: the same output on every machine.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise
from math import cos, pi
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "workbench" / "trainer" / "kernels"
DIGITS = 44
GRID = 1200
"""Points on which the error is looked at: an extreme between two of them is higher by less than 1e-4 of itself."""
LEVELLED = Decimal("1.001")

Vector = list[Decimal]
ONE, ZERO = Decimal(1), Decimal(0)


@dataclass(frozen=True)
class Kernel:
    """What is to be fitted: the degree of p and q in u, and how coefficients are rounded and written in C."""

    name: str
    degree: int
    ctype: str
    short_of_one: Decimal
    """How far from 1 t is at the bound: above the rounding of t, so that no value before it exceeds 1."""
    end: Decimal
    """Where the search for c starts."""

    def rounded(self, number: Decimal) -> str:
        """Return a number as the kernel's type holds it, in the fewest digits that say so."""
        if self.ctype == "double":
            return repr(float(number))
        (single,) = struct.unpack("f", struct.pack("f", float(number)))
        return next(text for text in (f"{single:.{n}g}" for n in range(1, 10)) if _single(text) == single)


KERNELS = (
    Kernel("1e4", 2, "float", Decimal("5e-7"), Decimal("5.3")),
    Kernel("1e7", 4, "double", Decimal("4e-15"), Decimal("9.0")),
    Kernel("1e12", 7, "double", Decimal("4e-15"), Decimal("14.9")),
)


@dataclass(frozen=True)
class Fit:
    """p and q by rising powers of u, and the largest relative error E."""

    p: Vector
    q: Vector
    error: Decimal

    def __call__(self, x: Decimal) -> Decimal:
        """Return t(x)."""
        return x * polynomial(self.p, x * x) / polynomial(self.q, x * x)


def _single(text: str) -> float:
    (value,) = struct.unpack("f", struct.pack("f", float(text)))
    return float(value)


def tanh(x: Decimal) -> Decimal:
    """Return the hyperbolic tangent of x."""
    power = (2 * x).exp()
    return (power - 1) / (power + 1)


def atanh(t: Decimal) -> Decimal:
    """Return the x with tanh(x) = t."""
    return ((1 + t) / (1 - t)).ln() / 2


def polynomial(coefficients: Sequence[Decimal], u: Decimal) -> Decimal:
    """Return the polynomial's value by Horner's scheme."""
    value = ZERO
    for coefficient in reversed(coefficients):
        value = value * u + coefficient
    return value


def solve(matrix: list[Vector], right: Vector) -> Vector:
    """Return the solution of a square linear system, by Gaussian elimination with row pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for row in rows[k + 1 :]:
            factor = row[k] / rows[k][k]
            for j in range(k, size + 1):
                row[j] -= factor * rows[k][j]
    solution = [ZERO] * size
    for k in reversed(range(size)):
        known = sum((rows[k][j] * solution[j] for j in range(k + 1, size)), ZERO)
        solution[k] = (rows[k][size] - known) / rows[k][k]
    return solution


def interpolated(degree: int, end: Decimal) -> Fit:
    """Return the p and q whose quotient meets tanh at Chebyshev's nodes: where Remez starts."""
    count = 2 * degree
    # Rounded, since the last digit of a cosine is not the same everywhere.
    nodes = [end * Decimal(f"{(1 - cos(pi * (i + 0.5) / count)) / 2:.6f}") for i in range(count)]
    values = [tanh(x) for x in nodes]
    matrix = [_derivatives(degree, x, t) for x, t in zip(nodes, values, strict=True)]
    found = solve(matrix, [t - x for x, t in zip(nodes, values, strict=True)])
    return Fit([ONE, *found[:degree]], [ONE, *found[degree:]], ZERO)


def _derivatives(degree: int, x: Decimal, t: Decimal) -> Vector:
    """Return the derivatives of x·p(u) − t·q(u) by the coefficients 1 to degree of p, then of q."""
    powers = [x ** (2 * k) for k in range(1, degree + 1)]
    return [x * power for power in powers] + [-t * power for power in powers]


def alternating(fit: Fit, points: Sequence[Decimal], signs: Sequence[int]) -> Fit:
    """Return the p, q and E for which the relative error at the points is E times the sign, by Newton's method."""
    degree = len(fit.p) - 1
    values = [tanh(x) for x in points]
    for _ in range(12):
        matrix, right = [], []
        for x, f, sign in zip(points, values, signs, strict=True):
            t, q = f * (1 + sign * fit.error), polynomial(fit.q, x * x)
            matrix.append([*_derivatives(degree, x, t), -sign * f * q])
            right.append(t * q - x * polynomial(fit.p, x * x))
        step = solve(matrix, right)
        p = [ONE, *(a + b for a, b in zip(fit.p[1:], step[:degree], strict=True))]
        q = [ONE, *(a + b for a, b in zip(fit.q[1:], step[degree:-1], strict=True))]
        fit = Fit(p, q, fit.error + step[-1])
        if abs(step[-1]) < fit.error * Decimal("1e-12"):
            return fit
    raise ArithmeticError("Newton's method does not settle: start from another end")


def remez(degree: int, end: Decimal) -> Fit:
    """Return the fit whose largest relative error on (0, end] is least."""
    grid = [end * i / GRID for i in range(1, GRID + 1)]
    values = [tanh(x) for x in grid]
    fit = interpolated(degree, end)
    for _ in range(30):
        errors = [fit(x) / f - 1 for x, f in zip(grid, values, strict=True)]
        edges = [0, *(i for i in range(1, GRID) if (errors[i] > 0) != (errors[i - 1] > 0)), GRID]
        extremes = [max(range(*run), key=lambda i: abs(errors[i])) for run in pairwise(edges)]
        if len(extremes) != 2 * degree + 1:
            raise ArithmeticError(f"the error has {len(extremes)} extremes: start from another end")
        heights = [abs(errors[i]) for i in extremes]
        if max(heights) < min(heights) * LEVELLED:
            return Fit(fit.p, fit.q, max(heights))
        signs = [1 if errors[i] > 0 else -1 for i in extremes]
        start = Fit(fit.p, fit.q, sum(heights, ZERO) / len(heights))
        fit = alternating(start, [grid[i] for i in extremes], signs)
    raise ArithmeticError("the extremes do not come level: start from another end")


def fitted(kernel: Kernel) -> tuple[Fit, Decimal]:
    """Return the fit on (0, c] with 1 − tanh(c) = E, and c."""
    end = kernel.end
    for _ in range(20):
        fit = remez(kernel.degree, end)
        following = atanh(1 - fit.error)
        if abs(following - end) < Decimal("1e-3"):
            return fit, end
        end = following
    raise ArithmeticError("the end does not settle")


def crossing(function: Callable[[Decimal], Decimal], low: Decimal, high: Decimal) -> Decimal:
    """Return where an increasing function passes zero, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return low


def coefficients(kernel: Kernel) -> tuple[list[str], list[str], str, Decimal]:
    """Return p, q and the bound of u as they are written, and the largest relative error with them.

    Raises:
        ArithmeticError: t exceeds 1 or falls before the bound; the search must start elsewhere.
    """
    fit, end = fitted(kernel)
    p, q = [kernel.rounded(a) for a in fit.p], [kernel.rounded(a) for a in fit.q]
    used = Fit([Decimal(a) for a in p], [Decimal(a) for a in q], fit.error)
    target = 1 - kernel.short_of_one
    x = crossing(lambda x: used(x) - target, end * Decimal("0.9"), end * Decimal("1.1"))
    grid = [x * i / GRID for i in range(1, GRID + 1)]
    values = [used(point) for point in grid]
    if max(values) >= 1:
        raise ArithmeticError(f"tanh_{kernel.name} exceeds 1 before its bound")
    errors = [abs(t / tanh(point) - 1) for point, t in zip(grid, values, strict=True)]
    return p, q, kernel.rounded(x * x), max(*errors, 1 / tanh(x) - 1)


def files() -> dict[str, str]:
    """Return the text of both files by name."""
    origin = "Written by benchmarks/fit_tanh.py, which says how; do not edit."
    header = [f"/* {origin} */", "#pragma once"]
    module = [f'"""Coefficients of the rational tanh kernels. {origin}"""', ""]
    for kernel in KERNELS:
        p, q, bound, error = coefficients(kernel)
        name, suffix = f"tanh_{kernel.name}", "f" if kernel.ctype == "float" else ""
        note = f"largest relative error {float(error):.2e}, before the rounding of t"
        header += ["", f"/* {name}: {note} */", f"#define {name.upper()}_DEGREE {kernel.degree}"]
        header += [f"#define {name.upper()}_BOUND {bound}{suffix}"]
        module += [f"# {name}: {note}", f"{name.upper()}_BOUND = {bound}"]
        for letter, numbers in (("p", p), ("q", q)):
            written = [text if set(text) & set(".e") else f"{text}.0" for text in numbers]
            in_c = "".join(f"    {text}{suffix},\n" for text in written)
            header.append(f"static const {kernel.ctype} {name}_{letter}[] = {{\n{in_c}}};")
            in_python = "".join(f"    {text},\n" for text in written)
            module.append(f"{name.upper()}_{letter.upper()} = (\n{in_python})")
        module.append("")
    return {
        "_tanh_coefficients.h": "\n".join([*header, ""]),
        "_tanh_coefficients.py": "\n".join(module),
    }


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    options = parser.parse_args()
    with localcontext() as context:
        context.prec = DIGITS
        texts = files()
    differing = []
    for name, text in texts.items():
        path = FOLDER / name
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            differing.append(name)
    if differing:
        sys.exit(f"not as computed: {', '.join(differing)}; run benchmarks/fit_tanh.py")
    print("as computed" if options.check else f"written to {FOLDER}")


if __name__ == "__main__":
    main()
