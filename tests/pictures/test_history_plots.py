"""The history of sessions: every one is there with its interval, and a void one cannot be taken for a sound one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from workbench.errors import InvalidInputError
from workbench.pictures import _figures as look
from workbench.pictures.plots import Between, SessionRatios, session_history_plot

NAN, INF = math.nan, math.inf
SESSIONS = ["mon <&>", "tue", "wed", "thu"]
PANELS = [
    SessionRatios(
        "fast $x$",
        [0.5, 0.52, 0.7, NAN],
        [0.48, 0.5, 0.6, NAN],
        [0.53, 0.55, INF, NAN],
        ["faster", "inconclusive", "void", "inconclusive"],
        [Between(0, 2, 0.51, 0.49, 0.54)],
    ),
    SessionRatios("wide", [0.1, 1.0, 2.0, 9.0], [0.1] * 4, [10.0] * 4, ["slower", "equivalent"] * 2),
    SessionRatios("never ran", [NAN] * 4, [NAN] * 4, [NAN] * 4, ["inconclusive"] * 4),
]


def figure_of(monkeypatch: pytest.MonkeyPatch, *panels: SessionRatios, **options: Any) -> Any:
    """Return the figure that would be saved."""
    kept: list[Any] = []
    monkeypatch.setattr(look, "save", lambda figure, path, **more: kept.append(figure) or "")
    session_history_plot(None, panels, SESSIONS, title="History", **options)
    return kept[0]


def test_each_session_has_its_ratio_and_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign stands at each ratio and a bar from end to end; an end that is not there is the edge of the panel."""
    axes = figure_of(monkeypatch, *PANELS).axes[0]
    signs = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [float(line.get_ydata()[0]) for line in signs] == [0.5, 0.52, 0.7]
    assert [float(line.get_xdata()[0]) for line in signs] == [0, 1, 2]
    bars = {line.get_xdata()[0]: line.get_ydata() for line in axes.lines if line.get_linewidth() == 2.2}
    assert list(bars[0]) == [0.48, 0.53]
    assert list(bars[2]) == [0.6, axes.get_ylim()[1]]


def test_a_void_session_is_hollow_and_dotted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sign and its bar have a look that no sound session has, whatever its verdict."""
    axes = figure_of(monkeypatch, PANELS[0]).axes[0]
    signs = [
        (line.get_marker(), line.get_markerfacecolor()) for line in axes.lines if len(line.get_xdata()) == 1
    ]
    assert signs == [("<", look.BLUE), ("o", "none"), ("X", "none")]
    styles = [line.get_linestyle() for line in axes.lines if line.get_linewidth() == 2.2]
    assert styles == ["-", "-", ":"]


def test_what_sessions_say_together_is_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    """It covers the sessions that it is of, from the lower to the upper end; without it there is none."""
    axes, bare = figure_of(monkeypatch, *PANELS).axes[:2]
    corners = axes.collections[0].get_paths()[0].get_extents()
    assert (corners.x0, corners.x1) == (-0.4, 2.4)
    assert (corners.y0, corners.y1) == (0.49, 0.54)
    assert not bare.collections


def test_every_panel_has_a_scale_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference between sessions is seen however far the ratio is from 1, and ticks can be told apart."""
    figure = figure_of(monkeypatch, *PANELS)
    assert len(figure.axes) == 2
    for axes, low, high in zip(figure.axes, (0.48, 0.1), (0.7, 10.0), strict=True):
        bottom, top = axes.get_ylim()
        assert bottom < low < high < top
        assert top / bottom < 1.05 * (high / low) ** 1.2
        ticks = [tick for tick in axes.get_yticks() if bottom <= tick <= top]
        labels = [axes.yaxis.get_major_formatter()(tick, None) for tick in ticks]
        assert len(ticks) >= 2
        assert len(set(labels)) == len(labels)


def test_many_sessions_and_long_names_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are many sessions not each has its name below, and a long name is cut."""
    kept: list[Any] = []
    monkeypatch.setattr(look, "save", lambda figure, path, **more: kept.append(figure) or "")
    n = 90
    panel = SessionRatios("a", [1.0] * n, [0.9] * n, [1.1] * n, ["inconclusive"] * n)
    session_history_plot(None, [panel], [f"{i} {'long ' * 20}" for i in range(n)], title="t")
    names = [text.get_text() for text in kept[0].axes[0].get_xticklabels()]
    assert len(names) <= 14
    assert max(map(len, names)) <= 22


def test_nothing_to_draw_is_refused() -> None:
    """Without a ratio there is no picture."""
    with pytest.raises(InvalidInputError, match="nothing to draw"):
        session_history_plot(None, [PANELS[2]], SESSIONS, title="t")
    with pytest.raises(InvalidInputError, match="nothing to draw"):
        session_history_plot(None, [], [], title="t")


def test_one_session_without_spread_is_drawn() -> None:
    """A single session whose interval is a point has a picture."""
    panel = SessionRatios("a", [1.0], [1.0], [1.0], ["equivalent"])
    assert "<svg" in session_history_plot(None, [panel], ["s"], title="t", as_svg=True)
