"""Rows beyond memory: their sources, and sums over groups of rows on any number of workers."""
