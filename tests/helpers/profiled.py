"""Running `workbench profile` as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import workbench
from tests.helpers.commands import run_workbench, start_workbench

ROOT = Path(workbench.__file__).parents[1]
OF_THE_MACHINE = (
    "/index.html in a browser",
    "the machine was busy",
    "threads ran at once",
    "fell over a second behind",
    "not attributable by line",
)


def ours(text: str) -> list[str]:
    """Return the lines on standard error that are ours; a traceback of ours must not be among the rest.

    Those that the machine's load brings are left out: other tests run beside this one.
    """
    package = f"{Path(workbench.__file__).parent}/"
    assert package not in text
    lines = [line for line in text.splitlines() if line.startswith("workbench: ")]
    return [line for line in lines if not is_of_the_machine(line)]


def is_of_the_machine(line: str) -> bool:
    """Return whether a line is about the machine's load, or says where the page is."""
    return line.startswith("workbench: ") and any(words in line for words in OF_THE_MACHINE)


class Workbench:
    """Programs in a folder of their own, run under `workbench profile` or by Python alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
        self.environment = kept | {"PYTHONPATH": str(ROOT)}

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments to its end."""
        options.setdefault("cwd", self.folder)
        options.setdefault("timeout", 90)
        options["env"] = self.environment | options.pop("env", {})
        if "stdout" not in options:
            options["capture_output"] = True
        return subprocess.run([sys.executable, *arguments], text=True, **options)

    def profile(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `workbench profile -o out` with these arguments to its end, without lines on the machine's load."""
        done: subprocess.CompletedProcess[str] = run_workbench(*self._profile(arguments, options), **options)
        if isinstance(done.stderr, str):
            lines = done.stderr.splitlines(keepends=True)
            done.stderr = "".join(line for line in lines if not is_of_the_machine(line))
        return done

    def profile_anew(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The same in an interpreter of its own, which reads the environment as it starts."""
        return self.run("-m", "workbench", "profile", "-o", str(self.folder / "out"), *arguments, **options)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `workbench profile -o out` with these arguments, in a process group of its own."""
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
        return start_workbench(*self._profile(arguments, options), **options)

    def _profile(self, arguments: tuple[str, ...], options: dict[str, Any]) -> tuple[str, ...]:
        options["env"] = self.environment | options.get("env", {})
        options |= {"cwd": self.folder, "text": True}
        return ("profile", "-o", str(self.folder / "out"), *arguments)

    @property
    def files(self) -> set[str]:
        return {path.name for path in (self.folder / "out").iterdir()}

    def read(self, name: str) -> Any:
        return json.loads((self.folder / "out" / name).read_text())

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.read("profile.json")
        return summary

    def frames(self, name: str) -> set[str]:
        return {frame["name"] for frame in self.read(name)["shared"]["frames"]}
