"""SciPy's BLAS and LAPACK by pointer, on parts of matrices and without Python's lock.

`scipy.linalg.blas` copies parts of arrays, and holds the lock while it runs. The same functions are reached
here by the pointers that `scipy.linalg.cython_blas` gives to compiled code; ctypes releases the lock for the call.
Matrices are given by their address and leading dimension (the distance of two columns in elements), in Fortran order.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from scipy.linalg import cython_blas, cython_lapack

_LETTER, _MATRIX = ctypes.c_char_p, ctypes.c_void_p
_NUMBER = ctypes.POINTER(ctypes.c_double)
_SIGNATURES = {
    "dsyrk": "LLIINMINMI",
    "dgemm": "LLIIINMIMINMI",
    "dtrsm": "LLLLIINMIMI",
    "dtrsv": "LLLIMIMI",
    "dpotrf": "LIMII",
    "dtrtri": "LLIMII",
}
"""Letters, integers, numbers and matrices, in the order of the Fortran functions."""


@cache
def _function(name: str) -> tuple[Callable[..., None], type[Any]]:
    """Return a function of BLAS or LAPACK, and the integer type that it takes."""
    module: Any = cython_blas if name in cython_blas.__pyx_capi__ else cython_lapack
    capsule = module.__pyx_capi__[name]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    signature: bytes = name_of(capsule)
    address_of = ctypes.pythonapi.PyCapsule_GetPointer
    address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    # The name lists the arguments: "void (char *, char *, int *, int *, ...": int64_t in a BLAS for long arrays.
    integer = ctypes.c_int if b" int *" in signature else ctypes.c_int64
    kinds: dict[str, Any] = {"L": _LETTER, "M": _MATRIX, "N": _NUMBER, "I": ctypes.POINTER(integer)}
    prototype = ctypes.CFUNCTYPE(None, *(kinds[kind] for kind in _SIGNATURES[name]))
    return prototype(address_of(capsule, signature)), integer


def syrk(
    transposed: bool, n: int, k: int, alpha: float, a: int, a_step: int, beta: float, c: int, c_step: int
) -> None:
    """C ← α·AAᵀ + β·C on the lower triangle, C of order n; AᵀA where `transposed` (A is then k × n)."""
    function, integer = _function("dsyrk")
    letter = b"T" if transposed else b"N"
    factors = ctypes.c_double(alpha), ctypes.c_double(beta)
    function(
        b"L", letter, integer(n), integer(k), factors[0], a, integer(a_step), factors[1], c, integer(c_step)
    )


def gemm(
    transposed: str, m: int, n: int, k: int, alpha: float,
    a: int, a_step: int, b: int, b_step: int, beta: float, c: int, c_step: int,
) -> None:  # fmt: skip
    """C ← α·op(A)·op(B) + β·C, C being m × n; `transposed` has a letter for A and one for B, N or T."""
    function, integer = _function("dgemm")
    function(
        transposed[0].encode(), transposed[1].encode(), integer(m), integer(n), integer(k), ctypes.c_double(alpha),
        a, integer(a_step), b, integer(b_step), ctypes.c_double(beta), c, integer(c_step),
    )  # fmt: skip


def solve_right(m: int, n: int, lower: int, lower_step: int, b: int, b_step: int) -> None:
    """B ← B·L⁻ᵀ for a lower triangular L of order n, B being m × n."""
    function, integer = _function("dtrsm")
    sizes, one = (integer(m), integer(n)), ctypes.c_double(1.0)
    function(b"R", b"L", b"T", b"N", *sizes, one, lower, integer(lower_step), b, integer(b_step))


def potrf(n: int, a: int, a_step: int) -> bool:
    """Factorise the lower triangle of A, of order n, in place; False where it is not positive definite."""
    function, integer = _function("dpotrf")
    failed = integer(0)
    function(b"L", integer(n), a, integer(a_step), ctypes.byref(failed))
    return not failed.value


def solve(n: int, lower: int, lower_step: int, x: int, *, transposed: bool) -> None:
    """X ← L⁻¹·x, or L⁻ᵀ·x where `transposed`, for a lower triangular L of order n."""
    function, integer = _function("dtrsv")
    letter = b"T" if transposed else b"N"
    function(b"L", letter, b"N", integer(n), lower, integer(lower_step), x, integer(1))


def invert(n: int, lower: int, lower_step: int) -> None:
    """L ← L⁻¹ in place, for a lower triangular L of order n."""
    function, integer = _function("dtrtri")
    function(b"L", b"N", integer(n), lower, integer(lower_step), ctypes.byref(integer(0)))
