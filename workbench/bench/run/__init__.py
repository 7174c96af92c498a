"""Running a suite: its plan, and each variant in a fresh process."""
