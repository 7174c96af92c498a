"""Ways to get a profile: a recording of guards, py-spy, pyinstrument.

Nothing is imported here: the bootstrap of a profiled program is one of this package's modules, and it must
not load NumPy into that program.
"""
