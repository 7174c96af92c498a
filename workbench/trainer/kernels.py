"""The tanh kernels by name: `exact`, `fast`, `faster` and `float32`.

| name | is | max abs error on [-10, 10] |
|---|---|---|
| exact | `np.tanh` in float64 | 1 ulp or so |
| fast | fastapprox `fasttanh`, float32 inside | 3.0e-5 |
| faster | fastapprox `fastertanh`, float32 inside | 2.0e-2, and slope errors up to 0.40 |
| float32 | cast to float32, `np.tanh`, cast back | 7.3e-8 |

`fast` and `faster` are compiled ufuncs where the extension was built, and NumPy compositions elsewhere
with the same bits; `implementation` tells which. All are odd only as far as their error allows: `faster`
gives 0.0145 at 0. NaN stays NaN, infinities give -1 and +1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.errors import unknown_name
from workbench.trainer import _numpy_kernels


def _load_compiled() -> Any:
    """Return the extension's module, or None where the package was built without a compiler."""
    try:
        from workbench.trainer import _kernels
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
    with np.errstate(over="ignore", under="ignore"):  # large values become infinite, and their tanh is 1
        narrow = np.asarray(z).astype(np.float32)
    np.tanh(narrow, out=narrow)
    if out is None:
        return narrow.astype(np.asarray(z).dtype)
    out[...] = narrow
    return out


def _compiled(name: str) -> Kernel:
    ufunc: Callable[..., Any] = getattr(_EXTENSION, name)

    def call(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        result: NDArray[Any] = ufunc(z, out=out)
        return result

    return call


_KERNELS: dict[str, Kernel] = {
    "exact": _exact,
    "fast": _compiled("fast") if _EXTENSION is not None else _numpy_kernels.fast,
    "faster": _compiled("faster") if _EXTENSION is not None else _numpy_kernels.faster,
    "float32": _float32,
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
    """Say how a kernel runs here: "compiled", "numpy", or "numpy (slower: no compiled extension)"."""
    kernel(name)
    if name in ("exact", "float32"):
        return "numpy"
    return COMPILED if _EXTENSION is not None else COMPOSED
