"""Two revisions of a program, or two environments, as the two variants of a suite: a gate for CI."""
