"""The tests: their folders are those of the package."""
