"""The fitted coefficients: that the files hold what the script computes, and that both say the same."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench.trainer.kernels import _tanh_coefficients as fitted

ROOT = Path(__file__).resolve().parents[3]
HEADER = ROOT / "workbench" / "trainer" / "kernels" / "_tanh_coefficients.h"


def test_files_are_as_computed():
    """The fit gives the same digits on every run, and they are those in the repository."""
    script = ROOT / "benchmarks" / "fit_tanh.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["1E4", "1E7", "1E12"])
def test_both_files_hold_the_same_numbers(name):
    """C and Python read the same numbers."""
    text = HEADER.read_text(encoding="utf-8")
    for letter in "pq":
        block = re.search(rf"tanh_{name.lower()}_{letter}\[\] = {{(.*?)}}", text, re.DOTALL).group(1)
        in_c = [float(number) for number in re.findall(r"[\d.e+-]+", block)]
        assert tuple(in_c) == getattr(fitted, f"TANH_{name}_{letter.upper()}")
        assert len(in_c) == 1 + int(re.search(rf"TANH_{name}_DEGREE (\d+)", text).group(1))
    bound = re.search(rf"TANH_{name}_BOUND ([\d.]+)", text).group(1)
    assert float(bound) == getattr(fitted, f"TANH_{name}_BOUND")


@pytest.mark.parametrize("name", ["1E4", "1E7", "1E12"])
def test_the_error_alternates(name):
    """The relative error has 2n + 1 extremes of one height, which no other quotient of degree n can beat."""
    p, q = (np.array(getattr(fitted, f"TANH_{name}_{letter}"), np.longdouble) for letter in "PQ")
    u = np.linspace(0.0, np.sqrt(getattr(fitted, f"TANH_{name}_BOUND")), 20_001, dtype=np.longdouble)[1:] ** 2
    x = np.sqrt(u)
    error = x * np.polyval(p[::-1], u) / np.polyval(q[::-1], u) / np.tanh(x) - 1.0
    runs = np.split(np.abs(error), np.flatnonzero(np.diff(np.sign(error))) + 1)
    heights = np.array([run.max() for run in runs])
    assert len(heights) == 2 * len(p) - 1
    assert heights.min() > 0.95 * heights.max()
