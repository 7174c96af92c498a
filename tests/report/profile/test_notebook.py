"""The output of a cell: bounded, whatever is profiled, and readable where nothing but its own text is kept."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from workbench.profile import Frame, ProfileBuilder
from workbench.report.profile.notebook import MAX_BYTES, output_html
from workbench.report.profile.run import run_of_profile


def test_an_output_of_a_large_profile_is_bounded(tmp_path: Path) -> None:
    """Thousands of functions with long names and lines come to less than the limit, and stay well-formed."""
    builder = ProfileBuilder("large")
    name, source = "<&\u2603>" * 60, {}
    stacks, lines = [], []
    for i in range(300):
        file = f"/work/module_{i % 40}.py"
        source[file] = f"{name}\n" * 100
        frames = [Frame(f"{name}{j}_{i}", file, 0) for j in range(12)]
        stacks.append(builder.stack_of(frames))
        lines.append(builder.line_stack_of(frame._replace(line=i % 100 + 1) for frame in frames))
    at, weight = [1000 * i for i in range(len(stacks))], [1000] * len(stacks)
    samples = replace(builder.samples(stacks, at, weight), line=np.array(lines, dtype=np.int32))
    builder.add_track("main", pid=1, tid=1, samples=samples)
    run = replace(run_of_profile(builder.build()), sources=source)
    html = output_html(run, tmp_path / "index.html")
    assert 50_000 < len(html.encode()) <= MAX_BYTES
    assert "<&" not in html
    (image,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert len(ET.fromstring(base64.b64decode(image))) > 20
