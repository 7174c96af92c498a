"""What `import workbench` brings along."""

from __future__ import annotations

LIGHT = """
import sys
before = set(sys.modules)
from workbench import record, scope
{then}
for name in sorted(set(sys.modules) - before):
    if not name.startswith("workbench"):
        print(name)
"""

HEAVY = {"numpy", "threading", "inspect", "asyncio", "pathlib", "dataclasses", "ctypes"}
KNOWN = {
    *("_json", "json", "json.decoder", "json.encoder", "json.scanner"),
    *("_struct", "struct", "mmap"),
    *("_typing", "typing", "typing.io", "typing.re", "collections.abc"),
}
# What `typing` and `json` need; some installations of Python load it before the program begins.
BROUGHT_BY_THESE = {
    *("re", "_sre", "sre_compile", "sre_parse", "sre_constants", "enum", "types", "copyreg", "warnings"),
    *("collections", "_collections", "operator", "_operator", "keyword", "reprlib", "itertools"),
    *("__future__", "contextlib", "functools", "_functools", "heapq", "_heapq", "abc"),
}


def imported(run, then="pass", **extra):
    done = run(LIGHT.format(then=then), **extra)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_importing_workbench_is_light(run):
    """`import workbench` imports no NumPy and no modules but those listed here."""
    brought = imported(run)
    assert not brought & HEAVY
    assert {name for name in brought if name.partition(".")[0] not in BROUGHT_BY_THESE} <= KNOWN


def test_recording_is_light(run):
    """Nor does recording, with a scope as a context manager and on a function."""
    then = "with record('r'), scope('a'): scope('b')(lambda: None)()"
    assert not imported(run, then) & HEAVY
    assert not imported(run, "with scope('a'): pass", WORKBENCH_RECORD="by environment") & HEAVY
