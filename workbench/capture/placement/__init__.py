"""Samples under the scopes that were open when they were taken: by line, and by time."""

from workbench.capture.placement.clock import Clock
from workbench.capture.placement.merge import merge
from workbench.capture.placement.ties import tie_clocks

__all__ = ["Clock", "merge", "tie_clocks"]
