"""The profiles of a suite's variants, side by side: `make profile`."""
