"""Ways to get a profile: a recording of scopes with its samples, py-spy, pyinstrument.

Nothing is imported here: what starts in a profiled program is one of this package's modules, and it must not load
NumPy into that program.
"""
