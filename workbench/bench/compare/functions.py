"""Two functions, or one in two source trees, measured in turns as the two variants of a suite.

Each run is a fresh process that imports the function by its name, so a lambda or a function inside another is refused.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from workbench.bench.compare.gate import Limits, Verdict, judge
from workbench.bench.compare.sides import (
    OURS,
    Side,
    check_checkout,
    describe,
    is_workbench,
    lend_worker,
)
from workbench.bench.design.suite import AA_CONTROL, Suite
from workbench.bench.results.results import Results
from workbench.bench.run.experiment import BenchOptions, check_options, measure, run_folder, run_head
from workbench.bench.run.origins import installed, is_installed
from workbench.bench.run.process import Interpreter
from workbench.bench.run.rounds import Report, Say
from workbench.errors import InvalidInputError
from workbench.outputs import OutputFolder

FUNCTION_SUITE = OURS / "bench" / "compare" / "side" / "workbench_function.py"
VARIABLE = "WORKBENCH_FUNCTION"
SOURCE = ".source"
"""The folder of the files that `store_source` keeps; pytest collects no tests in one with a dot."""
STORED_ROUNDS = 6
"""Rounds of a function that is compared with nothing: the fewest for an interval."""


@dataclass(frozen=True)
class Function:
    """A function that another process imports, and what it is called with."""

    module: str
    name: str
    """Its qualified name."""
    file: Path | None
    """That of its module; None of compiled code."""
    arguments: str = "()"
    """As Python writes them."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Place:
    """A function, and the source tree that it is taken from."""

    label: str
    """Its name in results."""
    function: Function
    tree: Path | None = None
    """Its files are in place of those of `FunctionOptions.root`; None: these themselves."""


@dataclass(frozen=True)
class FunctionOptions:
    """How functions are compared, and where the results go."""

    suite: str
    """What the comparison is called."""
    folder: Path
    """Of the experiment."""
    root: Path
    """The top of the source tree."""
    limits: Limits = field(default_factory=Limits)
    budget_s: float = 60.0
    rounds: int | None = None
    timeout_s: float = 120.0


@dataclass(frozen=True)
class FunctionComparison:
    """A comparison that was measured."""

    results: Results
    verdict: Verdict | None
    """None where there was nothing to compare with."""

    @property
    def is_interrupted(self) -> bool:
        """Whether fewer rounds were measured than were planned."""
        return len(self.results.complete_rounds()) < self.results.planned


def function_of(function: object, arguments: tuple[object, ...] = ()) -> Function:
    """Return how another process finds a function, and what it calls it with.

    Raises:
        InvalidInputError: It is not found by its name, or an argument is no literal.
    """
    name, module = getattr(function, "__qualname__", None), getattr(function, "__module__", None)
    if not callable(function) or not isinstance(name, str) or not isinstance(module, str):
        raise InvalidInputError(f"{function!r} is no function with a name: define one with def, in a module")
    what = "a lambda" if "<lambda>" in name else "a function inside another" if "<locals>" in name else ""
    there = sys.modules.get(module)
    try:
        found: object = None if what else reduce(getattr, name.split("."), there)
    except AttributeError:
        found = None
    if found is not function or module == "__main__":
        raise InvalidInputError(
            f"{name} is {what or f'not what {module}.{name} is'}, and a fresh process cannot import it: "
            "define it with def at the top level of a module"
        )
    text = repr(arguments)
    try:
        is_literal = ast.literal_eval(text) == arguments
    except (ValueError, SyntaxError):
        is_literal = False
    if not is_literal:
        raise InvalidInputError(
            f"{name} is called with {text}: give numbers, text and tuples of these, and make the rest in {name}"
        )
    file = getattr(there, "__file__", None)
    return Function(module, name, Path(file).resolve() if isinstance(file, str) else None, text)


def is_defined(function: Function, root: Path, tree: Path) -> bool:
    """Return whether a source tree has a function that is defined in the tree at `root`."""
    file = _moved(function.file, root, tree)
    if file is None or not file.is_file():
        return file is None
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError):
        return True  # whoever imports it says what is wrong
    names: set[str] = set()
    for each in body:
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            names.add(each.name)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in each.names}
        elif isinstance(each, ast.Assign):
            names |= {target.id for target in each.targets if isinstance(target, ast.Name)}
    return function.name.partition(".")[0] in names


