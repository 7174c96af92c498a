"""The suite of functions that are compared: each run imports one of them and calls it.

Which functions these are, and their names in the results, is in a variable.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import os
import sys
from contextlib import suppress
from functools import partial, reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.bench import Case, Suite
from workbench.errors import InvalidInputError


def _module(name: str, file: str) -> ModuleType:
    """Import a module that is in a file, by its name where that leads there; by its name alone where it has no file."""
    spec = None
    with suppress(ModuleNotFoundError, ValueError):
        spec = importlib.util.find_spec(name)
    if not file or (spec is not None and spec.has_location and Path(str(spec.origin)).samefile(file)):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


_asked = json.loads(os.environ["WORKBENCH_FUNCTION"])
suite = Suite(_asked["suite"], variants=_asked["variants"])


@suite.workload
def workload(*, module: str, file: str, name: str, arguments: str, seed: int) -> Case:
    """Return the function as a case; one that takes a `seed` sets its case up itself."""
    function: Any = reduce(getattr, name.split("."), _module(module, file))
    values = ast.literal_eval(arguments)
    try:
        sets_up = "seed" in inspect.signature(function).parameters
    except (ValueError, TypeError):  # of compiled code
        sets_up = False
    if not sets_up:
        return Case(run=partial(function, *values))
    case = function(*values, seed=seed)
    if not isinstance(case, Case):
        raise InvalidInputError(
            f"{name} takes a seed and returned {type(case).__name__}: return a workbench.bench.Case, "
            "or call the parameter something else"
        )
    return case
