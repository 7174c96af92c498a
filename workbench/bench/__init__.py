"""Compares variants in fresh processes, on speed and quality together.

A suite is a plain Python file::

    from workbench.bench import Case, Suite, axis

    suite = Suite("jacobian", baseline={"tanh": "exact"})

    @suite.workload(tanh=axis("exact", "fast"))
    def evaluate(tanh, *, seed):
        x, apply = prepare(tanh, seed)                       # set up: not timed
        return Case(run=lambda: apply(x), quality=lambda y: {"error": error_of(y)})   # timed; not timed
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.bench.design.axes import Axis, axis
    from workbench.bench.design.case import Case, Curve
    from workbench.bench.design.commentary import Claim, Commentary, Quotes
    from workbench.bench.design.suite import Suite, load_suite
    from workbench.bench.design.suite_tables import Residuals, Scaling, Table

__all__ = [
    "Axis",
    "Case",
    "Claim",
    "Commentary",
    "Curve",
    "Quotes",
    "Residuals",
    "Scaling",
    "Suite",
    "Table",
    "axis",
    "load_suite",
]

_MODULES = {
    "axes": ("Axis", "axis"),
    "case": ("Case", "Curve"),
    "commentary": ("Claim", "Commentary", "Quotes"),
    "suite": ("Suite", "load_suite"),
    "suite_tables": ("Residuals", "Scaling", "Table"),
}
"""What is imported when it is used: a profile needs this package's statistics alone."""


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.design.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
