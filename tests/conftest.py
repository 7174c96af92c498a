"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the examples are the same every time: a change is judged by itself, and not by its luck. New examples are
# found wherever else the tests run.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
