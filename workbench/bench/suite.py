"""Suites: a workload, and the variants of it that are compared."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.errors import InvalidInputError, unknown_name

SHIPPED = {"reference": "workbench.suites.reference"}
_MARK = "__workbench_suite__"


@dataclass(frozen=True)
class Case:
    """A workload that is set up and ready to run."""

    run: Callable[[], Any]
    """What is timed. Its result goes to the others, which are not timed."""
    quality: Callable[[Any], Mapping[str, float]]
    """Named figures of how good the result is; smaller is better."""
    steps: Callable[[Any], Sequence[float]] | None = None
    """Seconds of each step of the run, such as epochs, where it has steps: their median is compared."""
    keep: Callable[[Any, Path], None] | None = None
    """Saves the result into a folder, for `Suite.draw`."""


class Suite:
    """A workload and its variants, one of which is the baseline.

    Args:
        name: What the suite is called.
        baseline: The variant that the others are compared with.
        variants: The workload's keyword arguments for each variant, by name.
        descriptions: A line on each variant, for the pages.
        draw: Called with a folder that `Case.keep` saved into, and a title; makes `fit.png` of it.
        quality: The figure of `Case.quality` that is compared and drawn; by default the first.
    """

    def __init__(
        self,
        name: str,
        *,
        baseline: str,
        variants: Mapping[str, Mapping[str, Any]],
        descriptions: Mapping[str, str] | None = None,
        draw: Callable[[Path, str], None] | None = None,
        quality: str | None = None,
    ) -> None:
        names: tuple[object, ...] = (name, *variants)
        strange = [text for text in names if not isinstance(text, str) or not text.strip()]
        if strange:
            raise InvalidInputError(f"{strange[0]!r} is no name of a suite or variant: give text")
        if not variants:
            raise InvalidInputError(f"suite {name!r} has no variants: give at least the baseline")
        if baseline not in variants:
            raise unknown_name("baseline variant", str(baseline), variants)
        self.name = name
        self.baseline = baseline
        self.variants = {key: dict(options) for key, options in variants.items()}
        self.descriptions = dict(descriptions or {})
        self.draw = draw
        self.quality = quality
        self.make_case: Callable[..., Case] | None = None

    def workload(self, function: Callable[..., Case]) -> Callable[..., Case]:
        """Decorate the function that sets a case up: it takes a variant's options and a keyword `seed`."""
        self.make_case = function
        return function

    def case(self, variant: str, seed: int) -> Case:
        """Set up one variant.

        Raises:
            InvalidInputError: There is no such variant, no workload, or it returns no `Case`.
        """
        if variant not in self.variants:
            raise unknown_name("variant", variant, self.variants)
        if self.make_case is None:
            raise _no_workload(self.name)
        case = self.make_case(**self.variants[variant], seed=seed)
        if not isinstance(case, Case):
            raise InvalidInputError(
                f"the workload of suite {self.name!r} returned {type(case).__name__}: return a Case"
            )
        return case


def load_suite(name: str) -> Suite:
    """Return a suite that ships, by name, or the one named `suite` in a Python file.

    Raises:
        InvalidInputError: There is no such suite or file, or the file has no suite that can be run.
    """
    if name in SHIPPED:
        module = importlib.import_module(SHIPPED[name])
    else:
        path = Path(name)
        if path.suffix != ".py":
            raise InvalidInputError(
                f"{unknown_name('suite', name, SHIPPED)}, or name a file that ends with .py"
            )
        if not path.is_file():
            raise InvalidInputError(
                f"suite {name} does not exist: name a Python file, or {', '.join(SHIPPED)}"
            )
        module = _import_file(path)
    suite = getattr(module, "suite", None)
    if not isinstance(suite, Suite):
        raise InvalidInputError(f"{name} has no suite: define `suite = Suite(...)` at its top level")
    if suite.make_case is None:
        raise _no_workload(suite.name)
    return suite


def folder_names(variants: Iterable[str]) -> dict[str, str]:
    """Return for each variant a name that is safe as a folder and in a link, and its own."""
    taken: dict[str, str] = {}
    for variant in variants:
        slug = re.sub(r"[^a-z0-9]+", "-", variant.lower())[:60].strip("-") or "variant"
        name, number = slug, 1
        while name in taken.values():
            number += 1
            name = f"{slug}-{number}"
        taken[variant] = name
    return taken


def _no_workload(suite: str) -> InvalidInputError:
    return InvalidInputError(f"suite {suite!r} has no workload: decorate a function with @suite.workload")


def _import_file(path: Path) -> ModuleType:
    name = path.stem
    there = sys.modules.get(name)
    if name in sys.stdlib_module_names or (there is not None and not hasattr(there, _MARK)):
        raise InvalidInputError(
            f"suite {path} has the name of the module {name!r}, which is in use: rename it"
        )
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    setattr(module, _MARK, True)
    # Under its own name, and with its folder on the path, so that worker processes can import it too.
    sys.modules[name] = module
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except InvalidInputError:
        raise
    except (Exception, SystemExit) as error:
        raise InvalidInputError(
            f"suite {path} cannot be imported: {type(error).__name__}: {error}{_line_of(error, path)}"
        ) from error
    return module


def _line_of(error: BaseException, path: Path) -> str:
    """Return where in the suite's file an error came up; a syntax error says so itself."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename.endswith(path.name)]
    return f" (line {lines[-1]})" if lines else ""
