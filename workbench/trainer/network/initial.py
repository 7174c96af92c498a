"""Initial weights by name, drawn from a seeded generator.

`xavier`: weights uniform in ±sqrt(6 / (inputs + units)), biases 0 (Glorot & Bengio 2010, eq. 16).
`nguyen-widrow`: the first layer has weight vectors of length 0.7 · units^(1/inputs) in random directions,
and biases spread evenly over ± that length with the sign of a random weight, so that the active regions of
its units cover [−1, 1] evenly (Nguyen & Widrow 1990). The later layers are `xavier`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.errors import unknown_name
from workbench.trainer.arrays import Array
from workbench.trainer.network.architecture import Architecture, LayerView


def _xavier(layer: LayerView, rng: np.random.Generator) -> None:
    units, inputs = layer.weights.shape
    bound = np.sqrt(6.0 / (inputs + units))
    layer.weights[...] = rng.uniform(-bound, bound, layer.weights.shape)
    layer.bias[...] = 0.0


def _nguyen_widrow(layer: LayerView, rng: np.random.Generator) -> None:
    units, inputs = layer.weights.shape
    length = 0.7 * units ** (1.0 / inputs)
    directions = rng.uniform(-1.0, 1.0, layer.weights.shape)
    layer.weights[...] = length * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    spread = np.linspace(-1.0, 1.0, units) if units > 1 else np.zeros(1)
    layer.bias[:, 0] = length * spread * np.sign(layer.weights[:, 0])


_FIRST_LAYER: dict[str, Callable[[LayerView, np.random.Generator], None]] = {
    "nguyen-widrow": _nguyen_widrow,
    "xavier": _xavier,
}
NAMES = tuple(_FIRST_LAYER)


def initial_parameters(architecture: Architecture, method: str, rng: np.random.Generator) -> Array:
    """Return a new flat parameter vector, shape (architecture.parameters,).

    Raises:
        InvalidInputError: the method has no such name.
    """
    if method not in _FIRST_LAYER:
        raise unknown_name("initial weights", str(method), _FIRST_LAYER)
    parameters = np.empty(architecture.parameters)
    first, *later = architecture.layer_views(parameters)
    _FIRST_LAYER[method](first, rng)
    for layer in later:
        _xavier(layer, rng)
    return parameters
