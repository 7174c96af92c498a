"""What is known of the reference problem beside what is measured: its scopes, and the original Rust version's notes."""

from __future__ import annotations

from workbench.bench import Claim, Commentary, Quotes, Scaling

SCALING = Scaling(option="n_jobs", whole="compute jacobian", work="columns")

_PARALLEL = "columns in parallel: about 3× faster on 8 workers, on another machine"
_TWO = "2 workers here: 3× is out of their reach, so faster at all is what is judged"

QUOTES = Quotes(
    source="the original Rust version",
    text="with finite-difference columns in Rust and a scalar tanh, tanh took 73 % of the Jacobian; 57 % with "
    "fastapprox's fast tanh and a fit that was still satisfactory; 37 % with its faster tanh and a visibly worse fit, "
    "better when only the forward pass used it. Columns on 8 parallel workers were about 3× faster, on another "
    "machine.",
    remark="NumPy's exact tanh is vectorised, so there is less to gain here than there was.",
    shares={"exact": "73 %", "fast": "57 %", "faster": "37 %"},
    claims=(
        Claim(
            "fast",
            "fast tanh: tanh takes 57 % of the Jacobian instead of 73 %, and the fit is still satisfactory",
            "faster, and the error not worse",
            is_faster=True,
            error="not worse",
        ),
        Claim(
            "faster",
            "faster tanh: 37 %, and the fit is visibly worse",
            "faster, and the error worse",
            is_faster=True,
            error="worse",
        ),
        Claim(
            "faster, residuals only",
            "faster tanh in the forward pass only: a better fit than with it everywhere",
            "a smaller error than with faster everywhere",
            better_than="faster",
        ),
        Claim("exact, 2 processes", _PARALLEL, "faster", is_faster=True, note=_TWO),
        Claim("exact, 2 threads", _PARALLEL, "faster", is_faster=True, note=_TWO),
    ),
)

COMMENTARY = Commentary(
    lead="A 1-20-20-10-1 network of 681 parameters is fitted to −x·sin(10x), 1000 samples, by Levenberg-Marquardt.",
    step="epoch",
    names={
        "compute jacobian": "the Jacobian",
        "columns": "columns",
        "activation": "tanh",
    },
    part="activation",
    part_options=("tanh", "jacobian_tanh"),
    errors="in units scaled to [−1, 1], after the same number of epochs",
    quotes=QUOTES,
)
