"""A chart as a file of its own: the flame graph of any profile, or its timeline."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from workbench.formats.registry import Format
from workbench.formats.source import opened_for_writing
from workbench.profile import Profile
from workbench.render.flamegraph.flamegraph import profile_svg
from workbench.render.timeline.timeline import timeline_svg
from workbench.report.profile.downloads import thinned
from workbench.report.profile.run import has_time
from workbench.text import as_amount

MAX_BOXES = 1_000_000
"""Spans and samples of a timeline; where there are more, short ones are merged."""


def chart_format(target: str, given: str | None = None) -> Format | None:
    """Return the chart that is given, or that a file's name says; None where neither says one."""
    for chart in _CHARTS:
        if given == chart.name or (given is None and target.lower().endswith(chart.suffixes)):
            return chart
    return None


def _write_flame_graph(profile: Profile, path: str | Path | BinaryIO) -> None:
    of = "samples" if has_time(profile, "samples") else "spans"
    _write(profile_svg(profile, of, title=profile.name or "profile", subtitle=of), path)


def _write_timeline(profile: Profile, path: str | Path | BinaryIO) -> None:
    shown, finest_ns = thinned(profile, MAX_BOXES)
    note = f"merged where shorter than {as_amount(finest_ns, 'ns')}" if finest_ns else ""
    _write(timeline_svg(shown, title=profile.name or "profile", subtitle=note), path)


def _write(svg: str, path: str | Path | BinaryIO) -> None:
    with opened_for_writing(path) as file:
        file.write(svg.encode())


_CHARTS = (
    Format("timeline", ("timeline.svg",), None, _write_timeline, "timeline, as SVG"),
    Format("flamegraph", (".svg",), None, _write_flame_graph, "flame graph, as SVG"),
)
