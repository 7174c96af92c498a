"""The page of a memory run says what the terminal and the JSON say, of a run made by hand and of a real one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from tests.helpers.html import Page
from tests.helpers.memory_runs import EPOCHS, LEAK, MB, many_stacks, memory_run
from workbench.report.profile.memory import headline, leak_sentences
from workbench.report.profile.overview import as_json, as_text, overview_of
from workbench.report.profile.page import write_report
from workbench.report.profile.run import ProfileRun, read_run
from workbench.text import as_size

PROGRAM = """
from workbench import scope
kept = []
with scope("load"):
    data = bytearray(8_000_000)
for i in range(40):
    with scope("epoch"):
        with scope("scratch"):
            bytearray(3_000_000)
        kept.append(bytearray(20_000))
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real run."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "fit.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "workbench", "profile", "--memory", "-o", "out", "fit.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def said(page: Page) -> list[str]:
    """Return the sentences above the bars."""
    answer = re.findall(r'<p class="answer">(.*?)</p>', page.source)
    leaks = re.search(r'<ul class="leaks".*?</ul>', page.source, re.DOTALL)
    return list(map(unescape, answer + re.findall(r"<li>(.*?)</li>", leaks[0] if leaks else "")))


def check(run: ProfileRun, page: Page) -> None:
    """Compare a page with the terminal, the JSON and the model."""
    found = run.allocations
    assert found is not None
    assert said(page) == [headline(found), *leak_sentences(found)]
    assert set(said(page)) <= set(as_text(overview_of(run, top=20)))
    known = json.loads(json.dumps(as_json(overview_of(run, top=20))))["memory"]
    rows = {row["name"]: row for row in known["scopes"]}
    scopes, terminal = page.data("table-scopes"), as_text(overview_of(run))
    assert any(scopes["memory"])
    peaks = [
        rows[frame[0]]["peak_bytes"] for frame, _ in zip(scopes["frames"], scopes["memory"], strict=False)
    ]
    assert peaks == sorted(peaks, reverse=True)
    for frame, figures in zip(scopes["frames"], scopes["memory"], strict=False):
        row, stated = rows[frame[0]], dict(figures)
        markup = re.search(
            rf'<tr class="scope"><th scope="row"><span class="name">{frame[0]}</span>.*?</tr>', page.source
        )
        cells = re.findall(r'<td data-label="[^"]*">(.*?)</td>', markup[0]) if markup else []
        assert cells[2:4] == [stated["peak"], stated["held at end"]]
        in_terminal = next(line.split() for line in terminal if line.endswith(f"  {frame[0]}"))
        assert stated["peak"] == " ".join(in_terminal[4:6])
        assert stated["peak"] == as_size(row["peak_bytes"])
    for key, of in (("peak", "peak_bytes"), ("end", "end_bytes")):
        table = page.data(f"table-{key}")
        assert table["unit"] == "bytes"
        assert (
            table["all"]
            == sum(line[of] for line in known["lines"])
            == sum(frame[4] for frame in table["frames"])
        )
    data = page.data("lines")
    on_page = {(line, row[0], row[2]) for _, line, _, *row in data["run"]}
    assert on_page == {
        (each["line"], each["peak_bytes"], each["end_bytes"]) for each in known["lines"] if each["line"]
    }


def test_one_value_for_one_fact(tmp_path: Path) -> None:
    """Sentences, bars, table, side panel, flame graphs and lines have the figures of the terminal and the JSON."""
    run = memory_run()
    page = Page(write_report(run, tmp_path).read_text())
    check(run, page)
    assert said(page)[0] == (
        "Traced memory: peak 50.1 MB, of which 80 % is from fit.py:4 in “jacobian”; 10.1 MB at the end."
    )
    assert "“epoch” leaves 1.5 kB at each of its last 20 calls; fit.py:7 holds 60 kB" in said(page)[1]
    assert page.data("table-peak")["all"] == 50 * MB + EPOCHS * LEAK


def test_a_real_run(real: Path) -> None:
    """What was planted in a real program is on its page, and it says the same as the terminal."""
    run = read_run(real)
    page = Page((real / "index.html").read_text())
    check(run, page)
    data = page.data("lines")
    lines = {line: figures for _, line, _, *figures in data["run"]}
    assert lines[5][2] == pytest.approx(8_000_000, rel=0.02)
    assert lines[10][2] == pytest.approx(40 * 20_000, rel=0.02)
    assert said(page)[1].startswith("Leak: “epoch” leaves ")


def test_what_a_memory_run_does_not_have_is_not_there(real: Path) -> None:
    """There is no tab or table of samples, and times are marked as traced."""
    source = (real / "index.html").read_text()
    assert 'data-source="samples"' not in source
    assert "of samples" not in re.sub(r"<script.*?</script>", "", source, flags=re.DOTALL)
    assert "Scopes (traced times)" in source
    assert "they are not the program&#39;s own" in source


@pytest.mark.proof
def test_a_page_of_many_stacks_is_bounded(tmp_path: Path) -> None:
    """Thirty thousand stacks make a page of a few megabytes, with all bytes in it."""
    run = memory_run(many_stacks(30_000))
    page = write_report(run, tmp_path)
    assert page.stat().st_size < 5_000_000
    assert run.allocations is not None
    assert run.allocations.processes[0].at_peak_bytes == Page(page.read_text()).data("table-peak")["all"]
