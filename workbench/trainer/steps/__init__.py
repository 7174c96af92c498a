"""A Levenberg-Marquardt step in its parts: linear systems, damping, acceleration, regularisation."""
