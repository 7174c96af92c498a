"""The timeline (flame chart) as one self-contained SVG."""
