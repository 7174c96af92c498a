"""Says what a side's environment makes of a suite: `python -m workbench.bench.run.describe SUITE ANSWER [VARIANT …]`.

Variants are set up, so that whatever they import is there to be told; none runs. Standard library alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Write the answer, a file of JSON: what the suite is, or what is wrong."""
    suite, answer, *variants = sys.argv[1:]
    try:
        # First, as a revision of the workbench's own may have other suites than this worker runs.
        import workbench.bench.run.worker  # noqa: F401
    except (ImportError, AttributeError) as error:
        result = {"error": f"its suites do not fit this workbench ({type(error).__name__}: {error})"}
    else:
        result = describe(suite, variants)
    Path(answer).write_text(json.dumps(result), encoding="utf-8")


def describe(name: str, variants: list[str]) -> dict[str, Any]:
    """Load a suite, set up some of its variants (the baseline where none are named), and say what was found."""
    from workbench.bench.design.suite import load_suite
    from workbench.bench.run.origins import installed, misplaced, module_files, project_modules
    from workbench.errors import InvalidInputError

    try:
        suite = load_suite(name)
        chosen = {variant: suite.variants.get(variant, {}) for variant in variants or [suite.baseline]}
        for variant in chosen:
            suite.case(variant, 0)
    except InvalidInputError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001  whatever a user's code raises
        text = str(error)
        return {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__}
    return {
        "error": None,
        "name": suite.name,
        "baseline": suite.baseline,
        "options": {key: {n: _text(v) for n, v in each.items()} for key, each in chosen.items()},
        "quality": suite.quality,
        "targets": list(suite.targets),
        "target_of": suite.target_of,
        "micro": suite.micro,
        "python": sys.version.split()[0],
        "packages": installed(),
        "files": sorted({str(file) for file in module_files().values()}),
        "misplaced": misplaced(),
        "modules": project_modules(),
    }


def _text(option: object) -> object:
    return option if option is None or isinstance(option, str | bool | int) else repr(option)


if __name__ == "__main__":
    main()
