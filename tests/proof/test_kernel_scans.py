"""The tanh kernels at every float32 there is, and at many doubles: the errors that docs/kernels.md states."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import pytest

from workbench.trainer import kernels
from workbench.trainer.kernels import _numpy_kernels

pytestmark = pytest.mark.proof

Record = Callable[[str, object], None]

NAMES = tuple(name for name in kernels.names() if name != "exact")
"""`exact` is NumPy's, and what the others are compared with."""
CHUNK = 1 << 15
INFINITY = 0x7F800000
"""The bits of +∞ in float32: the numbers are below, NaN above."""
TINY, HUGE = 0x38800000, 0x42000000
"""The bits of 2^-14 and of 32. Below, a kernel is x or its error at 0; above, ±1: there fewer things are looked at."""
PARTS = os.cpu_count() or 1
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)

VALUE = {
    "fast": 3.1e-5,
    "faster": 2.1e-2,
    "float32": 8e-8,
    "1e-4": 1e-4,
    "1e-7": 1e-7,
    "1e-12": 1e-12,
}
"""The most that a kernel may err by in value, for float64."""
ROUNDING = 2.0**-25
"""Half the distance of float32 numbers below 1: what rounding a value to float32 adds."""
RELATIVE = ("1e-4", "1e-7", "1e-12")
"""The kernels that promise the same of the relative error."""
ODD = ("float32", "1e-4", "1e-7", "1e-12")
RISING = ("faster", "1e-7", "1e-12")
"""The kernels whose float32 results never fall from one float32 to the next. (NumPy's fall at one number.)"""
DERIVATIVE = {
    "exact": 1e-9,
    "fast": 3e-3,
    "faster": 0.45,
    "float32": 1e-4,
    "1e-4": 1e-3,
    "1e-7": 5e-7,
    "1e-12": 1e-9,
}
"""The most that the derivative of what a kernel computes may err by; see `WIDTH`."""
WIDTH = {
    "exact": 1e-5,
    "fast": 5e-3,
    "faster": 1e-3,
    "float32": 1e-3,
    "1e-4": 1e-3,
    "1e-7": 1e-5,
    "1e-12": 1e-5,
}
"""Half the distance of the two values that a derivative is taken from: far above the rounding divided by it."""


@dataclass
class Found:
    """The largest of what was met with one kernel and one type; counts of what breaks a promise."""

    value: float = 0.0
    relative: float = 0.0
    fall: float = 0.0
    falls: int = 0
    above_one: int = 0
    """Numbers where the value is outside ±1, and large ones where it is not ±1."""
    not_odd: int = 0
    nan_lost: int = 0

    def add(self, other: Found) -> None:
        """Take in what another chunk had."""
        for name in (field.name for field in fields(self)):
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, max(mine, theirs) if isinstance(mine, float) else mine + theirs)


@dataclass
class Truth:
    """Numbers x ≥ 0 with their exact tanh, in float64."""

    x: np.ndarray
    tanh: np.ndarray
    is_normal: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Truth:
        """Return the truth at x."""
        tanh = np.tanh(x.astype(np.float64))
        return cls(x, tanh, x >= SMALLEST_NORMAL)


def met(name: str, dtype: type, truth: Truth) -> Found:
    """Return what a kernel does at the numbers and at their negatives."""
    x = truth.x.astype(dtype)
    found = Found()
    t = kernels.kernel(name)(x)
    mirrored = -kernels.kernel(name)(-x)
    found.not_odd = int(np.count_nonzero(mirrored != t))
    for value in (t, mirrored) if found.not_odd else (t,):
        error = np.abs(value - truth.tanh)
        found.value = max(found.value, float(error.max()))
        relative = np.divide(error, truth.tanh, out=np.zeros_like(error), where=truth.is_normal)
        found.relative = max(found.relative, float(relative.max()))
        found.above_one += int(value.max() > 1.0 or value.min() < -1.0)
        falls = value[1:] < value[:-1]
        if falls.any():
            found.falls += int(np.count_nonzero(falls))
            found.fall = max(found.fall, float((value[:-1] - value[1:]).max()))
    return found


