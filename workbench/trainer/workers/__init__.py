"""Threads and processes that do the work, and the BLAS threads of each."""
