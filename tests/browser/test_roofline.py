"""The roofline of a profile page in a real browser: on any screen, light and dark, with many scopes and with one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord
from workbench.report.profile.page import write_report
from workbench.report.profile.run import run_of_profile

pytestmark = pytest.mark.browser
MS = 1_000_000


@pytest.mark.parametrize(("count", "width", "dark"), [(1, 1400, False), (40, 400, True)])
def test_it_is_shown(
    count: int, width: int, dark: bool, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    """No breach of the page's policy, never wider than the screen, and text in the colour of the page's text."""
    random = np.random.default_rng(count)
    builder = ProfileBuilder("many")
    records = [
        SpanRecord(i * MS, i * MS + MS // (i + 1), 0, Frame(f"compute part {i}", kind=FrameKind.SCOPE))
        for i in range(count)
    ]
    spans = builder.spans(records)
    flops, moved = 10 ** random.uniform(4, 7, count), 10 ** random.uniform(4, 7, count)
    builder.add_track("main", pid=1, tid=1, spans=replace(spans, work={"flops": flops, "bytes": moved}))
    file = write_report(run_of_profile(builder.build()), tmp_path / "page")
    watched = open_page(file, width=width, dark=dark)
    page = watched.page
    section = page.locator("#roofline")
    section.locator("summary").click()
    watched.assert_quiet()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert section.locator("tbody tr").count() == count
    label = section.locator(".wp-roofline text", has_text="compute part 0").first
    assert label.evaluate("e => getComputedStyle(e).fill") == page.evaluate(
        "getComputedStyle(document.body).color"
    )
    assert label.evaluate("e => e.getBoundingClientRect().height") >= 9, "it can be read"
    if folder := os.environ.get("WORKBENCH_SCREENSHOTS"):
        name = f"roofline-{count}-{width}-{'dark' if dark else 'light'}.png"
        section.screenshot(path=Path(folder, name))