def met_below(name: str, dtype: type, truth: Truth) -> Found:
    """Return what a kernel does at tiny numbers: the error, and where it is odd the relative one, as in `met`."""
    x = truth.x.astype(dtype)
    t = kernels.kernel(name)(x)
    if name not in ODD:
        return Found(value=float(np.abs(t - truth.tanh).max()))
    is_normal = bool(truth.x[0] >= SMALLEST_NORMAL)
    kept = slice(None) if is_normal else truth.is_normal
    ratio = t[kept] / truth.tanh[kept]
    relative = max(float(ratio.max(initial=1.0)) - 1.0, 1.0 - float(ratio.min(initial=1.0)))
    return Found(
        value=relative * float(truth.x[-1]) if is_normal else float(np.abs(t - truth.tanh).max()),
        relative=relative,
        falls=int(np.count_nonzero(t[1:] < t[:-1])),
        not_odd=int(np.count_nonzero(kernels.kernel(name)(-x) != -t)),
    )


def met_above(name: str, dtype: type, x: np.ndarray) -> Found:
    """Return whether a kernel is 1 at large numbers, and -1 at their negatives."""
    x = x.astype(dtype)
    evaluate = kernels.kernel(name)
    missed = np.count_nonzero(evaluate(x) != 1.0) + np.count_nonzero(evaluate(-x) != -1.0)
    return Found(above_one=int(missed))


def met_nan(name: str, dtype: type, x: np.ndarray) -> Found:
    """Return how many NaNs a kernel makes numbers of."""
    evaluate, x = kernels.kernel(name), x.astype(dtype)
    return Found(nan_lost=int(np.count_nonzero(~(np.isnan(evaluate(x)) & np.isnan(evaluate(-x))))))


def chunk(low: int, stop: int) -> np.ndarray:
    """Return the float32 numbers of the bits from `low` on; the last is the first of the next chunk."""
    return np.arange(low, min(low + CHUNK + 1, stop), dtype=np.uint32).view(np.float32)


def scanned(part: int) -> dict[tuple[str, type], Found]:
    """Return what every kernel does at one of `PARTS` equal parts of all float32 numbers."""
    found = {(name, dtype): Found() for name in NAMES for dtype in (np.float32, np.float64)}
    for low in range(part * CHUNK, 1 << 31, PARTS * CHUNK):
        if low < HUGE:
            truth = Truth.of(chunk(low, HUGE + 1))
            for (name, dtype), total in found.items():
                total.add((met_below if low < TINY else met)(name, dtype, truth))
            continue
        x = chunk(low, INFINITY + 1 if low <= INFINITY else 1 << 31)
        for (name, dtype), total in found.items():
            if low <= INFINITY:
                total.add(met_above(name, dtype, x))
            if low > INFINITY or low + CHUNK > INFINITY:
                nan = x if low > INFINITY else chunk(INFINITY + 1, low + CHUNK)
                total.add(met_nan(name, dtype, nan))
    return found


@pytest.fixture(scope="module")
def everywhere() -> dict[tuple[str, type], Found]:
    """Return what every kernel does at all float32 numbers, infinities and NaNs, in both types."""
    found = {(name, dtype): Found() for name in NAMES for dtype in (np.float32, np.float64)}
    with ThreadPoolExecutor(PARTS) as pool:
        for part in pool.map(scanned, range(PARTS)):
            for key, total in found.items():
                total.add(part[key])
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_every_float32(
    name: str, dtype: type, everywhere: dict[tuple[str, type], Found], record_property: Record
) -> None:
    """At every float32 number a kernel errs by no more than it promises, within ±1; and NaN stays NaN."""
    found = everywhere[name, dtype]
    label = f"{name}, {np.dtype(dtype).name}"
    record_property(f"{label}: value", f"{found.value:.2e}")
    if name in ODD:
        record_property(f"{label}: relative", f"{found.relative:.2e}")
    record_property(f"{label}: falls", f"{found.falls} of at most {found.fall:.1e}")
    assert (found.above_one, found.nan_lost) == (0, 0)
    limit = VALUE[name] + (ROUNDING if dtype is np.float32 and name != "float32" else 0.0)
    assert found.value <= limit
    if name in RELATIVE:
        assert found.relative <= 2.0 * limit if dtype is np.float32 else limit
    if name in ODD:
        assert found.not_odd == 0
    if name in RISING and dtype is np.float32:
        assert found.falls == 0


def doubles() -> Iterator[np.ndarray]:
    """Yield doubles x ≥ 0: an even grid, all magnitudes alike, and bit patterns at random."""
    grid = np.linspace(0.0, 20.0, 20_000_001)
    for low in range(0, len(grid) - 1, CHUNK):
        yield grid[low : low + CHUNK + 1]
    draw = np.random.default_rng(1)
    for _ in range(150):
        yield np.sort(10.0 ** draw.uniform(-300.0, 300.0, CHUNK))
        yield np.sort(10.0 ** draw.uniform(-4.0, 1.3, CHUNK))
        bits = draw.integers(0, 0x7FF0000000000000, CHUNK, dtype=np.int64, endpoint=True)
        yield np.sort(bits.view(np.float64))


