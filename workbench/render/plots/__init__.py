"""Charts of pages, as SVG by our own templates; `fits` writes the fit of a training to a file, by matplotlib."""

from workbench.render.plots.bars import Bars, stacked_bars
from workbench.render.plots.intervals import IntervalScale, interval_scale
from workbench.render.plots.over_time import TimeMark, TimePoint, over_time_chart
from workbench.render.plots.reached import ReachedChart, reached_charts
from workbench.render.plots.repetitions import repetitions_chart
from workbench.render.plots.residuals import ResidualCurve, residual_curves, residuals_chart
from workbench.render.plots.roofline import Roof, RoofPoint, roofline_chart
from workbench.render.plots.rounds import rounds_chart
from workbench.render.plots.trade import TradePoint, trade_chart

__all__ = [
    "Bars",
    "IntervalScale",
    "ReachedChart",
    "ResidualCurve",
    "Roof",
    "RoofPoint",
    "TimeMark",
    "TimePoint",
    "TradePoint",
    "interval_scale",
    "over_time_chart",
    "reached_charts",
    "repetitions_chart",
    "residual_curves",
    "residuals_chart",
    "roofline_chart",
    "rounds_chart",
    "stacked_bars",
    "trade_chart",
]
