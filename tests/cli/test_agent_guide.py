"""The guide for agents: its commands work in the order in which they are there."""

from __future__ import annotations

import re
import shlex

from tests.cli.test_show import PROGRAM
from tests.helpers.commands import run_workbench


def test_the_commands_of_the_guide_work(tmp_path):
    """Each command of the guide ends with 0, or with 3 where nothing was decided; --json prints JSON."""
    guide = run_workbench("agent-guide", text=True).stdout
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", guide, re.MULTILINE | re.DOTALL)
    suite = next(text for language, text in blocks if language == "python")
    (tmp_path / "suite.py").write_text(re.sub(r"^   ", "", suite, flags=re.MULTILINE))
    (tmp_path / "fit.py").write_text(PROGRAM)
    commands = [
        line.split("#")[0].strip() for language, text in blocks if not language for line in text.splitlines()
    ]
    assert len(commands) == 6
    for line in commands:
        words = shlex.split(line)[1:]
        words = [word if word != "1m" else "5s" for word in words]  # a test has less time
        done = run_workbench(*words, cwd=tmp_path, text=True)
        assert done.returncode in ((0, 3) if "bench" in words else (0,)), done.stderr
        assert ("--json" in words) == done.stdout.startswith("{"), done.stdout
    assert (tmp_path / "result" / "index.html").is_file()
