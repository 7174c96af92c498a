"""Libraries for Python that fit by Levenberg-Marquardt or a trust region, each from a start's weights.

Each is given what it needs to be quick: our analytic Jacobian, compilation before the clock starts.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

from workbench.suites.reference.matlab.fits import DAMPING, Array, EnoughError, Fit, FitLimits, Start, Watch
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.network.forward import predict
from workbench.trainer.workers import blas


@dataclass(frozen=True)
class Peer:
    """A solver of a library: what must be importable, and the fit."""

    solve: Callable[[Start, Watch], Array]
    """Starts the watch, gives it each step, ends when it asks for that, and returns the parameters."""
    distributions: Sequence[str]
    """What is installed for it, each with a module of that name."""

    def missing(self) -> str | None:
        """Return why it cannot run here; None: it can."""
        if all(find_spec(name.replace("-", "_")) for name in self.distributions):
            return None
        return f"not installed: pip install {' '.join(self.distributions)}"

    def fit(self, start: Start, limits: FitLimits) -> Fit:
        """Fit from a start."""
        watch = Watch(limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return watch.fit(self.solve(start, watch))


def scipy_solver(**options: Any) -> Callable[[Start, Watch], Array]:
    """Return a solver by `scipy.optimize.least_squares` with our analytic Jacobian.

    Each step asks for one Jacobian, at the point that it has accepted: there the watch gets the step.
    """

    def solve(start: Start, watch: Watch) -> Array:
        from scipy.optimize import least_squares

        architecture, accepted = start.model.architecture, start.model.parameters
        squares: dict[bytes, float] = {}
        """Of the points tried since the last Jacobian."""

        def residuals(parameters: Array) -> Array:
            found: Array = (predict(architecture, parameters, start.x, "exact") - start.y).reshape(-1)
            squares[parameters.tobytes()] = float(found @ found)
            return found

        with open_jacobian(architecture, start.x, "backprop") as jacobian:

            def jacobian_of_accepted(parameters: Array) -> Array:
                nonlocal accepted
                mse = squares[parameters.tobytes()] / start.y.size
                is_first, accepted = accepted is start.model.parameters, parameters.copy()
                squares.clear()
                if not is_first and watch.step(mse):
                    raise EnoughError
                return jacobian(parameters)

            watch.start()
            with suppress(EnoughError):
                least_squares(residuals, accepted, jac=jacobian_of_accepted, max_nfev=1_000_000, **options)
        return accepted

    return solve


def torch_solver(start: Start, watch: Watch) -> Array:
    """Fit by `training_step` of torch-levenberg-marquardt on one batch of all rows, by Cholesky."""
    import torch
    from torch_levenberg_marquardt.damping import StandardDampingStrategy
    from torch_levenberg_marquardt.training import LevenbergMarquardtModule

    torch.set_num_threads(blas.threads())
    # It warns of each Cholesky that fails, and then continues with more damping, as it should.
    logging.getLogger("torch_levenberg_marquardt.training").setLevel(logging.ERROR)
    layers: list[Any] = []
    for before, after in pairwise(start.model.architecture.sizes):
        layers += [torch.nn.Linear(before, after, dtype=torch.float64), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])  # the output is linear
    parameters = torch.nn.utils.parameters_to_vector
    torch.nn.utils.vector_to_parameters(torch.tensor(start.model.parameters), model.parameters())
    # Its JᵀJ is divided by the number of rows, and so is μ.
    damping = StandardDampingStrategy(starting_value=DAMPING / start.y.size, min_value=1e-14)
    module = LevenbergMarquardtModule(model, damping_strategy=damping, solve_method="cholesky")
    x, y = torch.tensor(start.x.T), torch.tensor(start.y.T)
    watch.start()
    stop = False
    while not stop:
        _outputs, loss, gave_up, _logs = module.training_step(x, y)
        stop = watch.step(float(loss)) or gave_up
    fitted: Array = parameters(model.parameters()).detach().numpy()
    return fitted


def optimistix_solver(start: Start, watch: Watch) -> Array:
    """Fit by `optimistix.LevenbergMarquardt.step`, compiled, with its quickest linear solver."""
    os.environ["JAX_ENABLE_X64"], os.environ["JAX_PLATFORMS"] = "1", "cpu"
    if blas.threads() == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax.numpy as jnp

    step, arrays = _compiled(start)
    parameters = jnp.asarray(start.model.parameters)
    step(parameters, arrays)[2].block_until_ready()
    watch.start()
    stop = False
    while not stop:
        parameters, arrays, mse = step(parameters, arrays)
        stop = watch.step(float(mse))
    return np.asarray(parameters)


@cache
def _compiled(start: Start) -> tuple[Any, Any]:
    """Return a step of optimistix as a compiled function, and the arrays of its state before the first."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import lineax as lx
    import optimistix as optx

    architecture = start.model.architecture
    x, y, last = jnp.asarray(start.x), jnp.asarray(start.y), len(architecture.layers) - 1

    def residuals(parameters: Any, _args: Any) -> tuple[Any, None]:
        values = x
        for place, (weights, bias) in enumerate(architecture.weight_slices):
            units = architecture.layers[place].units
            values = parameters[weights].reshape(units, -1) @ values + parameters[bias][:, None]
            values = values if place == last else jnp.tanh(values)
        return (values - y).reshape(-1), None

    normal = lx.Normal(lx.Cholesky())
    solver: Any = optx.LevenbergMarquardt(rtol=0.0, atol=0.0, linear_solver=normal)
    options, tags = {"jac": "fwd"}, frozenset[object]()
    first = jnp.asarray(start.model.parameters)
    function = eqx.filter_closure_convert(residuals, first, None)
    shape = jax.eval_shape(lambda: residuals(first, None)[0])
    state = solver.init(function, first, None, options, shape, None, tags)
    # What of the state is no array never changes; the compiled step takes and gives the arrays.
    begun, fixed = eqx.partition(state, eqx.is_array)

    def step(parameters: Any, arrays: Any) -> tuple[Any, Any, Any]:
        before = eqx.combine(arrays, fixed)
        parameters, after, _aux = solver.step(function, parameters, None, options, before, tags)
        return parameters, eqx.filter(after, eqx.is_array), jnp.mean(after.f_info.residual**2)

    return jax.jit(step), begun


