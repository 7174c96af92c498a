"""Common to the trainer's tests: small networks, and independent definitions to compare with."""

import numpy as np
from hypothesis import strategies as st

from workbench.eventlog import read_recording
from workbench.trainer import Sequential, problem
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.jacobian import open_jacobian
from workbench.trainer.network.architecture import Architecture, Dense


def reference_network(seed=7, initial="nguyen-widrow"):
    """Return the 1-20-20-10-1 network of the reference problem."""
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    return builder.dense(1, "linear").build(seed=seed, initial=initial)


def small_network(seed=3, outputs=1):
    return Sequential.builder(inputs=1).dense(6, "tanh").dense(outputs, "linear").build(seed=seed)


def small_problem(outputs=2, rows=30):
    """Return a network of two inputs, random rows and targets, and parameters."""
    network = architecture(2, (4, "tanh"), (outputs, "linear"))
    rng = np.random.default_rng(0)
    problem = TrainingProblem(network, rng.uniform(-1, 1, (2, rows)), rng.uniform(-1, 1, (outputs, rows)))
    return network, problem, rng.normal(size=network.parameters)


def reference_data():
    given = problem("multimodal_1d")
    return given.x, given.y


def architecture(inputs, *layers):
    return Architecture(inputs, tuple(Dense(units, activation) for units, activation in layers))


def draw(network, rows, seed):
    """Return random parameters, and x of shape (inputs, rows)."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 0.7, network.parameters), rng.uniform(-1.0, 1.0, (network.inputs, rows))


def layers_of(*activations):
    """Return a strategy for one to four layers with these activations."""
    layer = st.tuples(st.integers(1, 7), st.sampled_from(activations))
    return st.lists(layer, min_size=1, max_size=4)


def jacobian(network, parameters, x, strategy="backprop", **options):
    """Return a copy of the Jacobian at x, shape (inputs, rows)."""
    with open_jacobian(network, x, strategy, **options) as compute:
        return compute(parameters).copy(order="K")


def complex_forward(network, parameters, x):
    """Return the outputs (outputs, rows) for complex parameters; written apart from the trainer's code."""
    values, start = x, 0
    for before, layer in zip(network.sizes, network.layers, strict=False):
        weights = parameters[start : start + before * layer.units].reshape(layer.units, before)
        start += before * layer.units
        z = weights @ values + parameters[start : start + layer.units, np.newaxis]
        start += layer.units
        values = {"tanh": np.tanh, "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)), "linear": lambda z: z}[
            layer.activation
        ](z)
    return values


def complex_step(network, parameters, x, h=1e-20):
    """Return J by the complex step, exact to rounding: rows sample-major, then output."""
    J = np.empty((x.shape[1] * network.outputs, network.parameters))
    for column in range(network.parameters):
        moved = parameters.astype(complex)
        moved[column] += 1j * h
        J[:, column] = complex_forward(network, moved, x.astype(complex)).imag.T.ravel() / h
    return J


def paths(folder):
    """Return the path of scopes of each span in a recording."""
    profile = read_recording(folder).check()
    return [
        "/".join(profile.frames[frame].name for frame in profile.stacks.path(stack))
        for track in profile.tracks
        if track.spans is not None
        for stack in track.spans.stack.tolist()
    ]
