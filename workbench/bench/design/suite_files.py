"""Where a suite comes from: one that ships, a Python file, or a module by its name. Standard library alone.

A file is imported as plain Python would import it: one in a package under its full name. Its folder is behind the
standard library on the path, so that a neighbour named like a standard module takes no module's place.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from workbench.errors import InvalidInputError, unknown_name

SHIPPED = {name: f"workbench.suites.{name}" for name in ("reference", "steps", "jacobians")} | {
    "matlab": "workbench.suites.reference.matlab"
}
MODULES = SHIPPED | {"profiling": "workbench.suites.profiling"}
"""With one that has to be told a program, and so is not offered by its name."""
BEHIND_INSTALLED = "WORKBENCH_SUITE_BEHIND_INSTALLED"
"""A variable: where it is set, a suite's folder is the last on the path, so that what is installed is imported."""
_MARK = "__workbench_suite__"


def is_file(name: str) -> bool:
    """Return whether a suite's name is that of a Python file."""
    return name not in MODULES and Path(name).suffix == ".py"


def suite_source(name: str) -> Path:
    """Return the file of a suite.

    Raises:
        InvalidInputError: There is no such suite, file or module.
    """
    if not is_file(name):
        return Path(str(_found(name).origin))
    if not Path(name).is_file():
        raise InvalidInputError(f"suite {name} does not exist: name a Python file, or {', '.join(SHIPPED)}")
    return Path(name)


def import_suite(name: str) -> ModuleType:
    """Import the module of a suite; a file anew each time.

    Raises:
        InvalidInputError: There is none, or it cannot be imported.
    """
    path = suite_source(name).absolute()
    module, top = _module_name(path)
    if not is_file(name):
        return _imported(MODULES.get(name, name), path, name)
    if "." not in module:
        return _import_file(path, name)
    for folder in (path.parent, top):
        add_to_path(folder)
    sys.modules.pop(module, None)
    found = _imported(module, path, name)
    file = Path(str(found.__file__))
    if BEHIND_INSTALLED not in os.environ and not file.samefile(path):
        raise InvalidInputError(
            f"suite {name} is {module}, and that is imported from {file}: rename the package, or name a suite "
            "that is in no package"
        )
    return found


def _found(name: str) -> ModuleSpec:
    """Return where a module is: one of ours, or one that is found from the working folder."""
    module = MODULES.get(name, name)
    spec = None
    if all(part.isidentifier() for part in module.split(".")):
        if name not in MODULES:
            add_to_path(Path.cwd())
        try:
            spec = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            spec = None
        except (Exception, SystemExit) as error:
            raise InvalidInputError(
                f"suite {name} cannot be imported: {type(error).__name__}: {error}"
            ) from error
    if spec is None or not spec.has_location:
        raise InvalidInputError(
            f"{unknown_name('suite', name, SHIPPED)}, or name a module, or a file that ends with .py"
        )
    return spec


def _module_name(path: Path) -> tuple[str, Path]:
    """Return the name that a file is imported by, and the folder that has to be on the path for that."""
    folder, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), folder


def _import_file(path: Path, name: str) -> ModuleType:
    module = path.stem
    there = sys.modules.get(module)
    if module in sys.stdlib_module_names or (there is not None and not hasattr(there, _MARK)):
        raise InvalidInputError(
            f"suite {name} has the name of the module {module!r}, which is in use: rename it"
        )
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    setattr(made, _MARK, True)
    # Under its own name, and with its folder on the path, so that worker processes can import it too.
    sys.modules[module] = made
    add_to_path(path.parent)
    try:
        spec.loader.exec_module(made)
    except InvalidInputError:
        raise
    except (Exception, SystemExit) as error:
        raise _cannot(name, path, error) from error
    return made


def _imported(module: str, path: Path, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except InvalidInputError:
        raise
    except (Exception, SystemExit) as error:
        raise _cannot(name, path, error) from error


def add_to_path(folder: Path) -> None:
    """Put a folder on the path, behind the standard library or behind all."""
    text = str(folder.resolve())
    if text in sys.path:
        return
    if BEHIND_INSTALLED in os.environ:
        sys.path.append(text)
        return
    standard = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    standard |= {os.path.join(each, "lib-dynload") for each in standard}  # noqa: PTH118  text, as in sys.path
    places = [place for place, entry in enumerate(sys.path) if entry in standard]
    sys.path.insert(max(places, default=-1) + 1, text)


def _cannot(name: str, path: Path, error: BaseException) -> InvalidInputError:
    return InvalidInputError(
        f"suite {name} cannot be imported: {type(error).__name__}: {error}{_line_of(error, path)}"
        f"{_hidden(path, error)}"
    )


def _line_of(error: BaseException, path: Path) -> str:
    """Return where in the suite's file an error came up; a syntax error says so itself."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename.endswith(path.name)]
    return f" (line {lines[-1]})" if lines else ""


def _hidden(path: Path, error: BaseException) -> str:
    """Return which neighbour an error may be about: one that has a standard module's name is not imported."""
    about = getattr(error, "name", None) if isinstance(error, ImportError) else None
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        about = error.obj.__name__
    if about in sys.stdlib_module_names and (path.parent / f"{about}.py").is_file():
        return f"; {about}.py beside it has the name of a standard module, which is imported: rename it"
    return ""
