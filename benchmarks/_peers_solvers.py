"""Each library at work on the reference problem, from given weights, telling a watch of every step.

A library is asked for by name; one that is not installed has a line that says how to install it.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from _peers_problem import ARCHITECTURE, ROWS, TARGET, Array, Solve, Start, Watch
from _peers_threads import THREADS

from workbench.errors import InvalidInputError
from workbench.trainer import LevenbergMarquardt, Progress
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.network.forward import predict


class _EnoughError(Exception):
    """Leaves a solver that has no other way out."""


@dataclass(frozen=True)
class Ours:
    """`Sequential.fit`, all of it: scaling the rows, and what it records, are in the time to a target."""

    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, start: Start, watch: Watch) -> None:
        """Fit from the start's weights until the watch says stop."""

        def told(progress: Progress) -> None:
            if watch(progress.train_mse):
                raise _EnoughError

        network = start.network()
        watch.start()
        with suppress(_EnoughError):
            network.fit(
                ROWS.x,
                ROWS.y,
                optimizer=LevenbergMarquardt(**self.options),
                epochs=1_000_000,
                target_mse=0.0,
                validation=0.0,
                test=0.0,
                callback=told,
            )


@dataclass(frozen=True)
class Torch:
    """torch-levenberg-marquardt: `training_step` on one batch of all rows, Cholesky, with its damping options."""

    damping: dict[str, Any] = field(default_factory=dict)
    use_vmap: bool = True

    def __call__(self, start: Start, watch: Watch) -> None:
        """Step until the watch, or the library itself, says stop."""
        import torch
        from torch_levenberg_marquardt.damping import StandardDampingStrategy
        from torch_levenberg_marquardt.training import LevenbergMarquardtModule

        torch.set_num_threads(THREADS)
        # It warns of each Cholesky that fails, and then continues with more damping, as it should.
        logging.getLogger("torch_levenberg_marquardt.training").setLevel(logging.ERROR)
        sizes = ARCHITECTURE.sizes
        layers: list[torch.nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [torch.nn.Linear(before, after, dtype=torch.float64), torch.nn.Tanh()]
        model = torch.nn.Sequential(*layers[:-1])  # the output is linear
        torch.nn.utils.vector_to_parameters(torch.tensor(start.network().parameters), model.parameters())
        module = LevenbergMarquardtModule(
            model,
            damping_strategy=StandardDampingStrategy(**self.damping),
            solve_method="cholesky",
            use_vmap=self.use_vmap,
        )
        x, y = torch.tensor(ROWS.scaled_x.T), torch.tensor(ROWS.scaled_y.T)
        watch.start()
        stop = False
        while not stop:
            _outputs, loss, gave_up, _logs = module.training_step(x, y)
            stop = watch(float(loss)) or gave_up


@dataclass(frozen=True)
class Scipy:
    """`scipy.optimize.least_squares`, given our analytic Jacobian, which is quicker than one of its own would be."""

    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, start: Start, watch: Watch) -> None:
        """Iterate until the watch says stop; no tolerance of its own ends it earlier, but for a gradient of zero."""
        from scipy.optimize import OptimizeResult, least_squares

        rows = ROWS.scaled_y.size

        def residuals(parameters: Array) -> Array:
            difference: Array = predict(ARCHITECTURE, parameters, ROWS.scaled_x, "exact") - ROWS.scaled_y
            return difference.reshape(-1)

        def told(intermediate_result: OptimizeResult) -> None:
            if watch(2.0 * intermediate_result.cost / rows):
                raise StopIteration

        with open_jacobian(ARCHITECTURE, ROWS.scaled_x, "backprop") as jacobian:
            watch.start()
            least_squares(
                residuals,
                start.network().parameters,
                jac=jacobian,
                ftol=None,
                xtol=None,
                gtol=1e-15,
                max_nfev=1_000_000,
                callback=told,
                method="trf",
                **self.options,
            )


