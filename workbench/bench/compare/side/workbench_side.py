"""The suite of one side of a comparison, under the names that its variants have in the results.

Both sides are asked for the same file; which suite that is, and what its variants are called, stands in a variable.
"""

from __future__ import annotations

import json
import os

from workbench.bench import load_suite

_side = json.loads(os.environ["WORKBENCH_SIDE"])

suite = load_suite(_side["suite"])
suite.variants = {name: suite.variants[variant] for name, variant in _side["variants"].items()}
suite.baseline = next(iter(suite.variants))
