"""The command line of a program, split as Python splits it: interpreter options, what to run, its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from workbench.errors import InvalidInputError

_TAKE_VALUE = frozenset("QWX")
_LONG_TAKE_VALUE = frozenset({"--check-hash-based-pycs"})
NAMES = {"-c": "command", "-": "stdin"}


class Command(NamedTuple):
    """What `python WORDS` would run."""

    options: tuple[str, ...]
    """Of the interpreter."""
    kind: str
    """`-m`, `-c`, `-` (standard input) or `script`; empty: there is nothing to run."""
    target: str
    """The module, the code or the script."""
    letters: str
    """The one-letter options that are given."""

    @property
    def name(self) -> str:
        """What a folder for its profile is called."""
        if self.kind in NAMES:
            return NAMES[self.kind]
        if self.kind == "-m":
            return self.target.rpartition(".")[2]
        return Path(self.target).stem or Path(self.target).resolve().name or "program"


def split(words: Sequence[str]) -> Command:
    """Split the words behind `python` as the interpreter does."""
    letters = ""
    i = 0
    while i < len(words):
        word = words[i]
        if word == "--":
            i += 1
            break
        if word == "-" or not word.startswith("-"):
            break
        i += 1
        if word.startswith("--"):
            i += word in _LONG_TAKE_VALUE
            continue
        for at, letter in enumerate(word[1:], 2):
            rest = word[at:]
            if letter in "cm":
                target = rest or (words[i] if i < len(words) else "")
                return Command(tuple(words[: i - 1]), f"-{letter}", target, letters)
            letters += letter
            if letter in _TAKE_VALUE:
                i += not rest
                break
    target = words[i] if i < len(words) else ""
    kind = "" if i >= len(words) else "-" if target == "-" else "script"
    return Command(tuple(words[:i]), kind, target, letters)


def check(words: Sequence[str]) -> Command:
    """Return the command of some words. What Python itself would refuse in its own words is left to it.

    Raises:
        InvalidInputError: There is nothing to run, or the script is not there, or a folder without `__main__.py`.
    """
    command = split(words)
    if not command.kind or (command.kind == "-m" and not command.target):
        raise InvalidInputError("nothing to profile: name a script, or -m and a module")
    script = Path(command.target)
    if command.kind == "script":
        if not script.exists():
            raise InvalidInputError(f"script {script} does not exist: name a Python file, or use -m MODULE")
        if script.is_dir() and not any((script / f"__main__.{kind}").exists() for kind in ("py", "pyc")):
            raise InvalidInputError(
                f"script {script} is a folder without __main__.py: name a Python file, or use -m MODULE"
            )
    return command
