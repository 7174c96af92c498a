"""Variants compared in fresh processes: on speed, and on quality, together.

A suite is a plain Python file:

    from workbench.bench import Case, Suite

    suite = Suite("tanh", baseline="exact", variants={"exact": {"kernel": "exact"}, "fast": {"kernel": "fast"}})

    @suite.workload
    def evaluate(kernel, *, seed):
        x, apply = prepare(kernel, seed)                     # set up: not timed
        return Case(run=lambda: apply(x), quality=lambda y: {"error": error_of(y)})   # timed; not timed
"""

from workbench.bench.suite import Case, Suite, load_suite

__all__ = ["Case", "Suite", "load_suite"]
