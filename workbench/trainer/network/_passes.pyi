from typing import TypeAlias

from numpy import float64
from numpy.typing import NDArray

Array: TypeAlias = NDArray[float64]

MAX_LAYERS: int
ROOM: int
levels: tuple[str, ...]

def second_derivative(
    activations: bytes, values: tuple[Array, ...], parameters: Array, velocity: Array, out: Array, room: Array
) -> None: ...
def gradient(
    activations: bytes, values: tuple[Array, ...], parameters: Array, seed: Array, out: Array, room: Array
) -> None: ...
def jacobian(
    activations: bytes, values: tuple[Array, ...], parameters: Array, out: Array, room: Array
) -> None: ...
def use_level(name: str) -> None: ...
