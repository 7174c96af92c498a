"""Starts a program so that it can be sampled: `python …/bootstrap.py OPTIONS PROGRAM…`.

The program is neither py-spy's child nor shares its streams: this process allows the tracer, says that it
is ready, waits to be told which sampler attached, and becomes the program. It imports nothing that the
program would notice, and it is run by its path, because `-m` would put the current folder before the
standard library while this file is imported.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType, TracebackType
    from typing import Any, NoReturn


def main() -> None:
    """Wait for the sampler, then run the program as `__main__`.

    Arguments: descriptors to say "ready" on and to be told the sampler on, the tracer's pid, the sampling
    rate, a file for pyinstrument, then the program: a script or `-m MODULE`, and its arguments.
    """
    ready, told, tracer, rate, output, *program = sys.argv[1:]
    sys.argv = list(program) if program[0] != "-m" else ["-m", *program[2:]]
    _import_recorder()
    from workbench.scopes._environment import allow_tracer

    allow_tracer(int(tracer))
    with os.fdopen(int(ready), "w") as saying:
        saying.write("ready\n")
        saying.flush()
        with os.fdopen(int(told)) as stream:
            sampler = stream.readline().strip()
        if not sampler:  # whoever started us is gone
            os._exit(1)
        try:
            saying.write(f"{_pulses(sampler, int(rate))}\n")
            saying.flush()
        except BrokenPipeError:
            os._exit(1)
    finish = _start_pyinstrument(int(rate), output) if sampler == "pyinstrument" else None
    try:
        run_program(program)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  it is the program's, and shown as Python shows it
        _show(error)
        raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    finally:
        if finish is not None:
            finish()


def _pulses(sampler: str, rate: int) -> str:
    """Give py-spy, whose clock knows no epoch, pulses at known times; return these times."""
    if sampler != "py-spy":
        return ""
    from workbench.scopes._pulses import give

    return " ".join(map(str, give(1 / rate)))


def _import_recorder() -> None:
    """Import the recorder, which starts recording, with our own place at the end of the import path.

    Python has put this file's folder first on the path; the program's takes that place later.
    """
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    first = [] if sys.flags.safe_path else [sys.path.pop(0)]
    sys.path.append(here)
    import workbench.scopes  # noqa: F401

    sys.path.pop()
    sys.path[:0] = first


def _put_first(folder: str) -> None:
    """Put a folder where Python puts the program's: nowhere, if it was told not to."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def run_program(program: list[str]) -> None:
    """Run a script or module as `__main__`, with the arguments and the import path that Python gives it."""
    import builtins

    module = type(sys)("__main__")
    module.__dict__.update(__annotations__={}, __builtins__=builtins)
    load = _load_module if program[0] == "-m" else _load_script
    code = load(program, module)
    sys.modules["__main__"] = module
    exec(code, module.__dict__)  # noqa: S102  running the program is what this module is for


def _load_script(program: list[str], module: ModuleType) -> CodeType:
    import io
    from importlib.machinery import SourceFileLoader

    script = program[0]
    # As Python does it: the name is made absolute but not normalised, and the folder, with links
    # resolved, comes first on the path.
    path = os.path.join(os.getcwd(), script)  # noqa: PTH109, PTH118
    _put_first(os.path.dirname(os.path.realpath(script)))  # noqa: PTH120
    module.__dict__.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        _give_up(f"cannot open {script}: {error.strerror}", 2)
    return compile(source, path, "exec", dont_inherit=True)


def _load_module(program: list[str], module: ModuleType) -> CodeType:
    import importlib.util

    name = program[1]
    _put_first(os.getcwd())  # noqa: PTH109  pathlib takes 8 ms to import
    try:
        spec = importlib.util.find_spec(name) if not name.startswith(".") else None
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        # A package that is there and fails to import something else is the program's own error.
        if isinstance(error, ImportError) and not name.startswith(f"{error.name}."):
            raise
        spec = None
    if spec is None or spec.loader is None:
        _give_up(f"no module named {name!r} that can be run: correct the name, or name a script", 1)
    loader: Any = spec.loader
    code: CodeType | None = loader.get_code(spec.name)
    if code is None:
        _give_up(f"module {name!r} has no Python code to run", 1)
    module.__dict__.update(__cached__=spec.cached, __file__=spec.origin, __loader__=loader)
    module.__dict__.update(__package__=spec.parent, __spec__=spec)
    sys.argv[0] = str(spec.origin)
    return code


def _give_up(message: str, code: int) -> NoReturn:
    print(f"workbench: {message}", file=sys.stderr)
    raise SystemExit(code)


def _show(error: BaseException) -> None:
    """Show an exception as Python would, without the frames of this module."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    error.__traceback__ = traceback
    sys.excepthook(type(error), error, traceback)


def _start_pyinstrument(rate: int, output: str) -> Callable[[], None]:
    """Sample this thread from now on; return what ends that."""
    try:
        from workbench.capture._pyinstrument_session import PyinstrumentSession, leave_on_sigterm
    except ImportError as error:
        print(f"workbench: pyinstrument cannot be imported: {error}", file=sys.stderr)
        return lambda: None
    leave_on_sigterm()
    session = PyinstrumentSession(output, rate)
    session.begin()
    return session.finish


if __name__ == "__main__":
    main()
