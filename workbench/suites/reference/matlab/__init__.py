"""The trainer beside MATLAB, GNU Octave and Python's libraries, on the reference problem from the same weights.

    workbench bench matlab --budget 9m

MATLAB and Octave run `train_reference.m`, the method of the baseline in plain MATLAB code; trainlm is in a toolbox of
MATLAB. Each times its own steps, so no program's start is in a time. A fit ends at the last target, or at a limit of
steps or seconds. What is not installed is left out, and a line says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workbench.bench import Case, Curve, Suite, Table
from workbench.bench.machine.environment import blas, version
from workbench.scopes import scope
from workbench.suites.reference.case import TARGETS, draw, fit_case, residuals
from workbench.suites.reference.commentary import COMMENTARY
from workbench.suites.reference.matlab.fits import DAMPING, Fit, FitLimits, Start
from workbench.suites.reference.matlab.peers import PEERS
from workbench.suites.reference.matlab.programs import MATLAB, OCTAVE, trainlm_missing
from workbench.trainer import LevenbergMarquardt

LIMITS, WARM_UP = FitLimits(), FitLimits(epochs=2)
PLAIN = LevenbergMarquardt(damping=DAMPING, rule="marquardt", geodesic=False, jacobian="backprop")
"""The method of `train_reference.m`, and but for the first μ of trainlm."""
OURS = {"workbench, plain": PLAIN, "workbench": LevenbergMarquardt()}
PROGRAMS = {
    "Octave, plain": (OCTAVE, "plain"),
    "MATLAB, plain": (MATLAB, "plain"),
    "MATLAB, trainlm": (MATLAB, "trainlm"),
}
SOLVERS = {
    "workbench, plain": "plain",
    "workbench": "default",
    "Octave, plain": "octave",
    "MATLAB, plain": "matlab",
    "MATLAB, trainlm": "trainlm",
    "scipy, trf": "trf",
    "scipy, trf with lsmr": "lsmr",
    "scipy, lm": "lm",
    "torch-levenberg-marquardt": "torch",
    "optimistix": "optimistix",
    "pyrenn": "pyrenn",
}
"""Variants, and what each is called on the command line."""

DESCRIPTIONS = {
    "workbench, plain": "this trainer, by the method of MATLAB's trainlm: the baseline",
    "workbench": "this trainer with its default options: Nielsen's damping, geodesic acceleration",
    "Octave, plain": "train_reference.m in GNU Octave: the baseline's method in plain MATLAB code",
    "MATLAB, plain": "the same code in MATLAB",
    "MATLAB, trainlm": "trainlm of MATLAB's Deep Learning Toolbox",
    "scipy, trf": "least_squares, trust region; each step has an SVD of J, and one J, which is ours",
    "scipy, trf with lsmr": "the same without an SVD: the step is searched in two dimensions",
    "scipy, lm": "least_squares by MINPACK's Levenberg-Marquardt: a QR of J in each step",
    "torch-levenberg-marquardt": "training_step on all rows, by Cholesky, from the same damping",
    "optimistix": "LevenbergMarquardt.step, compiled; a rejected trial is a step, too",
    "pyrenn": "train_LM, with its own Jacobian",
}


def _unavailable() -> dict[str, str]:
    why = {name: program.missing() for name, (program, _method) in PROGRAMS.items()}
    why |= {name: peer.missing() for name, peer in PEERS.items()} | {"MATLAB, trainlm": trainlm_missing()}
    return {name: reason for name, reason in why.items() if reason is not None}


def _tables() -> list[Table]:
    """Return which program ran each variant, and what was left out."""
    ours = f"Python, NumPy {version('numpy')}, BLAS {blas()}"
    rows: list[list[str | float | None]] = []
    for name in SOLVERS:
        if name in suite.unavailable:
            runs = f"left out: {suite.unavailable[name]}"
        elif name in PROGRAMS:
            program = PROGRAMS[name][0]
            asked = "fprintf('%s, BLAS %s', version(), version('-blas'))"
            runs = f"{program.name} {program.run(asked)}"
        elif name in PEERS:
            runs = ", ".join(f"{each} {version(each)}" for each in PEERS[name].distributions)
        else:
            runs = ours
        rows.append([name, runs])
    ends = f"at {LIMITS.target:g}, after {LIMITS.epochs} steps, or after {LIMITS.seconds:g} s"
    note = f"Each has one thread. A fit ends {ends}."
    return [Table("programs", ["variant", "runs in"], rows, note)]


suite = Suite(
    "matlab",
    baseline="workbench, plain",
    variants={name: {"solver": solver} for name, solver in SOLVERS.items()},
    descriptions=DESCRIPTIONS,
    unavailable=_unavailable(),
    draw=draw,
    residuals=residuals,
    quality="training MSE",
    targets=TARGETS,
    target_of="training MSE",
    commentary=replace(
        COMMENTARY, quotes=None, part="", part_options=(), errors="in units scaled to [−1, 1]"
    ),
    tables=_tables,
)


@suite.workload
def fit(solver: str, *, seed: int) -> Case:
    """Set one fit up: the same rows and initial weights for every solver of a seed."""
    name = next(each for each, short in SOLVERS.items() if short == solver)
    if name in OURS:
        fit_case(OURS[name], epochs=WARM_UP.epochs, seed=seed).run()
        return fit_case(OURS[name], epochs=LIMITS.epochs, seed=seed, target_mse=LIMITS.target)
    start = Start(seed)
    if name in PROGRAMS:
        program, method = PROGRAMS[name]
        return _case(start, lambda: program.fit(start, LIMITS, method))
    PEERS[name].fit(start, WARM_UP)
    return _case(start, lambda: PEERS[name].fit(start, LIMITS))


def _case(start: Start, solve: Callable[[], Fit]) -> Case:
    curve = Curve()

    def run() -> Fit:
        with scope("fit"):
            found = solve()
        curve.measured(found.seconds[-1], found.curve)
        return found

    return Case(
        run=run, quality=start.quality, steps=lambda found: found.step_seconds, curve=curve, keep=start.keep
    )
