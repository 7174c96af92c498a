"""Plots of fits, errors, speed against quality, sessions, times and rooflines, as PNG for files or SVG for pages.

Every function writes to `path` where one is given (`.png` at twice the density, or `.svg`), and returns
SVG text with `as_svg=True` ("" otherwise): without a ground, its text in the colour of the page's text,
every id with `prefix` before it. Give each picture of a page a prefix of its own.
"""

from workbench.render.plots._experiment import RoundRatios, round_ratios_plot, time_to_target_plot
from workbench.render.plots._fits import error_curves, fit_plot
from workbench.render.plots._ratios import PlotPoint, ratio_plot, speed_quality_plot
from workbench.render.plots._roofline import Roof, RoofPoint, roofline_plot
from workbench.render.plots._scopes import stacked_bars_plot

__all__ = [
    "PlotPoint",
    "Roof",
    "RoofPoint",
    "RoundRatios",
    "error_curves",
    "fit_plot",
    "ratio_plot",
    "roofline_plot",
    "round_ratios_plot",
    "speed_quality_plot",
    "stacked_bars_plot",
    "time_to_target_plot",
]