class Optimistix:
    """`optimistix.LevenbergMarquardt`: its step, compiled once by `jax.jit` in 64 bits, called in a loop."""

    def __init__(self, jac: str = "fwd", solver: str = "QR") -> None:
        self._jac, self._solver = jac, solver
        self._compiled: Any = None

    def __call__(self, start: Start, watch: Watch) -> None:
        """Step until the watch says stop; the error is that of the last accepted point."""
        import jax.numpy as jnp

        if self._compiled is None:
            self._compiled = self._compile()
        step, state = self._compiled
        parameters = jnp.asarray(start.network().parameters)
        state = state(parameters)
        step(parameters, state)[2].block_until_ready()
        watch.start()
        stop = False
        while not stop:
            parameters, state, mse = step(parameters, state)
            stop = watch(float(mse))

    def _compile(self) -> Any:
        import equinox as eqx
        import jax
        import jax.numpy as jnp
        import lineax as lx
        import optimistix as optx

        x, y = jnp.asarray(ROWS.scaled_x), jnp.asarray(ROWS.scaled_y)
        last = len(ARCHITECTURE.layers) - 1

        def residuals(parameters: Any, _args: Any) -> tuple[Any, None]:
            values = x
            for place, (weights, bias) in enumerate(ARCHITECTURE.weight_slices):
                units = ARCHITECTURE.layers[place].units
                values = parameters[weights].reshape(units, -1) @ values + parameters[bias][:, None]
                values = values if place == last else jnp.tanh(values)
            return (values - y).reshape(-1), None

        linear = {"QR": lx.QR(), "normal": lx.Normal(lx.Cholesky())}[self._solver]
        solver = optx.LevenbergMarquardt(rtol=0.0, atol=0.0, linear_solver=linear)
        options, tags = {"jac": self._jac}, frozenset[object]()
        example = jnp.zeros(ARCHITECTURE.parameters)
        function = eqx.filter_closure_convert(residuals, example, None)
        shape = jax.eval_shape(lambda: residuals(example, None)[0])

        def begin(parameters: Any) -> Any:
            return solver.init(function, parameters, None, options, shape, None, tags)

        # What of the state is no array never changes; the compiled step takes and gives the arrays.
        fixed = eqx.partition(begin(example), eqx.is_array)[1]

        def step(parameters: Any, arrays: Any) -> tuple[Any, Any, Any]:
            state = eqx.combine(arrays, fixed)
            parameters, state, _aux = solver.step(function, parameters, None, options, state, tags)
            return parameters, eqx.filter(state, eqx.is_array), jnp.mean(state.f_info.residual**2)

        return jax.jit(step), lambda parameters: eqx.filter(begin(parameters), eqx.is_array)


def pyrenn_solve(start: Start, watch: Watch) -> None:
    """Run pyrenn's `train_LM`; the watch is told after each of its Jacobians, of which there is one a step."""
    import pyrenn

    network = pyrenn.CreateNN(list(ARCHITECTURE.sizes))
    parameters = start.network().parameters
    network["w"] = np.concatenate(
        [
            part
            for layer in ARCHITECTURE.layer_views(parameters)
            for part in (layer.weights.flatten("F"), layer.bias[:, 0])
        ]
    )
    original, calls = pyrenn.RTRL, 0

    def watched(*arguments: Any) -> Any:
        nonlocal calls
        J, total, errors = original(*arguments)
        calls += 1
        if calls > 1 and watch(float(total) / ROWS.y.size):  # the first is where it starts
            raise _EnoughError
        return J, total, errors

    pyrenn.RTRL = watched
    watch.start()
    try:
        with suppress(_EnoughError):
            pyrenn.train_LM(
                ROWS.scaled_x, ROWS.scaled_y, network, k_max=1_000_000, E_stop=TARGET * ROWS.y.size
            )
    finally:
        pyrenn.RTRL = original


@dataclass(frozen=True)
class Peer:
    """A library: what must be importable, how it is installed, and the ways in which it can be asked."""

    modules: tuple[str, ...]
    install: str
    ways: dict[str, Solve]


TORCH, OPTIMISTIX, PYRENN = "torch-levenberg-marquardt", "optimistix", "pyrenn"
SCIPY, SCIPY_LSMR = "scipy trf", "scipy trf, lsmr"
PEERS = {
    TORCH: Peer(
        ("torch", "torch_levenberg_marquardt"),
        "torch torch-levenberg-marquardt",
        {"vmap": Torch(), "no vmap": Torch(use_vmap=False)},
    ),
    SCIPY: Peer(("scipy",), "scipy", {"SVD, the default": Scipy({"tr_solver": "exact"})}),
    SCIPY_LSMR: Peer(("scipy",), "scipy", {"in two dimensions": Scipy({"tr_solver": "lsmr"})}),
    OPTIMISTIX: Peer(
        ("jax", "optimistix", "lineax"),
        "jax optimistix",
        {
            "QR, forward mode": Optimistix(),
            "QR, reverse mode": Optimistix("bwd"),
            "normal equations, forward mode": Optimistix("fwd", "normal"),
            "normal equations, reverse mode": Optimistix("bwd", "normal"),
        },
    ),
    PYRENN: Peer(("pyrenn",), "pyrenn", {"train_LM": pyrenn_solve}),
}


@cache
def installed() -> dict[str, Peer]:
    """Return the peers that are there, and print a line for each that is not."""
    found = {}
    for name, peer in PEERS.items():
        if all(find_spec(module) for module in peer.modules):
            found[name] = peer
        else:
            print(f"not there: {name}: pip install {peer.install}", flush=True)
    return found


def quickest(peer: Peer, steps: int) -> str:
    """Return the name of the peer's quickest way, by the median of a few steps."""
    if len(peer.ways) == 1:
        return next(iter(peer.ways))
    taken = {}
    for name, solve in peer.ways.items():
        watch = Watch(30.0, steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solve(Start(0, "xavier"), watch)
        taken[name] = float(np.median(watch.step_ms))
    return min(taken, key=lambda name: taken[name])


def strategies_there(names: tuple[str, ...]) -> list[str]:
    """Return the Jacobian strategies of ours that exist, and print a line for each that does not."""
    return [name for name in names if ours_there({"jacobian": name})]


def ours_there(options: dict[str, Any]) -> bool:
    """Return whether our optimiser takes these options; print a line if it does not."""
    try:
        LevenbergMarquardt(**options)
    except (InvalidInputError, TypeError) as refused:
        print(f"not there: {options}: {refused}", flush=True)
        return False
    return True
