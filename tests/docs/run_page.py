"""Runs the examples of one page in the current folder: `python -m tests.docs.run_page PAGE`."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import Block, blocks

INCONCLUSIVE = 3
"""Exit code of `bench` and `compare` where the machine is too busy for a verdict."""


class Measured(doctest.OutputChecker):
    """Compares output but for its numbers."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Return whether what is printed has the shape of what is wanted."""
        return super().check_output(shape(want), shape(got), optionflags)


def run(page: Path) -> None:
    """Run all examples of a page; the first that fails raises."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        where = f"{page.name}, line {block.line}"
        if block.language.startswith("python"):
            run_python(block, where, namespace)
        elif block.language.startswith("console"):
            run_console(block, where, compared=block.language == "console")


def run_python(block: Block, where: str, namespace: dict[str, object]) -> None:
    """Run a block, compare it as a doctest, or write it as the file that its first line names."""
    if named := re.match(r"# (\S+\.py)\n", block.text):
        Path(named[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(named[1]).write_text(block.text, encoding="utf-8")
    elif block.text.startswith(">>>"):
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        test = doctest.DocTestParser().get_doctest(block.text, namespace, where, None, block.line)
        checker = Measured() if block.language == "python measured" else None
        result = doctest.DocTestRunner(checker, optionflags=options).run(test, clear_globs=False)
        namespace |= test.globs
        assert not result.failed, where
    else:
        exec(compile("\n" * (block.line - 1) + block.text, where, "exec"), namespace)


def run_console(block: Block, where: str, *, compared: bool) -> None:
    """Run each command of a block, and compare what it prints with what stands below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, wanted = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        done = subprocess.run(
            command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        accepted = {0} if compared else {0, INCONCLUSIVE}
        assert done.returncode in accepted, f"{where}: {command} exits with {done.returncode}:\n{done.stdout}"
        if compared and wanted.strip():
            printed, pattern = shape(done.stdout), re.escape(shape(wanted)).replace(r"\.\.\.", ".*")
            assert re.fullmatch(pattern, printed, re.DOTALL), f"{where}: {command} prints\n{done.stdout}"


def shape(text: str) -> str:
    """Return a text with one number for all numbers, and one blank between words."""
    return " ".join(re.sub(r"\d+(\.\d+)?(e[+-]\d+)?", "0", text).split())


if __name__ == "__main__":
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run(Path(sys.argv[1]))
