"""C ← JᵀJ + C on the lower triangle, without Python's lock: so that several threads can do it at once.

`scipy.linalg.blas.dsyrk` holds the lock while it runs. The same function of SciPy's BLAS is reached here by the
pointer that `scipy.linalg.cython_blas` gives to compiled code; ctypes lets go of the lock for the call.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cython_blas

Array = NDArray[np.float64]


@cache
def _dsyrk() -> tuple[Any, Any]:
    """Return BLAS' dsyrk, and the integer type that it takes."""
    capsule = cython_blas.__pyx_capi__["dsyrk"]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    signature: bytes = name_of(capsule)
    address_of = ctypes.pythonapi.PyCapsule_GetPointer
    address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    # Arguments are told in the name: "void (char *, char *, int *, int *, ...": int64_t in a BLAS for long arrays.
    integer = ctypes.c_int if signature.split(b",")[2].strip() == b"int *" else ctypes.c_int64
    letter, whole, number = ctypes.c_char_p, ctypes.POINTER(integer), ctypes.POINTER(ctypes.c_double)
    matrix = ctypes.c_void_p
    prototype = ctypes.CFUNCTYPE(
        None, letter, letter, whole, whole, number, matrix, whole, number, matrix, whole
    )
    return prototype(address_of(capsule, signature)), integer


def add_gram(J: Array, matrix: Array, *, anew: bool) -> None:
    """Add JᵀJ to the lower triangle of `matrix`, or write it there where `anew`.

    J, shape (rows, columns), is the upper part of an array in Fortran order; `matrix`, shape (columns, columns),
    is in Fortran order.
    """
    function, integer = _dsyrk()
    rows, columns = J.shape
    size, leading = J.itemsize, J.strides[1] // J.itemsize
    assert J.strides[0] == size or rows == 1
    assert J.dtype == matrix.dtype == np.float64
    assert matrix.flags.f_contiguous
    assert matrix.shape == (columns, columns)
    function(
        b"L",
        b"T",
        integer(columns),
        integer(rows),
        ctypes.c_double(1.0),
        J.ctypes.data,
        integer(max(leading, rows)),
        ctypes.c_double(0.0 if anew else 1.0),
        matrix.ctypes.data,
        integer(columns),
    )
