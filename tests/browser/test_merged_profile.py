"""A real profile of the trainer in a real browser: native functions are found under the scopes that called them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import load
from workbench.profile import FrameKind, Profile

pytestmark = pytest.mark.browser
TANH = re.compile(r"DOUBLE_tanh|tanh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `workbench profile` leaves of a training whose Jacobian is by finite differences."""
    out = tmp_path_factory.mktemp("profiled")
    program = ["-m", "workbench", "train", "--layers", "20,10", "--jacobian", "columns"]
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "profile", "-o", str(out), *program],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def native_tanh(folder: Path) -> str:
    """The name of the native tanh that was seen under `activation`: the loop of NumPy, or what it is elsewhere."""
    seen = {
        name
        for path in stacks(load(folder / "samples.speedscope.json"))
        for name in below(path, "activation")
    }
    found = sorted(filter(TANH.search, seen), key=lambda name: ("DOUBLE_tanh" not in name, name))
    assert found, f"no native tanh among {sorted(seen)}"
    return found[0]


def stacks(profile: Profile) -> list[list[tuple[str, FrameKind]]]:
    """Return every stack that was seen, as names and kinds."""
    frames = profile.frames
    seen = {int(s) for t in profile.tracks if t.samples is not None for s in t.samples.stack if s >= 0}
    return [[(frames[i].name, frames[i].kind) for i in profile.stacks.path(stack)] for stack in seen]


def below(path: list[tuple[str, FrameKind]], scope: str) -> list[str]:
    """Return the native functions of a stack that are below a scope."""
    places = [i for i, frame in enumerate(path) if frame == (scope, FrameKind.SCOPE)]
    return [name for name, kind in path[places[-1] :] if kind is FrameKind.NATIVE] if places else []


def test_a_native_function_is_found_under_its_scope(
    folder: Path, native_tanh: str, open_page: Callable[..., Any]
) -> None:
    """A search of the samples' flame graph finds the native tanh, and all around it are the scopes of the training."""
    watched = open_page(folder / "index.html", width=1400)
    page = watched.page
    assert page.get_by_role("button", name="Samples under scopes").count() == 1
    page.locator(".find").fill("DOUBLE_tanh" if "DOUBLE_tanh" in native_tanh else native_tanh)
    matched = re.fullmatch(r"matched: ([\d.]+) %", page.locator("#samples .wf-matched").inner_text())
    assert matched is not None
    assert float(matched[1]) > 1
    hits = page.locator("#samples .wf-hit")
    widest = max(range(hits.count()), key=lambda i: float(hits.nth(i).locator("rect").get_attribute("width")))
    hits.nth(widest).click()
    around = page.locator("#samples .wf-above").evaluate_all(
        "boxes => boxes.map(box => box.getAttribute('aria-label'))"
    )
    names = [label.split(",")[0].split(" · ")[0] for label in around]
    scopes = [
        name
        for name in ("fit", "epoch", "compute jacobian", "predict", "activation")
        if any(re.match(rf"{name}\b", label) for label in names)
    ]
    assert scopes == ["fit", "epoch", "compute jacobian", "predict", "activation"], around
    watched.assert_quiet()


def test_the_table_says_what_a_scope_runs_natively(
    folder: Path, native_tanh: str, open_page: Callable[..., Any]
) -> None:
    """In the table `activation` is mostly tanh, and nothing of it is in the dark."""
    page = open_page(folder / "index.html", width=400).page
    row = page.locator("#table-scopes tbody tr").filter(
        has=page.locator(".name", has_text=re.compile("^activation$"))
    )
    assert "tanh" in str(row.locator(".native").text_content())
    assert native_tanh in str(row.locator(".native").get_attribute("title"))


def test_the_merged_profile_opens_in_speedscope(
    folder: Path, native_tanh: str, open_in_speedscope: Callable[[Path], Any]
) -> None:
    """The viewer takes the samples with their scopes among Python and native functions, each by its name."""
    page = open_in_speedscope(folder / "samples.speedscope.json").page
    assert native_tanh in names_shown(page)
    # Of a long table only the first rows are there.
    page.locator("table:visible").first.get_by_text("Total", exact=True).click()
    assert {"fit", "epoch", "activation"} <= names_shown(page)


def names_shown(page: Any) -> set[str]:
    """Return the names in the sandwich view's table."""
    rows = page.locator("table:visible").last.locator("tr").all_inner_texts()
    return {row.split("\t")[-1].strip() for row in rows if "\t" in row}
