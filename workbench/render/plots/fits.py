"""The plot of a fit beside its data, as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError

LINES = ("#2f7fc1", "#d1590f", "#0f9468", "#a465b8", "#c58a00", "#4aa8d8")
"""Mid-tones of the Okabe-Ito palette: distinct without colour vision."""
VERMILION, GREEN = LINES[1:3]
GREY, INK, SOFT = "#7d8590", "#262b33", "#5d6672"
_PIXELS_PER_INCH = 100
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 14,
    "axes.titlesize": 16,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 14,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "text.color": INK,
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": 13,
    "svg.fonttype": "none",
    "svg.hashsalt": "fit",
}


def fit_plot(
    path: str | Path,
    x: ArrayLike,
    y: ArrayLike,
    predicted: ArrayLike,
    truth: ArrayLike | None = None,
    *,
    title: str,
    split: ArrayLike | None = None,
) -> None:
    """Draw data and fit: over x with the residuals below for one input and output, else against the target.

    Args:
        path: File to write, `.png` at twice the density or `.svg`.
        x: (n,) or (n, inputs).
        y: (n,) or (n, outputs), the data that were fitted.
        predicted: The shape of y.
        truth: The shape of y, the function without noise; or `None` where it is not known.
        title: The heading.
        split: (n,) booleans, true where the point was trained on; or `None` where all were.

    Raises:
        InvalidInputError: Arrays of different lengths or shapes, or none at all.
    """
    columns = _columns(x), _columns(y), _columns(predicted)
    inputs, target, fitted = columns
    if not len(inputs) or len(inputs) != len(target) or target.shape != fitted.shape:
        shapes = ", ".join(str(c.shape) for c in columns)
        raise InvalidInputError(f"x, y and predicted have shapes {shapes}: they need equal, non-zero lengths")
    trained = np.ones(len(inputs), dtype=np.bool_) if split is None else np.asarray(split, dtype=np.bool_)
    if trained.shape != (len(inputs),):
        raise InvalidInputError(
            f"split has shape {trained.shape}: it needs one boolean for each of {len(inputs)}"
        )
    with mpl.rc_context(_STYLE):
        figure = _figure()
        if inputs.shape[1] == target.shape[1] == 1:
            exact = None if truth is None else _columns(truth)
            upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1))
            _draw_fit(upper, lower, inputs[:, 0], target, fitted, exact, trained)
            upper.set_title(title, pad=34)  # the legend stands below it
        else:
            axes = figure.subplots()
            _draw_against_target(axes, target, fitted, trained)
            axes.set_title(title)
        _save(figure, path)


def _draw_fit(
    upper: Axes,
    lower: Axes,
    x: NDArray[np.float64],
    target: NDArray[np.float64],
    fitted: NDArray[np.float64],
    truth: NDArray[np.float64] | None,
    trained: NDArray[np.bool_],
) -> None:
    order = np.argsort(x, kind="stable")
    for mask, label, face in _splits(trained):
        marks: dict[str, Any] = {
            "edgecolors": GREY,
            "facecolors": face,
            "linewidths": 1.2,
            "zorder": 2,
        }
        upper.scatter(x[mask], target[mask], s=22, label=label, **marks)
        lower.scatter(x[mask], (fitted - target)[mask], s=14, **marks)
    if truth is not None:
        upper.plot(
            x[order],
            truth[order],
            color=GREEN,
            linestyle=(0, (6, 2)),
            label="true function",
            zorder=3,
        )
    upper.plot(x[order], fitted[order], color=VERMILION, linewidth=2.2, label="fit", zorder=4)
    lower.axhline(0, color=VERMILION, linewidth=1.4, zorder=1)
    reach = 1.15 * float(np.max(np.abs(fitted - target), initial=0.0)) or 1.0
    lower.set_ylim(-reach, reach)
    lower.set_ylabel("fit − data")
    lower.set_xlabel("x")
    upper.set_ylabel("y")
    upper.legend(
        loc="lower left", bbox_to_anchor=(-0.015, 0.985), ncols=4, columnspacing=1.4, handlelength=1.4
    )


def _draw_against_target(
    axes: Axes, target: NDArray[np.float64], fitted: NDArray[np.float64], trained: NDArray[np.bool_]
) -> None:
    low = float(min(target.min(), fitted.min()))
    high = float(max(target.max(), fitted.max()))
    pad = 0.04 * (high - low) or 1.0
    ends = (low - pad, high + pad)
    axes.plot(ends, ends, color=GREY, linewidth=1.4, zorder=1, label="exact")
    shapes = ("o", "s", "^", "D", "v", "P")
    for k in range(target.shape[1]):
        colour = LINES[k % len(LINES)]
        for mask, label, face in _splits(trained):
            words = label if target.shape[1] == 1 else f"output {k + 1}, {label}"
            axes.scatter(
                target[mask, k],
                fitted[mask, k],
                s=22,
                marker=shapes[k % len(shapes)],
                edgecolors=colour,
                facecolors=colour if face != "none" else "none",
                alpha=0.75,
                label=words,
                zorder=2,
            )
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.set_xlabel("target")
    axes.set_ylabel("prediction")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _splits(trained: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], str, str]]:
    """Return mask, name and fill of each part of the data that has points."""
    if trained.all():
        return [(trained, "data", GREY)]
    parts = [(trained, "training", GREY), (~trained, "held out", "none")]
    return [part for part in parts if part[0].any()]


def _columns(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)


def _figure() -> Figure:
    """Return an empty figure of 900 by 500 pixels. No pyplot: nothing global is left behind."""
    figure = Figure(figsize=(900 / _PIXELS_PER_INCH, 500 / _PIXELS_PER_INCH), dpi=_PIXELS_PER_INCH)
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    return figure


def _save(figure: Figure, path: str | Path) -> None:
    """Write a figure, without its date and version, so that equal plots are equal files."""
    suffix = Path(path).suffix.lower()
    if suffix == ".svg":
        figure.savefig(path, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    elif suffix == ".png":
        figure.savefig(path, format="png", dpi=2 * _PIXELS_PER_INCH, metadata={"Software": None})
    else:
        raise InvalidInputError(f"cannot write a plot to {os.fspath(path)!r}: end its name with .png or .svg")
