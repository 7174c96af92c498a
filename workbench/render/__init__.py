"""Flame graphs and timelines of profiles as interactive SVG, and plots of results."""
