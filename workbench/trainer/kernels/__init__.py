"""The tanh kernels by name: exact, two of fastapprox's, float32, and rational ones named by their error.

| name | is | max abs error |
|---|---|---|
| exact | `np.tanh` in float64 | 1 ulp or so |
| fast | fastapprox `fasttanh`, float32 inside | 3.1e-5 |
| faster | fastapprox `fastertanh`, float32 inside | 2.0e-2, and slope errors up to 0.40 |
| float32 | cast to float32, `np.tanh`, cast back | 7.7e-8 |
| 1e-4 | x·p(x²)/q(x²), degrees 5/4, float32 inside | 6.8e-5, relative as well |
| 1e-7 | the same, degrees 9/8, float64 inside | 2.5e-8, relative as well |
| 1e-12 | the same, degrees 15/14, float64 inside | 1.8e-13, relative as well |

All but `exact` and `float32` are compiled ufuncs where the extension was built, and NumPy compositions elsewhere;
`implementation` says which. NaN stays NaN, infinities give -1 and +1. `fast` and `faster` are odd only as far as
their error allows (`faster` gives 0.0145 at 0), the others exactly. Promises, speed and use: docs/kernels.md.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.errors import unknown_name
from workbench.trainer.kernels import _numpy_kernels


def _load_compiled() -> Any:
    """Return the extension's module, or None where the package was built without a compiler."""
    try:
        from workbench.trainer.kernels import _kernels
    except ImportError:
        return None
    return _kernels


_EXTENSION = _load_compiled()

__all__ = ["Kernel", "implementation", "kernel", "names"]

COMPILED = "compiled"
COMPOSED = "numpy (slower: no compiled extension)"


class Kernel(Protocol):
    """A tanh of an array of any shape, written to `out` (which may be the input) where one is given."""

    def __call__(self, z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return tanh(z)."""
        ...


def _exact(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    result: NDArray[Any] = np.tanh(z, out=out)
    return result


def _float32(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    given = np.asarray(z)
    if given.dtype.kind == "c":
        raise TypeError("the kernel float32 takes real numbers")
    with np.errstate(over="ignore", under="ignore"):  # large values become infinite, and their tanh is 1
        narrow = given.astype(np.float32)
    np.tanh(narrow, out=narrow)
    if out is None:
        return narrow.astype(np.result_type(given.dtype, np.float32))
    out[...] = narrow
    return out


_APPROXIMATE: dict[str, str] = {
    "fast": "fast",
    "faster": "faster",
    "1e-4": "tanh_1e4",
    "1e-7": "tanh_1e7",
    "1e-12": "tanh_1e12",
}
"""The name of the ufunc, and of the composed function, of each kernel that has them."""


def _approximate(name: str) -> Kernel:
    # The ufunc itself, so that it takes `where` and all that ufuncs take.
    source = _numpy_kernels if _EXTENSION is None else _EXTENSION
    found: Kernel = getattr(source, _APPROXIMATE[name])
    return found


_KERNELS: dict[str, Kernel] = {
    "exact": _exact,
    "fast": _approximate("fast"),
    "faster": _approximate("faster"),
    "float32": _float32,
    **{name: _approximate(name) for name in ("1e-4", "1e-7", "1e-12")},
}


def names() -> tuple[str, ...]:
    """Return the names of the kernels, the exact one first."""
    return tuple(_KERNELS)


def kernel(name: str) -> Kernel:
    """Return the kernel of that name.

    Raises:
        InvalidInputError: there is none; the message names the nearest.
    """
    try:
        return _KERNELS[name]
    except (KeyError, TypeError):
        raise unknown_name("tanh kernel", str(name), _KERNELS) from None


def implementation(name: str) -> str:
    """Return how a kernel runs here: "compiled", "numpy", or "numpy (slower: no compiled extension)"."""
    kernel(name)
    if name not in _APPROXIMATE:
        return "numpy"
    return COMPILED if _EXTENSION is not None else COMPOSED
