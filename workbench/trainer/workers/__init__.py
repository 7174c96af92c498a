"""Where work runs: threads and processes, the memory they share, and the BLAS threads of each."""
