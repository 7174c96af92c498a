"""What the page says of how it was measured."""

from __future__ import annotations

from _peers_race import CAP_FACTOR, CAP_LEAST, CAP_MOST, STEPS, TORCH_CAP, TUNING
from _peers_threads import THREADS

from workbench.bench.machine.environment import version


def notes() -> list[str]:
    """Return how it was measured, and what a step is for each."""
    libraries = ("numpy", "scipy", "torch", "torch-levenberg-marquardt", "jax", "optimistix", "pyrenn")
    versions = ", ".join(f"{name} {version(name) or 'not installed'}" for name in libraries)
    tuning = ", ".join(f"{name}={value:g}" for name, value in TUNING.items())
    steps = ", ".join(f"{name} {count - 1}" for name, count in STEPS.items())
    return [
        (
            "y = −x·sin(10x) at 1000 places, all of them training rows, scaled to [−1, 1]; a network 1-20-20-10-1 with "
            f"681 parameters; float64; {THREADS} threads for each library; everything in one process, in an order "
            "drawn for each round, from the same initial weights. To the target "
            "ours is first, as the caps of the others follow from it."
        ),
        (
            "Ours is `Sequential.fit` with `LevenbergMarquardt()`, nothing chosen: the clock is read in its callback, "
            "so that what it records of an epoch is in a step, and scaling the rows is in the time to a target."
        ),
        (
            "A step of ours: one Jacobian, its normal equations, and trials until one is accepted; with geodesic "
            "acceleration each trial has a second derivative along the step, and a second solve."
        ),
        (
            "A step of torch-levenberg-marquardt: one `training_step` on one batch of all rows, with up to ten "
            "attempts; solve_method='cholesky'; with and without vmap, and the quicker of both is taken."
        ),
        (
            "A step of scipy: one iteration of `least_squares(method='trf')`, which is an SVD of J, trials until one "
            "is accepted, and one Jacobian, for which it is given our analytic one. With tr_solver='lsmr' there is "
            "no SVD, and the step is looked for in two dimensions only. x_scale='jac' and dogbox came less far."
        ),
        (
            "A step of optimistix: one `LevenbergMarquardt.step`, compiled before it is timed; it has one Jacobian and "
            "one solve, also where it rejects. QR or Cholesky of the normal equations, forward or reverse mode: "
            "the quickest of the four is taken, and the table says which."
        ),
        "A step of pyrenn: one iteration of `train_LM`, with its Jacobian (RTRL) and trials until one is accepted.",
        f"Figures of steps are medians over a run ({steps} steps; the first is left out), a run for each round.",
        (
            "The floor is what this machine needs at least: P²N operations of a triangle of JᵀJ at the rate that "
            "dgemm reaches on matrices of 2000 × 2000, one dpotrf of order P, one write of a P × N buffer; measured "
            "in the same rounds. SciPy's own dsyrk is slower than gemm's rate, and shown beside it."
        ),
        (
            f"To the target: torch may take {TORCH_CAP:g} s, the others {CAP_FACTOR:g} times what our fit took "
            f"from the same weights, but {CAP_LEAST:g} s at least and {CAP_MOST:g} s at most. A run that fails, or "
            f"gives up, counts as its cap, which favours whoever failed. Ours may take {CAP_MOST:g} s. Success rates "
            "are within these caps, and have Clopper-Pearson intervals."
        ),
        (
            "torch-levenberg-marquardt runs with its default damping, and from nguyen-widrow weights also tuned: "
            f"{tuning}, the best of three starting values that were tried. From xavier weights the first steps "
            "are rejected up to the same damping, whatever it starts with, so there is nothing to tune."
        ),
        (
            "“Ours, plain” is the algorithm of torch-levenberg-marquardt with its default damping: rule='marquardt', "
            "geodesic=False, damping=1. (Its JᵀJ is divided by the 1000 rows, ours is not: 1e-3 there is 1 here.)"
        ),
        (
            "The machine's limit for two workers: two processes that share nothing each work out a whole Jacobian at "
            "once, which is half of the columns each of two Jacobians; the rest of a serial epoch is added."
        ),
        (
            "A million rows: a fresh process for each round maps the rows, makes a step on 5000 of them first, reads "
            "all rows, starts the high-water mark of its resident memory anew (VmHWM), then makes a step "
            "whose first trial is accepted. "
            "gemm's rate is the mean of before and after, in that process."
        ),
        "Medians with 95 % order-statistic intervals. “Not surely” means that the limit is inside the interval.",
        f"Versions: {versions}; scipy's callback needs 1.16.",
    ]
