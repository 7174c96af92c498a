"""The plots of several runs: the history of all variants, and for each one the sessions with what they say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from workbench.pictures.plots import Between, PlotPoint, SessionRatios, ratio_plot, session_history_plot
from workbench.report.bench_plots import plot_labels
from workbench.report.pages import inline_plot
from workbench.report.runs_sessions import BETWEEN, Session, between_sessions

Machines = Mapping[str, Sequence[Session]]


def draw_history(names: Sequence[str], machines: Machines) -> Markup | None:
    """Draw each variant's ratios over the sessions; those of one machine stand together, in order of time."""
    labels = plot_labels(names)
    panels = [_panel(name, labels[name], machines) for name in names]
    if not any(ratio > 0 for panel in panels for ratio in panel.ratios):
        return None
    groups = list(machines.values())
    sessions = [session for group in groups for session in group]
    starts = [sum(map(len, groups[:k])) for k in range(1, len(groups))]
    picture = session_history_plot(
        None,
        panels,
        [session.label for session in sessions],
        title="Time in each session, relative to the baseline",
        band=sessions[0].delta,
        breaks=starts,
        as_svg=True,
        prefix="history-plot",
    )
    return inline_plot(picture)


def _panel(name: str, label: str, machines: Machines) -> SessionRatios:
    ratios: list[tuple[float, float, float]] = []
    verdicts: list[str] = []
    together: list[Between] = []
    for group in machines.values():
        between = between_sessions(group, name)
        if between is not None:
            first, ratio = len(ratios), between.ratio
            last = first + len(group) - 1
            together.append(Between(first, last, ratio.value, ratio.low, ratio.high))
        for session in group:
            comparison = session.comparisons.get(name)
            speed = comparison.speed if comparison is not None else None
            found = speed.ratio if speed is not None else None
            ratios.append((math.nan,) * 3 if found is None else (found.value, found.low, found.high))
            kind = speed.kind if speed is not None else "inconclusive"
            verdicts.append("void" if session.analysis.check.void else kind)
    values, lows, highs = ([each[k] for each in ratios] for k in range(3))
    return SessionRatios(label, values, lows, highs, verdicts, together)


def draw_sessions(i: int, name: str, machines: Machines) -> Markup | None:
    """Draw a variant's ratio in each session, and between those of each machine, a line each."""
    points = []
    delta = 0.0
    for k, group in enumerate(machines.values(), 1):
        for session in group:
            comparison = session.comparisons.get(name)
            if comparison is not None and comparison.speed is not None:
                ratio, kind = comparison.speed.ratio, comparison.speed.kind
                label = f"{session.label} (void)" if session.analysis.check.void else session.label
                points.append(PlotPoint(label, ratio.value, ratio.low, ratio.high, verdict=kind))
        delta = group[0].delta
        between = between_sessions(group, name)
        if between is not None:
            label = BETWEEN if len(machines) == 1 else f"{BETWEEN}, machine {k}"
            ratio = between.ratio
            points.append(PlotPoint(label, ratio.value, ratio.low, ratio.high, verdict=between.kind))
    if not points:
        return None
    title = plot_labels([name])[name]
    picture = ratio_plot(None, points, title=title, baseline="", band=delta, as_svg=True, prefix=f"runs-{i}")
    return inline_plot(picture)
