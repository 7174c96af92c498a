"""Pictures of profiles and of results: flame graphs as interactive SVG, plots as PNG or SVG."""
