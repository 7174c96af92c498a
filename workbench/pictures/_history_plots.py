"""The history of a suite: what each session found of each variant, in order of time, and what sessions vary by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from workbench.errors import InvalidInputError
from workbench.pictures import _figures as look
from workbench.pictures._figures import Target
from workbench.pictures._ratio_plots import LOOKS

PANEL_HEIGHT = 132
"""Pixels for one variant."""
MOST_NAMES = 14
"""Sessions that have their names below; where there are more, not every one has."""
NAME_LENGTH = 22
VOID = "void"
_VOID_LOOK = (look.GREY, "X", "none")
_WIDE = 3.0
"""A panel that spans this factor or more has the ticks of ratios, else even steps."""


@dataclass(frozen=True)
class Between:
    """What sessions from one to another, both included, say together."""

    first: int
    last: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SessionRatios:
    """One variant: its ratio in every session, in order, with its interval."""

    label: str
    ratios: Sequence[float]
    """NaN where a session has none."""
    lows: Sequence[float]
    highs: Sequence[float]
    verdicts: Sequence[str]
    """Of each session: faster, slower, equivalent or inconclusive; void where the session is."""
    between: Sequence[Between] = ()


def session_history_plot(
    path: Target,
    panels: Sequence[SessionRatios],
    sessions: Sequence[str],
    *,
    title: str,
    band: float = 0.0,
    breaks: Sequence[int] = (),
    as_svg: bool = False,
    prefix: str = "history",
) -> str:
    """Draw each variant's ratio with its interval over the sessions, a panel a variant, each on a scale of its own.

    What sessions say together is a line within a band. A void session is a hollow cross with a dotted interval.

    Args:
        path: File to write, or `None`.
        panels: One for each variant, all of the same sessions.
        sessions: Names of the sessions, in the order in which they are drawn.
        title: The heading.
        band: Differences up to this share are none that matter: shaded around 1.
        breaks: Sessions before which a line is drawn, such as the first on another machine.
        as_svg: Whether to return SVG text.
        prefix: Start of every id in it.

    Raises:
        InvalidInputError: No variant has a ratio.
    """
    drawn = [panel for panel in panels if any(map(_is_positive, panel.ratios))]
    if not drawn:
        raise InvalidInputError("no variant has a ratio above zero in any session: there is nothing to draw")
    with look.style():
        figure = look.new_figure(height=150 + PANEL_HEIGHT * len(drawn))
        rows = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(rows, drawn, strict=True):
            _draw_panel(axes, panel, band)
            for place in breaks:
                axes.axvline(place - 0.5, color=look.GREY, linewidth=1.2, linestyle=(0, (2, 2)))
            axes.set_title(panel.label, fontsize=13, pad=4, fontweight="normal")
        figure.suptitle(title, x=0.008, horizontalalignment="left", fontsize=16, fontweight="bold")
        _name_sessions(rows[-1], sessions)
        return look.save(figure, path, as_svg=as_svg, prefix=prefix)


def _draw_panel(axes: Axes, panel: SessionRatios, band: float) -> None:
    _ratio_scale(axes, panel)
    if band > 0:
        axes.axhspan(1 / (1 + band), 1 + band, color=look.GREY, alpha=0.18, linewidth=0, zorder=0.4)
    axes.axhline(1, color=look.GREY, linewidth=1.2, zorder=0.5)
    for found in panel.between:
        ends = [found.first - 0.4, found.last + 0.4]
        axes.fill_between(ends, found.low, found.high, color=look.PURPLE, alpha=0.22, linewidth=0, zorder=0.6)
        axes.plot(ends, [found.value] * 2, color=look.PURPLE, linewidth=1.4, zorder=0.7)
    bottom, top = axes.get_ylim()
    for i, (ratio, low, high, verdict) in enumerate(
        zip(panel.ratios, panel.lows, panel.highs, panel.verdicts, strict=True)
    ):
        if not _is_positive(ratio):
            continue
        colour, marker, face = _VOID_LOOK if verdict == VOID else LOOKS[verdict]
        ends = [low if _is_positive(low) else bottom, high if _is_positive(high) else top]
        style = ":" if verdict == VOID else "-"
        axes.plot([i, i], ends, color=colour, linewidth=2.2, linestyle=style, zorder=2)
        axes.plot(
            i, ratio, marker, markersize=8, color=colour, markerfacecolor=face, markeredgewidth=1.7, zorder=3
        )


def _ratio_scale(axes: Axes, panel: SessionRatios) -> None:
    """Scale a panel to what it holds: the differences between sessions, and not the distance from 1, are to be seen."""
    ends = [value for found in panel.between for value in (found.low, found.high)]
    known = [v for v in (*panel.ratios, *panel.lows, *panel.highs, *ends) if _is_positive(v)]
    low, high = min(known), max(known)
    room = max((high / low) ** 0.08, 1.01)
    low, high = low / room, high * room
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks = (
        look.ratio_ticks(low, high)
        if high / low >= _WIDE
        else [float(v) for v in MaxNLocator(nbins=4).tick_values(low, high) if low <= v <= high]
    )
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}×"))


def _name_sessions(axes: Axes, sessions: Sequence[str]) -> None:
    every = math.ceil(len(sessions) / MOST_NAMES)
    places = range(0, len(sessions), every)
    names = [sessions[i] for i in places]
    short = [name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…" for name in names]
    is_slanted = sum(map(len, short)) > 8 * MOST_NAMES
    axes.set_xticks(list(places), short)
    if is_slanted:
        for text in axes.get_xticklabels():
            text.set(rotation=30, horizontalalignment="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(sessions) - 0.4)
    axes.set_xlabel("session, in order of time")


def _is_positive(value: float) -> bool:
    return bool(np.isfinite(value)) and value > 0