def compare_functions(
    new: Place,
    base: Place | None,
    options: FunctionOptions,
    *,
    progress: Report = lambda progress: None,
    say: Say = lambda text: None,
) -> FunctionComparison:
    """Measure a function and its baseline together, and judge it; without one, measure it against itself.

    Ctrl-C ends it early and keeps what was measured.

    Raises:
        InvalidInputError: A function cannot be imported or fails, or the options cannot be used.
        InterruptedRunError: It was interrupted before a round was complete.
        WorkbenchError: The results cannot be written.
    """
    places = [new] if base is None else [base, new]
    alone = STORED_ROUNDS if base is None else None
    bench = BenchOptions(
        suite=str(FUNCTION_SUITE),
        folder=options.folder.absolute(),  # runs have other working folders
        budget_s=options.budget_s,
        rounds=options.rounds or alone,
        precision=options.limits.slower / 2,
        delta=options.limits.slower,
        margin=options.limits.worse,
        timeout_s=options.timeout_s,
    )
    check_options(bench)
    sides = {place.label: _side(place, options) for place in places}
    for place in places:
        if place.tree is not None:
            _check(sides[place.label], place.tree, options)
    suite = Suite(
        options.suite,
        baseline=places[0].label,
        variants={place.label: _options(place.function) for place in places},
    )
    pairs = {str(new.function): (base.label, new.label)} if base is not None else {}
    interpreters = {label: side.interpreter for label, side in sides.items()}
    interpreters[AA_CONTROL] = interpreters[places[0].label]

    def check(name: str, found: Mapping[str, Any]) -> None:
        if found["error"] is not None:
            raise InvalidInputError(f"{name} fails, so nothing is measured: {found['error']}")

    facts = {"python": sys.version.split()[0], "packages": installed()}  # one Python runs both
    files = {place.label: {"suite": str(place.function.file or place.function.module)} for place in places}
    head = run_head(
        suite,
        bench,
        pairs=pairs,
        sides={label: facts | file for label, file in files.items()} if pairs else {},
        fail_larger=options.limits.larger,
    )
    with run_folder(bench.folder, head.variants) as output:
        results = measure(bench, output, head, None, interpreters, progress=progress, say=say, check=check)
    return FunctionComparison(results, judge(results, pairs, options.limits) if pairs else None)


def store_source(results: Results, root: Path, output: OutputFolder) -> Path:
    """Keep the files below `root` that a function's runs loaded, in place of earlier ones; return their folder.

    Raises:
        InTheWayError: Something that is not ours is in the way.
        OSError: They cannot be written.
    """
    output.remove_below(SOURCE)
    for name in results.sources:
        file = Path(name)
        if file.is_relative_to(root) and not file.is_relative_to(OURS):
            output.write(f"{SOURCE}/{file.relative_to(root).as_posix()}", file.read_bytes())
    return output.path / SOURCE


def _options(function: Function) -> dict[str, str]:
    found = {"function": f"{function.module}:{function.name}"}
    return found if function.arguments == "()" else found | {"arguments": function.arguments}


def _side(place: Place, options: FunctionOptions) -> Side:
    """Return where a place's runs are executed: they import what this process would, of the place's tree."""
    root, tree = options.root, place.tree or options.root
    if place.tree is not None and is_workbench(tree):
        lend_worker(tree)
    ours = [_moved(folder, root, tree) for folder in _import_folders(root)]
    others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    others = [each for each in others if not Path(each).resolve().is_relative_to(root)]
    function = place.function
    variant = {
        "module": function.module,
        "file": str(_moved(function.file, root, tree) or ""),
        "name": function.name,
        "arguments": function.arguments,
    }
    environment = {
        "PYTHONPATH": os.pathsep.join([*(str(each) for each in ours if each is not None), *others]),
        VARIABLE: json.dumps({"suite": options.suite, "variants": {place.label: variant}}),
    }
    here = _moved(Path.cwd().resolve(), root, tree)
    folder = here if here is not None and here.is_dir() else tree
    return Side(place.label, Interpreter(sys.executable, environment, folder), str(FUNCTION_SUITE))


def _import_folders(root: Path) -> list[Path]:
    """Return the folders below `root` from which this process imports, or has imported by other means than the path."""
    found = [Path(entry).resolve() for entry in sys.path]
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." not in name and isinstance(file, str):
            folder = Path(file).resolve().parent
            found.append(folder.parent if Path(file).stem == "__init__" else folder)
    kept = [each for each in found if each.is_relative_to(root) and not is_installed(each) and each.is_dir()]
    return [each for each in dict.fromkeys(kept) if each != OURS]


def _moved(path: Path | None, root: Path, tree: Path) -> Path | None:
    """Return the same path in another tree; one that is not in this one stays."""
    return tree / path.relative_to(root) if path is not None and path.is_relative_to(root) else path


def _check(side: Side, tree: Path, options: FunctionOptions) -> None:
    """See to it that a tree's runs import nothing of the tree at `root`."""
    files = [file for file in describe(side, [], options.timeout_s)["files"] if Path(file) != FUNCTION_SUITE]
    if tree.is_relative_to(options.root):  # else all that is imported would be of the checkout
        files = [file for file in files if not Path(file).is_relative_to(tree)]
    check_checkout(side, files, tree, options.root, None if is_workbench(tree) else OURS)
