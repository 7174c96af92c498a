"""Which frames of a sampled stack stay, by general rules."""

from __future__ import annotations

import pytest

from workbench.eventlog.stack_shape import (
    Role,
    SampledFrame,
    StackShaper,
    is_c_library,
    is_informative,
    takes_lock,
)
from workbench.profile import Frame, FrameKind, ProfileBuilder, ThreadState, is_interpreter

ROLES = {
    "p": Role.PYTHON,
    "w": Role.WRAPPER,
    "n": Role.NATIVE,
    "i": Role.INTERPRETER,
    "I": Role.INFORMATIVE,
    "c": Role.C_LIBRARY,
    "s": Role.SCOPE,
    "S": Role.REMOTE_PARENT,
    "m": Role.MISSING,
    "l": Role.LOCK,
}


def shaped(text: str, state: ThreadState = ThreadState.PYTHON) -> str:
    """Shape a stack that is given as text: each word is a frame, whose first letter is its role."""
    builder = ProfileBuilder("x")
    frames, words = [], text.split()
    for word in words:
        kind = {"s": FrameKind.SCOPE, "S": FrameKind.SCOPE, "p": FrameKind.PYTHON, "w": FrameKind.PYTHON}
        names = ["fit", "epoch"] if word == "S" else [word]
        path = [builder.frame(Frame(name, kind=kind.get(word[0], FrameKind.NATIVE))) for name in names]
        frames.append(SampledFrame(ROLES[word[0]], tuple(path)))
    shaper = StackShaper(builder, frames, range(-1, len(words) - 1), range(len(words)))
    top = len(words) - 1
    stack = shaper.stack(top, shaper.state(top, state))
    profile = builder.build()
    return " ".join(
        f.name + ("~" if f.kind is FrameKind.IDLE else "")
        for f in (profile.frames[i] for i in profile.stacks.path(stack))
    )


@pytest.mark.parametrize(
    ("sampled", "expected"),
    [
        pytest.param("c i i p1 i i p2", "p1 p2", id="what starts the interpreter, and calls"),
        pytest.param("p1 i n1 n2 i p2 i n3 c1", "p1 n1 n2 p2 n3 c1", id="C that calls back"),
        pytest.param("p1 i I1 I2 i", "p1 I1", id="the outermost that does something"),
        pytest.param("p1 i I1 i p2", "p1 p2", id="a sort with a key in Python"),
        pytest.param("p1 i I1 i c1 c2", "p1 I1 c1 c2", id="the C library inside"),
        pytest.param("p1 i i", "p1", id="the loop itself"),
        pytest.param("p1 I1 c1 I2", "p1 I1 c1 I2", id="the C library calls back"),
        pytest.param("p1 m n1", "p1 m n1", id="frames that are missing"),
        pytest.param("m n1 p1", "p1", id="outside of Python nothing is missed"),
        pytest.param("c1 c2 n1 n2", "n1 n2", id="a thread of a library"),
        pytest.param("c1 c2", "c1 c2", id="the C library alone"),
        pytest.param("c1 i", "i", id="a thread that begins"),
        pytest.param("s1 p1 w s2 p2 w s3", "s1 p1 s2 p2 s3", id="wrappers of decorators"),
        pytest.param("p1 w", "p1 w", id="in a wrapper"),
        pytest.param("c p1 p2 w S p3 s1 p4", "fit epoch p1 p2 p3 s1 p4", id="propagated work"),
        pytest.param("p1 s1 p2 w S p3", "p1 s1 p2 fit epoch p3", id="propagated work inside of a scope"),
        pytest.param("S S p1", "fit epoch fit epoch p1", id="carried twice"),
    ],
)
def test_shapes(sampled, expected):
    assert shaped(sampled) == expected


@pytest.mark.parametrize(
    ("sampled", "state", "expected"),
    [
        ("p1 i I1 c1", ThreadState.SLEEPING, "p1 I1 c1~"),
        ("p1 s1", ThreadState.SLEEPING, "p1 s1 (waiting)~"),
        ("p1 n1 I1 c1", ThreadState.WAITING_FOR_GIL, "p1 n1 waiting for the GIL~"),
        ("p1", ThreadState.UNKNOWN, "p1 (stack unknown)"),
        ("p1 i l1 c1 c2", ThreadState.SLEEPING, "p1 waiting for the GIL~"),
        ("p1 i l1 c1 c2", ThreadState.NATIVE, "p1 l1 c1 c2"),
        ("p1 n1 l1", ThreadState.SLEEPING, "p1 n1 waiting for the GIL~"),
        ("p1 l1 i I1 c1", ThreadState.NATIVE, "p1 l1 c1"),
        ("p1 l1 c1", ThreadState.UNKNOWN, "p1 l1 c1 (stack unknown)"),
    ],
)
def test_states(sampled, state, expected):
    assert shaped(sampled, state) == expected


PLUMBING = """
cfunction_vectorcall_FASTCALL_KEYWORDS cfunction_call _PyObject_Call PyObject_Vectorcall method_vectorcall_O
type_call slot_tp_call slot_nb_add _PyEval_EvalFrameDefault _PyEval_Vector PyEval_EvalCode Py_RunMain Py_BytesMain
main _start thread_run object_vacall wrap_binaryfunc _PyFunction_Vectorcall pymain_run_python run_mod
PyNumber_Add binary_op1 gen_send_ex2 [python3.13] vectorcall_method _PyObject_FastCallDictTstate
"""
INFORMATIVE = """
list_sort gc_collect_main long_mul time_sleep lock_PyThread_acquire_lock dict_subscript unicode_join
builtin_sum _PyLong_Multiply marshal_loads r_object sre_ucs1_match
"""


@pytest.mark.parametrize("name", PLUMBING.split())
def test_plumbing(name):
    assert not is_informative(name)


@pytest.mark.parametrize("name", INFORMATIVE.split())
def test_what_does_something(name):
    assert is_informative(name)


@pytest.mark.parametrize("name", ["take_gil", "drop_gil", "PyEval_RestoreThread", "_PyThreadState_Attach"])
def test_what_takes_the_lock(name):
    assert takes_lock(name)
    assert not takes_lock(name + "_again")


def test_modules():
    assert is_c_library("/lib/x86_64-linux-gnu/libc.so.6")
    assert is_c_library("/lib64/ld-linux-x86-64.so.2")
    assert is_c_library("/lib/libm-2.31.so")
    assert not is_c_library("/x/libcblas.so.3")
    assert is_interpreter("/usr/bin/python3.12")
    assert is_interpreter("/x/libpython3.13d.so.1.0")
    assert not is_interpreter("/x/python-magic.so")
