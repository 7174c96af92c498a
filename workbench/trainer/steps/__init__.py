"""A Levenberg-Marquardt step in its parts: linear systems, the step, first-order steps, regularisation."""
