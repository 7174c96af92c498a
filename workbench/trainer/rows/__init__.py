"""Rows beyond memory: where they come from, and sums over groups of them on any number of workers."""
