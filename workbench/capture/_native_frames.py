"""Which native frames say something: the interpreter's own plumbing, and the C library's, by general rules."""

from __future__ import annotations

import re

_C_LIBRARY = re.compile(r"(?:libc|libm|libpthread|libdl|librt|ld|ld-linux[\w-]*)(?:-[\d.]+)?\.so(?:\.\d+)*")
_INTERPRETER = re.compile(r"python[\d.]*(?:d|t)?|libpython[\d.]+\w*\.so(?:\.[\d.]+)?")
_PLUMBING = re.compile(
    r"""
      \[.*\]                                            # no name is known
    | .*(?:[vV]ector|[fF]ast)?[cC]all(?:_.*|[A-Z].*)?   # cfunction_vectorcall_FASTCALL, type_call, _PyObject_Call
    | _?Py(?:Object|Number|Sequence|Mapping|Iter|Eval|Run|Function|CFunction|Gen)_.*  # they pass on to a type's own
    | (?:slot|wrap|wrapper|binary|ternary|do)_.*
    | (?:gen|coro|async_gen)_(?:send|iternext|close|throw).*
    | Py_(?:RunMain|BytesMain|Main) | pymain_.* | (?:py)?run_.* | main | _start | thread_run | pythread_wrapper
    | object_vacall | builtin_exec | builtin___build_class__ | partial_.* | trampoline.*
    """,
    re.VERBOSE,
)


def is_c_library(path: str) -> bool:
    """Return whether a module is the C library or the loader: inside of others a leaf, outside what starts threads."""
    name = path.rpartition("/")[2]
    return _C_LIBRARY.fullmatch(name) is not None or name in ("[vdso]", "linux-vdso.so.1")


def is_interpreter(path: str) -> bool:
    """Return whether a module is called as an interpreter is: for one whose functions are not known."""
    return _INTERPRETER.fullmatch(path.rpartition("/")[2]) is not None


def is_informative(name: str) -> bool:
    """Return whether a function of the interpreter does something itself, as `list_sort` and `long_mul` do."""
    return _PLUMBING.fullmatch(name) is None
