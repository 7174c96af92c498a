"""The suites that ship, written with the public API alone."""
