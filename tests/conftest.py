"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No test asserts a time: a machine that does other things as well fails none.
settings.register_profile("anywhere", deadline=None)
settings.load_profile("anywhere")
# In CI the examples are the same every time: a change is judged by itself, and not by its luck. New examples are
# found wherever else the tests run.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
