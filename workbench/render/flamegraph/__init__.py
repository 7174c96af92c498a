"""Flame graphs, and differences of two, as one self-contained SVG each."""
