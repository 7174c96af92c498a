"""Plots of what training gave: the fit beside the data, residuals, and the error by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError
from workbench.render.plots import _figures

BINS = 120
"""Parts of the axis, in each of which the largest residual is drawn."""


@dataclass(frozen=True)
class ResidualCurve:
    """The residuals of one variant, or of several that have the same."""

    labels: Sequence[str]
    x: NDArray[np.float64]
    """(n,)"""
    residual: NDArray[np.float64]
    """(n,)"""


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
    with _figures.style():
        figure = _figures.new_figure()
        if inputs.shape[1] == target.shape[1] == 1:
            exact = None if truth is None else _columns(truth)
            upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1))
            _draw_fit(upper, lower, inputs[:, 0], target, fitted, exact, trained)
            upper.set_title(title, pad=34)  # the legend stands below it
        else:
            axes = figure.subplots()
            _draw_against_target(axes, target, fitted, trained)
            axes.set_title(title)
        _figures.save(figure, path, prefix="fit")


def residuals_plot(curves: Sequence[ResidualCurve], *, title: str, prefix: str = "residuals") -> str:
    """Draw the size of residuals along x, one line for each curve, on one logarithmic axis.

    Args:
        curves: Each with the largest residual in every part of the axis.
        title: The heading.
        prefix: Start of every id in the SVG; each plot of a page needs its own.

    Raises:
        InvalidInputError: There are no curves, or one has as many x as residuals.
    """
    if not curves:
        raise InvalidInputError("there are no residuals to draw: give at least one curve")
    with _figures.style():
        figure = _figures.new_figure(height=420)
        axes = figure.subplots()
        ends: list[tuple[float, float]] = []
        for k, curve in enumerate(curves):
            x, largest = _largest_by_x(curve)
            axes.plot(x, largest, **_figures.line_look(k))
            seen = np.flatnonzero(np.isfinite(largest))
            ends.append((0.0, float(np.median(largest[seen])) if len(seen) else float("nan")))
        _figures.error_axis(axes)
        axes.margins(x=0)
        axes.set_xlabel("x")
        axes.set_ylabel("|residual|")
        axes.set_title(title)
        _label_ends(axes, [_short_label(curve.labels) for curve in curves], ends)
        return _figures.svg_text(figure, prefix)


def _largest_by_x(curve: ResidualCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle of each part of the axis that has points, and the largest residual there."""
    x, residual = curve.x, np.abs(curve.residual)
    if x.ndim != 1 or x.shape != residual.shape or not len(x):
        raise InvalidInputError(
            f"x and residual have shapes {x.shape} and {residual.shape}: they need one, equal, non-zero length"
        )
    edges = np.linspace(x.min(), x.max(), BINS + 1)
    part = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BINS - 1)
    largest = np.full(BINS, -np.inf)
    np.maximum.at(largest, part, np.where(np.isfinite(residual), residual, -np.inf))
    seen = np.isfinite(largest)
    return ((edges[1:] + edges[:-1]) / 2)[seen], _positive(largest[seen])


def _short_label(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def error_curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    title: str,
    step: str = "epoch",
    error: str = "MSE",
    prefix: str = "errors",
) -> str:
    """Draw the mean squared error by epoch, one line for each variant; validation dotted and thin.

    Args:
        histories: By variant: lists by epoch, from epoch 0, under `training` and, where there is one, `validation`.
        title: The heading.
        step: What the places in a list are, for the axis.
        error: What the values are, for the axis.
        prefix: Start of every id in the SVG; each plot of a page needs its own.
    """
    if not histories:
        raise InvalidInputError("there are no histories to draw: give at least one variant")
    with _figures.style():
        figure = _figures.new_figure()
        axes = figure.subplots()
        ends: list[tuple[float, float]] = []
        validated = False
        for k, (_label, history) in enumerate(histories.items()):
            look = _figures.line_look(k)
            errors = _positive(history["training"])
            axes.plot(errors, **look, marker="o" if len(errors) == 1 else "")
            seen = np.flatnonzero(np.isfinite(errors))
            ends.append((float(seen[-1]), float(errors[seen[-1]])) if len(seen) else (0.0, float("nan")))
            if len(history.get("validation", ())):
                validated = True
                axes.plot(
                    _positive(history["validation"]), **look | {"linestyle": ":"}, linewidth=1.5, alpha=0.9
                )
        _figures.error_axis(axes)
        axes.set_xlabel(step)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(error)
        axes.set_title(title)
        axes.set_xlim(0, max(1.0, *(end for end, _ in ends)))
        _label_ends(axes, list(histories), ends)
        if validated:
            axes.plot([], [], color=_figures.GREY, label="training")
            axes.plot([], [], color=_figures.GREY, linestyle=":", linewidth=1.5, label="validation")
            axes.legend(loc="upper right", ncols=2)
        return _figures.svg_text(figure, prefix)


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
            "edgecolors": _figures.GREY,
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
            color=_figures.GREEN,
            linestyle=_figures.DASHES[1],
            label="true function",
            zorder=3,
        )
    upper.plot(x[order], fitted[order], color=_figures.VERMILION, linewidth=2.2, label="fit", zorder=4)
    lower.axhline(0, color=_figures.VERMILION, linewidth=1.4, zorder=1)
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
    axes.plot(ends, ends, color=_figures.GREY, linewidth=1.4, zorder=1, label="exact")
    shapes = ("o", "s", "^", "D", "v", "P")
    for k in range(target.shape[1]):
        colour = _figures.LINES[k % len(_figures.LINES)]
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
        return [(trained, "data", _figures.GREY)]
    parts = [(trained, "training", _figures.GREY), (~trained, "held out", "none")]
    return [part for part in parts if part[0].any()]


def _label_ends(axes: Axes, labels: Sequence[str], ends: Sequence[tuple[float, float]]) -> None:
    """Write each label at the right, at the height where its line ends, as far as they do not overlap."""
    low, high = np.log10(axes.get_ylim())
    heights = [(np.log10(y) - low) / (high - low) if np.isfinite(y) else 0.0 for _, y in ends]
    for k, height in enumerate(_figures.spread(heights, 0.058, 0.0, 1.0)):
        axes.annotate(
            labels[k],
            (1.0, height),
            xycoords="axes fraction",
            xytext=(8, 0),
            textcoords="offset points",
            verticalalignment="center",
            color=_figures.LINES[k % len(_figures.LINES)],
            fontsize=13,
            fontweight="bold",
        )


def _positive(values: Sequence[float]) -> NDArray[np.float64]:
    """Return errors for a logarithmic axis: zero and what is not finite leave a gap."""
    errors = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(errors) & (errors > 0), errors, np.nan)


def _columns(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
