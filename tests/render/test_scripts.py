"""Modules of a script become one function, mistakes in them are refused, and their own tests pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.node import node
from workbench.render.scripts import ScriptError, bundle

PROJECT = Path(__file__).resolve().parents[2]


def written(folder: Path, **modules: str) -> Path:
    """Write modules by name; return the first."""
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(modules))}.js"


def test_a_module_comes_once_and_after_what_it_imports(tmp_path: Path) -> None:
    """Imports and exports are gone, and each module is there once, in the order of evaluation."""
    entry = written(
        tmp_path,
        main='import { a } from "./a.js";\nimport {\n  b,\n  c,\n} from "./b.js";\n\na(b + c);\n',
        a='// About a.\n\nimport { b } from "./b.js";\n\n// Adds.\nexport function a(x) {\n  return b + x;\n}\n',
        b="export const b = 1;\nexport const { c, d: e } = { c: 2, d: 3 };\n",
    )
    assert bundle(entry) == (
        '\n(function () {\n"use strict";\n'
        "const b = 1;\nconst { c, d: e } = { c: 2, d: 3 };\n\nfunction a(x) {\n  return b + x;\n}\n\na(b + c);\n"
        "})();\n"
    )


def test_modules_may_import_each_other(tmp_path: Path) -> None:
    """Functions of two modules call each other, as the language allows it."""
    entry = written(
        tmp_path,
        main='import { odd } from "./odd.js";\nexport const even = (n) => n === 0 || odd(n - 1);\n',
        odd='import { even } from "./main.js";\nexport const odd = (n) => n !== 0 && even(n - 1);\n',
    )
    assert bundle(entry).count("const even") == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("export const x = 1;\nfunction start() {}\n", "other.js and main.js both declare start: rename one"),
        ("export const x = 1;\nlet a, start;\n", "both declare start"),
        ("export const x = 1;\nconst [start] = [1];\n", "both declare start"),
        ("const x = 1;\n", "imports x from ./other.js, which does not export it"),
        (
            "export default 1;\nexport const x = 1;\n",
            "other.js: 'export default 1;' is not understood: write import",
        ),
        ('import * as all from "./main.js";\nexport const x = 1;\n', "is not understood"),
        ('import { y } from "./gone.js";\nexport const x = 1;\n', "imports ./gone.js, which is no file"),
    ],
)
def test_mistakes_are_refused_with_their_remedy(tmp_path: Path, other: str, message: str) -> None:
    """What cannot be put together is one line that names the module."""
    entry = written(
        tmp_path, main='import { x } from "./other.js";\nfunction start() {}\nstart(x);\n', other=other
    )
    with pytest.raises(ScriptError, match=message.replace("*", r"\*")) as raised:
        bundle(entry)
    assert "\n" not in str(raised.value)


def test_the_scripts_own_tests() -> None:
    """`node --test` passes for all of tests/js."""
    files = sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "tests" / "js").glob("*.test.js"))
    done = subprocess.run(
        [node(), "--test", *files], cwd=PROJECT, capture_output=True, text=True, timeout=150
    )
    assert files
    assert done.returncode == 0, done.stdout + done.stderr
