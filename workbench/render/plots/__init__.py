"""Plots of fits, errors, speed against quality, experiments, times and rooflines.

`fit_plot` writes a file. All others return SVG for a page: its text has the colour of the page's text, and every id
starts with `prefix`.
"""

from workbench.render.plots._experiment import RoundRatios, round_ratios_plot, time_to_target_plot
from workbench.render.plots._fits import ResidualCurve, error_curves, fit_plot, residuals_plot
from workbench.render.plots._ratios import PlotPoint, ratio_plot, speed_quality_plot
from workbench.render.plots._roofline import Roof, RoofPoint, roofline_plot
from workbench.render.plots._scopes import stacked_bars_plot

__all__ = [
    "PlotPoint",
    "ResidualCurve",
    "Roof",
    "RoofPoint",
    "RoundRatios",
    "error_curves",
    "fit_plot",
    "ratio_plot",
    "residuals_plot",
    "roofline_plot",
    "round_ratios_plot",
    "speed_quality_plot",
    "stacked_bars_plot",
    "time_to_target_plot",
]