@pytest.fixture(scope="module")
def at_doubles() -> dict[str, Found]:
    """Return what every kernel does at thirty million doubles."""
    found = {name: Found() for name in NAMES}
    for x in doubles():
        truth = Truth.of(x)
        for name, total in found.items():
            total.add(met(name, np.float64, truth))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_many_doubles(name: str, at_doubles: dict[str, Found], record_property: Record) -> None:
    """At thirty million doubles a kernel errs by no more than it promises either."""
    found = at_doubles[name]
    record_property(f"{name}: value", f"{found.value:.2e}")
    if name in ODD:
        record_property(f"{name}: relative", f"{found.relative:.2e}")
    assert found.above_one == 0
    assert found.value <= VALUE[name]
    if name in RELATIVE:
        assert found.relative <= VALUE[name]
    if name in ODD:
        assert found.not_odd == 0


@pytest.mark.parametrize("name", kernels.names())
def test_derivative(name: str, record_property: Record) -> None:
    """The derivative of what a kernel computes, by differences, errs by no more than the page says."""
    worst, width, evaluate = 0.0, WIDTH[name], kernels.kernel(name)
    for low in np.arange(-20.0, 20.0):
        x = np.linspace(low, low + 1.0, 200_001)
        right, left = x + width, x - width
        slope = (evaluate(right) - evaluate(left)) / (right - left)
        tanh = np.tanh(x)
        worst = max(worst, float(np.abs(slope - (1.0 - tanh) * (1.0 + tanh)).max()))
    record_property(f"{name}: derivative", f"{worst:.1e}")
    assert worst <= DERIVATIVE[name]


@pytest.mark.skipif(kernels.implementation("fast") != "compiled", reason="no compiled extension")
@pytest.mark.parametrize("name", ["fast", "faster", "tanh_1e4", "tanh_1e7", "tanh_1e12"])
def test_every_instruction_set_gives_what_numpy_gives(name: str, record_property: Record) -> None:
    """Compiled for any processor a kernel has the bits of the NumPy version, or is within 2e-15 of its value."""
    from workbench.trainer.kernels import _kernels

    worst = dict.fromkeys(_kernels.levels, 0.0)
    every_257th = np.arange(0, 1 << 32, 257, dtype=np.uint32)
    for bits in np.array_split(every_257th, 256):
        single = bits.view(np.float32)
        with np.errstate(invalid="ignore"):  # signalling NaNs are among them
            double = single.astype(np.float64)
        for x in (single, double):
            expected = getattr(_numpy_kernels, name)(x)
            for level, ufuncs in _kernels.levels.items():
                value = ufuncs[name](x)
                np.testing.assert_array_equal(np.isnan(value), np.isnan(expected))
                if x.dtype == np.float32 and name in ("tanh_1e7", "tanh_1e12"):
                    continue  # rounded to float32, what differs in the last places of a double is all or nothing
                different = ~np.isnan(value) & (value != expected)
                if different.any():
                    away = np.abs(value[different] / expected[different] - 1.0).max()
                    worst[level] = max(worst[level], float(away))
    for level, away in worst.items():
        record_property(f"{name}, {level}", f"{away:.1e}" if away else "the same bits")
        assert away < (2e-15 if name in ("tanh_1e7", "tanh_1e12") else 1e-300)


@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
@pytest.mark.parametrize(("suffix", "register"), [("v3", "ymm"), ("v4", "zmm")])
def test_every_loop_is_vector_code(suffix: str, register: str, record_property: Record) -> None:
    """Each compiled loop computes in registers of the full width of its instruction set."""
    _kernels = pytest.importorskip("workbench.trainer.kernels._kernels", reason="no compiled extension")
    if f"x86-64-{suffix}" not in _kernels.levels:
        pytest.skip("not compiled for this instruction set")
    code = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", _kernels.__file__], capture_output=True, text=True, check=True
    ).stdout
    loops = dict(re.findall(rf"<(\w+_of_\w+_{suffix})>:\n((?:.+\n)+)", code))
    assert len(loops) == 2 * 5
    arithmetic = re.compile(rf"\bv(?:mul|add|sub|div|fn?madd\d+)p[sd]\s.*%{register}")
    counts = {name: len(arithmetic.findall(body)) for name, body in loops.items()}
    record_property(f"{register}: fewest arithmetic instructions of a loop", min(counts.values()))
    assert min(counts.values()) >= 5, counts
