"""Geodesic acceleration: the step bent along the curve that the model's surface takes.

With the damped step v as velocity, the acceleration is a = −(H + μD)⁻¹ Jᵀr″, where r″ is the second derivative
of the residuals along v; the step is then v + ½a, as long as 2·‖½a‖ / ‖v‖ ≤ 0.75, and v alone beyond
(Transtrum & Sethna, arXiv 1201.5885, eq. 18 and 22; they reject the step there, which took more trials on the
reference problem). It costs one more solve with the same factor.

r″ is exact here: the Taylor coefficients of the outputs along w + s·v are carried through the layers. With
z′, z″ the first and second derivative of a layer's input, its value a has a′ = φ′·z′ and a″ = φ′·z″ + φ″·z′².
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.trainer import _blas
from workbench.trainer.activations import bend, multiply_by_slope
from workbench.trainer.architecture import Architecture
from workbench.trainer.backprop import loss_gradient
from workbench.trainer.forward import ForwardPass

Array = NDArray[np.float64]

MOST_BENT = 0.75
"""The largest ‖a‖ / ‖v‖ with which the acceleration is taken."""


def second_order(
    architecture: Architecture, parameters: Array, velocity: Array, x: Array, tanh: str
) -> Array:
    """Return Jᵀr″, shape (parameters,), for rows x of shape (inputs, rows); r″ along `velocity`."""
    with _blas.one_thread():
        forward = ForwardPass(architecture, x.shape[1], tanh)
        forward(architecture.layer_views(parameters), x)
        second = second_derivative(forward, architecture, parameters, velocity, x)
        return loss_gradient(forward, architecture, parameters, x, second)


def second_derivative(
    forward: ForwardPass, architecture: Architecture, parameters: Array, velocity: Array, x: Array
) -> Array:
    """Return r″ along `velocity`, shape (outputs, rows), after `forward` has run at these parameters."""
    first: Array | None = None
    second: Array | None = None
    below = x
    layers = zip(
        architecture.layer_views(parameters),
        architecture.layer_views(velocity),
        forward.activations,
        strict=True,
    )
    for layer, moving, value in layers:
        slope_of_input = moving.weights @ below + moving.bias
        bend_of_input = np.zeros_like(value)
        if first is not None and second is not None:
            slope_of_input += layer.weights @ first
            bend_of_input += 2.0 * (moving.weights @ first) + layer.weights @ second
        multiply_by_slope(layer.activation, bend_of_input, value)
        bend_of_input += bend(layer.activation, value) * slope_of_input**2
        multiply_by_slope(layer.activation, slope_of_input, value)
        first, second, below = slope_of_input, bend_of_input, value
    if second is None:
        raise AssertionError("an architecture has at least one layer")
    return second


def bent(velocity: Array, acceleration: Array) -> Array:
    """Return v + ½a, or v where the acceleration is too large to be trusted or not finite."""
    if not np.linalg.norm(acceleration) <= MOST_BENT * np.linalg.norm(velocity):
        return velocity
    step: Array = velocity + 0.5 * acceleration
    return step