def pyrenn_solver(start: Start, watch: Watch) -> Array:
    """Fit by pyrenn's `train_LM`; the watch gets a step at each of its Jacobians, of which there is one a step."""
    import pyrenn

    architecture = start.model.architecture
    network = pyrenn.CreateNN(list(architecture.sizes))
    # It has a layer's weights unit by unit of the layer before.
    order = np.concatenate(
        [
            part
            for layer in architecture.layer_views(np.arange(architecture.parameters, dtype=np.float64))
            for part in (layer.weights.flatten("F"), layer.bias[:, 0])
        ]
    ).astype(int)
    network["w"] = start.model.parameters[order]
    original, fitted = pyrenn.RTRL, start.model.parameters.copy()

    def watched(now: Any, data: Any) -> Any:
        J, total, errors = original(now, data)
        is_first = np.array_equal(now["w"], start.model.parameters[order])
        fitted[order] = now["w"]
        if not is_first and watch.step(float(total) / start.y.size):
            raise EnoughError
        return J, total, errors

    pyrenn.RTRL = watched
    watch.start()
    try:
        with suppress(EnoughError):
            pyrenn.train_LM(start.x, start.y, network, k_max=1_000_000, E_stop=0.0)
    finally:
        pyrenn.RTRL = original
    return fitted


TRF: dict[str, Any] = {"method": "trf", "ftol": None, "xtol": None, "gtol": 1e-15}
PEERS = {
    "scipy, trf": Peer(scipy_solver(**TRF, tr_solver="exact"), ["scipy"]),
    "scipy, trf with lsmr": Peer(scipy_solver(**TRF, tr_solver="lsmr"), ["scipy"]),
    "scipy, lm": Peer(scipy_solver(method="lm", ftol=3e-16, xtol=3e-16, gtol=3e-16), ["scipy"]),
    "torch-levenberg-marquardt": Peer(torch_solver, ["torch", "torch-levenberg-marquardt"]),
    "optimistix": Peer(optimistix_solver, ["jax", "optimistix"]),
    "pyrenn": Peer(pyrenn_solver, ["pyrenn"]),
}
